"""The comparison as one page without network: differences first, the same on paper and phone."""

from __future__ import annotations

from collections.abc import Iterator

from reports.compare.claims import STANDINGS
from reports.compare.comparison import Comparison
from reports.compare.grouped import NAMED, disagrees, groups, shared, some
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
        topics=_topics(comparison, differing=True),
        facts=_facts(comparison),
        alike=_topics(comparison, differing=False),
        groups=groups,
        shared=shared,
        some=some,
        named=NAMED,
        names=NAMES,
        standings=STANDINGS,
    )
    stream.enable_buffering(200)
    return iter(stream)


def _topics(comparison: Comparison, *, differing: bool) -> list[tuple[str, str, list[Row]]]:
    """Rows by topic, in the order in which differences hurt."""
    found = [
        (key, words, [r for r in comparison.rows if r.topic == key and r.differs == differing])
        for key, words in TOPICS.items()
    ]
    return [(key, words, rows) for key, words, rows in found if rows]


def _facts(comparison: Comparison) -> list[tuple[str, str, list[FactRow]]]:
    """Facts that differ, by how much that says: behaviour first, addresses and ids last."""
    differing = [row for row in comparison.facts if row.differs]
    told = [row for row in differing if row.sort == "behaviour"]
    found = [
        ("behaviour", "Behaviour", [row for row in told if disagrees(row)]),
        ("known", "Known on some only", [row for row in told if not disagrees(row)]),
        ("measurement", "Measurements", [row for row in differing if row.sort == "measurement"]),
        ("identity", "Addresses and ids", [row for row in differing if row.sort == "identity"]),
    ]
    return [(key, words, rows) for key, words, rows in found if rows]
