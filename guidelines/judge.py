"""Judge evidence against a guideline: a pure function with complete accounting.

Every required item gets exactly one state and the states add up. Silence is never a pass: an
empty requirement, a run that skipped everything, or a document that breaks off cannot make a
program compliant.

A failure more never makes a verdict better, a failed set-up of a class or module included: its
tests are `blocked`, and a test of which nothing but that is known counts like one that is
missing. Only a record of the test itself that says *could not tell* (the platform was not
reached, had no quota, the test began and never ended), or a document that breaks off, makes a
verdict inconclusive. This holds while no exception is granted: a waiver or a list of known
failures is there to make a failure count for less.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date

from guidelines.accounting import capability_states, conclude
from guidelines.evidence import Evidence
from guidelines.levels import level_reached
from guidelines.matching import Ambiguities, RecordIndex
from guidelines.model import Finding, Guideline, Severity
from guidelines.patterns import KnownFailing
from guidelines.records import Decision, decide
from guidelines.requirements import Item, Requirements, find_program, is_in_force, resolve
from guidelines.requirements import version_statuses as statuses_on
from guidelines.verdict import (
    Counts,
    JudgedItem,
    Source,
    State,
    Verdict,
)
from guidelines.waivers import Waiver
from guidelines.waiving import Exceptions

_OWN = "interop.result"


def judge(
    guideline: Guideline,
    evidences: Sequence[Evidence],
    *,
    program: str,
    at: date,
    waivers: Sequence[Waiver] = (),
    known_failing: KnownFailing | None = None,
    hosts: Sequence[Guideline] = (),
) -> Verdict:
    """Return the verdict on *evidences*, taken together as one body, on the day *at*.

    Args:
        guideline: what is required.
        evidences: result documents, in any order; the newest record of an item decides.
        program: name of the program to judge for.
        at: the day as of which to judge: freshness, waivers and timelines depend on it.
        waivers: exceptions that were granted.
        known_failing: tests that are expected to fail.
        hosts: guidelines that define components *program* takes from elsewhere.

    Raises:
        BadDocument: the guideline has no such program.
    """
    chosen = find_program(guideline, program)
    requirements = resolve(guideline, chosen, hosts, at=at)
    findings: list[Finding] = []
    body = _distinct(evidences, findings)
    indexes = [RecordIndex(evidence) for evidence in body]
    ambiguities = Ambiguities(guideline, hosts)
    declared = frozenset[str]().union(*(evidence.declared for evidence in body))
    exceptions = Exceptions(
        waivers,
        known_failing or KnownFailing(),
        guideline=guideline.id,
        programs=frozenset({chosen.id, *chosen.aliases}),
        subjects=frozenset(evidence.subject for evidence in body if evidence.subject),
        at=at,
    )
    from_incomplete: set[str] = set()
    judged: dict[str, JudgedItem] = {}
    for item in requirements.items:
        decision = decide(item, indexes, ambiguities, at=at, holds=item.check.holds or chosen.holds)
        findings.extend(_remarks(item, decision, at))
        if decision.record is not None and not decision.record.evidence.complete:
            from_incomplete.add(item.check.id)
        judged[item.check.id] = exceptions.apply(
            item, _judged(item, decision, declared, body, findings)
        )
    items = tuple(judged[item.check.id] for item in requirements.must_pass)
    flagged = tuple(judged[item.check.id] for item in requirements.flagged)
    advised = tuple(judged[item.check.id] for item in requirements.advised)
    counts = Counts.of(items, len(flagged))
    findings.extend(exceptions.findings(_names_seen(body), requirements))
    findings.extend(_about_evidence(body, at))
    findings.extend(_about_program(guideline, requirements, at))
    mixed = len({e.subject for e in body if e.subject and e.format.startswith(_OWN)}) > 1
    broken_off = any(i.state is State.PASSED and i.id in from_incomplete for i in items)
    doubts = [
        *(["the evidence is about several platforms"] if mixed else []),
        *(f"the component {name!r} is defined elsewhere and was not judged"
          for name in requirements.undefined),
        *(["a document that decides is incomplete"] if broken_off else []),
    ]  # fmt: skip
    incomplete = any(not evidence.complete for evidence in body)
    failures = exceptions.strict_failures()
    verdict, reasons = conclude(items, doubts, failures, incomplete=incomplete)
    unwaived, _ = conclude(items, doubts, failures, incomplete=incomplete, waived=False)
    level, held_back_by = level_reached(items)
    return Verdict(
        verdict=verdict,
        verdict_without_waivers=unwaived,
        reasons=reasons,
        guideline=guideline.id,
        guideline_digest=guideline.digest,
        program=chosen.id,
        at=at,
        counts=counts,
        capabilities=capability_states(requirements, judged),
        items=items,
        flagged_items=flagged,
        advised_items=advised,
        findings=_in_order(findings),
        sources=tuple(_source(evidence) for evidence in body),
        level=level,
        held_back_by=held_back_by,
    )


def _distinct(evidences: Sequence[Evidence], findings: list[Finding]) -> list[Evidence]:
    """Put documents in an order of their own and leave out what is given twice."""
    body: dict[str, Evidence] = {}
    for evidence in sorted(evidences, key=lambda item: (item.digest, item.source)):
        if evidence.digest in body:
            message = f"the same document as {body[evidence.digest].source}; counted once"
            findings.append(_finding("repeated-evidence", "note", evidence.source, message))
        else:
            body[evidence.digest] = evidence
    return list(body.values())


def _judged(
    item: Item,
    decision: Decision,
    declared: frozenset[str],
    body: Sequence[Evidence],
    findings: list[Finding],
) -> JudgedItem:
    record = decision.record
    applies = any(condition <= declared for condition in item.conditions)
    if not applies:
        lacking = min((c - declared for c in item.conditions), key=lambda c: (len(c), sorted(c)))
        missing = ", ".join(sorted(lacking))
        state, reason = State.NOT_APPLICABLE, f"the platform does not declare {missing}"
        if record is not None and not record.not_applicable:
            message = f"{record.state.value}, though the platform does not declare {missing}"
            findings.append(_finding("undeclared-feature", "warning", item.check.id, message))
    elif record is not None:
        state, reason = record.state, record.reason
    else:
        state, reason = State.MISSING, _why_missing(item, decision, body)
    return JudgedItem(
        id=item.check.id,
        title=item.check.title,
        state=state,
        unwaived=state,
        reason=reason,
        evidence="" if record is None else record.where,
        status=item.status,
        capabilities=item.capabilities,
        level=item.check.level,
        flagged=item.flagged,
        never_ran=applies and record is not None and record.never_ran,
        superseded=decision.superseded,
    )


def _why_missing(item: Item, decision: Decision, body: Sequence[Evidence]) -> str:
    if decision.expired:
        return decision.expired
    if decision.ambiguous:
        return f"no record is surely about it: {decision.ambiguous}"
    if item.check.manual:
        return "a manual check: no document about it was given"
    if not body:
        return "there is no evidence at all"
    if any(not evidence.complete for evidence in body):
        return "no record, and the evidence is incomplete"
    if all(evidence.passes_only for evidence in body):
        return "not among the passes, and the upload lists nothing else"
    return "no record under its name, an alias or its id"


def _remarks(item: Item, decision: Decision, at: date) -> list[Finding]:
    found: list[Finding] = []
    path = item.check.id
    if decision.conflict:
        found.append(_finding("conflicting-evidence", "warning", path, decision.conflict))
    if decision.ambiguous:
        found.append(_finding("ambiguous-match", "warning", path, decision.ambiguous))
    record = decision.record
    if record is None:
        return found
    if decision.undated:
        message = "the document has no date, so its age cannot be told"
        found.append(_finding("undated-evidence", "warning", record.evidence.source, message))
    if record.mixed:
        message = "passed and failed in one document; the failure counts"
        found.append(_finding("unstable-item", "warning", path, message))
    found.extend(_finding("fact", "note", path, remark) for remark in record.remarks)
    if record.when is not None and record.when.astimezone(UTC).date() > at:
        message = f"evidence of {record.when.date()} is newer than the day judged, {at}"
        found.append(_finding("evidence-after-date", "warning", record.evidence.source, message))
    return found


def _about_evidence(body: Sequence[Evidence], at: date) -> list[Finding]:
    found = [
        _finding("evidence-note", "note", evidence.source, note)
        for evidence in body
        for note in evidence.notes
    ]
    found.extend(
        _finding("incomplete-evidence", "warning", evidence.source, "the document breaks off")
        for evidence in body
        if not evidence.complete
    )
    subjects = sorted({evidence.subject for evidence in body if evidence.subject})
    if len(subjects) > 1:
        message = f"the documents name several platforms: {', '.join(subjects[:5])}"
        found.append(_finding("several-subjects", "warning", "", message))
    return found


def _about_program(guideline: Guideline, requirements: Requirements, at: date) -> list[Finding]:
    program = requirements.program
    path = f"programs.{program.id}"
    found = []
    for name in requirements.undefined:
        where = program.sources.get(name)
        message = f"the component {name!r} is not defined here" + (
            f"; see {where}" if where else ""
        )
        found.append(_finding("undefined-component", "error", path, message))
    for name, status in requirements.statuses.items():
        if status.value != "required":
            continue
        capability = requirements.capabilities.get(name)
        if capability is None:
            message = "required, but not defined: nothing can show it"
            found.append(_finding("undefined-capability", "warning", name, message))
        elif not capability.checks:
            message = "required, but has no checks: nothing shows it"
            found.append(_finding("unproven-capability", "warning", name, message))
    if not requirements.must_pass:
        message = "nothing is required, so nothing can be shown"
        found.append(_finding("empty-requirement", "error", path, message))
    if not is_in_force(guideline, program, at):
        standing = statuses_on(guideline, at).get(program.id, "not in the timeline yet")
        message = f"on {at} this version is {standing}; no certificate can be given under it"
        found.append(_finding("not-in-force", "warning", path, message))
    if guideline.status == "superseded":
        message = "this guideline is superseded"
        found.append(_finding("superseded-guideline", "note", guideline.id, message))
    return found


def _names_seen(body: Sequence[Evidence]) -> frozenset[str]:
    return frozenset(
        name for evidence in body for outcome in evidence.outcomes for name in outcome.names
    )


def _source(evidence: Evidence) -> Source:
    finished = evidence.finished or evidence.started
    return Source(
        source=evidence.source,
        format=evidence.format,
        digest=evidence.digest,
        subject=evidence.subject,
        finished=finished.isoformat() if finished else None,
        complete=evidence.complete,
    )


def _finding(code: str, severity: str, path: str, message: str) -> Finding:
    return Finding(code=code, severity=Severity(severity), path=path, message=message)


def _in_order(findings: Sequence[Finding]) -> tuple[Finding, ...]:
    order = tuple(Severity)
    distinct = dict.fromkeys(findings)
    return tuple(
        sorted(distinct, key=lambda f: (order.index(f.severity), f.code, f.path, f.message))
    )
