"""Lint: names, aliases and ids must each mean one check."""

from __future__ import annotations

from collections.abc import Iterator

from guidelines.matching import are_one_renamed
from guidelines.model import Capability, CheckDef, Finding, Guideline, Severity


def lint_identity(guideline: Guideline) -> Iterator[Finding]:
    """Yield ids shared by different checks, aliases that collide, and checks counted twice."""
    places: dict[str, list[tuple[Capability, CheckDef]]] = {}
    for capability in guideline.capabilities.values():
        for check in capability.checks:
            places.setdefault(check.id, []).append((capability, check))
    yield from _shared_ids(places)
    yield from _aliases(places)
    if guideline.format == "defcore":
        yield from _repeated(places)


def _shared_ids(places: dict[str, list[tuple[Capability, CheckDef]]]) -> Iterator[Finding]:
    by_id: dict[str, dict[str, CheckDef]] = {}
    for name, found in places.items():
        identifiers = {check.idempotent_id for _, check in found if check.idempotent_id}
        if len(identifiers) > 1:
            message = f"has {len(identifiers)} different ids; keep one"
            yield _finding("several-ids", Severity.ERROR, _path(found), message)
        for identifier in identifiers:
            by_id.setdefault(identifier, {})[name] = found[0][1]
    for identifier, checks in by_id.items():
        if len(checks) == 1:
            continue
        linked = are_one_renamed(checks)
        names = ", ".join(checks)
        path = f"idempotent_id.{identifier}"
        if linked:
            message = f"one test under {len(checks)} names: {names}; keep one and its aliases"
            yield _finding("duplicate-id", Severity.NOTE, path, message)
        else:
            message = f"shared by {len(checks)} different tests: {names}; an id must mean one test"
            yield _finding("duplicate-id", Severity.ERROR, path, message)


def _aliases(places: dict[str, list[tuple[Capability, CheckDef]]]) -> Iterator[Finding]:
    owners: dict[str, dict[str, CheckDef]] = {}
    for name, found in places.items():
        for _, check in found:
            for alias in check.aliases:
                if alias == name:
                    message = "is its own alias; remove it"
                    yield _finding("alias-of-itself", Severity.NOTE, _path(found), message)
                else:
                    owners.setdefault(alias, {})[name] = check
    for alias, checks in owners.items():
        for name, check in checks.items():
            if alias in places:
                same = _same_test(check, places[alias][0][1])
                message = f"the alias {alias!r} is the name of another test" + _advice(same)
                severity = Severity.WARNING if same else Severity.ERROR
                yield _finding("alias-collision", severity, _path(places[name]), message)
        if len(checks) > 1:
            tests = list(checks.values())
            same = all(_same_test(tests[0], other) for other in tests[1:])
            message = f"the alias is claimed by {len(checks)} tests: {', '.join(checks)}"
            severity = Severity.WARNING if same else Severity.ERROR
            path = f"aliases.{alias}"
            yield _finding("alias-collision", severity, path, message + _advice(same))


def _repeated(places: dict[str, list[tuple[Capability, CheckDef]]]) -> Iterator[Finding]:
    """A test in two capabilities is counted twice; told once for each pair of capabilities."""
    pairs: dict[tuple[str, ...], list[str]] = {}
    for name, found in places.items():
        owners = tuple(dict.fromkeys(capability.id for capability, _ in found))
        if len(owners) < 2:
            continue
        pairs.setdefault(owners, []).append(name)
        flags = {check.flag is None for _, check in found}
        if len(flags) > 1:
            message = f"flagged in one of {', '.join(owners)} and not in another"
            yield _finding("flag-conflict", Severity.WARNING, _path(found), message)
    for owners, names in pairs.items():
        shown = names[0] if len(names) == 1 else f"{names[0]} and {len(names) - 1} more"
        message = f"counted in {len(owners)} capabilities ({', '.join(owners)}): {shown}"
        path = f"capabilities.{owners[0]}"
        yield _finding("duplicate-test", Severity.NOTE, path, message)


def _same_test(first: CheckDef, second: CheckDef) -> bool:
    return first.idempotent_id is not None and first.idempotent_id == second.idempotent_id


def _advice(same: bool) -> str:
    if same:
        return " with the same id; keep one of the entries"
    return "; a pass of one would count for the other, so the alias is not used"


def _path(found: list[tuple[Capability, CheckDef]]) -> str:
    capability, check = found[0]
    return f"capabilities.{capability.id}.{check.id}"


def _finding(code: str, severity: Severity, path: str, message: str) -> Finding:
    return Finding(code=code, severity=severity, path=path, message=message)
