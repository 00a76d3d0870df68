"""``interop judge``: judge results made anywhere against any guideline."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import click

from guidelines.catalog import load_guideline, load_known_failing, load_waivers
from guidelines.judge import judge
from guidelines.model import Severity
from guidelines.requirements import choose_program
from guidelines.results import load_results
from guidelines.verdict import Verdict
from harness.cli.guideline import day_option
from harness.cli.guideline_text import findings_table
from harness.cli.policy import fail_on_option, gated
from harness.cli.tables import Table, output_options, print_document, print_line, print_tables
from harness.cli.verdict_junit import verdict_junit

_FILE = click.Path(path_type=Path)


@click.command("judge")
@click.argument("results", metavar="RESULT...", nargs=-1, required=True)
@click.option("--guideline", "reference", metavar="G", required=True, help="Shipped id or file.")
@click.option("--program", metavar="P", help="Program; the guideline's default if not given.")
@day_option("Judge as of this day; today if not given.")
@click.option("--waivers", "waiver_file", type=_FILE, help="File of granted exceptions.")
@click.option("--known-failing", "failing_file", type=_FILE, help="List of known failures.")
@click.option("--strict", is_flag=True, help="A known failure that passes fails the verdict.")
@click.option(
    "--host",
    "hosts",
    multiple=True,
    metavar="G",
    help="Guideline that defines components the program takes from elsewhere.",
)
@click.option("--junit", "junit_file", type=_FILE, help="Write the items as JUnit XML too.")
@fail_on_option("verdict", "not-compliant", "never")
@output_options
@click.pass_context
def judge_command(
    context: click.Context,
    results: tuple[str, ...],
    reference: str,
    program: str | None,
    at: date,
    waiver_file: Path | None,
    failing_file: Path | None,
    strict: bool,
    hosts: tuple[str, ...],
    junit_file: Path | None,
    fail_on: str,
    form: str,
) -> None:
    """Judge RESULT files, taken together as one body of evidence, against a guideline.

    Takes our own results (a platform's folder of a run), RefStack uploads, subunit, JUnit XML,
    CTRF, sonobuoy tarballs, Allure folders, TAP and SCS reports. Exits 0 when compliant, 1 when
    not, 2 on bad input, 3 when it cannot be told, or as --fail-on says.
    """
    guideline = load_guideline(reference)
    chosen = choose_program(guideline, program, at)
    verdict = judge(
        guideline,
        [load_results(Path(result)) for result in results],
        program=chosen.id,
        at=at,
        waivers=load_waivers(waiver_file) if waiver_file else (),
        known_failing=load_known_failing(failing_file, strict=strict) if failing_file else None,
        hosts=[load_guideline(host) for host in hosts],
    )
    if junit_file is not None:
        junit_file.write_bytes(verdict_junit(verdict))
    if form == "json":
        print_document(verdict.to_json())
    else:
        _print(verdict, form)
    context.exit(gated(verdict.exit_code, fail_on))


def _print(verdict: Verdict, form: str) -> None:
    counts = verdict.counts
    line = f"{verdict.guideline} {verdict.program}: {verdict.verdict.value}"
    if verdict.reasons:
        line += f" ({'; '.join(verdict.reasons)})"
    states = [
        (name.replace("_", "-"), number) for name, number in counts.to_json().items() if number
    ]
    items = [
        (item.state.value, item.id, item.reason, item.evidence)
        for item in verdict.items
        if item.state.value not in {"passed", "not-applicable"}
    ]
    capabilities = [
        (c.state, c.id, c.status.value, f"{c.passed}/{c.must_pass}")
        for c in verdict.capabilities
        if c.status.value == "required" and c.state not in {"passed", "not-applicable"}
    ]
    findings = [f for f in verdict.findings if f.severity is not Severity.NOTE]
    print_tables(
        [
            Table(title="required items", columns=("state", "items"), rows=states),
            Table(
                title="capabilities not met",
                columns=("state", "capability", "status", "passed"),
                rows=capabilities,
            ),
            Table(
                title="items not passed",
                columns=("state", "item", "reason", "evidence"),
                rows=items,
            ),
            findings_table(findings),
        ],
        form,
    )
    if verdict.verdict is not verdict.verdict_without_waivers:
        print_line(f"without waivers: {verdict.verdict_without_waivers.value}", form)
    if verdict.level is not None or verdict.held_back_by:
        level = "none" if verdict.level is None else str(verdict.level)
        held = f"; held back by {', '.join(verdict.held_back_by)}" if verdict.held_back_by else ""
        print_line(f"level of interoperability: {level}{held}", form)
    print_line(line, form)
