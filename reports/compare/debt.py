"""Portability debt: what had to be set differently for the same workload to stand everywhere."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from reports.matrix import show
from reports.subject import Subject

UNSET = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Debt:
    """One key of the platforms' profiles; ``values`` in the order of members, empty if not set.

    ``differs`` is false if every member sets the same, which belongs into the workload instead.
    """

    key: str
    values: tuple[str, ...]
    differs: bool


def debts(subjects: Sequence[Subject]) -> tuple[Debt, ...]:
    """Every key that some member's profile sets; those that differ first."""
    profiles = [dict(flat(subject.profile)) for subject in subjects]
    keys = sorted({key for one in profiles for key in one})
    found = [
        Debt(
            key=key,
            values=tuple(one.get(key, UNSET) for one in profiles),
            differs=len({one.get(key, UNSET) for one in profiles}) > 1,
        )
        for key in keys
    ]
    return tuple(sorted(found, key=lambda debt: not debt.differs))


def flat(value: Mapping[str, Any], path: str = "") -> Iterator[tuple[str, str]]:
    """The leaves of a profile by their dotted path."""
    for key, item in value.items():
        where = f"{path}.{key}" if path else str(key)
        if isinstance(item, Mapping) and item:
            yield from flat(item, where)
        else:
            yield where, show(item)
