"""What changed against a baseline: what got worse, what got better, what cannot be told."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from reports.compare.table import Cell, StateWord, cell_of
from reports.compare.topics import topic_of, topic_place
from reports.matrix import check_order, fact_rows
from reports.subject import About, Subject, by_check

Kind = Literal["regression", "unknown", "improvement", "change"]
KINDS: tuple[Kind, ...] = ("regression", "unknown", "improvement", "change")


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One check whose state is not what it was.

    Args:
        kind: ``regression`` is passed before and now failed, skipped, missing, waived or said not
            to apply: a total that shrinks is a loss; ``unknown`` is passed before and now blocked,
            or missing from a run that did not cover everything; ``improvement`` is passed only
            now; anything else is a ``change``.
        member, baseline: labels of the two results.
        check, title, topic: what it is about.
        before, after: the states; a check that the baseline never knew is no change.
        reason, evidence: of the state now.
    """

    kind: Kind
    member: str
    baseline: str
    check: str
    title: str
    topic: str
    before: StateWord
    after: StateWord
    reason: str
    evidence: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FactChange:
    """A fact of behaviour (no measurement, no address or id) that is not what it was."""

    member: str
    baseline: str
    check: str
    name: str
    before: str
    after: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Fallen:
    """A verdict or level that is worse than the baseline's."""

    member: str
    baseline: str
    what: str
    before: str
    after: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Changes:
    """Everything against the baseline; ``alone`` are members that have none."""

    checks: tuple[Change, ...] = ()
    facts: tuple[FactChange, ...] = ()
    fallen: tuple[Fallen, ...] = ()
    alone: tuple[str, ...] = ()

    def of(self, kind: Kind) -> tuple[Change, ...]:
        """The changes of one kind."""
        return tuple(change for change in self.checks if change.kind == kind)


_VERDICTS = ("not-compliant", "inconclusive", "compliant")


def changes(
    subjects: Sequence[Subject], baselines: Sequence[Subject], about: Mapping[str, About]
) -> Changes:
    """Compare each subject with the baseline of its platform.

    A single baseline that is of another platform than every subject is everybody's baseline.
    """
    if not baselines:
        return Changes()
    by_platform = {baseline.platform: baseline for baseline in baselines}
    everybody = None
    if len(baselines) == 1 and not any(s.platform in by_platform for s in subjects):
        everybody = baselines[0]
    checks: list[Change] = []
    facts: list[FactChange] = []
    fallen: list[Fallen] = []
    alone: list[str] = []
    for subject in subjects:
        baseline = by_platform.get(subject.platform, everybody)
        if baseline is None:
            alone.append(subject.label)
            continue
        checks += _checks(subject, baseline, about)
        facts += _facts(subject, baseline)
        fallen += _fallen(subject, baseline)
    checks.sort(
        key=lambda c: (KINDS.index(c.kind), topic_place(c.topic), check_order(c.check), c.member)
    )
    return Changes(
        checks=tuple(checks), facts=tuple(facts), fallen=tuple(fallen), alone=tuple(alone)
    )


def kind_of(before: StateWord, after: StateWord, *, complete: bool = True) -> Kind:
    """What a change from one state to another is called; *complete* if the run now is."""
    if before == "passed":
        untold = after == "blocked" or (after == "missing" and not complete)
        return "unknown" if untold else "regression"
    return "improvement" if after == "passed" else "change"


def _checks(subject: Subject, baseline: Subject, about: Mapping[str, About]) -> list[Change]:
    now, then = by_check(subject), by_check(baseline)
    known = set(then) | (set(baseline.judgement.items) if baseline.judgement else set())
    found = []
    for id_ in known:
        before = cell_of(baseline, id_, then.get(id_, ()))
        after = cell_of(subject, id_, now.get(id_, ()))
        if before.state == after.state:
            continue
        found.append(_change(subject, baseline, id_, before, after, about.get(id_)))
    return found


def _change(
    subject: Subject, baseline: Subject, id_: str, before: Cell, after: Cell, about: About | None
) -> Change:
    records = (*subject.records, *baseline.records)
    title = about.title if about else ""
    return Change(
        kind=kind_of(before.state, after.state, complete=subject.complete),
        member=subject.label,
        baseline=baseline.label,
        check=id_,
        title=title or next((r.title for r in records if r.id == id_ and r.title), ""),
        topic=topic_of(id_, about),
        before=before.state,
        after=after.state,
        reason=after.reason,
        evidence=after.evidence,
    )


def _facts(subject: Subject, baseline: Subject) -> list[FactChange]:
    """Facts that both know and that are told differently."""
    rows = fact_rows([baseline.records, subject.records])
    return [
        FactChange(
            member=subject.label,
            baseline=baseline.label,
            check=row.check,
            name=row.name,
            before=row.values[0],
            after=row.values[1],
        )
        for row in rows
        if row.differs and row.sort == "behaviour" and all(row.sources)
    ]


def _fallen(subject: Subject, baseline: Subject) -> list[Fallen]:
    now, then = subject.judgement, baseline.judgement
    if now is None or then is None:
        return []
    found = []
    if _VERDICTS.index(now.verdict) < _VERDICTS.index(then.verdict):
        found.append(("verdict", then.verdict, now.verdict))
    if _level(now.level) < _level(then.level):
        found.append(("level", str(then.level), "none" if now.level is None else str(now.level)))
    return [
        Fallen(member=subject.label, baseline=baseline.label, what=what, before=before, after=after)
        for what, before, after in found
    ]


def _level(level: int | None) -> int:
    return -1 if level is None else level
