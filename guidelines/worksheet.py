"""Read the OpenStack programme's scoring worksheets: one capability a line, marks in brackets."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from guidelines.errors import BadDocument
from guidelines.model import Finding, Severity

ADMIN = "non-admin"
# The columns' order where a worksheet has no legend.
STANDARD_COLUMNS = (
    "deployed",
    "tools",
    "clients",
    "future",
    "complete",
    "stable",
    "discover",
    "doc",
    "sticky",
    "foundation",
    "atomic",
    "proximity",
    ADMIN,
)
_LEGEND = re.compile(r"^\s*capability(\s+name)?\s*:\s*(?P<columns>\[.*)$", re.IGNORECASE)
_LINE = re.compile(
    r"^\s*(?P<name>[^\s\[\]:][^\[\]:]*?)\s*:\s*(?P<groups>(\[[^\[\]]*\]\s*){2,})(?P<rest>.*)$"
)
_GROUP = re.compile(r"\[([^\[\]]*)\]")
_NUMBER = re.compile(r"-?\d+(\.\d+)?")
_WORDS = {
    "widely deployed": "deployed",
    "used by tools": "tools",
    "used by clients": "clients",
    "tc future direction": "future",
    "future direction": "future",
    "documented": "doc",
    "docd": "doc",
    "discoverable": "discover",
    "required in last release": "sticky",
    "core in last release": "sticky",
    "capability in last release": "sticky",
    "foundational": "foundation",
    "proximity cluster": "proximity",
    "non admin": ADMIN,
    "nonadmin": ADMIN,
}


class MarkKind(StrEnum):
    """What stands in a column: a value, nothing yet, or a criterion that does not count."""

    VALUE = "value"
    OPEN = "open"
    NOT_CONSIDERED = "not-considered"


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """One mark: 0 to 1, parts included."""

    kind: MarkKind
    value: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class WorksheetLine:
    """One capability: its marks by column, and the total someone wrote behind them."""

    name: str
    line: int
    marks: dict[str, Mark]
    recorded: float | None
    recorded_included: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Worksheet:
    """A worksheet: columns, the ones its legend leaves out, lines, and what could not be read."""

    columns: tuple[str, ...]
    left_out: frozenset[str]
    lines: tuple[WorksheetLine, ...]
    findings: tuple[Finding, ...]


def read_worksheet(text: str, source: str) -> Worksheet:
    """Return the worksheet in *text*; notes and headings between the lines are passed over.

    A line that looks like a capability and cannot be read is a finding, never passed over.

    Raises:
        BadDocument: there is no line of marks at all.
    """
    rows = text.splitlines()
    columns, left_out, legend_rows = _read_legend(rows, source)
    lines: list[WorksheetLine] = []
    findings: list[Finding] = []
    seen: dict[str, int] = {}
    for number, row in enumerate(rows, start=1):
        found = _LINE.match(row[:2000])
        if number - 1 in legend_rows or found is None:
            continue
        line = _read_line(found, number, columns, left_out, findings)
        if line is None:
            continue
        if line.name in seen:
            message = f"{line.name!r} was scored on line {seen[line.name]} already"
            findings.append(_error("duplicate-line", number, message))
        seen.setdefault(line.name, number)
        lines.append(line)
    if not lines and not findings:
        raise BadDocument(
            source,
            "",
            "no line of marks; expected a worksheet with lines such as name: [1,0,1] ...",
        )
    return Worksheet(
        columns=columns,
        left_out=left_out,
        lines=tuple(lines),
        findings=tuple(findings),
    )


def _read_legend(
    rows: Sequence[str], source: str
) -> tuple[tuple[str, ...], frozenset[str], frozenset[int]]:
    for start, row in enumerate(rows):
        found = _LEGEND.match(row)
        if found is None:
            continue
        text, end = found["columns"], start
        while "total" not in text.lower() and end + 1 < len(rows) and end - start < 12:
            if "[" not in rows[end + 1]:
                break
            end += 1
            text += rows[end]
        words = [word for group in _GROUP.findall(text) for word in group.split(",")]
        names = [(_column(word), "*" in word) for word in words if word.strip()]
        names = [(name, starred) for name, starred in names if name != "total"]
        columns = tuple(name for name, _ in names)
        if len(set(columns)) != len(columns):
            raise BadDocument(source, f"line {start + 1}", "a column is in the legend twice")
        starred = frozenset(name for name, left_out in names if left_out)
        return columns, starred, frozenset(range(start, end + 1))
    return STANDARD_COLUMNS, frozenset(), frozenset()


def _column(word: str) -> str:
    plain = re.sub(r"[^a-z ]", "", word.lower().replace("-", " ")).strip()
    plain = re.sub(r"\s+", " ", plain)
    return _WORDS.get(plain, plain)


def _read_line(
    found: re.Match[str],
    number: int,
    columns: tuple[str, ...],
    left_out: frozenset[str],
    findings: list[Finding],
) -> WorksheetLine | None:
    name = found["name"].strip()
    cells = [cell.strip() for group in _GROUP.findall(found["groups"]) for cell in group.split(",")]
    recorded: float | None = None
    if len(cells) == len(columns) + 1:
        total = cells.pop()
        if _NUMBER.fullmatch(total):
            recorded = float(total)
        elif total not in {"", "?"}:
            message = f"{name!r}: the total {total[:40]!r} is not a number"
            findings.append(_error("malformed-total", number, message))
    if len(cells) != len(columns):
        message = f"{name!r} has {len(cells)} marks; expected {len(columns)} and a total"
        findings.append(_error("malformed-line", number, message))
        return None
    marks: dict[str, Mark] = {}
    for column, cell in zip(columns, cells, strict=True):
        mark = _mark(cell)
        if mark is None:
            message = f"{name!r}: the mark {cell[:40]!r} for {column} is not 0, 1, ? or *"
            findings.append(_error("malformed-mark", number, message))
            return None
        marks[column] = Mark(kind=MarkKind.NOT_CONSIDERED) if column in left_out else mark
    return WorksheetLine(
        name=name,
        line=number,
        marks=marks,
        recorded=recorded,
        recorded_included=found["rest"].strip().startswith("*"),
    )


def _mark(cell: str) -> Mark | None:
    if cell == "?":
        return Mark(kind=MarkKind.OPEN)
    if cell == "*":
        return Mark(kind=MarkKind.NOT_CONSIDERED)
    if _NUMBER.fullmatch(cell) and 0 <= float(cell) <= 1:
        return Mark(kind=MarkKind.VALUE, value=float(cell))
    return None


def _error(code: str, line: int, message: str) -> Finding:
    return Finding(code=code, severity=Severity.ERROR, path=f"line {line}", message=message)
