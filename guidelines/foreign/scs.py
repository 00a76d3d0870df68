"""Sovereign Cloud Stack scopes: versions that include modules, and a dated timeline.

Four forms have been in use: versions that name one group of test cases (since 2026), modules with
``targets``, modules whose test cases bear ``tags`` with selectors in each version, and versions
that list ``standards`` with checks.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from typing import Any

from guidelines.errors import BadDocument
from guidelines.foreign.keys import ForeignPart, Oddities, canonical_keys, read_list, read_part
from guidelines.foreign.scs_group import Tests, read_groups
from guidelines.foreign.scs_module import Module, read_cases, read_module, read_standard
from guidelines.model import (
    Capability,
    CapabilityStatus,
    Component,
    Guideline,
    Program,
    ProgramKind,
    TimelineEntry,
)

_KEYS = [
    "name",
    "uuid",
    "url",
    "variables",
    "scripts",
    "modules",
    "groups",
    "timeline",
    "versions",
    "prerequisite",
    "depends_on",
]
_VERSION_KEYS = [
    "version",
    "include",
    "test",
    "targets",
    "stabilized_at",
    "obsoleted_at",
    "deprecated_at",
    "standards",
    "comment",
]


class _Version(ForeignPart):
    version: str
    include: tuple[str | dict[str, Any], ...] = ()
    test: str | None = None
    targets: dict[str, str]
    standards: tuple[dict[str, Any], ...] = ()


def is_scope(data: object) -> bool:
    """Tell whether *data* is a scope, by its content."""
    if not isinstance(data, dict) or not isinstance(data.get("versions"), list):
        return False
    return all(isinstance(item, dict) and "version" in item for item in data["versions"])


def read_scope(data: Mapping[str, Any], source: str, digest: str) -> Guideline:
    """Return the guideline in *data*: each version of the scope is a program.

    Raises:
        BadDocument: a part has the wrong type, or two modules or versions share a name.
    """
    oddities = Oddities()
    top = canonical_keys(data, _KEYS, source=source, path="", oddities=oddities)
    cases = read_cases(top.get("scripts") or [], source, oddities)
    tests = read_groups(top.get("groups"), cases, source, oddities)
    modules: dict[str, Module] = {}
    for index, item in enumerate(read_list(top.get("modules"), source, "modules")):
        module = read_module(item, cases, source, f"modules.{index}", oddities)
        if module.id in modules:
            raise BadDocument(source, f"modules.{index}.id", f"{module.id!r} is given twice")
        modules[module.id] = module
    capabilities: dict[str, Capability] = {}
    components: dict[str, Component] = {}
    programs: dict[str, Program] = {}
    used: set[str] = set()
    for index, item in enumerate(read_list(top.get("versions"), source, "versions")):
        path = f"versions.{index}"
        fields = canonical_keys(item, _VERSION_KEYS, source=source, path=path, oddities=oddities)
        fields["version"] = str(fields.get("version"))
        fields["targets"] = fields.get("targets") or {}
        fields["include"] = fields.get("include") or []
        fields["standards"] = fields.get("standards") or []
        version = read_part(_Version, fields, source=source, path=path)
        if version.version in programs:
            raise BadDocument(source, f"{path}.version", f"{version.version!r} is given twice")
        lists: dict[CapabilityStatus, list[str]] = {status: [] for status in CapabilityStatus}
        for module in _included(version, modules, tests, source, path, oddities):
            for target, checks in module.by_target(version.targets).items():
                required = target == "main"
                name = module.id if required else f"{module.id}/{target}"
                if module.varies_with_version:
                    name = f"{version.version}/{name}"
                capabilities[name] = Capability(id=name, title=module.name, checks=checks)
                used.update(check.id for check in checks)
                lists[CapabilityStatus.REQUIRED if required else CapabilityStatus.ADVISORY].append(
                    name
                )
        components[version.version] = Component(
            id=version.version,
            capabilities={status: tuple(names) for status, names in lists.items()},
        )
        programs[version.version] = Program(
            id=version.version,
            title=f"{top.get('name') or 'scope'} {version.version}",
            kind=ProgramKind.VERSION,
            components=(version.version,),
        )
    for name in cases:
        if name not in used:
            oddities.note(
                "orphan-check", f"scripts.{name}", f"no version uses the test case {name!r}"
            )
    return Guideline(
        id=str(top.get("name") or top.get("uuid") or "scope"),
        format="scs",
        schema="scs-scope",
        status="",
        source=source,
        digest=digest,
        title=str(top.get("name") or ""),
        programs=programs,
        components=components,
        capabilities=capabilities,
        timeline=_timeline(top, programs, source, oddities),
        oddities=oddities.all(),
    )


def _included(
    version: _Version,
    modules: Mapping[str, Module],
    tests: Tests,
    source: str,
    path: str,
    oddities: Oddities,
) -> list[Module]:
    included = [] if version.test is None else tests.modules(version.test, f"{path}.test")
    for index, item in enumerate(version.include):
        reference = item.get("ref") if isinstance(item, dict) else item
        if not isinstance(reference, str):
            raise BadDocument(source, f"{path}.include.{index}", "expected a module's id")
        if reference in modules:
            included.append(modules[reference])
        else:
            # Kept as a module that nothing can satisfy, so that it is not silently left out.
            oddities.error(
                "undefined-module", f"{path}.include.{index}", f"no module is called {reference!r}"
            )
            included.append(Module.undefined(reference))
    included.extend(
        read_standard(item, tests.cases, source, f"{path}.standards.{index}", oddities)
        for index, item in enumerate(version.standards)
    )
    return included


def _timeline(
    top: Mapping[str, Any], programs: Mapping[str, Program], source: str, oddities: Oddities
) -> tuple[TimelineEntry, ...]:
    entries: list[TimelineEntry] = []
    if "timeline" in top:
        for index, item in enumerate(read_list(top["timeline"], source, "timeline")):
            path = f"timeline.{index}"
            fields = canonical_keys(
                item, ("date", "versions"), source=source, path=path, oddities=oddities
            )
            day = _day(fields.get("date"), source, f"{path}.date")
            versions = fields.get("versions")
            if not isinstance(versions, dict):
                raise BadDocument(source, f"{path}.versions", "expected versions and their status")
            for version, status in versions.items():
                if str(version) not in programs:
                    oddities.error(
                        "undefined-version", f"{path}.versions.{version}", "no such version"
                    )
                entries.append(TimelineEntry(date=day, target=str(version), status=str(status)))
        return tuple(sorted(entries, key=lambda entry: (entry.date, entry.target)))
    # Before there was a timeline, each version carried its own dates; the state of all versions
    # is repeated on every day on which one of them changes.
    own = [
        (str(item.get("version")), key, _day(item[key], source, f"versions.{index}.{key}"))
        for index, item in enumerate(top["versions"])
        for key in ("stabilized_at", "deprecated_at", "obsoleted_at")
        if item.get(key)
    ]
    states = {"stabilized_at": "effective", "deprecated_at": "warn", "obsoleted_at": "deprecated"}
    current: dict[str, str] = {}
    for day in sorted({day for _, _, day in own}):
        for version, key, when in own:
            if when == day:
                current[version] = states[key]
        entries.extend(
            TimelineEntry(date=day, target=version, status=status)
            for version, status in current.items()
        )
    return tuple(entries)


def _day(value: object, source: str, path: str) -> date:
    if isinstance(value, datetime):
        return value.date()
    if isinstance(value, date):
        return value
    try:
        return date.fromisoformat(str(value))
    except ValueError:
        raise BadDocument(source, path, f"expected a day, found {value!r}") from None
