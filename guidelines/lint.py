"""Find what is wrong with the meaning of a guideline, which its schema cannot see."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from datetime import date

from guidelines.lint_identity import lint_identity
from guidelines.lint_transition import lint_transition
from guidelines.model import (
    Capability,
    CapabilityStatus,
    CheckDef,
    Finding,
    Guideline,
    Severity,
)
from guidelines.requirements import resolve
from guidelines.score import achieved_total, number_text

_REQUIRED = CapabilityStatus.REQUIRED
_VERSION = re.compile(r"\d{4}\.\d{2}")
# DefCore, "Guideline Procedure": the reasons a test may be flagged for.
_FLAG_CODES = frozenset({"D400", "D401", "D402", "D403", "D404", "D405", "D406"})


def lint(
    guideline: Guideline, *, previous: Guideline | None = None, at: date | None = None
) -> tuple[Finding, ...]:
    """Return what is wrong with *guideline*, worst first.

    Args:
        guideline: the guideline to look at.
        previous: the one it replaces; adds the rules about changes between the two.
        at: the day on which flags must not have expired; ``None`` leaves that out.
    """
    found: list[Finding] = [*guideline.oddities]
    found.extend(_structure(guideline))
    found.extend(_programs(guideline))
    found.extend(lint_identity(guideline))
    for capability in guideline.capabilities.values():
        found.extend(_flags(guideline, capability, at))
    found.extend(_scoring(guideline))
    if guideline.format == "interop":
        found.extend(_own_rules(guideline))
    if previous is not None:
        found.extend(lint_transition(previous, guideline))
    order = tuple(Severity)
    return tuple(
        sorted(
            dict.fromkeys(found),
            key=lambda f: (order.index(f.severity), f.code, f.path, f.message),
        )
    )


def _structure(guideline: Guideline) -> Iterator[Finding]:
    listed: set[str] = set()
    for component in guideline.components.values():
        seen: dict[str, CapabilityStatus] = {}
        for status, names in component.capabilities.items():
            path = f"components.{component.id}.{status}"
            for name in names:
                listed.add(name)
                if name in seen:
                    message = f"{name!r} is both {seen[name]} and {status}; keep one of them"
                    yield _error("status-conflict", path, message)
                seen.setdefault(name, status)
                if name not in guideline.capabilities:
                    yield _undefined(status, path, name)
    for name in guideline.capabilities:
        if name not in listed and guideline.components:
            message = "no component lists this capability; list it or remove it"
            yield _warning("orphan-capability", f"capabilities.{name}", message)
    statuses: dict[str, dict[str, CapabilityStatus]] = {}
    for component in guideline.components.values():
        for status, names in component.capabilities.items():
            for name in names:
                statuses.setdefault(name, {})[component.id] = status
    if guideline.format != "scs":
        for name, by_component in statuses.items():
            if len(set(by_component.values())) > 1:
                text = ", ".join(f"{status} in {owner}" for owner, status in by_component.items())
                message = f"{name!r} is {text}; where both count the strongest wins"
                yield _note("differing-status", f"capabilities.{name}", message)


def _undefined(status: CapabilityStatus, path: str, name: str) -> Finding:
    message = f"the capability {name!r} is not defined; define it or take it off the list"
    if status is _REQUIRED:
        return _error("undefined-capability", path, message)
    if status is CapabilityStatus.REMOVED:
        return _note("undefined-capability", path, message)
    return _warning("undefined-capability", path, message)


def _programs(guideline: Guideline) -> Iterator[Finding]:
    used: set[str] = set()
    for program in guideline.programs.values():
        path = f"programs.{program.id}"
        requirements = resolve(guideline, program)
        used.update((*program.components, *program.host))
        for name in requirements.undefined:
            where = program.sources.get(name)
            if where:
                message = f"the component {name!r} is defined in {where}; judge with that beside it"
                yield _note("external-component", path, message)
            else:
                yield _error("undefined-component", path, f"no component is called {name!r}")
        if requirements.must_pass:
            continue
        if requirements.flagged:
            message = "every required check is flagged, so nothing is required; keep one unflagged"
        else:
            message = "this program requires nothing, so nothing can be shown; require a capability"
        yield _error("empty-program", path, message)
    for name in guideline.components:
        if name not in used:
            message = "no program uses this component; use it or remove it"
            yield _warning("orphan-component", f"components.{name}", message)
    for name in _required(guideline):
        capability = guideline.capabilities.get(name)
        if capability is None:
            continue
        if not capability.checks:
            message = "required, but nothing shows it; add a check or make it advisory"
            yield _warning("unproven-capability", f"capabilities.{name}", message)
        elif all(check.flag is not None for check in capability.checks):
            message = "required, but every check of it is flagged, so nothing shows it"
            yield _warning("unproven-capability", f"capabilities.{name}", message)


def _flags(guideline: Guideline, capability: Capability, at: date | None) -> Iterator[Finding]:
    # Schema 1.2 flags by listing a test: there is no place for a reason.
    bare = guideline.format == "defcore" and guideline.schema == "1.2"
    for check in capability.checks:
        flag = check.flag
        if flag is None or bare:
            continue
        path = _check_path(guideline, capability, check)
        if not flag.reason.strip():
            yield _warning("flag-without-reason", path, "the flag gives no reason; add one")
        elif flag.code is None:
            message = "the flag's reason has no code; begin it with one, such as [D401]"
            yield _warning("flag-without-code", path, message)
        elif flag.code not in _FLAG_CODES:
            message = f"{flag.code} is not a code for flags; known are D400 to D406"
            yield _warning("flag-code", path, message)
        if not flag.action.strip():
            yield _warning("flag-without-action", path, "the flag names no action; add one")
        if at is not None and not flag.holds_on(at):
            message = f"the flag expired on {flag.expires}; remove it or renew it with a reason"
            yield _error("flag-expired", path, message)
        if flag.expires is not None and flag.date is not None and flag.expires < flag.date:
            yield _error("flag-date", path, f"expires on {flag.expires}, before {flag.date}")
        if at is not None and flag.date is not None and flag.date > at:
            yield _warning("flag-date", path, f"flagged on {flag.date}, which is yet to come")


def _scoring(guideline: Guideline) -> Iterator[Finding]:
    scoring = guideline.scoring
    if not scoring.criteria:
        return
    total = sum(criterion.weight for criterion in scoring.criteria.values())
    if scoring.cutoff is not None and scoring.cutoff > total:
        message = f"the cut-off {number_text(scoring.cutoff)} is above the {number_text(total)}"
        yield _error("unreachable-cutoff", "scoring", f"{message} all criteria give")
    required = set(_required(guideline))
    for capability in guideline.capabilities.values():
        path = f"capabilities.{capability.id}"
        seen: set[str] = set()
        for name in capability.achievements or ():
            if name not in scoring.criteria:
                message = f"{name!r} is not a criterion; define it or remove it"
                yield _error("undefined-criterion", f"{path}.achievements", message)
            elif name in seen:
                message = f"{name!r} is listed twice; it counts once"
                yield _warning("duplicate-criterion", f"{path}.achievements", message)
            seen.add(name)
        score = achieved_total(capability, scoring)
        if capability.recorded_score is not None and capability.recorded_score != score:
            message = f"records {number_text(capability.recorded_score)}"
            message += f"; its achievements give {number_text(score)}"
            yield _error("recorded-score", path, message)
        if capability.id not in required:
            continue
        if capability.admin:
            message = "required, but needs an administrator, which is a veto"
            yield _error("required-admin", path, message)
        if scoring.cutoff is not None and score < scoring.cutoff:
            message = f"required, but scores {number_text(score)}, below the cut-off"
            message += f" {number_text(scoring.cutoff)}; correct its achievements or its status"
            yield _warning("below-cutoff", path, message)
        if guideline.format == "defcore":
            yield from _since(guideline, capability, path)


def _since(guideline: Guideline, capability: Capability, path: str) -> Iterator[Finding]:
    since = capability.required_since
    if guideline.schema == "1.2":
        return
    if not since:
        message = "required, but does not say since when; add required_since"
        yield _warning("required-since", path, message)
    elif _VERSION.fullmatch(since) and _VERSION.fullmatch(guideline.id) and since > guideline.id:
        message = f"required since {since}, which is after this guideline"
        yield _error("required-since", path, message)


def _own_rules(guideline: Guideline) -> Iterator[Finding]:
    for check in guideline.checks.values():
        path = f"checks.{check.id}"
        if not check.references:
            message = "names no section of a standard; add a reference"
            yield _warning("check-without-reference", path, message)
    entries = [entry for entry in guideline.timeline if not entry.target]
    if entries and max(entries, key=lambda entry: entry.date).status != guideline.status:
        message = f"the status is {guideline.status}, but the timeline ends otherwise"
        yield _warning("status-timeline", "timeline", message)
    for index, entry in enumerate(guideline.timeline):
        if entry.target and entry.target not in guideline.programs:
            message = f"no program is called {entry.target!r}"
            yield _error("undefined-target", f"timeline.{index}.target", message)


def _required(guideline: Guideline) -> Iterable[str]:
    return dict.fromkeys(
        name
        for component in guideline.components.values()
        for name in component.capabilities.get(_REQUIRED, ())
    )


def _check_path(guideline: Guideline, capability: Capability, check: CheckDef) -> str:
    if guideline.format == "interop":
        return f"checks.{check.id}"
    return f"capabilities.{capability.id}.tests.{check.id}"


def _error(code: str, path: str, message: str) -> Finding:
    return Finding(code=code, severity=Severity.ERROR, path=path, message=message)


def _warning(code: str, path: str, message: str) -> Finding:
    return Finding(code=code, severity=Severity.WARNING, path=path, message=message)


def _note(code: str, path: str, message: str) -> Finding:
    return Finding(code=code, severity=Severity.NOTE, path=path, message=message)
