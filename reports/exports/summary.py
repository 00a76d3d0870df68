"""Results as a markdown summary, as annotations of a build, and as a sheet of facts."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence

from reports.compare.spreadsheet import written
from reports.compare.text import escape, shortened
from reports.exports.entries import Entry, entries, first_line
from reports.page import MARKS
from reports.subject import About, Subject

FACTS = ("platform", "run", "finished", "check", "fact", "value", "unit", "source", "member")
MOST = 50  # rows of a summary; the rest is counted
SHOWN = 10  # annotations of a kind that GitHub shows of a step
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
    return shortened(lines)


def github(subjects: Sequence[Subject], about: Mapping[str, About]) -> str:
    """Workflow commands of GitHub Actions, which become annotations of the build.

    An error for each required check that is not met, a warning for what could not be told or is
    only advised, a notice for the verdict. GitHub shows ten of each a step, so what failed comes
    first, on whichever platform, all that did not run are one, and the tenth says how many more.

    Source: GitHub documentation, "Workflow commands for GitHub Actions".
    """
    found = dict.fromkeys(one for subject in subjects for one in _annotations(subject, about))
    lines = []
    for word in ("error", "warning", "notice"):
        told = sorted((one for one in found if one[1] == word), key=lambda one: one[0])
        if len(told) > SHOWN:
            more = f"and {len(told) - SHOWN + 1} more"
            told = [*told[: SHOWN - 1], ((), word, "Interop", f"{more}: see the summary")]
        lines += [
            f"::{word} title={_property(title)}::{_data(text)}" for _, word, title, text in told
        ]
    return "\n".join(lines) + "\n" if lines else ""


def _annotations(
    subject: Subject, about: Mapping[str, About]
) -> Iterator[tuple[tuple[object, ...], str, str, str]]:
    """What is to be told of a result: urgency, kind, title and text."""
    items = entries(subject, about)
    lost = _lost(items)
    for entry in items:
        if entry.state in ("passed", "not-applicable", "waived") or entry.id in lost:
            continue
        if entry.state in ("missing", "skipped") and not entry.required:
            continue
        failed = entry.against or (entry.required and entry.state == "failed")
        again = entry.again(subject)
        repeat = f"to repeat it: {again}" if again else ""
        text = "\n".join(part for part in (entry.title, entry.reason, repeat) if part)
        title = f"{entry.id} {entry.state} on {subject.label}"
        yield _urgency(entry), "error" if failed else "warning", title, text or entry.state
    if lost:
        title = f"{len(lost)} required checks missing on {subject.label}"
        yield (False, WORST.index("missing")), "error", title, _ids(lost)
    judgement = subject.judgement
    if judgement is not None:
        for note in judgement.waivers:
            yield (True, -1), "warning", "Interop waivers", note
        met = judgement.verdict == "compliant"
        text = f"{subject.label}: {judgement.verdict} by {judgement.guideline} {judgement.program}"
        yield (met,), "notice", "Interop", text


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
                _cell(fact.value),
                fact.unit or "",
                fact.source,
                fact.member or "",
            )
            for record in subject.records
            for fact in record.facts
        ]
    return written(lines)


def _cell(value: object) -> object:
    """A fact's value: words and numbers as they are, everything else as JSON."""
    plain = isinstance(value, str | int | float) and not isinstance(value, bool)
    return value if plain else json.dumps(value)


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
    notes = subject.judgement.waivers if subject.judgement else ()
    lines += [line for note in notes for line in (f"**Waivers:** {escape(note)}", "")]
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
