"""The comparison document, ``interop.comparison/1``: everything a page, a table or a gate shows.

Pure: results, verdicts and the time come in; nothing is read or asked.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import TypeAdapter

from reports.compare.claims import Claim, claims
from reports.compare.debt import Debt, debts
from reports.compare.guards import Objection, objections
from reports.compare.levels import SetLevel, set_level
from reports.compare.regressions import Changes, Kind, changes
from reports.compare.score import Score, scores
from reports.compare.table import Row, rows
from reports.matrix import FactRow, fact_rows
from reports.reproduce import reproduce
from reports.subject import About, Subject

SCHEMA: Literal["interop.comparison/1"] = "interop.comparison/1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """One result that is compared. ``verdict`` is empty if it was not judged."""

    label: str
    platform: str
    kind: str
    emulator: bool
    run: str
    started: str
    finished: str
    complete: bool
    incomplete: str
    suite: str
    workload: str
    result_digest: str
    guideline: str
    program: str
    at: str
    verdict: str
    level: int | None
    held_back_by: tuple[str, ...]
    reasons: tuple[str, ...]
    counts: Mapping[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """What one more guideline says of one member."""

    guideline: str
    program: str
    member: str
    verdict: str
    level: int | None
    passed: int
    required: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """Results side by side.

    Args:
        made: when, RFC 3339.
        anyway: whether grave objections were overruled.
        members: the results, in the order given.
        baselines: the results they are held against.
        objections: what stands against comparing them.
        set_level: the level of the set.
        scores: joint interoperability per component.
        changes: against the baselines.
        rows: every check; those that differ first, by topic.
        facts: every fact; behaviour that differs first.
        claims: what is said of the members, contradicted ones first.
        debt: what their profiles set.
        standings: verdicts of every guideline that was asked for.
    """

    schema: Literal["interop.comparison/1"] = SCHEMA
    made: str
    anyway: bool
    members: tuple[Member, ...]
    baselines: tuple[Member, ...]
    objections: tuple[Objection, ...]
    set_level: SetLevel
    scores: tuple[Score, ...]
    changes: Changes
    rows: tuple[Row, ...]
    facts: tuple[FactRow, ...]
    claims: tuple[Claim, ...]
    debt: tuple[Debt, ...]
    standings: tuple[Standing, ...]

    @property
    def grave(self) -> tuple[Objection, ...]:
        """The objections for which a comparison is refused."""
        return tuple(objection for objection in self.objections if objection.grave)

    def again(self, kind: Kind) -> tuple[str, ...]:
        """The commands that repeat the checks whose change is of *kind*, one a member of ours."""
        checks: dict[str, list[str]] = {}
        for change in self.changes.of(kind):
            checks.setdefault(change.member, []).append(change.check)
        ours = {member.label: member.platform for member in self.members if member.suite}
        lines = (reproduce(ours[label], ids) for label, ids in checks.items() if label in ours)
        return tuple(line for line in lines if line)

    @property
    def different(self) -> tuple[Row, ...]:
        """The checks that do not come to the same everywhere."""
        return tuple(row for row in self.rows if row.differs)


_ADAPTER = TypeAdapter(Comparison)


def compare(
    subjects: Sequence[Subject],
    about: Mapping[str, About],
    *,
    made: str,
    baselines: Sequence[Subject] = (),
    standings: Sequence[Standing] = (),
    anyway: bool = False,
) -> Comparison:
    """Lay *subjects* side by side.

    Args:
        subjects: results with unique labels.
        about: what the guideline asks for, by check id; checks of it that nobody ran are rows too.
        made: when, RFC 3339.
        baselines: results that *subjects* are held against.
        standings: what other guidelines say.
        anyway: note that grave objections are overruled; refusing is the caller's.
    """
    table = rows(subjects, about)
    debt = debts(subjects)
    return Comparison(
        made=made,
        anyway=anyway,
        members=tuple(_member(subject) for subject in subjects),
        baselines=tuple(_member(baseline) for baseline in baselines),
        objections=objections([*subjects, *baselines]),
        set_level=set_level(subjects, table, debt),
        scores=scores(subjects, table),
        changes=changes(subjects, baselines, about),
        rows=table,
        facts=tuple(fact_rows([subject.records for subject in subjects])),
        claims=claims(subjects, about),
        debt=debt,
        standings=tuple(standings),
    )


def document(comparison: Comparison) -> dict[str, Any]:
    """The document as plain JSON values."""
    value = _ADAPTER.dump_python(comparison, mode="json")
    assert isinstance(value, dict)  # noqa: S101 - a dataclass becomes a mapping
    return value


def json_text(comparison: Comparison) -> str:
    """The document's text, the same for the same comparison."""
    return _ADAPTER.dump_json(comparison, indent=1).decode("utf-8") + "\n"


def schema() -> dict[str, Any]:
    """The document's JSON schema; keys that are not in it are wrong."""
    made = _ADAPTER.json_schema(mode="serialization")
    for part in (made, *made["$defs"].values()):
        part["additionalProperties"] = False
        part["required"] = list(part["properties"])
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": "urn:interop:comparison:1",
        **made,
    }


def _member(subject: Subject) -> Member:
    judgement = subject.judgement
    return Member(
        label=subject.label,
        platform=subject.platform,
        kind=subject.kind,
        emulator=subject.emulator,
        run=subject.run,
        started=subject.started,
        finished=subject.finished,
        complete=subject.complete,
        incomplete=subject.incomplete,
        suite=subject.suite,
        workload=subject.workload,
        result_digest=subject.digest,
        guideline=judgement.guideline if judgement else "",
        program=judgement.program if judgement else "",
        at=judgement.at if judgement else "",
        verdict=judgement.verdict if judgement else "",
        level=judgement.level if judgement else None,
        held_back_by=judgement.held_back_by if judgement else (),
        reasons=judgement.reasons if judgement else (),
        counts=judgement.counts if judgement else {},
    )
