"""Joint interoperability: on how much of a component can one rely on every member at once.

The law, which tests hold it to:

* a check counts one point for a member only if it passed there; missing, blocked, skipped, waived
  and not applicable count zero
* a check counts one joint point only if it passed on every member, so the joint score is never
  above the weakest member's
* the denominator is the same for every member and for the joint score: the checks of the component
  that apply to at least one member
* points are thousandths rounded down: 1000 means all, and nothing but all
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from reports.compare.table import Row
from reports.subject import Subject

ALL = "all"


@dataclass(frozen=True, slots=True, kw_only=True)
class Lost:
    """A check that costs the joint score a point, and the members that cost it."""

    check: str
    title: str
    members: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """One component.

    Args:
        component: its id; ``all`` is every check of the shared components, each once.
        status: ``required`` or ``advisory``: which checks are counted.
        shared: whether every member is judged by a program with this component.
        checks: the denominator.
        joint: how many passed on every member; ``points`` is that in thousandths, rounded down.
        members: how many passed on each member, and ``member_points`` in thousandths.
        lost: the checks that cost the joint score a point.
    """

    component: str
    status: str
    shared: bool
    checks: int
    joint: int
    points: int
    members: tuple[int, ...]
    member_points: tuple[int, ...]
    lost: tuple[Lost, ...]


def scores(subjects: Sequence[Subject], rows: Sequence[Row]) -> tuple[Score, ...]:
    """A score per component and status, the overall one of each status first.

    Components that some member's program does not hold are scored, too (its checks count zero
    there), but are no part of the overall score: nobody promised them.
    """
    components = list(dict.fromkeys(name for row in rows for name in row.components))
    held = {
        c: all(c in _components(subject, components) for subject in subjects) for c in components
    }
    found: list[Score] = []
    for status in ("required", "advisory"):
        counted = [row for row in rows if row.status == status]
        shared = [row for row in counted if any(held[c] for c in row.components)]
        overall = score(subjects, shared, component=ALL, status=status)
        parts = [
            score(
                subjects,
                [row for row in counted if component in row.components],
                component=component,
                status=status,
                shared=held[component],
            )
            for component in components
        ]
        found += [one for one in (overall, *parts) if one.checks]
    return tuple(found)


def score(
    subjects: Sequence[Subject],
    rows: Sequence[Row],
    *,
    component: str,
    status: str,
    shared: bool = True,
) -> Score:
    """The score of *subjects* over the checks in *rows*."""
    counted = [row for row in rows if any(cell.state != "not-applicable" for cell in row.cells)]
    passed = [tuple(cell.state == "passed" for cell in row.cells) for row in counted]
    members = tuple(sum(row[index] for row in passed) for index in range(len(subjects)))
    joint = sum(all(row) for row in passed)
    lost = tuple(
        Lost(
            check=row.id,
            title=row.title,
            members=tuple(s.label for s, ok in zip(subjects, cells, strict=True) if not ok),
        )
        for row, cells in zip(counted, passed, strict=True)
        if not all(cells)
    )
    return Score(
        component=component,
        status=status,
        shared=shared,
        checks=len(counted),
        joint=joint,
        points=_points(joint, len(counted)),
        members=members,
        member_points=tuple(_points(member, len(counted)) for member in members),
        lost=lost,
    )


def _points(passed: int, checks: int) -> int:
    """Thousandths, rounded down; nothing of nothing is nothing."""
    return passed * 1000 // checks if checks else 0


def _components(subject: Subject, every: Sequence[str]) -> Sequence[str]:
    """The components of a member's program; of one that was not judged, any."""
    judgement = subject.judgement
    return judgement.components if judgement and judgement.components else every
