"""Modules and test cases of an SCS scope, in the three forms that have been in use."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from guidelines.errors import BadDocument
from guidelines.foreign.keys import (
    ForeignPart,
    Oddities,
    canonical_keys,
    kind_of,
    read_list,
    read_part,
)
from guidelines.freshness import expires_on
from guidelines.model import CheckDef, Reference

# What counts if the file says nothing, by add_period of SCS's scs_cert_lib.
DEFAULT_LIFETIME = "week"
_CASE_KEYS = ["id", "lifetime", "description", "url", "tags", "section"]
_MODULE_KEYS = ["id", "name", "url", "run", "testcases", "targets", "parameters", "comment"]
_STANDARD_KEYS = ["name", "url", "condition", "checks", "parameters", "check_tools", "id"]


class _Case(ForeignPart):
    id: str
    description: str | None = None
    url: str | None = None
    lifetime: str | None = None
    tags: list[str] | None = None
    condition: str | None = None


class _Module(ForeignPart):
    id: str
    name: str | None = None
    url: str | None = None
    targets: dict[str, list[str]] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A test case and the tags selectors look at."""

    check: CheckDef
    tags: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Module:
    """A group of test cases that versions include."""

    id: str
    name: str = ""
    targets: Mapping[str, tuple[CheckDef, ...]] = field(default_factory=dict)
    tagged: tuple[Case, ...] = ()

    @classmethod
    def undefined(cls, name: str) -> Module:
        """Return a stand-in for a module that is included but not there."""
        check = CheckDef(id=f"{name} (undefined module)", title="included, but not defined")
        return cls(id=name, name="undefined", targets={"main": (check,)})

    @property
    def varies_with_version(self) -> bool:
        """Whether what is required depends on selectors in the version."""
        return bool(self.tagged)

    def by_target(self, selectors: Mapping[str, str]) -> dict[str, tuple[CheckDef, ...]]:
        """Return the test cases of each target; ``main`` is always there, even if empty."""
        found: dict[str, tuple[CheckDef, ...]] = {"main": ()}
        found.update(self.targets)
        if self.tagged:
            for target, selector in (selectors or {"main": "mandatory"}).items():
                chosen = tuple(case.check for case in self.tagged if _selects(selector, case.tags))
                found[target] = found.get(target, ()) + chosen
        return {name: checks for name, checks in found.items() if checks or name == "main"}


def read_cases(value: object, source: str, oddities: Oddities) -> dict[str, Case]:
    """Return the test cases of all scripts by id; one without an executable is manual.

    Raises:
        BadDocument: a part has the wrong type, or an id is given twice.
    """
    cases: dict[str, Case] = {}
    for index, item in enumerate(read_list(value, source, "scripts")):
        path = f"scripts.{index}"
        script = canonical_keys(
            item, ("executable", "args", "env", "testcases", "section"), source=source, path=path,
            oddities=oddities,
        )  # fmt: skip
        for number, entry in enumerate(read_list(script.get("testcases"), source, path)):
            where = f"{path}.testcases.{number}"
            case = _case(entry, source, where, oddities, manual="executable" not in script)
            if case.check.id in cases:
                raise BadDocument(source, f"{where}.id", f"{case.check.id!r} is given twice")
            cases[case.check.id] = case
    return cases


def read_module(
    value: object, cases: Mapping[str, Case], source: str, path: str, oddities: Oddities
) -> Module:
    """Return one module.

    Raises:
        BadDocument: a part has the wrong type.
    """
    fields = canonical_keys(value, _MODULE_KEYS, source=source, path=path, oddities=oddities)
    fields["id"] = str(fields.get("id") or "")
    targets = fields.get("targets") or {}
    if isinstance(targets, dict):
        fields["targets"] = {name: names or [] for name, names in targets.items()}
    part = read_part(_Module, fields, source=source, path=path)
    if not part.id:
        raise BadDocument(source, f"{path}.id", "a module without an id")
    manual = not fields.get("run")
    tagged = tuple(
        _case(entry, source, f"{path}.testcases.{number}", oddities, manual=manual)
        for number, entry in enumerate(read_list(fields.get("testcases"), source, path))
    )
    return Module(
        id=part.id,
        name=part.name or "",
        targets={
            target: tuple(
                _named(name, cases, f"{path}.targets.{target}", oddities) for name in names
            )
            for target, names in (part.targets or {}).items()
        },
        tagged=tagged,
    )


def read_standard(
    value: object, cases: Mapping[str, Case], source: str, path: str, oddities: Oddities
) -> Module:
    """Return a standard of the oldest form as a module.

    Raises:
        BadDocument: a part has the wrong type.
    """
    fields = canonical_keys(value, _STANDARD_KEYS, source=source, path=path, oddities=oddities)
    name = str(fields.get("id") or fields.get("name") or path)
    optional = str(fields.get("condition") or "mandatory") == "optional"
    lists: dict[str, list[CheckDef]] = {"main": []}
    entries = fields.get("checks") or fields.get("check_tools")
    for number, entry in enumerate(read_list(entries, source, path)):
        where = f"{path}.checks.{number}"
        if not isinstance(entry, dict):
            raise BadDocument(source, where, f"expected a mapping, found {kind_of(entry)}")
        identifier = str(entry.get("id") or entry.get("executable") or where)
        part = read_part(_Case, {**entry, "id": identifier}, source=source, path=where)
        target = "recommended" if optional or part.condition == "optional" else "main"
        lists.setdefault(target, []).append(
            _check(part, source, where, manual="executable" not in entry)
        )
    return Module(id=name, name=name, targets={key: tuple(item) for key, item in lists.items()})


def _named(name: str, cases: Mapping[str, Case], path: str, oddities: Oddities) -> CheckDef:
    if name in cases:
        return cases[name].check
    oddities.error("undefined-check", path, f"no test case is called {name!r}")
    return CheckDef(id=name, holds=DEFAULT_LIFETIME)


def _case(value: object, source: str, path: str, oddities: Oddities, *, manual: bool) -> Case:
    fields: dict[str, Any] = canonical_keys(
        value, _CASE_KEYS, source=source, path=path, oddities=oddities
    )
    part = read_part(_Case, fields, source=source, path=path)
    return Case(check=_check(part, source, path, manual=manual), tags=tuple(part.tags or ()))


def _check(part: _Case, source: str, path: str, *, manual: bool) -> CheckDef:
    try:
        expires_on(date.min, part.lifetime or DEFAULT_LIFETIME)
    except ValueError as error:
        raise BadDocument(source, f"{path}.lifetime", str(error)) from None
    title = " ".join((part.description or "").split())
    return CheckDef(
        id=part.id,
        title=title,
        references=(Reference(title=part.url, url=part.url),) if part.url else (),
        manual=manual or "manual check" in title.lower(),
        holds=part.lifetime or DEFAULT_LIFETIME,
    )


def _selects(selector: str, tags: tuple[str, ...]) -> bool:
    """Terms separated by spaces must all hold; atoms in a term (``a/!b``) are alternatives."""
    return any(
        all(
            any((atom[1:] not in tags) if atom.startswith("!") else atom in tags
                for atom in term.split("/"))
            for term in alternative.split()
        )
        for alternative in selector.split(",")
    )  # fmt: skip
