"""From the records of several documents about one check to the one that decides."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime

from guidelines.evidence import Evidence, Fact, Outcome, Status
from guidelines.facts import compare_facts
from guidelines.freshness import expires_on
from guidelines.matching import Ambiguities, RecordIndex
from guidelines.model import CapabilityStatus
from guidelines.requirements import Item
from guidelines.verdict import AGAINST, State, Superseded

# Of several records of one item in one document the worst counts.
_WORST_FIRST = (
    Status.FAILED,
    Status.BLOCKED,
    Status.UNFINISHED,
    Status.SKIPPED,
    Status.PASSED,
    Status.NOT_APPLICABLE,
)
_STATES = {
    Status.PASSED: State.PASSED,
    Status.FAILED: State.FAILED,
    Status.BLOCKED: State.BLOCKED,
    Status.UNFINISHED: State.BLOCKED,
    Status.SKIPPED: State.SKIPPED,
    Status.NOT_APPLICABLE: State.SKIPPED,
}
_STATE_ORDER = (State.FAILED, State.BLOCKED, State.MISSING, State.SKIPPED, State.PASSED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """What one document says of one item.

    ``never_ran``: it says nothing of the item itself, only that its class or module was not set
    up.
    """

    state: State
    reason: str
    where: str
    when: datetime | None
    evidence: Evidence
    mixed: bool = False
    not_applicable: bool = False
    never_ran: bool = False
    remarks: tuple[str, ...] = ()

    def as_superseded(self, why: str = "") -> Superseded:
        """Return it as one that does not decide."""
        reason = "; ".join(part for part in (self.reason, why) if part)
        return Superseded(state=self.state, reason=reason, evidence=self.where)


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """The record that decides an item, and those that do not."""

    record: Record | None
    superseded: tuple[Superseded, ...] = ()
    ambiguous: str = ""
    expired: str = ""
    conflict: str = ""
    undated: bool = False


def decide(
    item: Item,
    indexes: Sequence[RecordIndex],
    ambiguities: Ambiguities,
    *,
    at: date,
    holds: str | None,
) -> Decision:
    """Find what *indexes* say of *item*: the newest decides, of equally new ones the worst.

    A record without a date cannot be called older, so it competes with the newest. Expired
    records do not count. A set-up that failed takes nothing back: while the newest record of the
    item itself is against it, that one decides.
    """
    records: list[Record] = []
    doubts: list[str] = []
    for index in indexes:
        match = index.find(item.check, ambiguities)
        if match.outcomes:
            records.append(_from_outcomes(item, match.outcomes, match.by, index.evidence))
        elif item.check.judged_by_facts:
            found = _from_facts(item, index.evidence)
            if found is not None:
                records.append(found)
        if match.ambiguous:
            doubts.append(match.ambiguous)
    ambiguous = "; ".join(dict.fromkeys(doubts))
    fresh, expired = _split_by_age(records, holds, at)
    old = [record.as_superseded(why) for record, why in expired]
    if not fresh:
        why = expired[0][1] if expired else ""
        return Decision(record=None, superseded=_sorted(old), ambiguous=ambiguous, expired=why)
    winner = _newest(fresh)
    ran = [record for record in fresh if not record.never_ran]
    if winner.never_ran and ran and _newest(ran).state in AGAINST:
        winner = _newest(ran)
    losers = [record for record in fresh if record is not winner]
    other_states = sorted({record.state.value for record in losers} - {winner.state.value})
    if winner.never_ran and ran:  # where there is a record of the item itself, it did run
        winner = replace(winner, never_ran=False)
    return Decision(
        record=winner,
        superseded=_sorted([*old, *(record.as_superseded() for record in losers)]),
        ambiguous=ambiguous,
        conflict=f"{winner.state.value} counts, other files say {', '.join(other_states)}"
        if other_states
        else "",
        undated=holds is not None and winner.when is None,
    )


def _newest(records: Sequence[Record]) -> Record:
    dated = [record.when for record in records if record.when is not None]
    newest = max(dated) if dated else None
    return min((r for r in records if r.when is None or r.when == newest), key=_rank)


def _rank(record: Record) -> tuple[int, str, str, str]:
    return (_STATE_ORDER.index(record.state), record.where, record.evidence.digest, record.reason)


def _sorted(superseded: Sequence[Superseded]) -> tuple[Superseded, ...]:
    return tuple(sorted(superseded, key=lambda old: (old.evidence, old.state, old.reason)))


def _split_by_age(
    records: Sequence[Record], holds: str | None, at: date
) -> tuple[list[Record], list[tuple[Record, str]]]:
    fresh: list[Record] = []
    expired: list[tuple[Record, str]] = []
    for record in records:
        if holds is not None and record.when is not None:
            seen = record.when.astimezone(UTC).date()
            end = expires_on(seen, holds)
            if at >= end:
                why = f"evidence of {seen} expired on {end} (holds: {holds})"
                expired.append((record, why))
                continue
        fresh.append(record)
    expired.sort(key=lambda pair: (pair[1], pair[0].where), reverse=True)
    return fresh, expired


def _from_outcomes(item: Item, outcomes: Sequence[Outcome], by: str, evidence: Evidence) -> Record:
    worst = min(outcomes, key=lambda outcome: _WORST_FIRST.index(outcome.status))
    state = _STATES[worst.status]
    reason = worst.reason
    where = worst.where
    never_ran = False
    if by == "fixture":
        kind = f"{worst.name} {_verb(worst.status)}"
        reason = f"{kind}: {reason}" if reason else kind
        # A broken set-up says nothing about the test itself.
        state = State.SKIPPED if worst.status is Status.SKIPPED else State.BLOCKED
        never_ran = state is State.BLOCKED
    elif worst.status is Status.NOT_APPLICABLE:
        asks = "requires" if item.status is CapabilityStatus.REQUIRED else "asks for"
        kind = f"the run calls it not applicable, but the guideline {asks} it here"
        reason = f"{kind}: {reason}" if reason else kind
    elif worst.status is Status.UNFINISHED:
        reason = reason or "began and never ended"
    if by in {"alias", "id"}:
        how = "under the name" if by == "alias" else "by its id, under the name"
        reason = "; ".join(part for part in (reason, f"found {how} {worst.name!r}") if part)
    document = evidence.finished or evidence.started
    times = [outcome.finished or document for outcome in outcomes]
    # One record without a date keeps the whole from being called older than anything.
    dated = [time for time in times if time is not None]
    when = max(dated) if len(dated) == len(times) else None
    statuses = {outcome.status for outcome in outcomes}
    record = Record(
        state=state,
        reason=reason or _plain_reason(state, len(outcomes)),
        where=where or evidence.source,
        when=when,
        evidence=evidence,
        not_applicable=worst.status is Status.NOT_APPLICABLE,
        never_ran=never_ran,
        mixed=len(statuses) > 1 and Status.PASSED in statuses and Status.FAILED in statuses,
    )
    return _with_facts(record, item, _facts_of(item, evidence))


def _verb(status: Status) -> str:
    return "was skipped" if status is Status.SKIPPED else "did not pass"


def _plain_reason(state: State, records: int) -> str:
    if state is State.PASSED:
        return "passed" if records == 1 else f"passed in all {records} records"
    return f"{state.value}; the result gives no reason"


def _from_facts(item: Item, evidence: Evidence) -> Record | None:
    facts = _free_facts(item, evidence)
    if not facts:
        return None
    record = Record(
        state=State.PASSED,
        reason="the recorded facts are as expected",
        where=f"{evidence.source}#facts",
        when=evidence.finished or evidence.started,
        evidence=evidence,
    )
    return _with_facts(record, item, facts)


def _facts_of(item: Item, evidence: Evidence) -> list[Fact]:
    if not item.check.expects:
        return []
    ids = {item.check.id, *item.check.aliases}
    if item.check.judged_by_facts:
        return _free_facts(item, evidence)
    return [fact for fact in evidence.facts if fact.check in ids]


def _free_facts(item: Item, evidence: Evidence) -> list[Fact]:
    """Facts of a check that is decided by facts: they need not say which check they are for."""
    wanted = {expected.fact for expected in item.check.expects}
    return [
        fact
        for fact in evidence.facts
        if fact.name in wanted and fact.check in {None, item.check.id}
    ]


def _with_facts(record: Record, item: Item, facts: Sequence[Fact]) -> Record:
    """A pass holds only if the facts recorded with it are what the guideline expects."""
    if record.state is not State.PASSED or not item.check.expects:
        return record
    compared = compare_facts(item.check.expects, facts)
    state: State = record.state
    reason = record.reason
    if compared.wrong:
        state, reason = State.FAILED, "; ".join(compared.wrong)
    elif compared.open:
        state, reason = State.BLOCKED, "; ".join(compared.open)
    return replace(record, state=state, reason=reason, remarks=compared.remarks)
