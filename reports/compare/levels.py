"""Levels of a set of platforms: 4 workload-portable, 5 site-unaware, 6 spanning.

Each is reached only on what the results prove, and only above the one before:

* 4: results of two platforms or more, all finished, of one workload byte for byte, and every
  platform has level 3 by its own verdict
* 5: no platform's profile sets anything, and each platform has two results or more (stood up anew
  each time) whose checks and facts of behaviour say the same
* 6: every check of one deployment over several platforms (``span-``) passed
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from reports.compare.debt import Debt
from reports.compare.table import Row
from reports.matrix import fact_rows
from reports.subject import Subject

PORTABLE, UNAWARE, SPANNING = 4, 5, 6
MACHINE = 3
MOST = 8  # reasons told


@dataclass(frozen=True, slots=True, kw_only=True)
class SetLevel:
    """The level of the set, and what keeps it from the next.

    Args:
        level: 4 to 6, or the weakest member's own level; ``None`` if a member has none.
        name: what that level is called.
        held_back: what keeps the set from the next level; empty at the highest.
    """

    level: int | None
    name: str
    held_back: tuple[str, ...]


NAMES = {
    None: "none",
    0: "reachable",
    1: "API-shaped",
    2: "API-behaved",
    3: "machine-behaved",
    4: "workload-portable",
    5: "site-unaware",
    6: "spanning",
}


def set_level(subjects: Sequence[Subject], rows: Sequence[Row], debt: Sequence[Debt]) -> SetLevel:
    """The level of *subjects* together."""
    steps = (
        (PORTABLE, _not_portable(subjects)),
        (UNAWARE, _not_unaware(subjects, debt)),
        (SPANNING, _not_spanning(rows)),
    )
    level = _weakest(subjects)
    for number, missing in steps:
        if missing:
            return SetLevel(level=level, name=_name(level), held_back=_few(missing))
        level = number
    return SetLevel(level=level, name=_name(level), held_back=())


def _weakest(subjects: Sequence[Subject]) -> int | None:
    """The lowest level a member has by itself."""
    levels = [s.judgement.level if s.judgement else None for s in subjects]
    known = [level for level in levels if level is not None]
    return min(known) if known and len(known) == len(levels) else None


def _not_portable(subjects: Sequence[Subject]) -> list[str]:
    missing = []
    if len({subject.platform for subject in subjects}) < 2:
        missing.append("results of two platforms are needed")
    workloads = {subject.workload for subject in subjects}
    if len(workloads) > 1 or "" in workloads:
        missing.append("not every member stood the same workload")
    for subject in subjects:
        judgement = subject.judgement
        if not subject.complete:
            missing.append(f"{subject.label} did not finish")
        elif judgement is None:
            missing.append(f"{subject.label} was not judged")
        elif judgement.level is None or judgement.level < MACHINE:
            what = ", ".join(judgement.held_back_by[:MOST]) or "its program asks for no more"
            missing.append(f"{subject.label} is at level {_word(judgement.level)}: {what}")
    return missing


def _not_unaware(subjects: Sequence[Subject], debt: Sequence[Debt]) -> list[str]:
    missing = [
        f"profile sets {one.key} on {sum(bool(value) for value in one.values)} members"
        for one in debt
    ]
    by_platform: defaultdict[str, list[Subject]] = defaultdict(list)
    for subject in subjects:
        by_platform[subject.platform].append(subject)
    for platform, many in by_platform.items():
        if len({subject.run for subject in many}) < 2:
            missing.append(f"{platform} was not built a second time")
            continue
        missing += [
            f"{platform} is not the same when built again: {row.check} {row.name}"
            for row in fact_rows([subject.records for subject in many])
            if row.differs and row.sort == "behaviour"
        ]
    return missing


def _not_spanning(rows: Sequence[Row]) -> list[str]:
    spanning = [row for row in rows if row.id.startswith("span-")]
    if not spanning:
        return ["no check of one deployment over several platforms ran"]
    return [
        f"{row.id} is not passed everywhere"
        for row in spanning
        if any(cell.state != "passed" for cell in row.cells)
    ]


def _few(reasons: Sequence[str]) -> tuple[str, ...]:
    more = len(reasons) - MOST
    return (*reasons[:MOST], f"and {more} more") if more > 0 else tuple(reasons)


def _word(level: int | None) -> str:
    return "none" if level is None else str(level)


def _name(level: int | None) -> str:
    return NAMES.get(level, str(level))
