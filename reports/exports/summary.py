"""Results as a markdown summary, as annotations of a build, and as a sheet of facts."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from reports.compare.spreadsheet import written
from reports.compare.text import escape
from reports.exports.entries import Entry, entries, first_line
from reports.page import MARKS
from reports.subject import About, Subject

FACTS = ("platform", "run", "finished", "check", "fact", "value", "unit", "source", "member")
MOST = 50  # rows of a summary; the rest is counted
FEW = 5  # of checks that did not run, each is told by itself
NAMED = 20  # checks that did not run, told by their ids
WORST = ("failed", "skipped", "blocked", "waived", "missing")  # what to look at first


def markdown(subjects: Sequence[Subject], about: Mapping[str, About]) -> str:
    """A summary for a build's page: the verdicts, then what did not pass."""
    lines = [
        "## Interop",
        "",
        "| platform | verdict | level | required items |",
        "|" + " --- |" * 4,
    ]
    lines += [_verdict(subject) for subject in subjects]
    for subject in subjects:
        lines += ["", *_findings(subject, entries(subject, about))]
    return "\n".join(lines) + "\n"


def github(subjects: Sequence[Subject], about: Mapping[str, About]) -> str:
    """Workflow commands of GitHub Actions, which become annotations of the build.

    An error for each required check that is not met, a warning for what could not be told or is
    only advised, a notice for the verdict. GitHub shows ten of each a step, so what failed comes
    first, and all that did not run are one.

    Source: GitHub documentation, "Workflow commands for GitHub Actions".
    """
    lines = []
    for subject in subjects:
        told = sorted(entries(subject, about), key=_urgency)
        lost = _lost(told)
        for entry in told:
            if entry.state in ("passed", "not-applicable", "waived") or entry.id in lost:
                continue
            if entry.state in ("missing", "skipped") and not entry.required:
                continue
            word = (
                "error"
                if entry.against or (entry.required and entry.state == "failed")
                else "warning"
            )
            title = f"{entry.id} {entry.state} on {subject.label}"
            again = subject.again(entry.id) if entry.records else ""
            repeat = f"to repeat it: {again}" if again else ""
            text = "\n".join(part for part in (entry.title, entry.reason, repeat) if part)
            lines.append(f"::{word} title={_property(title)}::{_data(text or entry.state)}")
        if lost:
            title = f"{len(lost)} required checks missing on {subject.label}"
            lines.append(f"::error title={_property(title)}::{_data(_ids(lost))}")
        judgement = subject.judgement
        if judgement is not None:
            text = (
                f"{subject.label}: {judgement.verdict} by {judgement.guideline} {judgement.program}"
            )
            lines.append(f"::notice title=Interop::{_data(text)}")
    return "\n".join(lines) + "\n" if lines else ""


def facts_csv(subjects: Sequence[Subject]) -> str:
    """Every observed fact, one a line; values are JSON where they are not plain words."""
    lines: list[Sequence[object]] = [FACTS]
    for subject in subjects:
        lines += [
            (
                subject.platform,
                subject.run,
                subject.finished,
                record.id,
                fact.name,
                fact.value if isinstance(fact.value, str) else json.dumps(fact.value),
                fact.unit or "",
                fact.source,
                fact.member or "",
            )
            for record in subject.records
            for fact in record.facts
        ]
    return written(lines)


def _urgency(entry: Entry) -> tuple[bool, int]:
    """What is required before what is advised, what failed before what is not known."""
    return not entry.required, WORST.index(entry.state) if entry.state in WORST else len(WORST)


def _lost(items: Sequence[Entry]) -> list[str]:
    """Required checks that did not run, if they are more than a few: a run of chosen checks."""
    lost = [entry.id for entry in items if entry.state == "missing" and entry.required]
    return lost if len(lost) > FEW else []


def _ids(ids: Sequence[str]) -> str:
    """Checks by their ids, very many only counted."""
    more = f" and {len(ids) - NAMED} more" if len(ids) > NAMED else ""
    return ", ".join(ids[:NAMED]) + more


def _verdict(subject: Subject) -> str:
    judgement = subject.judgement
    if judgement is None:
        return f"| {escape(subject.label)} | not judged | | |"
    level = "none" if judgement.level is None else str(judgement.level)
    states = [f"{n} {word.replace('_', ' ')}" for word, n in judgement.counts.items() if n]
    mark = f"{MARKS[judgement.verdict]} {judgement.verdict}"
    return f"| {escape(subject.label)} | {mark} | {level} | {escape(', '.join(states))} |"


def _findings(subject: Subject, items: Sequence[Entry]) -> list[str]:
    open_ = [e for e in items if e.state not in ("passed", "not-applicable")]
    lines = [f"### {escape(subject.label)}", ""]
    if not subject.complete:
        lines += [f"**Did not finish:** {escape(subject.incomplete or 'no reason given')}", ""]
    if not open_:
        return [*lines, "Everything that applies passed."]
    lost = _lost(open_)
    open_ = sorted((e for e in open_ if e.id not in lost), key=_urgency)
    if lost:
        lines += [f"{len(lost)} required checks did not run: {escape(_ids(lost))}", ""]
    if not open_:
        return lines
    lines += ["| state | check | requirement | reason |", "|" + " --- |" * 4]
    for entry in open_[:MOST]:
        state = f"{MARKS.get(entry.state, '?')} {entry.state}"
        state += "" if entry.required else ", advisory"
        words = (state, entry.id, entry.title, first_line(entry.reason))
        lines.append("| " + " | ".join(escape(word) for word in words) + " |")
    if len(open_) > MOST:
        lines += ["", f"and {len(open_) - MOST} more"]
    ran = [entry.id for entry in open_ if entry.records]
    again = subject.again(*ran) if ran else ""
    return [*lines, "", "To repeat these:", "", f"    {again}"] if again else lines


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
