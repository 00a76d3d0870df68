"""The comparison as CSV: one line a check and member, for people who live in spreadsheets."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence

from reports.compare.comparison import Comparison
from reports.compare.topics import TOPICS

COLUMNS = ("topic", "check", "title", "level", "components", "status", "differs", "result",
           "platform", "state", "reason", "evidence", "seconds")  # fmt: skip
FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")


def checks_csv(comparison: Comparison) -> str:
    """Every cell of the matrix, differences first."""
    lines: list[Sequence[object]] = [COLUMNS]
    for row in comparison.rows:
        for member, cell in zip(comparison.members, row.cells, strict=True):
            lines.append(
                (
                    TOPICS[row.topic],
                    row.id,
                    row.title,
                    "" if row.level is None else row.level,
                    " ".join(row.components),
                    row.status,
                    "yes" if row.differs else "no",
                    member.label,
                    member.platform,
                    cell.state,
                    cell.reason,
                    cell.evidence,
                    cell.seconds,
                )
            )
    return written(lines)


def written(lines: Sequence[Sequence[object]]) -> str:
    """CSV of RFC 4180; text that a spreadsheet would take for a formula is quoted with a tick.

    Source: OWASP, CSV injection.
    """
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    for line in lines:
        writer.writerow([_safe(cell) for cell in line])
    return out.getvalue()


def _safe(cell: object) -> object:
    if not isinstance(cell, str):
        return cell
    return f"'{cell}" if cell.startswith(FORMULA) else cell
