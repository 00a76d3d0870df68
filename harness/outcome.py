"""From what was seen to what it comes to: result, verdict, JUnit and the page on disk."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from guidelines.errors import BadDocument
from guidelines.judge import judge
from guidelines.model import Guideline
from guidelines.results import load_results
from guidelines.waivers import Waiver
from reports.junit import junit
from reports.page import render
from reports.result import Result
from reports.verdict import VerdictDocument
from reports.write import write_document, write_text

METAL = "metal"  # the component that needs a management controller
PODS = "pods"  # the one for pods that stand in for machines


def program_for(guideline: Guideline, features: frozenset[str], asked: str | None) -> str:
    """The program a platform is judged by.

    The one that was asked for; else the first whose component is about such machines: *metal* if
    the platform has a boot device to set, *pods* if it is Kubernetes, and one without either.

    Raises:
        BadDocument: the guideline has no such program, or none to choose.
    """
    known = list(guideline.programs)
    if asked is not None:
        if asked not in known:
            names = ", ".join(known)
            raise BadDocument(guideline.id, asked, f"no such program; known: {names}")
        return asked
    special = {METAL: "boot-device" in features, PODS: "kubernetes" in features}
    for name, program in guideline.programs.items():
        if all((part in program.components) == is_so for part, is_so in special.items()):
            return name
    if known:
        return guideline.default_program or known[0]
    raise BadDocument(guideline.id, "programs", "the guideline has no program")


def settle(
    folder: Path,
    result: Result,
    guideline: Guideline,
    program: str,
    at: date,
    waivers: Sequence[Waiver] = (),
) -> VerdictDocument:
    """Write the result, judge the written file, and write the verdict and JUnit beside it.

    What is judged is what anybody else can read: the file, not what was in memory.
    """
    file = folder / "result.json"
    write_document(file, result.dump())
    write_text(folder / "junit.xml", junit(result))
    verdict = judge(guideline, [load_results(file)], program=program, at=at, waivers=waivers)
    document = VerdictDocument.model_validate(verdict.to_json())
    write_document(folder / "verdict.json", document.dump())
    return document


def catalogue(guideline: Guideline, programs: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Title, level and references of every check of the programs, by id."""
    wanted = {
        capability
        for program in programs
        for component in guideline.programs[program].components
        for listed in guideline.components[component].capabilities.values()
        for capability in listed
    }
    found: dict[str, dict[str, Any]] = {}
    for name, capability in guideline.capabilities.items():
        if name in wanted:
            for check in capability.checks:
                references = [reference.title for reference in check.references]
                found[check.id] = {
                    "title": check.title,
                    "level": check.level,
                    "references": references,
                }
    return found


def write_page(
    file: Path,
    results: Sequence[Result],
    verdicts: Mapping[str, VerdictDocument],
    guideline: Guideline,
    title: str,
) -> None:
    """Write the page of a run."""
    programs = sorted({verdict.program for verdict in verdicts.values()})
    about = catalogue(guideline, programs)
    made = datetime.now(UTC).isoformat(timespec="seconds")
    write_text(file, render(results, verdicts, about, title=title, made=made))
