"""From a checked document of our own format to the plain guideline."""

from __future__ import annotations

from guidelines.evidence import FactValue
from guidelines.model import (
    Capability,
    CapabilityStatus,
    CheckDef,
    Component,
    Criterion,
    Expectation,
    ExpectationKind,
    Finding,
    Flag,
    Guideline,
    Program,
    ProgramKind,
    Reference,
    Scoring,
    Severity,
    TimelineEntry,
)
from guidelines.own_format import (
    SCHEMA_ID,
    CapabilityPart,
    CheckPart,
    ConditionPart,
    ExpectationPart,
    GuidelineDocument,
    ProgramPart,
)


def build_guideline(document: GuidelineDocument, source: str, digest: str) -> Guideline:
    """Return the guideline *document* describes; what does not fit together becomes an oddity."""
    oddities: list[Finding] = []
    checks = {check_id: _check(check_id, part) for check_id, part in document.checks.items()}
    used: set[str] = set()
    capabilities: dict[str, Capability] = {}
    for capability_id, part in document.capabilities.items():
        used.update(part.checks)
        for index, check_id in enumerate(part.checks):
            if check_id not in checks:
                path = f"capabilities.{capability_id}.checks.{index}"
                oddities.append(
                    _error("undefined-check", path, f"the check {check_id!r} is not defined")
                )
        capabilities[capability_id] = _capability(capability_id, part, checks)
    oddities.extend(
        Finding(
            code="orphan-check",
            severity=Severity.WARNING,
            path=f"checks.{check_id}",
            message="no capability holds this check; add it to one or remove it",
        )
        for check_id in checks
        if check_id not in used
    )
    components = {
        name: Component(
            id=name,
            title=part.title,
            capabilities={
                status: tuple(getattr(part.capabilities, status.value))
                for status in CapabilityStatus
            },
        )
        for name, part in document.components.items()
    }
    needed = {name: part.requires for name, part in document.components.items()}
    return Guideline(
        id=document.id,
        format="interop",
        schema=SCHEMA_ID,
        status=document.status,
        source=source,
        digest=digest,
        title=document.title,
        replaces=document.replaces,
        programs={name: _program(name, part, needed) for name, part in document.programs.items()},
        components=components,
        capabilities=capabilities,
        scoring=_scoring(document),
        timeline=tuple(
            TimelineEntry(date=entry.date, status=entry.status, target=entry.target or "")
            for entry in document.timeline
        ),
        default_program=next(iter(document.programs)) if len(document.programs) == 1 else None,
        oddities=tuple(oddities),
    )


def _scoring(document: GuidelineDocument) -> Scoring:
    if document.scoring is None:
        return Scoring()
    return Scoring(
        cutoff=document.scoring.cutoff,
        criteria={
            key: Criterion(name=part.name, weight=part.weight, description=part.description)
            for key, part in document.scoring.criteria.items()
        },
    )


def _program(name: str, part: ProgramPart, needed: dict[str, list[str]]) -> Program:
    """A component brings what it depends on: that too must be satisfied."""
    host = dict.fromkeys(part.requires)
    waiting = [*part.components, *part.requires]
    seen: set[str] = set()
    while waiting:
        component = waiting.pop()
        if component in seen:
            continue
        seen.add(component)
        for dependency in needed.get(component, ()):
            host[dependency] = None
            waiting.append(dependency)
    return Program(
        id=name,
        title=part.title,
        kind=ProgramKind.ADD_ON if part.add_on else ProgramKind.PROGRAM,
        components=tuple(part.components),
        host=tuple(component for component in host if component not in part.components),
        aliases=tuple(part.aliases),
        holds=part.holds,
    )


def _capability(name: str, part: CapabilityPart, checks: dict[str, CheckDef]) -> Capability:
    return Capability(
        id=name,
        title=part.title,
        checks=tuple(checks[check_id] for check_id in part.checks if check_id in checks),
        achievements=None if part.achievements is None else tuple(part.achievements),
        admin=part.admin,
        required_since=part.required_since,
        level=part.level,
        when=_condition(part.when),
        recorded_score=part.score,
    )


def _check(check_id: str, part: CheckPart) -> CheckDef:
    flag = part.flag
    return CheckDef(
        id=check_id,
        title=part.title,
        level=part.level,
        aliases=tuple(part.aliases),
        idempotent_id=part.idempotent_id,
        needs=frozenset(part.needs),
        when=_condition(part.when),
        flag=None
        if flag is None
        else Flag(reason=flag.reason, action=flag.action, date=flag.date, expires=flag.expires),
        expects=tuple(_expectation(item) for item in part.expects),
        references=tuple(
            Reference(title=item.title, url=item.url or "") for item in part.references
        ),
        manual=part.manual,
        holds=part.holds,
    )


def _condition(part: ConditionPart | None) -> frozenset[str]:
    return frozenset() if part is None else frozenset(part.declares)


def _expectation(part: ExpectationPart) -> Expectation:
    kind = ExpectationKind.RECORDED
    values: tuple[FactValue, ...] = ()
    if "equals" in part.model_fields_set:
        kind = ExpectationKind.EQUALS
        values = (tuple(part.equals) if isinstance(part.equals, list) else part.equals,)
    elif part.one_of is not None:
        kind, values = ExpectationKind.ONE_OF, tuple(part.one_of)
    elif part.contains is not None:
        kind, values = ExpectationKind.CONTAINS, tuple(part.contains)
    elif part.range is not None:
        kind = ExpectationKind.RANGE
    elif part.same_across is not None:
        kind = ExpectationKind.SAME_ACROSS
    return Expectation(
        fact=part.fact,
        kind=kind,
        values=values,
        low=part.range.low if part.range else None,
        high=part.range.high if part.range else None,
        unit=part.unit,
        optional=part.optional,
    )


def _error(code: str, path: str, message: str) -> Finding:
    return Finding(code=code, severity=Severity.ERROR, path=path, message=message)
