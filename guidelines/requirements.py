"""What a program requires of whom: from components and capabilities to single items."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date

from guidelines.errors import BadDocument
from guidelines.model import (
    Capability,
    CapabilityStatus,
    CheckDef,
    Component,
    Guideline,
    Program,
)
from guidelines.suggest import did_you_mean

_ORDER = tuple(CapabilityStatus)
_IN_FORCE = ("effective", "warn")


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One check as a program sees it, merged over the capabilities that hold it.

    Args:
        check: the check, with the aliases of every place it appears in.
        status: the strongest status of those capabilities.
        flagged: it need not pass: every capability that requires it flags it.
        capabilities: the capabilities of that status that hold it.
        conditions: it applies if one of these sets of features is declared.
        host: it is required of the platform below an add-on.
    """

    check: CheckDef
    status: CapabilityStatus
    flagged: bool
    capabilities: tuple[str, ...]
    conditions: tuple[frozenset[str], ...]
    host: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Requirements:
    """Everything one program asks for.

    Args:
        program: the program.
        statuses: capabilities by name with their strongest status.
        capabilities: those that are defined.
        items: one per check of a required, advisory or deprecated capability.
        entries: checks of required capabilities, counted per capability as DefCore does.
        flagged_entries: those of them that are flagged.
        undefined: components that are neither here nor in a guideline given beside it.
    """

    program: Program
    statuses: Mapping[str, CapabilityStatus]
    capabilities: Mapping[str, Capability]
    items: tuple[Item, ...]
    entries: int
    flagged_entries: int
    undefined: tuple[str, ...]

    @property
    def must_pass(self) -> tuple[Item, ...]:
        """The required items that are not flagged."""
        return tuple(
            item
            for item in self.items
            if item.status is CapabilityStatus.REQUIRED and not item.flagged
        )

    @property
    def flagged(self) -> tuple[Item, ...]:
        """The required items that need not pass for now."""
        return tuple(
            item for item in self.items if item.status is CapabilityStatus.REQUIRED and item.flagged
        )

    @property
    def advised(self) -> tuple[Item, ...]:
        """The items of capabilities that are not required."""
        return tuple(item for item in self.items if item.status is not CapabilityStatus.REQUIRED)


def find_program(guideline: Guideline, name: str) -> Program:
    """Return the program called *name*, by its name, an alias, or either in another case.

    Raises:
        BadDocument: there is none, or several.
    """
    if name in guideline.programs:
        return guideline.programs[name]
    programs = list(guideline.programs.values())
    by_alias = [program for program in programs if name in program.aliases]
    folded = name.casefold()
    by_case = [
        program
        for program in programs
        if folded in {program.id.casefold(), *(alias.casefold() for alias in program.aliases)}
    ]
    for found in (by_alias, by_case):
        if len(found) == 1:
            return found[0]
    raise BadDocument(
        guideline.source,
        "programs",
        f"no program is called {name!r}{did_you_mean(name, guideline.programs)}",
    )


def choose_program(guideline: Guideline, name: str | None, at: date) -> Program:
    """Return the program meant: the one named, else the one in force on *at*, else the default.

    Raises:
        BadDocument: none is named and the guideline leaves it open.
    """
    if name is not None:
        return find_program(guideline, name)
    if guideline.format == "scs":
        statuses = version_statuses(guideline, at)
        for version in guideline.programs:
            if statuses.get(version) == "effective":
                return guideline.programs[version]
        raise BadDocument(
            guideline.source,
            "timeline",
            f"no version is effective on {at.isoformat()}; name one with --program"
            f" ({', '.join(guideline.programs)})",
        )
    if guideline.default_program is not None:
        return guideline.programs[guideline.default_program]
    raise BadDocument(
        guideline.source,
        "programs",
        f"several programs; name one with --program ({', '.join(guideline.programs)})",
    )


def version_statuses(guideline: Guideline, at: date) -> dict[str, str]:
    """Return the status of each version on the day *at*.

    The latest entry on or before that day holds as a whole; what it does not name is deprecated.
    Before the first entry there is none.

    Source: SCS compliance monitor, annotate_validity.
    """
    days = [entry.date for entry in guideline.timeline if entry.date <= at]
    if not days:
        return {}
    latest = max(days)
    named = {e.target: e.status for e in guideline.timeline if e.date == latest and e.target}
    return {version: named.get(version, "deprecated") for version in guideline.programs}


def is_in_force(guideline: Guideline, program: Program, at: date) -> bool:
    """Tell whether a certificate can be given under *program* on the day *at*."""
    if guideline.format != "scs" or not guideline.timeline:
        return True
    return version_statuses(guideline, at).get(program.id) in _IN_FORCE


def resolve(
    guideline: Guideline,
    program: Program,
    hosts: Sequence[Guideline] = (),
    *,
    at: date | None = None,
) -> Requirements:
    """Return what *program* requires; of two statuses of a capability the strongest wins.

    Args:
        guideline: where the program is defined.
        program: the program.
        hosts: guidelines that define components the program takes from elsewhere.
        at: the day on which flags must still hold; ``None`` takes every flag as written.
    """
    statuses: dict[str, CapabilityStatus] = {}
    capabilities: dict[str, Capability] = {}
    hosted: set[str] = set()
    undefined: list[str] = []
    for name in dict.fromkeys((*program.components, *program.host)):
        found = _find_component(name, guideline, hosts)
        if found is None:
            undefined.append(name)
            continue
        component, owner = found
        for status in _ORDER:
            for capability in component.capabilities.get(status, ()):
                statuses[capability] = _stronger(statuses.get(capability), status)
                if capability in owner.capabilities:
                    capabilities.setdefault(capability, owner.capabilities[capability])
                if name not in program.components:
                    hosted.add(capability)
    required = [
        capabilities[name]
        for name, status in statuses.items()
        if status is CapabilityStatus.REQUIRED and name in capabilities
    ]
    return Requirements(
        program=program,
        statuses=statuses,
        capabilities=capabilities,
        items=_items(statuses, capabilities, hosted, at),
        entries=sum(len(capability.checks) for capability in required),
        flagged_entries=sum(
            _is_flagged(check, at) for capability in required for check in capability.checks
        ),
        undefined=tuple(undefined),
    )


def _find_component(
    name: str, guideline: Guideline, hosts: Sequence[Guideline]
) -> tuple[Component, Guideline] | None:
    for owner in (guideline, *hosts):
        if name in owner.components:
            return owner.components[name], owner
    return None


def _stronger(first: CapabilityStatus | None, second: CapabilityStatus) -> CapabilityStatus:
    if first is None:
        return second
    return min(first, second, key=_ORDER.index)


def _items(
    statuses: Mapping[str, CapabilityStatus],
    capabilities: Mapping[str, Capability],
    hosted: Iterable[str],
    at: date | None,
) -> tuple[Item, ...]:
    places: dict[str, list[tuple[Capability, CheckDef, CapabilityStatus]]] = {}
    for name, status in statuses.items():
        if status is CapabilityStatus.REMOVED or name not in capabilities:
            continue
        for check in capabilities[name].checks:
            places.setdefault(check.id, []).append((capabilities[name], check, status))
    return tuple(_merged(found, frozenset(hosted), at) for found in places.values())


def _is_flagged(check: CheckDef, at: date | None) -> bool:
    return check.flag is not None and (at is None or check.flag.holds_on(at))


def _merged(
    found: list[tuple[Capability, CheckDef, CapabilityStatus]],
    hosted: frozenset[str],
    at: date | None,
) -> Item:
    strongest = min((status for _, _, status in found), key=_ORDER.index)
    counted = [(capability, check) for capability, check, status in found if status is strongest]
    # Required in one capability without a flag, it must pass, whatever another one says.
    free = [(capability, check) for capability, check in counted if not _is_flagged(check, at)]
    capability, check = (free or counted)[0]
    aliases = tuple(dict.fromkeys(alias for _, other, _ in found for alias in other.aliases))
    level = check.level if check.level is not None else capability.level
    if aliases != check.aliases or level != check.level:
        check = replace(check, aliases=aliases, level=level)
    return Item(
        check=check,
        status=strongest,
        flagged=not free,
        capabilities=tuple(dict.fromkeys(capability.id for capability, _ in counted)),
        conditions=tuple(
            dict.fromkeys(capability.when | check.when for capability, check in free or counted)
        ),
        host=all(capability.id in hosted for capability, _ in counted),
    )
