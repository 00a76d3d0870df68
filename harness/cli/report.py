"""``interop report``: the page of one or more results, made again from their documents."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path

import click
from rich.console import Console

from guidelines.catalog import load_guideline
from guidelines.errors import BadDocument
from guidelines.judge import judge
from guidelines.results import load_results
from harness.outcome import program_for, write_page
from harness.subjects import expanded, stored_waivers
from reports.read import read_result
from reports.terminal import Harmless
from reports.terminal import verdicts as verdict_table
from reports.verdict import VerdictDocument


@click.command("report")
@click.argument("results", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--guideline", "reference", default="2026.11", show_default=True)
@click.option("--program", default=None, help="Program to judge by. [default: by platform]")
@click.option("--at", type=click.DateTime(["%Y-%m-%d"]), default=None, help="Judge as of this day.")
@click.option("--output", type=click.Path(path_type=Path), default=Path("report.html"))
def report_command(
    results: tuple[Path, ...],
    reference: str,
    program: str | None,
    at: datetime | None,
    output: Path,
) -> None:
    """Judge RESULTS (result.json, its folder or a run's folder) and write one page about them."""
    guideline = load_guideline(reference)
    day: date = at.date() if at else datetime.now(UTC).date()
    documents = []
    verdicts = {}
    every = expanded(results)
    waivers = stored_waivers(every)
    for path in every:
        document = read_result(path)
        name = document.platform.name
        if name in verdicts:
            raise BadDocument(str(path), "platform.name", f"two results are of platform {name}")
        documents.append(document)
        chosen = program_for(guideline, frozenset(document.platform.features), program)
        file = path / "result.json" if path.is_dir() else path
        verdict = judge(guideline, [load_results(file)], program=chosen, at=day, waivers=waivers)
        verdicts[name] = VerdictDocument.model_validate(verdict.to_json())
    write_page(output, documents, verdicts, guideline, title="Interop report")
    Console().print(Harmless(verdict_table(verdicts)))
    click.echo(f"report: {output}")
