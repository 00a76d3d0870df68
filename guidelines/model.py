"""A guideline, whatever file it came from: plain values that judging, lint and diff share.

The words are DefCore's. A *check* has a permanent id; a *capability* groups checks; a *component*
gives capabilities their status; a *program* is what one can be certified for.
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType

from guidelines.evidence import FactValue

_FLAG_CODE = re.compile(r"^\s*\[?(?P<code>D\d{3})\]?(?!\d)")


class CapabilityStatus(StrEnum):
    """Standing of a capability in a component, strongest first."""

    REQUIRED = "required"
    ADVISORY = "advisory"
    DEPRECATED = "deprecated"
    REMOVED = "removed"


class Severity(StrEnum):
    """How much a finding matters; only an error changes an exit code."""

    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """Something a person should know about a guideline, a waiver or a body of evidence."""

    code: str
    severity: Severity
    path: str
    message: str

    def to_json(self) -> dict[str, str]:
        """Return the finding as the commands print it."""
        return {
            "code": self.code,
            "severity": self.severity.value,
            "path": self.path,
            "message": self.message,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Criterion:
    """One scoring criterion and what it is worth."""

    name: str
    weight: float
    description: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scoring:
    """Criteria by key and the total from which a capability may be required."""

    criteria: Mapping[str, Criterion] = field(default_factory=lambda: MappingProxyType({}))
    cutoff: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Flag:
    """A check that need not pass for now: who wants to know why finds it here."""

    reason: str = ""
    action: str = ""
    date: datetime.date | None = None
    expires: datetime.date | None = None

    def holds_on(self, day: datetime.date) -> bool:
        """Tell whether it still excuses on *day*; a flag without an expiry always does."""
        return self.expires is None or day <= self.expires

    @property
    def code(self) -> str | None:
        """The reason's code, such as ``D401``; DefCore writes it with and without brackets."""
        found = _FLAG_CODE.match(self.reason)
        return found["code"] if found else None


class ExpectationKind(StrEnum):
    """How the values of a fact are compared."""

    EQUALS = "equals"
    ONE_OF = "one-of"
    RANGE = "range"
    SAME_ACROSS = "same-across"
    CONTAINS = "contains"
    RECORDED = "recorded"


@dataclass(frozen=True, slots=True, kw_only=True)
class Expectation:
    """What a fact recorded by a check must be.

    Args:
        fact: name of the fact.
        kind: how it is compared.
        values: for ``equals`` one value; for ``one-of`` and ``contains`` several.
        low: for ``range`` the least allowed value, if any.
        high: for ``range`` the greatest allowed value, if any.
        unit: the unit the bounds are in; a fact in another unit does not satisfy them.
        optional: absence of the fact is noted instead of leaving the check undecided.
    """

    fact: str
    kind: ExpectationKind
    values: tuple[FactValue, ...] = ()
    low: float | None = None
    high: float | None = None
    unit: str | None = None
    optional: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """The standard's section a check rests on."""

    title: str
    url: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckDef:
    """One check: a permanent id and how a result's records are known to be about it.

    Args:
        id: the permanent id; for foreign guidelines the test's name.
        title: what it checks, for a person.
        aliases: other names records of this check may bear.
        idempotent_id: an id that survives renaming, without the prefix ``id-``.
        level: level of interoperability it belongs to, if any.
        needs: features the check uses; for those who plan runs.
        when: features a platform must declare for the check to apply; empty means always.
        flag: set when it need not pass for now.
        expects: what its facts must be.
        references: sections of published standards.
        manual: decided by a document, not by a run.
        holds: how long evidence of it is good for: a period of SCS or an ISO 8601 duration.
        judged_by_facts: it may be decided by its facts alone, without a recorded outcome.
    """

    id: str
    title: str = ""
    aliases: tuple[str, ...] = ()
    idempotent_id: str | None = None
    level: int | None = None
    needs: frozenset[str] = frozenset()
    when: frozenset[str] = frozenset()
    flag: Flag | None = None
    expects: tuple[Expectation, ...] = ()
    references: tuple[Reference, ...] = ()
    manual: bool = False
    holds: str | None = None
    judged_by_facts: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Capability:
    """A group of checks that is required or advised as one.

    Args:
        id: the capability's name.
        title: one line about it.
        checks: its checks, in the order of the file; DefCore counts them per capability.
        achievements: criteria it fulfils; ``None`` where the file does not say.
        admin: it needs an administrator, which is a veto in scoring.
        required_since: the guideline that first required it; empty where the file says so.
        level: level of interoperability, 0 to 6, if given.
        when: features a platform must declare for the capability to apply.
        recorded_score: a total written in the file, if any.
        project: the upstream project, for display.
    """

    id: str
    title: str = ""
    checks: tuple[CheckDef, ...] = ()
    achievements: tuple[str, ...] | None = None
    admin: bool = False
    required_since: str | None = None
    level: int | None = None
    when: frozenset[str] = frozenset()
    recorded_score: float | None = None
    project: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Component:
    """What gives capabilities their status."""

    id: str
    title: str = ""
    capabilities: Mapping[CapabilityStatus, tuple[str, ...]]


class ProgramKind(StrEnum):
    """Where a program comes from in its file."""

    PROGRAM = "program"
    ADD_ON = "add-on"
    COMPONENT = "component"
    VERSION = "version"


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """What one can be certified for.

    Args:
        id: the name, as in the file.
        title: one line about it.
        kind: a program, an add-on, a single component, or a version of a scope.
        components: the components that make it up.
        host: for an add-on, the components a platform must also satisfy.
        sources: components that are defined in another guideline, and which.
        aliases: other names it answers to.
        holds: how long evidence is good for, where the program says so.
    """

    id: str
    title: str = ""
    kind: ProgramKind = ProgramKind.PROGRAM
    components: tuple[str, ...] = ()
    host: tuple[str, ...] = ()
    sources: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    aliases: tuple[str, ...] = ()
    holds: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TimelineEntry:
    """From *date* on, *target* has *status*; an empty target means the guideline as a whole."""

    date: datetime.date
    status: str
    target: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Guideline:
    """A versioned set of programs, components, capabilities and checks.

    Args:
        id: the version, such as ``2026.11``.
        format: the family it belongs to: ``interop``, ``defcore``, ``kubernetes``, ``scs``,
            ``redfish`` or ``test-list``.
        schema: the schema's name as the file writes it, such as ``interop.guideline/1`` or ``2.0``.
        status: draft, review, advisory, approved or superseded, as written.
        source: the file or the shipped id.
        digest: ``sha256:`` and the digest of the file's bytes.
        programs: by name, in the order of the file.
        components: by name.
        capabilities: by name; a component may list one that is not here.
        scoring: criteria and cut-off.
        timeline: dated statuses.
        replaces: the guideline it follows, if named.
        title: one line about it.
        default_program: the program meant when none is named, if the format has one.
        oddities: what the loader found odd; lint reports it.
    """

    id: str
    format: str
    schema: str
    status: str
    source: str
    digest: str
    programs: Mapping[str, Program]
    components: Mapping[str, Component]
    capabilities: Mapping[str, Capability]
    scoring: Scoring = field(default_factory=Scoring)
    timeline: tuple[TimelineEntry, ...] = ()
    replaces: str | None = None
    title: str = ""
    default_program: str | None = None
    oddities: tuple[Finding, ...] = ()

    @property
    def checks(self) -> Mapping[str, CheckDef]:
        """Every check by id, first definition first."""
        found: dict[str, CheckDef] = {}
        for capability in self.capabilities.values():
            for check in capability.checks:
                found.setdefault(check.id, check)
        return found
