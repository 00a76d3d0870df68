"""``interop export``: results and their verdicts in the formats of other tools."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click
from pydantic_core import to_json

from guidelines.catalog import load_guideline, load_waivers
from guidelines.errors import BadDocument
from harness.allure_folder import build_of
from harness.private import read_private
from harness.subjects import (
    Judging,
    expanded,
    load_about,
    load_subjects,
    stored_guideline,
    stored_waivers,
)
from reports.exports.ctrf import ctrf
from reports.exports.oscal import oscal
from reports.exports.sarif import sarif
from reports.exports.summary import facts_csv, github, markdown
from reports.junit import suites
from reports.redact import Private
from reports.subject import About, Subject
from reports.write import Tree, write_text

PATHS = click.Path(exists=True, path_type=Path)
Texts = Callable[[Sequence[Subject], Mapping[str, About]], str]
PLAIN: Mapping[str, Texts] = {
    "junit": suites,
    "markdown": markdown,
    "annotations": github,
    "csv": lambda subjects, _: facts_csv(subjects),
}
FORMATS = (*PLAIN, "allure", "ctrf", "sarif", "oscal")


@click.command("export")
@click.argument("results", metavar="RESULT...", nargs=-1, required=True, type=PATHS)
@click.option("--format", "form", type=click.Choice(FORMATS), required=True,
              help="annotations are GitHub's; allure is a folder.")  # fmt: skip
@click.option("--to", "target", type=click.Path(path_type=Path), default=None,
              help="File, or folder for allure; printed if not given.")  # fmt: skip
@click.option("--guideline", "reference", default=None, metavar="G",
              help="Guideline to judge by. [default: that of the verdicts beside the results]"
              )  # fmt: skip
@click.option("--program", default=None, help="Program to judge by. [default: by platform]")
@click.option("--at", type=click.DateTime(["%Y-%m-%d"]), default=None,
              help="Judge as of this day. [default: the day each run finished]")  # fmt: skip
@click.option("--waivers", "waiver_file", type=click.Path(path_type=Path),
              help="File of granted exceptions. [default: that of the run]")  # fmt: skip
@click.option("--baseline", "baselines", multiple=True, type=PATHS, metavar="R",
              help="Earlier result: SARIF's baseline states, Allure's history.")  # fmt: skip
@click.option("--passes/--no-passes", default=True, show_default=True,
              help="Whether SARIF tells what passed, which GitHub takes for alerts.")  # fmt: skip
@click.option("--private", "private_file", type=click.Path(path_type=Path), metavar="FILE",
              help="What else is private: values, keys, networks.")  # fmt: skip
@click.option("--unredacted", is_flag=True, help="Leave in what is private; for your own eyes.")
def export_command(
    results: tuple[Path, ...],
    form: str,
    target: Path | None,
    reference: str | None,
    program: str | None,
    at: datetime | None,
    waiver_file: Path | None,
    baselines: tuple[Path, ...],
    passes: bool,
    private_file: Path | None,
    unredacted: bool,
) -> None:
    """Write RESULTS (result.json, its folder, a run's folder, a foreign result) for other tools.

    Secrets, addresses of management controllers, and what the result's platform.declared.private
    or --private names are taken out: an export leaves the house.
    """
    private = None if unredacted else _private(private_file)
    new_paths, old_paths = expanded(results), expanded(baselines)
    judging = Judging(
        guideline=load_guideline(reference or stored_guideline([*new_paths, *old_paths])),
        program=program,
        at=at.date() if at else None,
        waivers=load_waivers(waiver_file) if waiver_file else stored_waivers(new_paths),
    )
    subjects = load_subjects(new_paths, judging, private=private)
    old = sorted(
        load_subjects(old_paths, replace(judging, at=None), private=private),
        key=lambda s: s.finished,
    )
    about = load_about([*subjects, *old], judging.guideline)
    if form == "allure":
        if target is None:
            raise click.UsageError("allure is a folder; name it with --to")
        from reports.exports.allure import allure

        _write_folder(target, allure(subjects, about, baselines=old, build=build_of(os.environ)))
        return
    made = datetime.now(UTC).isoformat(timespec="seconds")
    text = _text(form, subjects, about, made, old, passes)
    if target is None:
        click.echo(text, nl=False)
    else:
        write_text(target, text)


def _private(file: Path | None) -> Private:
    return read_private(file) if file else Private()


def _text(
    form: str,
    subjects: Sequence[Subject],
    about: Mapping[str, About],
    made: str,
    baselines: Sequence[Subject],
    passes: bool,
) -> str:
    """The document's text."""
    if form in PLAIN:
        return PLAIN[form](subjects, about)
    if form == "ctrf":
        return _json(ctrf(subjects, about, made=made))
    if form == "oscal":
        return _json(oscal(subjects, about, made=made))
    return _json(sarif(subjects, about, baselines=baselines, passes=passes))


def _json(document: Mapping[str, Any]) -> str:
    return to_json(document, indent=1).decode("utf-8") + "\n"


def _write_folder(folder: Path, files: Iterable[tuple[str, str]]) -> None:
    """Write the files; a folder with other results in it is refused, they would be mixed.

    Raises:
        BadDocument: there are results in it already.
    """
    if folder.exists() and any(folder.glob("*-result.json")):
        raise BadDocument(str(folder), "", "there are Allure results in it; expected a new folder")
    tree = Tree(folder)
    for name, text in files:
        tree.put(name, text)
