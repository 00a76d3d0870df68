"""``interop guideline``: list, show, check, compare and score guidelines."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path

import click

from guidelines.catalog import load_guideline, load_score_document, shipped_guidelines
from guidelines.diff import diff_guidelines
from guidelines.errors import BadDocument, SchemaProblems
from guidelines.judge import judge
from guidelines.lint import lint
from guidelines.model import CapabilityStatus, Finding, Severity
from guidelines.preview import compare_verdicts
from guidelines.requirements import choose_program
from guidelines.results import load_results
from guidelines.score import (
    change_weights,
    score_guideline,
    score_worksheet,
    worksheet_scoring,
)
from guidelines.summary import list_tests, summarise
from guidelines.worksheet import Worksheet
from harness.cli import guideline_text as text
from harness.cli.tables import output_options, print_document, print_line, print_tables

_STATUSES = [status.value for status in CapabilityStatus]


def parse_day(context: click.Context, parameter: click.Parameter, value: str | None) -> date:
    """Turn an option YYYY-MM-DD into a day; today, in UTC, if it is not given."""
    if value is None:
        return datetime.now(UTC).date()
    try:
        return date.fromisoformat(value)
    except ValueError:
        message = f"{value!r} is not a day; expected YYYY-MM-DD"
        raise click.BadParameter(message, context, parameter) from None


def day_option(help_text: str) -> Callable[[click.decorators.FC], click.decorators.FC]:
    """Add ``--at``; the command takes the parameter *at*."""
    return click.option(
        "--at", metavar="YYYY-MM-DD", default=None, callback=parse_day, help=help_text
    )


@click.group("guideline")
def guideline_command() -> None:
    """Show, check, compare and score guidelines.

    A guideline is the id of a shipped one, such as 2026.11, or a file: ours, OpenStack 1.2 to 2.0,
    Kubernetes conformance.yaml, an SCS scope, a Redfish profile, or a list of test names.
    """


@guideline_command.command("list")
@output_options
def list_command(form: str) -> None:
    """List the guidelines that come with this tool."""
    found = [load_guideline(name) for name in shipped_guidelines()]
    if form == "json":
        print_document(
            {
                "guidelines": [
                    {
                        "id": guideline.id,
                        "status": guideline.status,
                        "title": guideline.title,
                        "digest": guideline.digest,
                        "programs": list(guideline.programs),
                    }
                    for guideline in found
                ]
            }
        )
    else:
        print_tables([text.list_table(found)], form)


@guideline_command.command("show")
@click.argument("guideline", metavar="G")
@day_option("Day for timelines; today if not given.")
@output_options
def show_command(guideline: str, at: date, form: str) -> None:
    """Show what guideline G holds, program by program."""
    document = summarise(load_guideline(guideline), at)
    if form == "json":
        print_document(document)
    else:
        print_line(text.show_line(document), form)
        print_tables(text.show_tables(document), form)


@guideline_command.command("lint")
@click.argument("guideline", metavar="G")
@click.option("--previous", metavar="OLD", help="The guideline it replaces; checks the changes.")
@day_option("Day for expiries; today if not given.")
@click.option("--strict", is_flag=True, help="Warnings fail too.")
@output_options
@click.pass_context
def lint_command(
    context: click.Context,
    guideline: str,
    previous: str | None,
    at: date,
    strict: bool,
    form: str,
) -> None:
    """Find what is wrong with guideline G.

    Exits 1 if an error is found, 0 if not; notes and warnings alone do not fail.
    """
    try:
        loaded = load_guideline(guideline)
        older = load_guideline(previous) if previous else None
        findings = lint(loaded, previous=older, at=at)
    except SchemaProblems as problems:
        findings = tuple(
            Finding(
                code="schema",
                severity=Severity.ERROR,
                path=problem.path,
                message=problem.message,
            )
            for problem in problems.problems
        )
    if form == "json":
        print_document({"findings": [finding.to_json() for finding in findings]})
    else:
        print_tables([text.findings_table(findings)], form)
        print_line(text.findings_line(guideline, findings), form)
    failing = {Severity.ERROR, Severity.WARNING} if strict else {Severity.ERROR}
    context.exit(1 if any(finding.severity in failing for finding in findings) else 0)


@guideline_command.command("diff")
@click.argument("old", metavar="OLD")
@click.argument("new", metavar="NEW")
@output_options
def diff_command(old: str, new: str, form: str) -> None:
    """Show what changed from guideline OLD to guideline NEW."""
    diff = diff_guidelines(load_guideline(old), load_guideline(new))
    if form == "json":
        print_document(diff.to_json())
    else:
        print_line(text.diff_line(diff), form)
        print_tables(text.diff_tables(diff), form)


@guideline_command.command("score")
@click.argument("worksheet", metavar="WORKSHEET")
@click.option("--guideline", metavar="G", help="Take criteria, weights and cut-off from G.")
@click.option(
    "--what-if",
    "changes",
    multiple=True,
    metavar="CRITERION=WEIGHT",
    help="Suppose another weight, or cutoff=N; may be given several times.",
)
@output_options
@click.pass_context
def score_command(
    context: click.Context,
    worksheet: str,
    guideline: str | None,
    changes: tuple[str, ...],
    form: str,
) -> None:
    """Score the capabilities of WORKSHEET, or of a guideline's own achievements.

    Exits 1 if a recorded total is wrong or a line cannot be read.
    """
    document = load_score_document(worksheet)
    given = load_guideline(guideline).scoring if guideline else None
    if given is not None and not given.criteria:
        raise BadDocument(str(guideline), "", "has no scoring criteria")
    supposed = _parse_changes(changes)
    if isinstance(document, Worksheet):
        scoring = change_weights(given or worksheet_scoring(document), supposed, worksheet)
        scores = score_worksheet(document, scoring, altered=bool(supposed))
    else:
        if given is None and not document.scoring.criteria:
            raise BadDocument(worksheet, "", "has no scoring criteria")
        scoring = change_weights(given or document.scoring, supposed, worksheet)
        scores = score_guideline(document, scoring, altered=bool(supposed))
    if form == "json":
        print_document(scores.to_json())
    else:
        print_tables(text.score_tables(scores), form)
    wrong = any(finding.severity is Severity.ERROR for finding in scores.findings)
    context.exit(1 if wrong else 0)


@guideline_command.command("tests")
@click.argument("guideline", metavar="G")
@click.option("--program", metavar="P", help="Only those of program P.")
@click.option(
    "--status",
    "statuses",
    multiple=True,
    type=click.Choice([*_STATUSES, "all"]),
    default=("required",),
    show_default=True,
    help="Of capabilities with this status; may be given several times.",
)
@click.option("--flagged/--no-flagged", default=True, help="With or without flagged tests.")
@click.option("--aliases", is_flag=True, help="Print each test's aliases after it.")
@output_options
def tests_command(
    guideline: str,
    program: str | None,
    statuses: tuple[str, ...],
    flagged: bool,
    aliases: bool,
    form: str,
) -> None:
    """Print the ids of the tests guideline G asks for, one a line."""
    wanted = _STATUSES if "all" in statuses else statuses
    tests = list_tests(
        load_guideline(guideline),
        program=program,
        statuses=frozenset(CapabilityStatus(status) for status in wanted),
        flagged=flagged,
        aliases=aliases,
    )
    if form == "json":
        print_document({"guideline": guideline, "program": program, "tests": list(tests)})
        return
    for test in tests:
        print_line(f"- {test}" if form == "markdown" else test, "text")


@guideline_command.command("preview")
@click.argument("results", metavar="RESULT...", nargs=-1, required=True)
@click.option("--from", "old", metavar="OLD", required=True, help="Guideline it passes today.")
@click.option("--to", "new", metavar="NEW", required=True, help="Guideline to come.")
@click.option("--program", metavar="P", help="Program; the guidelines' default if not given.")
@day_option("Day as of which to judge; today.")
@output_options
@click.pass_context
def preview_command(
    context: click.Context,
    results: tuple[str, ...],
    old: str,
    new: str,
    program: str | None,
    at: date,
    form: str,
) -> None:
    """Tell what would become of RESULT under guideline NEW, item by item.

    Exits as ``interop judge`` would with NEW.
    """
    guidelines = (load_guideline(old), load_guideline(new))
    evidence = [load_results(Path(result)) for result in results]
    before, after = (
        judge(guideline, evidence, program=choose_program(guideline, program, at).id, at=at)
        for guideline in guidelines
    )
    preview = compare_verdicts(*guidelines, before, after)
    if form == "json":
        print_document(preview.to_json())
    else:
        print_line(text.preview_line(preview), form)
        print_tables([text.preview_table(preview)], form)
    context.exit(after.exit_code)


def _parse_changes(changes: tuple[str, ...]) -> dict[str, float]:
    parsed: dict[str, float] = {}
    for change in changes:
        name, equals, value = change.partition("=")
        try:
            number = float(value)
        except ValueError:
            number = -1.0
        if not equals or not name or not 0 <= number <= 1000:
            raise BadDocument("--what-if", change, "expected CRITERION=WEIGHT, such as tools=0")
        parsed[name.strip()] = number
    return parsed
