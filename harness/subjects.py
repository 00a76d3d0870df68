"""From files of results to subjects that can be compared and exported: read, judged, labelled."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from pathlib import Path

from pydantic import TypeAdapter

from guidelines.catalog import load_waivers
from guidelines.errors import BadDocument
from guidelines.evidence import Evidence, Status
from guidelines.freshness import expires_on
from guidelines.judge import judge
from guidelines.model import CapabilityStatus, Guideline
from guidelines.requirements import choose_program, find_program
from guidelines.results import load_results
from guidelines.verdict import State, Verdict
from guidelines.waivers import Waiver
from harness.outcome import program_for
from reports.compare.comparison import Standing
from reports.errors import BadReport
from reports.read import read_result, read_verdict
from reports.redact import Private, redaction
from reports.result import CheckRecord
from reports.subject import About, Subject, judgement_of, labelled, subject_of
from reports.verdict import VerdictDocument

OWN = "interop.result/1"
WAIVERS = "waivers.yaml"  # a run's own copy, in its folder
NEWEST = "2026.11"  # judged by if nothing says otherwise


_SUBJECT = TypeAdapter(Subject)


@dataclass(frozen=True, slots=True, kw_only=True)
class Judging:
    """How subjects are judged.

    Args:
        guideline: by which guideline.
        program: by which program; None chooses by platform.
        at: as of which day; None takes the day each run finished, so that old results are told
            as they were.
        waivers: exceptions that were granted.
    """

    guideline: Guideline
    program: str | None = None
    at: date | None = None
    waivers: tuple[Waiver, ...] = ()

    def verdict(self, evidence: Evidence, features: frozenset[str]) -> Verdict:
        """Judge one result."""
        seen = evidence.finished or evidence.started
        day = self.at or (seen.astimezone(UTC).date() if seen else datetime.now(UTC).date())
        program = program_of(self.guideline, self.program, features, day)
        return judge(self.guideline, [evidence], program=program, at=day, waivers=self.waivers)


def program_of(guideline: Guideline, asked: str | None, features: frozenset[str], day: date) -> str:
    """The program *asked* for, else the one that fits a platform with *features*, or the *day*.

    Raises:
        BadDocument: there is no such program, or the guideline leaves it open.
    """
    if asked is None and guideline.format == "interop":
        return program_for(guideline, features, None)
    return choose_program(guideline, asked, day).id


def stored_guideline(paths: Sequence[Path]) -> str:
    """The guideline by which the verdicts beside the results were given; the newest if none is.

    Raises:
        BadDocument: they were given by different ones, so one must be named.
    """
    found: dict[str, Path] = {}
    for path in paths:
        folder = path if path.is_dir() else path.parent
        if (folder / "verdict.json").is_file():
            found.setdefault(read_verdict(folder / "verdict.json").guideline, path)
    if len(found) > 1:
        places = "; ".join(f"{path} by {name}" for name, path in found.items())
        message = f"judged by different guidelines ({places}); name one with --guideline"
        raise BadDocument("results", "", message)
    return next(iter(found), NEWEST)


def stored_waivers(paths: Sequence[Path]) -> tuple[Waiver, ...]:
    """The waivers that the runs of the results were judged with, each file once."""
    found: dict[bytes, Path] = {}
    for path in paths:
        folder = path if path.is_dir() else path.parent
        for place in (folder, folder.parent):
            file = place / WAIVERS
            if (place / "run.json").is_file() and file.is_file():
                found.setdefault(file.read_bytes(), file)
    return tuple(waiver for file in found.values() for waiver in load_waivers(file))


def expanded(paths: Sequence[Path]) -> list[Path]:
    """The results meant: for a run's folder, those of all its platforms."""
    found: list[Path] = []
    for path in paths:
        if path.is_dir() and (path / "run.json").is_file():
            inside = sorted(file.parent for file in path.glob("*/result.json"))
            if not inside:
                raise BadDocument(str(path), "", "a run's folder without a result")
            found += inside
        else:
            found.append(path)
    return found


def read_subject(path: Path) -> tuple[Subject, Evidence]:
    """One result, of ours or made elsewhere, as a subject that is not judged yet.

    Raises:
        BadDocument, BadReport: it is no result.
    """
    evidence = load_results(path)
    file = Path(evidence.source)
    if evidence.format == OWN:
        source = "/".join(file.resolve().parts[-2:])
        result = read_result(file)
        return subject_of(result, source=source, digest=evidence.digest), evidence
    return _foreign(file, evidence), evidence


def load_subjects(
    paths: Sequence[Path],
    judging: Judging,
    *,
    evidence_texts: bool = True,
    private: Private | None = None,
) -> list[Subject]:
    """Read, judge and label results.

    Args:
        paths: files of results, or their folders.
        judging: how they are judged.
        evidence_texts: whether these are kept; without them a thousand results need less memory.
        private: what is taken out, besides secrets and controllers; ``None`` takes nothing out.

    Raises:
        BadDocument, BadReport: one is no result, or the guideline does not fit.
    """
    found = []
    for path in paths:
        subject, evidence = read_subject(path)
        verdict = judging.verdict(evidence, frozenset(subject.features))
        if not evidence_texts:
            subject = replace(subject, records=tuple(map(_slim, subject.records)))
        if evidence.format == OWN or judging.program is not None or speaks(verdict):
            subject = judged(subject, verdict, judging.guideline)
            if evidence.format == OWN:
                subject = replace(subject, told=told_before(evidence, judging.guideline))
        found.append(subject if private is None else redacted(subject, private))
    return labelled(found)


def speaks(verdict: Verdict) -> bool:
    """Whether the evidence knows anything of what the guideline asks; else it is no judgement."""
    silent = (State.MISSING, State.NOT_APPLICABLE)
    return any(item.state not in silent for item in verdict.items)


def told_before(evidence: Evidence, guideline: Guideline) -> str:
    """The verdict beside a result of ours, if other words of the same guideline gave it."""
    file = Path(evidence.source).with_name("verdict.json")
    if not file.is_file():
        return ""
    stored = read_verdict(file)
    given = stored.model_extra or {}
    about = {source.get("digest") for source in given.get("evidence", ())}
    same = stored.guideline == guideline.id and evidence.digest in about
    return stored.verdict if same and given.get("guideline_digest") != guideline.digest else ""


def redacted(subject: Subject, private: Private) -> Subject:
    """*subject* and what was judged of it, without what its owner does not give away."""
    plain = _SUBJECT.dump_python(subject, mode="json")
    document = {**plain, "platform": {"declared": plain["declared"]}}
    return _SUBJECT.validate_python(redaction(document, private).value(plain))


def _slim(record: CheckRecord) -> CheckRecord:
    """A record without the texts of its evidence; what many records say is held once."""
    update = {"evidence": [], "title": sys.intern(record.title), "test": sys.intern(record.test)}
    return record.model_copy(update=update)


def judged(subject: Subject, verdict: Verdict, guideline: Guideline) -> Subject:
    """*subject* with its verdict."""
    program = find_program(guideline, verdict.program)
    expires = ""
    if program.holds and subject.finished:
        expires = expires_on(_day(subject.finished), program.holds).isoformat()
    judgement = judgement_of(
        VerdictDocument.model_validate(verdict.to_json()),
        digest=guideline.digest,
        expires=expires,
        components=program.components,
    )
    return replace(subject, judgement=judgement)


def standings(
    paths: Sequence[Path], labels: Sequence[str], judgings: Sequence[Judging]
) -> list[Standing]:
    """What each of several guidelines says of each result."""
    found = []
    for path, label in zip(paths, labels, strict=True):
        subject, evidence = read_subject(path)
        for judging in judgings:
            verdict = judging.verdict(evidence, frozenset(subject.features))
            found.append(
                Standing(
                    guideline=verdict.guideline,
                    program=verdict.program,
                    member=label,
                    verdict=verdict.verdict.value,
                    level=verdict.level,
                    passed=verdict.counts.passed,
                    required=verdict.counts.required,
                )
            )
    order = {judging.guideline.id: place for place, judging in enumerate(judgings)}
    return sorted(found, key=lambda standing: order[standing.guideline])


def about_checks(guideline: Guideline, programs: Sequence[str]) -> dict[str, About]:
    """What the guideline says of every check of the programs, by id."""
    components = {c for name in programs for c in guideline.programs[name].components}
    held: dict[str, list[str]] = {}
    statuses: dict[str, str] = {}
    for component in sorted(components & set(guideline.components)):
        listed = guideline.components[component].capabilities
        for status in (CapabilityStatus.REQUIRED, CapabilityStatus.ADVISORY):
            for listed_name in listed.get(status, ()):
                held.setdefault(listed_name, []).append(component)
                if statuses.get(listed_name) != "required":
                    statuses[listed_name] = status.value
    found: dict[str, About] = {}
    for name, capability in guideline.capabilities.items():
        if name not in held:
            continue
        for check in capability.checks:
            old = found.get(check.id)
            required = "required" in (statuses[name], old.status if old else "")
            found[check.id] = About(
                id=check.id,
                title=check.title,
                level=check.level if check.level is not None else capability.level,
                components=_merged(old.components if old else (), held[name]),
                capabilities=_merged(old.capabilities if old else (), [name]),
                status="required" if required else "advisory",
                features=_merged(
                    old.features if old else (),
                    sorted(check.when | capability.when),
                ),
                references=tuple((r.title, r.url) for r in check.references),
            )
    return found


def load_about(subjects: Sequence[Subject], guideline: Guideline) -> Mapping[str, About]:
    """What the guideline says of the checks of the programs by which *subjects* were judged."""
    programs = {s.judgement.program for s in subjects if s.judgement is not None}
    return about_checks(guideline, sorted(programs))


def _merged(before: Sequence[str], more: Sequence[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys((*before, *more)))


def _day(instant: str) -> date:
    moment = datetime.fromisoformat(instant)
    with suppress(OverflowError):  # the first and the last day of all have no neighbour
        return moment.astimezone(UTC).date()
    return moment.date()


_OUTCOMES: Mapping[Status, str] = {Status.UNFINISHED: "blocked"}


def _foreign(file: Path, evidence: Evidence) -> Subject:
    """A result made elsewhere; what it does not say stays empty."""
    name = evidence.subject or file.name.split(".")[0]
    times = [
        instant.isoformat() if instant else "" for instant in (evidence.started, evidence.finished)
    ]
    records = tuple(
        CheckRecord.model_validate(
            {
                "id": one.name,
                "test": one.name,
                "outcome": _OUTCOMES.get(one.status, one.status.value),
                "reason": one.reason,
                "started": one.finished.isoformat() if one.finished else times[0],
                "seconds": one.seconds or 0.0,
            }
        )
        for one in evidence.outcomes
        if one.covers is None
    )
    if not records and not evidence.facts:
        raise BadReport(str(file), "", "says nothing of any check")
    return Subject(
        label=name,
        platform=name,
        kind=evidence.format,
        id=evidence.digest,
        started=times[0],
        finished=times[1],
        complete=evidence.complete,
        incomplete="" if evidence.complete else "; ".join(evidence.notes),
        records=records,
        features=tuple(sorted(evidence.declared)),
        source=file.name,
        digest=evidence.digest,
    )
