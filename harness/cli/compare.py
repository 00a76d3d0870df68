"""``interop compare``: two or more results side by side in a terminal."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import click
from rich.console import Console

from reports.matrix import matrix
from reports.read import read_result
from reports.terminal import comparison


@click.command("compare")
@click.argument("results", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print the matrix as JSON.")
def compare_command(results: tuple[Path, ...], as_json: bool) -> int:
    """Print which checks and facts differ between RESULTS (result.json or its folder).

    Exits 0 when every check ended alike, 1 when one did not.
    """
    if len(results) < 2:
        raise click.UsageError("needs at least two results to compare")
    table = matrix([read_result(path) for path in results])
    if as_json:
        different = [
            {
                "check": row.id,
                "outcomes": {
                    name: cell.outcome if cell else "missing"
                    for name, cell in zip(table.platforms, row.cells, strict=True)
                },
            }
            for row in table.rows
            if row.differs
        ]
        facts = [asdict(row) for row in table.facts if row.differs]
        document = {"platforms": table.platforms, "checks": different, "facts": facts}
        click.echo(json.dumps(document, ensure_ascii=False, indent=1))
    else:
        Console().print(comparison(table))
    return int(any(row.differs for row in table.rows))
