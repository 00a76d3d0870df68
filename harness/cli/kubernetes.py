"""``interop kubernetes``: what belongs to Kubernetes' own conformance programme."""

from __future__ import annotations

from pathlib import Path

import click

from guidelines.catalog import load_guideline
from harness.cli.tables import Table, output_options, print_document, print_line, print_tables
from harness.submission import look_over

ORDER = ("fails", "unknown", "note", "holds")
EXIT = {"fails": 1, "unknown": 3}
SUMMARY = {
    0: "ready to be submitted, as far as can be told without the network",
    1: "not ready to be submitted",
    3: "could not be told: the list of required tests was not given",
}


@click.group("kubernetes")
def kubernetes_command() -> None:
    """Kubernetes' own conformance programme."""


@kubernetes_command.command("submission")
@click.argument("folder", metavar="vX.Y/PRODUCT", type=click.Path(path_type=Path))
@click.option("--conformance", metavar="FILE", help="The release's conformance.yaml.")
@click.option("--newest", metavar="vX.Y", help="The newest release of Kubernetes.")
@output_options
@click.pass_context
def submission_command(
    context: click.Context, folder: Path, conformance: str | None, newest: str | None, form: str
) -> None:
    """Look over what is to be submitted to be Certified Kubernetes.

    The folder holds README.md, PRODUCT.yaml, e2e.log and junit_01.xml. Exits 0 when nothing is
    missing, 1 when something is, 2 on what cannot be read, 3 when it cannot be told.
    """
    remarks = look_over(folder, load_guideline(conformance) if conformance else None, newest)
    remarks.sort(key=lambda remark: ORDER.index(remark.state))
    code = next((EXIT[one.state] for one in remarks if one.state in EXIT), 0)
    if form == "json":
        lines = [{"state": r.state, "topic": r.topic, "text": r.text} for r in remarks]
        print_document({"schema": "interop.submission/1", "ready": code == 0, "lines": lines})
    else:
        rows = [(one.state, one.topic, one.text) for one in remarks]
        print_tables([Table(columns=("", "what", "what was found"), rows=rows)], form)
        print_line(SUMMARY[code], form)
    context.exit(code)
