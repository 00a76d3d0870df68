"""Says a row in a few lines however many members there are: who shares a state, and why."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from reports.compare.table import STATES, Cell, StateWord
from reports.matrix import FactRow

NAMED = 6  # members named one by one


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Members of which a check says the same, for the same reason; evidence of the first."""

    state: StateWord
    reason: str
    evidence: str
    members: tuple[str, ...]

    @property
    def who(self) -> str:
        """The members, as many as people read."""
        return some(self.members)


def some(members: Sequence[str]) -> str:
    """The first members, and how many more there are."""
    shown = ", ".join(members[:NAMED])
    more = len(members) - NAMED
    return f"{shown} and {more} more" if more > 0 else shown


def groups(labels: Sequence[str], cells: Sequence[Cell]) -> tuple[Group, ...]:
    """The cells of a row, worst state first."""
    found: dict[tuple[StateWord, str], tuple[str, list[str]]] = {}
    for label, cell in zip(labels, cells, strict=True):
        reason = "" if cell.state == "passed" else cell.reason
        found.setdefault((cell.state, reason), (cell.evidence, []))[1].append(label)
    made = [
        Group(state=state, reason=reason, evidence=evidence, members=tuple(members))
        for (state, reason), (evidence, members) in found.items()
    ]
    return tuple(sorted(made, key=lambda group: STATES.index(group.state)))


def disagrees(row: FactRow) -> bool:
    """Whether two members that know a fact tell it differently; not to know is another matter."""
    known = {v for v, source in zip(row.values, row.sources, strict=True) if source}
    return len(known) > 1


def shared(values: Sequence[str], labels: Sequence[str]) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """Each value of a fact with the members that have it, most common first."""
    found: dict[str, list[str]] = {}
    for label, value in zip(labels, values, strict=True):
        found.setdefault(value, []).append(label)
    ordered = sorted(found.items(), key=lambda pair: -len(pair[1]))
    return tuple((value, tuple(members)) for value, members in ordered)


def by_weight(rows: Sequence[FactRow]) -> dict[str, list[FactRow]]:
    """Facts that differ, by how much that says: behaviour first, addresses and ids last.

    Keys are behaviour, known (on some only), measurement and identity.
    """
    found: dict[str, list[FactRow]] = {
        key: [] for key in ("behaviour", "known", "measurement", "identity")
    }
    for row in rows:
        if row.differs:
            alike = row.sort == "behaviour" and not disagrees(row)
            found["known" if alike else row.sort].append(row)
    return found
