"""The state of a check on a platform as its guideline judges it, and the joint score over all.

A program that does not ask for a check makes it not applicable; silence on one that is asked for is
``missing``, never a pass.
"""

from __future__ import annotations

from collections.abc import Sequence

from reports.compare.score import Score, score
from reports.compare.table import STATES, Cell, Row
from reports.site.documents import GuidelineDocument, Seen, Summary
from reports.subject import Subject


def asked(summary: Summary, guideline: GuidelineDocument | None) -> frozenset[str]:
    """The checks that the program of this result asks for; none if nothing judged it."""
    judged = summary.by(guideline.id) if guideline else None
    if guideline is None or judged is None:
        return frozenset()
    known = guideline.capabilities
    held = [known[c["id"]] for c in judged.capabilities if c.get("id") in known]
    return frozenset(check for capability in held for check in capability.checks)


def state_of(
    summary: Summary, check: str, guideline: GuidelineDocument | None, wanted: frozenset[str]
) -> tuple[str, str]:
    """State and reason; *wanted* is what ``asked`` says of this result."""
    seen = summary.checks.get(check)
    judged = summary.by(guideline.id) if guideline else None
    if judged and check in judged.because:
        return judged.because[check]
    state = judged.states.get(check, "") if judged else ""
    if state:
        reason = seen.reason if seen else "it did not run"
        return state, "" if state == "passed" else reason
    if seen is not None:
        return seen.outcome, "" if seen.outcome == "passed" else seen.reason
    if judged is None or check in wanted:
        return "missing", "it did not run"
    return "not-applicable", f"{judged.program} does not ask for it"


def came_to(summary: Summary, check: str, guideline: str) -> Seen | None:
    """What a check came to as *guideline* takes it, else as the run saw it.

    One that is required and that a run of all checks does not know is ``missing``.
    """
    judged, seen = summary.by(guideline), summary.checks.get(check)
    if judged and check in judged.because:
        state, reason = judged.because[check]
        return Seen(outcome=state, reason=reason, seconds=seen.seconds if seen else 0.0)
    if judged and seen is None and summary.complete and judged.states.get(check) == "missing":
        return Seen(outcome="missing", reason="it did not run")
    return seen


def components_of(summary: Summary, guideline: GuidelineDocument) -> list[str] | None:
    """The components that the program of this result holds; None if nothing judged it."""
    judged = summary.by(guideline.id)
    program = guideline.programs.get(judged.program) if judged else None
    return list(program.components) if program else None


def joint(summaries: Sequence[Summary], guideline: GuidelineDocument) -> Score:
    """The joint score over the components that every one of these judged results is asked for."""
    held = [set(components_of(s, guideline) or guideline.components) for s in summaries]
    shared = set.intersection(*held) if held else set()
    ids = {
        check: None
        for key, part in guideline.components.items()
        if key in shared
        for capability in part.required
        for check in guideline.capabilities[capability].checks
    }
    wanted = [asked(summary, guideline) for summary in summaries]
    rows = [
        _row(id_, [state_of(s, id_, guideline, w) for s, w in zip(summaries, wanted, strict=True)])
        for id_ in ids
    ]
    members = [Subject(label=s.platform, platform=s.platform, kind=s.kind) for s in summaries]
    return score(members, rows, component="all", status="required")


def _row(id_: str, found: Sequence[tuple[str, str]]) -> Row:
    cells = [
        Cell(state=next(word for word in STATES if word == state), reason=reason)
        for state, reason in found
    ]
    differs = len({cell.state for cell in cells}) > 1
    return Row(
        id=id_, title="", topic="", components=(), status="required", level=None,
        differs=differs, cells=tuple(cells),
    )  # fmt: skip
