"""Whether recorded facts are what a guideline expects."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from guidelines.evidence import Fact, FactValue
from guidelines.model import Expectation, ExpectationKind

_MANY = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class FactVerdict:
    """What came of comparing: reasons it fails, reasons it can't be told, and remarks."""

    wrong: tuple[str, ...] = ()
    open: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()


def compare_facts(expectations: Sequence[Expectation], facts: Sequence[Fact]) -> FactVerdict:
    """Compare *facts* with all *expectations*; every value of a fact must fit."""
    wrong: list[str] = []
    undecided: list[str] = []
    remarks: list[str] = []
    for expected in expectations:
        found = [fact for fact in facts if fact.name == expected.fact]
        values = [fact for fact in found if fact.value is not None]
        if not values:
            text = f"the fact {expected.fact!r} was not recorded"
            (remarks if expected.optional else undecided).append(text)
            continue
        if expected.kind is ExpectationKind.SAME_ACROSS:
            members = {fact.member for fact in values}
            if len(members) < 2:
                text = f"the fact {expected.fact!r} was recorded for one member only"
                (remarks if expected.optional else undecided).append(text)
            elif len({_key(fact.value) for fact in values}) > 1:
                shown = sorted({f"{fact.member}: {_show(fact)}" for fact in values})[:_MANY]
                wrong.append(f"{expected.fact} differs between members ({'; '.join(shown)})")
            continue
        misfits = [fact for fact in values if not _fits(expected, fact)]
        for fact in misfits[:_MANY]:
            where = f" on {fact.member}" if fact.member else ""
            wrong.append(f"{expected.fact} is {_show(fact)}{where}; expected {_wanted(expected)}")
        if len(misfits) > _MANY:
            wrong.append(f"and {len(misfits) - _MANY} more values of {expected.fact}")
    return FactVerdict(wrong=tuple(wrong), open=tuple(undecided), remarks=tuple(remarks))


def _fits(expected: Expectation, fact: Fact) -> bool:
    value = fact.value
    if expected.unit is not None and fact.unit != expected.unit:
        return False
    if expected.kind is ExpectationKind.EQUALS:
        return _key(value) == _key(expected.values[0])
    if expected.kind is ExpectationKind.ONE_OF:
        given = value if isinstance(value, tuple) else (value,)
        allowed = {_key(item) for item in expected.values}
        return bool(given) and all(_key(item) in allowed for item in given)
    if expected.kind is ExpectationKind.CONTAINS:
        given = value if isinstance(value, tuple) else (value,)
        return {_key(item) for item in expected.values} <= {_key(item) for item in given}
    if expected.kind is ExpectationKind.RANGE:
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            return False
        low = expected.low is None or value >= expected.low
        return low and (expected.high is None or value <= expected.high)
    return True


def _key(value: FactValue) -> tuple[str, object]:
    """A key under which ``1`` and ``1.0`` are the same and ``1`` and ``true`` are not."""
    if isinstance(value, bool):
        return ("boolean", value)
    if isinstance(value, (int, float)):
        return ("number", value)
    if isinstance(value, tuple):
        return ("list", tuple(_key(item) for item in value))
    return ("text", value)


def _show(fact: Fact) -> str:
    text = repr(fact.value)
    text = text if len(text) <= 80 else text[:79] + "…"
    return f"{text} {fact.unit}" if fact.unit else text


def _wanted(expected: Expectation) -> str:
    unit = f" {expected.unit}" if expected.unit else ""
    if expected.kind is ExpectationKind.RANGE:
        if expected.low is None:
            return f"at most {expected.high:g}{unit}"
        if expected.high is None:
            return f"at least {expected.low:g}{unit}"
        return f"{expected.low:g} to {expected.high:g}{unit}"
    shown = ", ".join(repr(value) for value in expected.values[:_MANY])
    words = {
        ExpectationKind.EQUALS: shown,
        ExpectationKind.ONE_OF: f"one of {shown}",
        ExpectationKind.CONTAINS: f"all of {shown}",
    }
    return words.get(expected.kind, "any value") + unit
