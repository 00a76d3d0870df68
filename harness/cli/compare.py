"""``interop compare``: results of any platforms and times side by side, differences first."""

from __future__ import annotations

import io
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path

import click
from rich.console import Console

from guidelines.catalog import load_guideline, load_waivers
from guidelines.errors import BadDocument
from harness.private import read_private
from harness.subjects import (
    Judging,
    expanded,
    load_about,
    load_subjects,
    standings,
    stored_guideline,
    stored_waivers,
)
from reports.compare.comparison import Comparison, compare, json_text
from reports.compare.guards import Objection
from reports.compare.page import pieces
from reports.compare.spreadsheet import checks_csv
from reports.compare.text import markdown, summary, terminal
from reports.redact import Private
from reports.terminal import Harmless, printable
from reports.write import write_pieces, write_text

PATHS = click.Path(exists=True, path_type=Path)
FORMATS = ("text", "markdown", "json", "html", "csv")
WIDE = 200  # columns where there is no terminal


@click.command("compare")
@click.argument("results", metavar="RESULT...", nargs=-1, required=True, type=PATHS)
@click.option("--baseline", "baselines", multiple=True, type=PATHS, metavar="R",
              help="Result to hold the others against; by platform if several.")  # fmt: skip
@click.option("--guideline", "references", multiple=True, metavar="G",
              help="Guideline to judge by; more than one adds a table of verdicts."
              " [default: that of the verdicts beside the results]")  # fmt: skip
@click.option("--program", default=None, help="Program to judge by. [default: by platform]")
@click.option("--at", type=click.DateTime(["%Y-%m-%d"]), default=None,
              help="Judge as of this day. [default: the day each run finished]")  # fmt: skip
@click.option("--waivers", "waiver_file", type=click.Path(path_type=Path),
              help="File of granted exceptions. [default: that of the run]")  # fmt: skip
@click.option("--anyway", is_flag=True, help="Compare what is not comparable; the page says so.")
@click.option("--fail-on", type=click.Choice(["never", "regression", "difference"]),
              default="never", show_default=True, help="What makes the exit code 1.")  # fmt: skip
@click.option("--format", "form", type=click.Choice(FORMATS), default="text", show_default=True)
@click.option("--json", "form", flag_value="json", help="Short for --format json.")
@click.option("--redact", is_flag=True, help="Take out what is private, to show it to others.")
@click.option("--private", "private_file", type=click.Path(path_type=Path), metavar="FILE",
              help="What else is private: values, keys, networks; implies --redact.")  # fmt: skip
@click.option("--output", type=click.Path(dir_okay=False, path_type=Path), default=None,
              help="Write to this file instead of printing.")  # fmt: skip
def compare_command(
    results: tuple[Path, ...],
    baselines: tuple[Path, ...],
    references: tuple[str, ...],
    program: str | None,
    at: datetime | None,
    waiver_file: Path | None,
    anyway: bool,
    fail_on: str,
    form: str,
    redact: bool,
    private_file: Path | None,
    output: Path | None,
) -> int:
    """Compare RESULTS of any platforms and times, differences first.

    A RESULT is a result.json, its folder, a run's folder, or a result made elsewhere.

    Exits 0, or 1 as --fail-on says, or 2 on bad input and on results that are not comparable.
    With --fail-on regression it exits 3 if nothing got worse, but something that passed before
    can now not be told.
    """
    new_paths, old_paths = expanded(results), expanded(baselines)
    everything = [*new_paths, *old_paths]
    if len(everything) < 2:
        raise click.UsageError("needs two results to compare, or one and a --baseline")
    waivers = load_waivers(waiver_file) if waiver_file else stored_waivers(everything)
    day: date | None = at.date() if at else None
    judgings = [
        Judging(guideline=load_guideline(name), program=program, at=day, waivers=waivers)
        for name in references or (stored_guideline(everything),)
    ]
    private = read_private(private_file) if private_file else Private() if redact else None
    new = load_subjects(new_paths, judgings[0], evidence_texts=False, private=private)
    old = [
        replace(subject, label=f"{subject.label} (baseline)")
        for subject in load_subjects(old_paths, judgings[0], evidence_texts=False, private=private)
    ]
    labels = [subject.label for subject in (*new, *old)]
    comparison = compare(
        new,
        load_about([*new, *old], judgings[0].guideline),
        made=datetime.now(UTC).isoformat(timespec="seconds"),
        baselines=old,
        standings=standings(everything, labels, judgings) if len(judgings) > 1 else (),
        anyway=anyway,
    )
    if comparison.grave and not anyway:
        raise BadDocument("results", "", f"not comparable: {_said(comparison.grave)}")
    _show(comparison, form, output)
    return _code(comparison, fail_on)


def _said(grave: tuple[Objection, ...]) -> str:
    """The first objections, and how to overrule them."""
    more = f"; and {len(grave) - 3} more" if len(grave) > 3 else ""
    text = "; ".join(objection.text for objection in grave[:3])
    return f"{text}{more}; --anyway compares all the same"


def _show(comparison: Comparison, form: str, output: Path | None) -> None:
    """Print, or write a file and say what is in it."""
    if form == "html":
        file = output or Path("comparison.html")
        write_pieces(file, pieces(comparison))
        click.echo(printable(summary(comparison)))
        click.echo(f"comparison: {file}")
        return
    if form == "text" and output is None:
        console = Console()
        if not console.is_terminal:
            console = Console(width=WIDE)
        console.print(Harmless(terminal(comparison)))
        return
    text = _text(comparison, form)
    if output is None:
        click.echo(text, nl=False)
    else:
        write_text(output, text)
        click.echo(printable(summary(comparison)))


def _text(comparison: Comparison, form: str) -> str:
    if form == "json":
        return json_text(comparison)
    if form == "csv":
        return checks_csv(comparison)
    if form == "markdown":
        return markdown(comparison)
    out = io.StringIO()
    Console(width=WIDE, file=out).print(Harmless(terminal(comparison)))
    return out.getvalue()


def _code(comparison: Comparison, fail_on: str) -> int:
    changes = comparison.changes
    if fail_on == "difference":
        return int(bool(comparison.different))
    if fail_on == "regression":
        if changes.of("regression") or changes.fallen:
            return 1
        return 3 if changes.of("unknown") else 0
    return 0
