"""What a run prints: everything, the last lines only, or one JSON document for a program."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click
from rich.console import Console

from reports.compare.regressions import Changes
from reports.read import read_result, read_verdict

LOG_WIDTH = 160  # characters; without a terminal there are none to go by
TEXT, QUIET, JSON = "text", "quiet", "json"
SCHEMA = "interop.run-summary/1"


def SHOWN(command: click.decorators.FC) -> click.decorators.FC:  # noqa: N802 - used like a constant
    """Add ``--quiet`` and ``--json``; the command takes the parameter *form*."""
    command = click.option(
        "--quiet", "form", flag_value=QUIET, help="Print one line a platform, at the end."
    )(command)
    return click.option(
        "--json",
        "form",
        flag_value=JSON,
        default=TEXT,
        help="Print one JSON document at the end, and nothing else on standard output.",
    )(command)


class _Unheard(Console):
    """A console whose reader may leave: a run still has to take down what it created."""

    def on_broken_pipe(self) -> None:
        self.quiet = True
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def quiet_console(form: str) -> Console:
    """Where a run tells how it goes on; a build's log has room for longer lines."""
    wide = not sys.stdout.isatty() and "COLUMNS" not in os.environ
    return _Unheard(quiet=form != TEXT, width=LOG_WIDTH if wide else None)


def tell_changes(found: Changes, form: str) -> None:
    """Print what got worse; a program reads it with ``interop compare --json``."""
    lines = [
        f"{one.member}: {one.what} fell from {one.before} to {one.after}" for one in found.fallen
    ]
    for change in (*found.of("regression"), *found.of("unknown")):
        reason = f" - {change.reason}" if change.reason else ""
        lines.append(f"{change.member}: {change.check} was passed, is {change.after}{reason}")
    for line in lines or ["nothing got worse"]:
        click.echo(line, err=form == JSON)
    if found.alone:
        click.echo(f"without a baseline: {', '.join(found.alone)}", err=form == JSON)


def tell_run(folder: Path, platforms: Sequence[str], code: int, form: str) -> None:
    """Print how it ended, in the quiet and the machine-readable form."""
    if form == TEXT:
        return
    told = {name: _platform(folder / name) for name in platforms}
    if form == JSON:
        document = {
            "schema": SCHEMA,
            "run": folder.name,
            "folder": str(folder),
            "report": str(folder / "report.html"),
            "exit_code": code,
            "platforms": told,
        }
        click.echo(json.dumps(document, indent=1, ensure_ascii=False))
        return
    for name, one in told.items():
        level = "none" if one["level"] is None else one["level"]
        parts = [*one["reasons"][:1], *one.get("waivers", ()), *one.get("advice", ())]
        why = f" ({'; '.join(parts)})" if parts else ""
        click.echo(f"{name}: {one['verdict']}, level {level}{why}")
    click.echo(f"report: {folder / 'report.html'}")


def _platform(folder: Path) -> dict[str, Any]:
    """What came of one platform; a run that broke down has no verdict."""
    if not (folder / "verdict.json").exists():
        reason = ["the run broke down before there was a result"]
        return {"verdict": "inconclusive", "level": None, "reasons": reason}
    verdict, result = read_verdict(folder / "verdict.json"), read_result(folder)
    return {
        "verdict": verdict.verdict,
        "level": verdict.level,
        "reasons": verdict.reasons,
        "waivers": verdict.on_waivers(),
        "advice": verdict.on_advice(),
        "guideline": verdict.guideline,
        "program": verdict.program,
        "counts": verdict.counts,
        "held_back_by": verdict.held_back_by,
        "complete": result.complete,
        "leaks": result.census.leaks,
        "result": str(folder / "result.json"),
        "verdict_file": str(folder / "verdict.json"),
        "junit": str(folder / "junit.xml"),
        "allure": str(folder / "allure"),
    }
