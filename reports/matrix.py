"""Lays results side by side: check by platform, fact by platform, what differs first."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from reports.result import CheckRecord, FactRecord, Result

# The worst of several records of one check is the check's outcome.
ORDER = ("failed", "blocked", "skipped", "passed", "not-applicable")
MEASURED = frozenset(
    {"s", "ms", "us", "ns", "seconds", "B/s", "MiB/s", "bit/s", "celsius", "C", "ppm", "bytes"}
)


# What is an address or an id differs between any two machines, and says nothing of behaviour.
IDENTITY = re.compile(
    r"(?:\d{1,3}(?:\.\d{1,3}){3}(?:/\d+)?|(?:[0-9a-f]{2}:){5}[0-9a-f]{2}|[0-9a-f]{32}|SHA256:.+"
    r"|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}|[0-9a-f:]*:[0-9a-f:]+"
    r"|[a-z]+(?:-[a-z]+)*-[0-9a-f]{8,17})"
)
# Drawn anew for every run.
DRAWN = frozenset({"seed", "refused-texts"})
# The chapters of the suites, in the order in which a reader wants them.
CHAPTERS = {
    "alloc": "Getting a machine",
    "meta": "Identity, metadata and initialisation",
    "net": "Addresses and names",
    "path": "Data path",
    "fw": "Firewall",
    "time": "Time",
    "ent": "Entropy",
    "kern": "Kernel and processor",
    "disk": "Disks and volumes",
    "life": "Life of a machine",
    "bmc": "Management controller",
    "api": "Properties of the API",
    "os": "OpenStack on the wire",
    "k8s": "Kubernetes on the wire",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One check on one platform. ``state`` is the verdict's item state where there is a verdict."""

    platform: str
    outcome: str
    reason: str
    seconds: float
    records: tuple[CheckRecord, ...]
    state: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One check on every platform, in the order of the platforms."""

    id: str
    title: str
    chapter: str
    cells: tuple[Cell | None, ...]
    level: int | None = None

    @property
    def differs(self) -> bool:
        """Whether the platforms do not all say the same."""
        return len({cell.outcome if cell else "missing" for cell in self.cells}) > 1


@dataclass(frozen=True, slots=True, kw_only=True)
class FactRow:
    """One fact on every platform. ``sort`` is ``behaviour``, ``measurement`` or ``identity``."""

    check: str
    name: str
    unit: str
    sort: str
    values: tuple[str, ...]
    sources: tuple[str, ...]

    @property
    def differs(self) -> bool:
        """Whether platforms that know it disagree, or one does not know it."""
        return len(set(self.values)) > 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Matrix:
    """Everything the page and the terminal show of several results."""

    platforms: tuple[str, ...]
    rows: tuple[Row, ...]
    facts: tuple[FactRow, ...]


def matrix(
    results: Sequence[Result],
    states: Mapping[str, Mapping[str, str]] | None = None,
    catalogue: Mapping[str, Mapping[str, Any]] | None = None,
) -> Matrix:
    """Lay *results* side by side.

    Args:
        results: one per platform; names must differ.
        states: per platform, the verdict's state of each check.
        catalogue: per check id, ``title`` and ``level`` of the guideline; checks of it that no
            platform ran are rows too, so that what is missing can be seen.
    """
    names = tuple(result.platform.name for result in results)
    known = dict(catalogue or {})
    by_check = [_by_check(result) for result in results]
    ids = sorted({*known, *(id_ for checks in by_check for id_ in checks)}, key=check_order)
    rows = []
    for id_ in ids:
        records = [checks.get(id_, ()) for checks in by_check]
        title = next((r.title for many in records for r in many if r.title), "")
        about = known.get(id_, {})
        rows.append(
            Row(
                id=id_,
                title=str(about.get("title") or title),
                chapter=chapter_of(id_),
                level=about.get("level"),
                cells=tuple(
                    _cell(name, many, (states or {}).get(name, {}).get(id_, ""))
                    for name, many in zip(names, records, strict=True)
                ),
            )
        )
    return Matrix(
        platforms=names,
        rows=tuple(rows),
        facts=tuple(fact_rows([result.checks for result in results])),
    )


def chapter_of(check: str) -> str:
    """``net`` of ``net-09``; ``P3`` belongs to ``api``."""
    return "api" if check[:1] == "P" and check[1:].isdigit() else check.split("-")[0]


@lru_cache(maxsize=8192)
def check_order(check: str) -> tuple[int, str, int, str]:
    """A key that sorts by chapter, and puts net-2 before net-10."""
    digits = "".join(char for char in check if char.isdigit())
    chapter = chapter_of(check)
    place = list(CHAPTERS).index(chapter) if chapter in CHAPTERS else len(CHAPTERS)
    return place, chapter, int(digits or 0), check


def worst(records: Sequence[CheckRecord]) -> str:
    """The outcome of a check that was recorded several times."""
    return min((record.outcome for record in records), key=ORDER.index)


def _by_check(result: Result) -> dict[str, tuple[CheckRecord, ...]]:
    grouped: defaultdict[str, list[CheckRecord]] = defaultdict(list)
    for record in result.checks:
        grouped[record.id].append(record)
    return {id_: tuple(records) for id_, records in grouped.items()}


def _cell(platform: str, records: Sequence[CheckRecord], state: str) -> Cell | None:
    """What to show of one check on one platform; None when it never ran."""
    if not records:
        return None
    outcome = worst(records)
    return Cell(
        platform=platform,
        outcome=outcome,
        reason=next((r.reason for r in records if r.outcome == outcome and r.reason), ""),
        seconds=sum(record.seconds for record in records),
        records=tuple(records),
        state=state,
    )


def fact_rows(columns: Sequence[Sequence[CheckRecord]]) -> list[FactRow]:
    """Facts side by side, one column for each sequence of records; behaviour that differs first."""
    seen: dict[tuple[str, str], list[list[FactRecord]]] = {}
    for index, records in enumerate(columns):
        for check in records:
            for fact in check.facts:
                row = seen.setdefault((check.id, fact.name), [[] for _ in columns])
                row[index].append(fact)
    rows = [_fact_row(check, name, row) for (check, name), row in seen.items()]
    sorts = ("behaviour", "measurement", "identity")
    rows.sort(key=lambda r: (not r.differs, sorts.index(r.sort), check_order(r.check), r.name))
    return rows


def _fact_row(check: str, name: str, columns: list[list[FactRecord]]) -> FactRow:
    """One fact; what differs from member to member on each platform is an identity."""
    unit = next((fact.unit for facts in columns for fact in facts if fact.unit), "") or ""
    if unit in MEASURED:
        sort = "measurement"
    elif name in DRAWN or _identifies(columns):
        sort = "identity"
    else:
        sort = "behaviour"
    return FactRow(
        check=check,
        name=name,
        unit=unit,
        sort=sort,
        values=tuple(_column(facts) for facts in columns),
        sources=tuple(", ".join(sorted({f.source for f in facts})) for facts in columns),
    )


def _identifies(columns: list[list[FactRecord]]) -> bool:
    """Whether every value is an address or id, or no two members of a platform share a value.

    Who tells an empty one tells none.
    """
    columns = [[fact for fact in facts if fact.value not in ("", None)] for facts in columns]
    values = [leaf for facts in columns for fact in facts for leaf in _leaves(fact.value)]
    if values and all(isinstance(v, str) and IDENTITY.fullmatch(v) for v in values):
        return True
    shared = False
    several = False
    for facts in columns:
        owners: defaultdict[str, set[str | None]] = defaultdict(set)
        for fact in facts:
            owners[show(fact.value)].add(fact.member)
        several = several or len({fact.member for fact in facts}) > 1
        shared = shared or any(len(members) > 1 for members in owners.values())
    return several and not shared


def _leaves(value: Any) -> list[Any]:
    """The plain values in a fact's value."""
    if isinstance(value, dict):
        return [leaf for item in value.values() for leaf in _leaves(item)]
    if isinstance(value, list):
        return [leaf for item in value for leaf in _leaves(item)]
    return [value]


def _column(facts: Sequence[FactRecord]) -> str:
    """All values of one platform: one if its members agree, else each with its member."""
    if not facts:
        return "\N{EM DASH}"
    distinct = list(dict.fromkeys(show(fact.value) for fact in facts))
    if len(distinct) == 1:
        return distinct[0]
    return "; ".join(
        dict.fromkeys(
            f"{fact.member}: {show(fact.value)}" if fact.member else show(fact.value)
            for fact in facts
        )
    )


def show(value: Any) -> str:
    """A fact's value for people: yes and no, lists with commas, numbers without noise."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if value is None:
        return "none"
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, list):
        return ", ".join(show(item) for item in value) or "none"
    if isinstance(value, dict):
        told = (f"{key}: {_within(item)}" for key, item in sorted(value.items()))
        return "; ".join(told) or "none"
    return str(value)


def _within(value: Any) -> str:
    """A value in a mapping; one that would need a separator of its own stands in brackets."""
    return f"({show(value)})" if isinstance(value, dict) and value else show(value)
