"""How checks say what they require, and what they found instead."""

from __future__ import annotations

from typing import Any

from suites.seams import Observe, Subject


def claim(holds: object, requirement: str, *, expected: object, actual: object) -> None:
    """Fail the check with everything a reader needs, unless the requirement holds.

    Raises:
        AssertionError: ``requirement: expected ..., actual ...``.
    """
    if not holds:
        raise AssertionError(f"{requirement}: expected {_told(expected)}, actual {_told(actual)}")


def same(requirement: str, *, expected: object, actual: object) -> None:
    """``claim`` that both are equal."""
    claim(expected == actual, requirement, expected=expected, actual=actual)


def observed_as_declared(
    subject: Subject, observe: Observe, name: str, value: object, member: str | None = None
) -> None:
    """Record a fact the guideline has no opinion on; it must be what the platform declares.

    What its owner declares under that name, or under ``facts``, is compared; the rest is recorded.
    """
    observe(name, value, member=member)
    declared: dict[str, Any] = {**subject.declared, **(subject.declared.get("facts") or {})}
    if name in declared:
        observe(name, declared[name], source="declared", member=member)
        where = f"{member}: " if member else ""
        same(f"{where}{name} is what the platform declares", expected=declared[name], actual=value)


def _told(value: object) -> str:
    """A value as a person writes it."""
    if isinstance(value, str):
        return repr(value) if " " in value or not value else value
    if isinstance(value, float):
        return f"{value:.3f}".rstrip("0").rstrip(".")
    if isinstance(value, (list, tuple, set, frozenset)):
        items = sorted(value, key=str) if isinstance(value, (set, frozenset)) else value
        return "[" + ", ".join(_told(item) for item in items) + "]"
    return str(value)
