"""Apply waivers and lists of known failures to judged items, and say which of them are stale."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import date

from guidelines.matching import name_forms
from guidelines.model import Finding, Severity
from guidelines.patterns import KnownFailing, Pattern
from guidelines.requirements import Item, Requirements
from guidelines.verdict import JudgedItem, State
from guidelines.waivers import Waiver

_EXCUSABLE = frozenset({State.FAILED, State.BLOCKED, State.SKIPPED, State.MISSING})


class Exceptions:
    """The exceptions that may excuse items of one judgement, and what became of each."""

    def __init__(
        self,
        waivers: Sequence[Waiver],
        known_failing: KnownFailing,
        *,
        guideline: str,
        programs: frozenset[str],
        subjects: frozenset[str],
        at: date,
    ) -> None:
        self._waivers = [
            waiver
            for waiver in waivers
            if waiver.is_for(subjects=subjects, guideline=guideline, programs=programs)
        ]
        self._out_of_scope = [waiver for waiver in waivers if waiver not in self._waivers]
        self._known_failing = known_failing
        self._at = at
        self._states: dict[str, set[State]] = {waiver.where: set() for waiver in self._waivers}
        self._passing: dict[Pattern, list[str]] = {}
        self._used: set[Pattern] = set()

    def apply(self, item: Item, judged: JudgedItem) -> JudgedItem:
        """Return *judged*, waived if an exception in force covers a state that is no pass."""
        excuse = ""
        for waiver in self._waivers:
            if not _covers(waiver, item):
                continue
            self._states[waiver.where].add(judged.state)
            if not excuse and self._at <= waiver.expires:
                excuse = f"waived by {waiver.owner} until {waiver.expires}: {waiver.reason}"
        pattern = self._known_failing.find(frozenset({item.check.id, *item.check.aliases}))
        if pattern is not None:
            self._used.add(pattern)
            if judged.state is State.PASSED:
                self._passing.setdefault(pattern, []).append(item.check.id)
            elif not excuse and judged.state is State.FAILED:
                excuse = f"known to fail ({pattern.where})"
        if not excuse or judged.state not in _EXCUSABLE:
            return judged
        reason = f"{excuse}; it was {judged.state.value}: {judged.reason}"
        return replace(judged, state=State.WAIVED, reason=reason)

    def strict_failures(self) -> tuple[str, ...]:
        """Return what fails the verdict in strict mode: passes of tests listed as failing."""
        if not self._known_failing.strict:
            return ()
        return tuple(
            f"{check} is listed as failing and passed"
            for ids in self._passing.values()
            for check in ids
        )

    def findings(self, names: frozenset[str], requirements: Requirements) -> list[Finding]:
        """Say which exceptions have expired, match nothing, or are not needed any more.

        Args:
            names: every name in the evidence; a pattern that fits one of them is in use.
            requirements: what was judged.
        """
        found = [
            _finding(
                "unused-waiver", "warning", waiver.where,
                f"the waiver of {waiver.subject} is for another platform, guideline or program",
            )
            for waiver in self._out_of_scope
        ]  # fmt: skip
        for waiver in self._waivers:
            states = self._states[waiver.where]
            if not states:
                what = f"the waiver of {waiver.subject} matches nothing {requirements.program.id}"
                found.append(_finding("unused-waiver", "warning", waiver.where, f"{what} asks for"))
            if self._at > waiver.expires:
                message = f"the waiver of {waiver.subject} expired on {waiver.expires}"
                found.append(_finding("expired-waiver", "error", waiver.where, message))
            if states and not states & _EXCUSABLE:
                message = f"{waiver.subject} needs no waiver any more; remove it"
                found.append(_finding("needless-waiver", "warning", waiver.where, message))
        found.extend(self._about_patterns(names))
        return found

    def _about_patterns(self, names: frozenset[str]) -> list[Finding]:
        found = []
        severity = "error" if self._known_failing.strict else "warning"
        for pattern in self._known_failing.patterns:
            for check in self._passing.get(pattern, ()):
                message = f"{check} is listed as failing and passed; remove it from the list"
                found.append(_finding("unexpected-pass", severity, pattern.where, message))
            if pattern not in self._used and not any(pattern.matches(name) for name in names):
                message = f"the pattern {pattern.text!r} matches no test"
                found.append(_finding("unused-pattern", "warning", pattern.where, message))
        return found


def _covers(waiver: Waiver, item: Item) -> bool:
    if waiver.capability:
        return waiver.capability in item.capabilities
    return waiver.check in name_forms(item.check.id) or waiver.check in item.check.aliases


def _finding(code: str, severity: str, path: str, message: str) -> Finding:
    return Finding(code=code, severity=Severity(severity), path=path, message=message)
