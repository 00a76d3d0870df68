"""Groups of an SCS scope, the form in use since 2026: a version names the one test it requires."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from guidelines.errors import BadDocument
from guidelines.foreign.keys import ForeignPart, Oddities, canonical_keys, read_list, read_part
from guidelines.foreign.scs_module import Case, Module
from guidelines.model import CheckDef

_KEYS = ("id", "name", "url", "include")


class _Group(ForeignPart):
    id: str
    name: str = ""
    include: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Tests:
    """Everything a version may name: test cases, and groups of test cases and of groups."""

    groups: Mapping[str, _Group]
    cases: Mapping[str, Case]
    source: str
    oddities: Oddities

    def modules(self, name: str, path: str) -> list[Module]:
        """Return what *name* asks for: one module for each group right below it.

        Raises:
            BadDocument: a group includes itself.
        """
        group = self.groups.get(name)
        if group is None:
            return [self._module(name, name, (name,), path)]
        found = [
            self._module(child, self.groups[child].name, self.groups[child].include, path)
            for child in group.include
            if child in self.groups and child != name
        ]
        own = tuple(child for child in group.include if child not in self.groups or child == name)
        if own or not found:
            found.insert(0, self._module(name, group.name, own, path))
        return found

    def _module(self, name: str, title: str, included: tuple[str, ...], path: str) -> Module:
        checks: dict[str, CheckDef] = {}
        for child in included:
            self._collect(child, checks, (name,), path)
        return Module(id=name, name=title or name, targets={"main": tuple(checks.values())})

    def _collect(
        self, name: str, checks: dict[str, CheckDef], above: tuple[str, ...], path: str
    ) -> None:
        if name in self.cases:
            checks.setdefault(name, self.cases[name].check)
        elif name not in self.groups:
            # Kept as a test that nothing can pass, so that it is not silently left out.
            self.oddities.error("undefined-check", path, f"no test or group is called {name!r}")
            checks.setdefault(name, CheckDef(id=f"{name} (undefined)"))
        elif name in above:
            raise BadDocument(self.source, "groups", f"{name!r} includes itself")
        else:
            for child in self.groups[name].include:
                self._collect(child, checks, (*above, name), path)


def read_groups(value: object, cases: Mapping[str, Case], source: str, oddities: Oddities) -> Tests:
    """Return the groups in *value* beside the test cases.

    Raises:
        BadDocument: a part has the wrong type, or an id is given twice.
    """
    groups: dict[str, _Group] = {}
    for index, item in enumerate(read_list(value, source, "groups")):
        path = f"groups.{index}"
        fields = canonical_keys(item, _KEYS, source=source, path=path, oddities=oddities)
        group = read_part(
            _Group, {key: part for key, part in fields.items() if part is not None},
            source=source, path=path,
        )  # fmt: skip
        if group.id in groups or group.id in cases:
            raise BadDocument(source, f"{path}.id", f"{group.id!r} is given twice")
        groups[group.id] = group
    return Tests(groups=groups, cases=cases, source=source, oddities=oddities)
