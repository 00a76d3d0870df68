"""Print tables and lines for people: on a terminal with rich, in CI summaries as markdown."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import click
from rich.console import Console
from rich.table import Table as RichTable
from rich.text import Text

from guidelines.errors import one_line

FORMATS = ("text", "markdown", "json")
_WIDE = 240


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """A table; cells are plain text and may come from hostile documents."""

    title: str = ""
    columns: Sequence[str]
    rows: Sequence[Sequence[object]]


def print_document(document: Mapping[str, Any]) -> None:
    """Print JSON, the same bytes for the same document."""
    click.echo(json.dumps(document, indent=2, ensure_ascii=False))


def print_tables(tables: Sequence[Table], form: str) -> None:
    """Print *tables* as ``text`` or ``markdown``; empty ones are left out."""
    for table in tables:
        if not table.rows:
            continue
        if form == "markdown":
            click.echo("\n".join(_markdown(table)))
        else:
            _print_rich(table)


def print_line(text: str, form: str) -> None:
    """Print one line, as a paragraph in markdown."""
    line = one_line(text, 1000)
    click.echo(f"{_escape(line)}\n" if form == "markdown" else line)


def output_options(command: click.decorators.FC) -> click.decorators.FC:
    """Add ``--json`` and ``--format`` to a command; it takes the parameter *form*."""
    command = click.option(
        "--format",
        "form",
        type=click.Choice(FORMATS),
        default="text",
        help="How to print; markdown is for CI summaries.",
    )(command)
    return click.option(
        "--json",
        "form",
        flag_value="json",
        help="Print the JSON document; short for --format json.",
    )(command)


def _cell(value: object) -> str:
    if value is None:
        return ""
    return one_line(str(value), 1000)


def _markdown(table: Table) -> list[str]:
    lines = [f"### {_escape(table.title)}", ""] if table.title else []
    lines.append("| " + " | ".join(_escape(name) for name in table.columns) + " |")
    lines.append("|" + " --- |" * len(table.columns))
    lines.extend("| " + " | ".join(_escape(_cell(c)) for c in row) + " |" for row in table.rows)
    lines.append("")
    return lines


def _escape(text: str) -> str:
    for mark in ("\\", "|", "<", "*", "_", "`", "["):
        text = text.replace(mark, f"\\{mark}")
    return text


def _print_rich(table: Table) -> None:
    console = Console(highlight=False)
    if not console.is_terminal:
        console = Console(highlight=False, width=_WIDE)
    shown = RichTable(title=Text(table.title) if table.title else None, title_justify="left")
    for name in table.columns:
        shown.add_column(name, overflow="fold")
    for row in table.rows:
        shown.add_row(*(Text(_cell(cell)) for cell in row))
    console.print(shown)
