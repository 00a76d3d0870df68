"""What a guideline holds, in numbers, and the tests a program asks for."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any

from guidelines.model import CapabilityStatus, Guideline
from guidelines.requirements import Requirements, find_program, resolve, version_statuses
from guidelines.score import plain_number


def summarise(guideline: Guideline, at: date) -> dict[str, Any]:
    """Return the document ``interop guideline show --json`` prints.

    Tests are counted once for each capability that holds them, as DefCore does; the distinct
    ones stand beside that.
    """
    cutoff = guideline.scoring.cutoff
    document: dict[str, Any] = {
        "id": guideline.id,
        "schema": guideline.schema,
        "status": guideline.status,
        "format": guideline.format,
        "title": guideline.title,
        "replaces": guideline.replaces,
        "digest": guideline.digest,
        "cutoff": None if cutoff is None else plain_number(cutoff),
        "default_program": guideline.default_program,
        "programs": {
            name: _program(resolve(guideline, program))
            for name, program in guideline.programs.items()
        },
    }
    statuses: Mapping[str, str] = version_statuses(guideline, at)
    if guideline.format == "scs":
        document["at"] = at.isoformat()
        document["versions"] = dict(statuses)
    return document


def list_tests(
    guideline: Guideline,
    *,
    program: str | None,
    statuses: frozenset[CapabilityStatus],
    flagged: bool,
    aliases: bool,
) -> tuple[str, ...]:
    """Return the ids of the tests asked for, each once, in the order of the guideline.

    Args:
        guideline: the guideline.
        program: the program, or ``None`` for all.
        statuses: of which capabilities; a check in several counts with the strongest.
        flagged: whether flagged tests are among them.
        aliases: whether each test's aliases follow it.
    """
    programs = (
        list(guideline.programs.values()) if program is None else [find_program(guideline, program)]
    )
    found: dict[str, None] = {}
    for chosen in programs:
        for item in resolve(guideline, chosen).items:
            if item.status in statuses and (flagged or not item.flagged):
                found[item.check.id] = None
                if aliases:
                    found.update(dict.fromkeys(item.check.aliases))
    return tuple(found)


def _program(requirements: Requirements) -> dict[str, Any]:
    capabilities = dict.fromkeys((status.value for status in CapabilityStatus), 0)
    for status in requirements.statuses.values():
        capabilities[status.value] += 1
    must_pass = requirements.must_pass
    return {
        "kind": requirements.program.kind.value,
        "title": requirements.program.title,
        "components": list(requirements.program.components),
        "requires": list(requirements.program.host),
        "capabilities": capabilities,
        "tests": {
            "required": requirements.entries,
            "flagged": requirements.flagged_entries,
            "must_pass": requirements.entries - requirements.flagged_entries,
            "must_pass_distinct": len(must_pass),
        },
        "conditional": sum(all(item.conditions) for item in must_pass),
        "undefined_components": list(requirements.undefined),
    }
