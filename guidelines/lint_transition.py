"""Lint: what may change between a guideline and the one that replaces it."""

from __future__ import annotations

from collections.abc import Iterator

from guidelines.model import CapabilityStatus, Finding, Guideline, Severity

_ORDER = tuple(CapabilityStatus)


def strongest_statuses(guideline: Guideline) -> dict[str, CapabilityStatus]:
    """Return the strongest status each listed capability has in any component."""
    found: dict[str, CapabilityStatus] = {}
    for component in guideline.components.values():
        for status, names in component.capabilities.items():
            for name in names:
                if name not in found or _ORDER.index(status) < _ORDER.index(found[name]):
                    found[name] = status
    return found


def lint_transition(old: Guideline, new: Guideline) -> Iterator[Finding]:
    """Yield capabilities removed without deprecation, or required without having been advisory.

    Source: DefCore process 2015A, "capabilities ... must be advisory before they are required,
    and deprecated before they are removed".
    """
    before = strongest_statuses(old)
    after = strongest_statuses(new)
    for name, status in before.items():
        now = after.get(name)
        gone = now is None or now is CapabilityStatus.REMOVED
        if status is CapabilityStatus.REQUIRED and gone:
            message = f"required in {old.id} and gone here; deprecate it first"
            yield _error("removed-without-deprecation", f"capabilities.{name}", message)
    for name, status in after.items():
        if status is not CapabilityStatus.REQUIRED:
            continue
        was = before.get(name)
        if was not in {CapabilityStatus.REQUIRED, CapabilityStatus.ADVISORY}:
            how = "not listed" if was is None else str(was)
            message = f"required here but {how} in {old.id}; make it advisory first"
            yield _error("required-without-advisory", f"capabilities.{name}", message)
    if new.replaces and new.replaces != old.id:
        yield Finding(
            code="replaces",
            severity=Severity.NOTE,
            path="replaces",
            message=f"says that it replaces {new.replaces}, not {old.id}",
        )


def _error(code: str, path: str, message: str) -> Finding:
    return Finding(code=code, severity=Severity.ERROR, path=path, message=message)
