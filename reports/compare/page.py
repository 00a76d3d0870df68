"""The comparison as one page without network: differences first, the same on paper and phone."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from reports.compare.claims import STANDINGS
from reports.compare.comparison import Comparison
from reports.compare.grouped import NAMED, by_weight, groups, shared, some
from reports.compare.levels import NAMES
from reports.compare.table import Row
from reports.compare.text import summary
from reports.compare.topics import TOPICS
from reports.matrix import FactRow
from reports.page import environment

WIDE = 8  # members side by side; of more, those that say the same are told together


def pieces(comparison: Comparison, title: str = "Comparison") -> Iterator[str]:
    """The page's text, bit by bit, so that a large one is never held as a whole."""
    labels = tuple(member.label for member in comparison.members)
    template = environment().get_template("compare.html.j2")
    stream = template.stream(
        title=title,
        c=comparison,
        labels=labels,
        wide=len(labels) > WIDE,
        summary=summary(comparison),
        differences=_differences(comparison),
        facts=_facts(comparison),
        alike=[(p.title, p.rows) for p in _parts(comparison, lambda row: not row.differs)],
        groups=groups,
        shared=shared,
        some=some,
        named=NAMED,
        names=NAMES,
        standings=STANDINGS,
    )
    stream.enable_buffering(200)
    return iter(stream)


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """The rows of one topic that are shown together; ``folded`` until a reader asks."""

    topic: str
    title: str
    rows: list[Row]
    folded: bool = False


def _differences(comparison: Comparison) -> list[Part]:
    """What differs by topic; last, and folded, where it differs only in whom it applies to."""
    return [
        *_parts(comparison, lambda row: row.weighs),
        *_parts(comparison, lambda row: row.differs and not row.weighs, folded=True),
    ]


def _parts(
    comparison: Comparison, shown: Callable[[Row], bool], *, folded: bool = False
) -> list[Part]:
    """Rows by topic, in the order in which differences hurt."""
    by_topic: dict[str, list[Row]] = {key: [] for key in TOPICS}
    for row in comparison.rows:
        if shown(row):
            by_topic[row.topic].append(row)
    return [
        Part(topic=key, title=TOPICS[key], rows=rows, folded=folded)
        for key, rows in by_topic.items()
        if rows
    ]


def _facts(comparison: Comparison) -> list[tuple[str, str, list[FactRow]]]:
    """Facts that differ, by how much that says."""
    words = {
        "behaviour": "Behaviour",
        "known": "Known on some only",
        "measurement": "Measurements",
        "identity": "Addresses and ids",
    }
    return [(key, words[key], rows) for key, rows in by_weight(comparison.facts).items() if rows]
