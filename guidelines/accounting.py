"""From the states of items to capabilities and to a conclusion."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from guidelines.model import CapabilityStatus
from guidelines.requirements import Requirements
from guidelines.verdict import Conclusion, JudgedCapability, JudgedItem, State

_WORST_FIRST = (
    State.FAILED,
    State.MISSING,
    State.BLOCKED,
    State.SKIPPED,
    State.WAIVED,
    State.PASSED,
    State.NOT_APPLICABLE,
)
NEVER_RAN = "blocked by a failed set-up"
# Of a capability that requires something no check shows.
UNPROVEN = "unproven"
UNDEFINED = "undefined"


def conclude(
    items: Sequence[JudgedItem],
    doubts: Sequence[str],
    failures: Sequence[str],
    *,
    incomplete: bool,
    waived: bool = True,
) -> tuple[Conclusion, tuple[str, ...]]:
    """Return what follows from the states of all required *items*, and why.

    An item that is blocked because a set-up failed weighs as much as a missing one: there is no
    record of it either way, and a failure more must not make a verdict better.

    Args:
        items: every required item.
        doubts: what keeps from a conclusion, whatever the items say.
        failures: what fails the whole, whatever the items say.
        incomplete: a document shows that it lacks something; a missing item may be in that part.
        waived: with waivers; else as if there were none.
    """
    states = [item.state if waived else item.unwaived for item in items]
    number = {state: states.count(state) for state in State}
    never_ran = sum(
        item.never_ran and state is State.BLOCKED for item, state in zip(items, states, strict=True)
    )
    reasons = list(failures)
    reasons.extend(_said(state.value, number[state]) for state in (State.FAILED, State.SKIPPED))
    unseen = [_said(State.MISSING.value, number[State.MISSING]), _said(NEVER_RAN, never_ran)]
    if not incomplete:
        reasons.extend(unseen)
    reasons = [reason for reason in reasons if reason]
    if reasons:
        return Conclusion.NOT_COMPLIANT, tuple(reasons)
    reasons = [_said(State.BLOCKED.value, number[State.BLOCKED] - never_ran), *unseen]
    if not states:
        reasons.append("nothing is required")
    elif not number[State.PASSED]:
        reasons.append("no required item passed")
    reasons = [reason for reason in (*reasons, *doubts) if reason]
    if reasons:
        return Conclusion.INCONCLUSIVE, tuple(reasons)
    return Conclusion.COMPLIANT, ()


def capability_states(
    requirements: Requirements, judged: Mapping[str, JudgedItem]
) -> tuple[JudgedCapability, ...]:
    """Return every capability of the program; its state is the worst of its items."""
    found = []
    for name, status in requirements.statuses.items():
        if status is CapabilityStatus.REMOVED:
            continue
        capability = requirements.capabilities.get(name)
        if capability is None:
            found.append(_capability(name, "", status, UNDEFINED, ()))
            continue
        items = tuple(
            judged[check.id]
            for check in capability.checks
            if check.id in judged and not judged[check.id].flagged
        )
        state: str = UNPROVEN
        if items:
            state = min((item.state for item in items), key=_WORST_FIRST.index).value
        found.append(_capability(name, capability.title, status, state, items))
    return tuple(found)


def _capability(
    name: str, title: str, status: CapabilityStatus, state: str, items: Sequence[JudgedItem]
) -> JudgedCapability:
    return JudgedCapability(
        id=name,
        title=title,
        status=status,
        state=state,
        must_pass=len(items),
        passed=sum(item.state is State.PASSED for item in items),
    )


def _said(what: str, number: int) -> str:
    return f"{number} required item{'' if number == 1 else 's'} {what}" if number else ""
