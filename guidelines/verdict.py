"""The outcome of judging: one state for each item, the counts, and what follows from them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from enum import IntEnum, StrEnum
from typing import Any

from guidelines.model import CapabilityStatus, Finding

SCHEMA_ID = "interop.verdict/1"


class State(StrEnum):
    """What an item came to; every item has exactly one."""

    PASSED = "passed"
    FAILED = "failed"
    BLOCKED = "blocked"
    SKIPPED = "skipped"
    MISSING = "missing"
    WAIVED = "waived"
    NOT_APPLICABLE = "not-applicable"


# States that show that a requirement is not met.
AGAINST = frozenset({State.FAILED, State.SKIPPED})


class Conclusion(StrEnum):
    """What follows for the program as a whole."""

    COMPLIANT = "compliant"
    NOT_COMPLIANT = "not-compliant"
    INCONCLUSIVE = "inconclusive"


class ExitCode(IntEnum):
    """What a command returns to the shell; bad input is 2."""

    COMPLIANT = 0
    NOT_COMPLIANT = 1
    BAD_INPUT = 2
    INCONCLUSIVE = 3


EXIT_CODES: Mapping[Conclusion, ExitCode] = {
    Conclusion.COMPLIANT: ExitCode.COMPLIANT,
    Conclusion.NOT_COMPLIANT: ExitCode.NOT_COMPLIANT,
    Conclusion.INCONCLUSIVE: ExitCode.INCONCLUSIVE,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Superseded:
    """A record that does not decide, because a newer one does or because it is too old."""

    state: State
    reason: str
    evidence: str


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgedItem:
    """One check of the program and what came of it.

    Args:
        id: the check's id.
        title: what it checks.
        state: what it came to, waivers considered.
        unwaived: what it would have come to without waivers.
        reason: why, for a person.
        evidence: where that stands, such as ``junit.xml#testcase[12]``; empty if nowhere.
        status: the status of the capabilities that hold it.
        capabilities: those capabilities.
        level: its level of interoperability, if any.
        flagged: it need not pass for now.
        never_ran: it is blocked because its class or module was not set up; nothing else is known.
        superseded: older records about it that do not count.
    """

    id: str
    title: str
    state: State
    unwaived: State
    reason: str
    evidence: str
    status: CapabilityStatus
    capabilities: tuple[str, ...]
    level: int | None = None
    flagged: bool = False
    never_ran: bool = False
    superseded: tuple[Superseded, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Return the item as ``interop judge --json`` prints it."""
        document: dict[str, Any] = {
            "id": self.id,
            "title": self.title,
            "state": self.state.value,
            "reason": self.reason,
            "evidence": self.evidence,
            "status": self.status.value,
            "capabilities": list(self.capabilities),
            "level": self.level,
            "flagged": self.flagged,
        }
        if self.superseded:
            document["superseded"] = [
                {"state": old.state.value, "reason": old.reason, "evidence": old.evidence}
                for old in self.superseded
            ]
        return document


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgedCapability:
    """One capability of the program: ``passed`` only if every item of it that must pass does."""

    id: str
    title: str
    status: CapabilityStatus
    state: str
    must_pass: int
    passed: int

    def to_json(self) -> dict[str, Any]:
        """Return the capability as ``interop judge --json`` prints it."""
        return {
            "id": self.id,
            "title": self.title,
            "status": self.status.value,
            "state": self.state,
            "must_pass": self.must_pass,
            "passed": self.passed,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """How many required items are in each state; the states add up to ``required``.

    Flagged items are in no state here: they are counted in ``flagged`` alone.
    """

    required: int
    passed: int
    failed: int
    blocked: int
    skipped: int
    missing: int
    waived: int
    not_applicable: int
    flagged: int

    @classmethod
    def of(cls, items: tuple[JudgedItem, ...], flagged: int) -> Counts:
        """Count *items*.

        Raises:
            AssertionError: the states do not add up, which is a defect of this program.
        """
        by_state = dict.fromkeys(State, 0)
        for item in items:
            by_state[item.state] += 1
        counts = cls(
            required=len(items),
            flagged=flagged,
            **{state.value.replace("-", "_"): number for state, number in by_state.items()},
        )
        if counts.total != counts.required:
            raise AssertionError(f"{counts.total} states for {counts.required} required items")
        return counts

    @property
    def total(self) -> int:
        """The sum over all states."""
        return (
            self.passed
            + self.failed
            + self.blocked
            + self.skipped
            + self.missing
            + self.waived
            + self.not_applicable
        )

    def to_json(self) -> dict[str, int]:
        """Return the counts as ``interop judge --json`` prints them."""
        return {name: getattr(self, name) for name in self.__dataclass_fields__}


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A result document that was judged."""

    source: str
    format: str
    digest: str
    subject: str | None
    finished: str | None
    complete: bool

    def to_json(self) -> dict[str, Any]:
        """Return the source as ``interop judge --json`` prints it."""
        return {name: getattr(self, name) for name in self.__dataclass_fields__}


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What judging a body of evidence against one program of a guideline came to.

    Args:
        verdict: ``compliant``, ``not-compliant`` or ``inconclusive``.
        verdict_without_waivers: what it would be if nothing were waived.
        reasons: why, one line each, most important first.
        guideline: id of the guideline.
        guideline_digest: digest of its file.
        program: the program's name.
        at: the day as of which it was judged.
        counts: how many required items are in each state.
        capabilities: every capability of the program.
        items: every required item that is not flagged.
        flagged_items: required items that need not pass for now.
        advised_items: items of capabilities that are not required.
        findings: what a person should look at.
        sources: the documents that were judged.
        level: the highest level all of whose checks, and those below, passed; ``None`` if none.
        held_back_by: the checks that keep it from the next level.
    """

    verdict: Conclusion
    verdict_without_waivers: Conclusion
    reasons: tuple[str, ...]
    guideline: str
    guideline_digest: str
    program: str
    at: date
    counts: Counts
    capabilities: tuple[JudgedCapability, ...]
    items: tuple[JudgedItem, ...]
    flagged_items: tuple[JudgedItem, ...]
    advised_items: tuple[JudgedItem, ...]
    findings: tuple[Finding, ...]
    sources: tuple[Source, ...]
    level: int | None
    held_back_by: tuple[str, ...]

    @property
    def exit_code(self) -> int:
        """0 compliant, 1 not compliant, 3 inconclusive."""
        return int(EXIT_CODES[self.verdict])

    def to_json(self) -> dict[str, Any]:
        """Return the verdict document; the same judgement always gives the same document."""
        return {
            "schema": SCHEMA_ID,
            "verdict": self.verdict.value,
            "verdict_without_waivers": self.verdict_without_waivers.value,
            "reasons": list(self.reasons),
            "guideline": self.guideline,
            "guideline_digest": self.guideline_digest,
            "program": self.program,
            "at": self.at.isoformat(),
            "counts": self.counts.to_json(),
            "level": self.level,
            "held_back_by": list(self.held_back_by),
            "capabilities": [capability.to_json() for capability in self.capabilities],
            "items": [item.to_json() for item in self.items],
            "flagged_items": [item.to_json() for item in self.flagged_items],
            "advised_items": [item.to_json() for item in self.advised_items],
            "findings": [finding.to_json() for finding in self.findings],
            "evidence": [source.to_json() for source in self.sources],
        }
