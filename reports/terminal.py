"""The matrix and the differences as tables for a terminal."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from rich.console import Console, ConsoleOptions, Group, RenderableType
from rich.segment import Segment
from rich.table import Table
from rich.text import Text

from reports.matrix import Cell, Matrix, Row
from reports.page import MARKS
from reports.verdict import VerdictDocument

STYLES = {
    "passed": "green",
    "compliant": "green",
    "failed": "bold red",
    "not-compliant": "bold red",
    "blocked": "yellow",
    "inconclusive": "yellow",
    "missing": "yellow",
    "skipped": "dim",
    "waived": "dim",
    "not-applicable": "dim",
}


class Harmless:
    """What is shown, without the characters of others that a terminal would obey."""

    def __init__(self, shown: RenderableType) -> None:
        self._shown = shown

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[Segment]:
        for segment in console.render(self._shown, options):
            yield Segment(printable(segment.text), segment.style, segment.control)


def printable(text: str) -> str:
    """*text* without control characters and marks of direction; its lines stay lines."""
    if text.replace("\n", "").isprintable():
        return text
    return "".join(one for one in text if one == "\n" or one.isprintable())


def word(outcome: str) -> Text:
    """An outcome as a mark and a word, so that it reads without colour."""
    return Text(f"{MARKS.get(outcome, '?')} {outcome}", style=STYLES.get(outcome, ""))


def checks(table: Matrix, *, only_different: bool = False) -> Table:
    """Check by platform; the reason of what did not pass stands below the outcome.

    What applies to no platform is left out (``nowhere``).
    """
    shown = Table(box=None, pad_edge=False, header_style="bold")
    shown.add_column("check", no_wrap=True)
    for name in table.platforms:
        shown.add_column(name, overflow="fold")
    for row in table.rows:
        if _nowhere(row) or (only_different and not row.differs):
            continue
        shown.add_row(row.id, *(_cell(cell) for cell in row.cells))
    return shown


def nowhere(table: Matrix) -> int:
    """How many checks apply to none of the platforms."""
    return sum(1 for row in table.rows if _nowhere(row))


def _nowhere(row: Row) -> bool:
    return all(cell is not None and cell.outcome == "not-applicable" for cell in row.cells)


def _cell(cell: Cell | None) -> Text:
    """One check on one platform."""
    if cell is None:
        return word("missing")
    text = word(cell.outcome)
    if cell.reason and cell.outcome in ("failed", "blocked", "skipped"):
        text.append(f"\n  {cell.reason.splitlines()[0][:160]}", style="dim")
    return text


def facts(table: Matrix) -> Table:
    """The facts that differ, fact by platform; identities differ anyway and are left out."""
    shown = Table(box=None, pad_edge=False, header_style="bold")
    shown.add_column("check", no_wrap=True)
    shown.add_column("fact")
    for name in table.platforms:
        shown.add_column(name, overflow="fold")
    for row in table.facts:
        if row.differs and row.sort != "identity":
            unit = f" [{row.unit}]" if row.unit else ""
            values = [value if len(value) <= 120 else value[:119] + "…" for value in row.values]
            shown.add_row(row.check, Text(row.name + unit), *(Text(value) for value in values))
    return shown


def verdicts(documents: Mapping[str, VerdictDocument]) -> Table:
    """One line a platform: verdict, level, accounting."""
    shown = Table(box=None, pad_edge=False, header_style="bold")
    for title in ("platform", "program", "verdict", "level", "accounting"):
        shown.add_column(title, overflow="fold")
    for name, document in documents.items():
        parts = [f"{number} {key}" for key, number in document.counts.items() if number]
        shown.add_row(
            name,
            document.program,
            word(document.verdict),
            "none" if document.level is None else str(document.level),
            "; ".join([", ".join(parts).replace("_", " "), *document.on_advice()]),
        )
    return shown


def comparison(table: Matrix) -> Group:
    """What ``interop compare`` prints: checks that differ, then facts that differ."""
    return Group(*_parts(table))


def _parts(table: Matrix) -> Iterator[RenderableType]:
    different = [row for row in table.rows if row.differs]
    yield Text(f"{len(different)} of {len(table.rows)} checks differ", style="bold")
    if different:
        yield checks(table, only_different=True)
    rows = [row for row in table.facts if row.differs and row.sort != "identity"]
    yield Text(f"\n{len(rows)} of {len(table.facts)} facts differ", style="bold")
    if rows:
        yield facts(table)
