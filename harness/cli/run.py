"""``interop run``, ``resume`` and ``rerun``: test platforms against a guideline."""

from __future__ import annotations

import random
from collections.abc import Iterable
from pathlib import Path

import click

from guidelines.catalog import load_guideline
from guidelines.errors import BadDocument
from guidelines.suggest import nearest
from harness.cli.platforms import FILES
from harness.cli.policy import (
    against,
    check_baselines,
    fail_on_option,
    gated,
    regression_code,
)
from harness.cli.run_output import SHOWN, TEXT, quiet_console, tell_changes, tell_run
from harness.config import read_platforms
from harness.run_spec import HOURS, RunSpec, new_id, times
from reports.matrix import worst
from reports.read import read_result

RESULTS = click.option(
    "--results",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("results"),
    show_default=True,
    help="Folder in which the run's folder is made.",
)
OUTCOMES = ("failed", "blocked", "skipped", "not-applicable", "passed", "missing")


@click.command("run")
@click.option("-p", "--platform", "names", multiple=True, required=True, help="Platform to test.")
@FILES
@click.option("--guideline", default="2026.11", show_default=True, help="Guideline id or file.")
@click.option("--program", default=None, help="Program to judge by. [default: by platform]")
@click.option("--workload", default="reference", show_default=True, help="Workload name or file.")
@click.option("--select", multiple=True, help="Check id or chapter to run, such as net-09 or net.")
@click.option("--set", "sets", multiple=True, metavar="KEY=VALUE", help="Workload parameter.")
@click.option("--seed", type=int, default=None, help="Seed of generated examples.")
@click.option(
    "--keep-on-failure",
    type=click.FloatRange(0, 24),
    default=0.0,
    metavar="HOURS",
    help="Let the workload stand, if something did not pass, until so long after the run began.",
)
@click.option(
    "--waivers", "waiver_file", type=click.Path(path_type=Path), help="File of granted exceptions."
)
@fail_on_option()
@click.option(
    "--baseline",
    "baselines",
    multiple=True,
    type=click.Path(exists=True, path_type=Path),
    metavar="R",
    help="Earlier result or run that --fail-on regression holds this one against.",
)
@SHOWN
@RESULTS
def run_command(
    names: tuple[str, ...],
    files: tuple[Path, ...],
    guideline: str,
    program: str | None,
    workload: str,
    select: tuple[str, ...],
    sets: tuple[str, ...],
    seed: int | None,
    keep_on_failure: float,
    waiver_file: Path | None,
    fail_on: str,
    baselines: tuple[Path, ...],
    form: str,
    results: Path,
) -> int:
    """Stand a workload up on each platform, check it, judge it, and write one report.

    Exits 0 when every platform is compliant, 1 when one is not, 2 on bad input and 3 when one
    could not be judged, or as --fail-on says. Ctrl-C tears everything down; a second one prints
    the reap command.
    """
    if (fail_on == "regression") != bool(baselines):
        raise click.UsageError("--fail-on regression and --baseline belong together")
    check_baselines(baselines)
    twice = [name for name in names if names.count(name) > 1]
    if twice:
        raise click.UsageError(f"-p {twice[0]}: given twice; a run tests a platform once")
    platforms = read_platforms(files, names)
    for name in names:
        platforms.get(name)
    layers = sorted({source.file.resolve() for source in platforms.sources.values()})
    now, started, expires = times(keep_on_failure or HOURS)
    spec = RunSpec(
        id=new_id(now),
        platforms=list(names),
        files=[path.resolve() for path in files] or layers,
        guideline=guideline,
        program=program,
        workload=workload,
        select=_selected(select, guideline),
        sets=_pairs(sets),
        seed=seed if seed is not None else random.SystemRandom().randrange(2**32),
        keep_on_failure=keep_on_failure,
        started=started,
        expires=expires,
        waivers=waiver_file.resolve() if waiver_file else None,
    )
    folder = (results / spec.id).resolve()
    code = gated(_execute(spec, folder, form), fail_on)
    if fail_on == "regression":
        found = against(folder, baselines, guideline, program)
        code = regression_code(found)
        tell_changes(found, form)
    tell_run(folder, spec.platforms, code, form)
    return code


@click.command("resume")
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
@fail_on_option("verdict", "not-compliant", "never")
@SHOWN
def resume_command(folder: Path, fail_on: str, form: str) -> int:
    """Go on with the run in FOLDER: what was created and checked is not done again."""
    spec = RunSpec.load(folder)
    code = gated(_execute(spec, folder, form, resumed=True), fail_on)
    tell_run(folder.resolve(), spec.platforms, code, form)
    return code


@click.command("rerun")
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--only", default="failed,blocked", show_default=True, help="Outcomes to repeat.")
@RESULTS
def rerun_command(folder: Path, only: str, results: Path) -> int:
    """Repeat the checks of the run in FOLDER that ended in certain ways, as a run of its own.

    A part of the checks is no evidence of the rest: where all of it passes, it exits 3.
    """
    parent = RunSpec.load(folder)
    wanted = {word.strip() for word in only.split(",") if word.strip()}
    unknown = sorted(wanted - set(OUTCOMES))
    if unknown or not wanted:
        known = ", ".join(OUTCOMES)
        raise BadDocument("--only", unknown[0] if unknown else "", f"expected any of {known}")
    repeat: dict[str, list[str]] = {}
    for name in parent.platforms:
        document = read_result(folder / name)
        by_id: dict[str, list] = {}  # type: ignore[type-arg]
        for record in document.checks:
            by_id.setdefault(record.id, []).append(record)
        ids = [id_ for id_, records in by_id.items() if worst(records) in wanted]
        if ids:
            repeat[name] = ids
    if not repeat:
        click.echo(f"nothing to repeat: no check of {folder} is {only.replace(',', ' or ')}")
        return 0
    now, started, expires = times(parent.keep_on_failure or HOURS)
    spec = parent.model_copy(
        update={
            "id": new_id(now),
            "platforms": list(repeat),
            "only": repeat,
            "started": started,
            "expires": expires,
            "parent": parent.id,
        }
    )
    return _execute(spec, results / spec.id, TEXT)


def _execute(spec: RunSpec, folder: Path, form: str, *, resumed: bool = False) -> int:
    """The run's exit code."""
    from harness.run import Run  # half of the time it takes to say that an option is wrong

    return Run(spec, folder, quiet_console(form), resumed=resumed).execute()


def _selected(words: tuple[str, ...], reference: str) -> list[str]:
    """Check ids of the guideline that the words name: an id, a chapter, or a capability."""
    if not words:
        return []
    guideline = load_guideline(reference)
    chosen: list[str] = []
    for word in (part for words_ in words for part in words_.split(",")):
        capability = guideline.capabilities.get(word)
        ids = [check.id for check in capability.checks] if capability else []
        ids += [id_ for id_ in guideline.checks if id_ == word or id_.startswith(f"{word}-")]
        if not ids:
            raise BadDocument("--select", word, _no_such(guideline.id, word, guideline.checks))
        chosen += ids
    return list(dict.fromkeys(chosen))


def _no_such(guideline: str, word: str, checks: Iterable[str]) -> str:
    """What to say of a word that names no check."""
    chapters = {id_.rpartition("-")[0] for id_ in checks}
    near = nearest(word, [*checks, *chapters])
    hint = f"did you mean {near!r}" if near else f"chapters are {', '.join(sorted(chapters))}"
    return f"guideline {guideline} has no such check; {hint}"


def _pairs(sets: tuple[str, ...]) -> dict[str, str]:
    """``KEY=VALUE`` words as a mapping."""
    pairs = {}
    for word in sets:
        key, equals, value = word.partition("=")
        if not equals or not key:
            raise BadDocument("--set", word, "expected KEY=VALUE")
        pairs[key] = value
    return pairs
