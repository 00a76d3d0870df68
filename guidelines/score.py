"""Score capabilities by weighted criteria, and explain every total."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from guidelines.errors import BadDocument
from guidelines.model import Capability, Criterion, Finding, Guideline, Scoring, Severity
from guidelines.suggest import did_you_mean
from guidelines.worksheet import ADMIN, Mark, MarkKind, Worksheet, WorksheetLine

# Weights of the OpenStack programme since guideline 2017.01, and its two cut-offs: add-ons leave
# three criteria out of consideration.
OPENSTACK = Scoring(
    cutoff=74,
    criteria={
        "deployed": Criterion(name="Widely Deployed", weight=8),
        "tools": Criterion(name="Used By Tools", weight=6),
        "clients": Criterion(name="Used By Clients", weight=10),
        "future": Criterion(name="Future Direction", weight=11),
        "complete": Criterion(name="Complete", weight=8),
        "stable": Criterion(name="Stable", weight=9),
        "discover": Criterion(name="Discoverable", weight=8),
        "doc": Criterion(name="Documented", weight=8),
        "sticky": Criterion(name="Core In Last Release", weight=9),
        "foundation": Criterion(name="Foundation", weight=9),
        "atomic": Criterion(name="Atomic", weight=6),
        "proximity": Criterion(name="Proximity Cluster", weight=8),
    },
)
ADD_ON_CUTOFF = 60.0
# Until guideline 2016.08.
_EARLIER = {"future": 9.0, "stable": 9.0, "sticky": 9.0, "tools": 9.0}


@dataclass(frozen=True, slots=True, kw_only=True)
class Scored:
    """One capability's total and how it came about.

    Args:
        id: the capability.
        total: the sum of weight times mark; negative while a mark is open, as the programme's own
            script has it, and 0 under a veto.
        recorded: the total written in the document, if any.
        included: the total reaches the cut-off, nothing is open and there is no veto.
        veto: it needs an administrator.
        reasons: how the total came about and what would change it.
    """

    id: str
    total: float
    recorded: float | None
    included: bool
    veto: bool
    reasons: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """Return it as ``interop guideline score --json`` prints it."""
        return {
            "id": self.id,
            "total": plain_number(self.total),
            "recorded": None if self.recorded is None else plain_number(self.recorded),
            "included": self.included,
            "veto": self.veto,
            "reasons": list(self.reasons),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Scores:
    """All totals of a document, with what is wrong about the recorded ones."""

    scoring: Scoring
    capabilities: tuple[Scored, ...]
    findings: tuple[Finding, ...]

    def to_json(self) -> dict[str, Any]:
        """Return the document ``interop guideline score --json`` prints."""
        return {
            "cutoff": None if self.scoring.cutoff is None else plain_number(self.scoring.cutoff),
            "weights": {
                key: plain_number(item.weight) for key, item in self.scoring.criteria.items()
            },
            "capabilities": [scored.to_json() for scored in self.capabilities],
            "findings": [finding.to_json() for finding in self.findings],
        }


def achieved_total(capability: Capability, scoring: Scoring) -> float:
    """Return the sum of the weights of what *capability* achieves; each criterion counts once."""
    achieved = set(capability.achievements or ())
    return sum(item.weight for key, item in scoring.criteria.items() if key in achieved)


def change_weights(scoring: Scoring, changes: Mapping[str, float], source: str) -> Scoring:
    """Return *scoring* with some weights, or ``cutoff``, set otherwise.

    Raises:
        BadDocument: a change names no criterion.
    """
    criteria = dict(scoring.criteria)
    cutoff = scoring.cutoff
    for key, value in changes.items():
        if key == "cutoff":
            cutoff = value
        elif key in criteria:
            criteria[key] = replace(criteria[key], weight=value)
        else:
            hint = did_you_mean(key, [*criteria, "cutoff"])
            raise BadDocument(source, "--what-if", f"{key!r} is not a criterion{hint}")
    return Scoring(criteria=criteria, cutoff=cutoff)


def worksheet_scoring(worksheet: Worksheet) -> Scoring:
    """Return the programme's weights for *worksheet*: an add-on's leave criteria out."""
    left_out = set(worksheet.left_out)
    for column in worksheet.columns:
        kinds = {line.marks[column].kind for line in worksheet.lines}
        if kinds == {MarkKind.NOT_CONSIDERED}:
            left_out.add(column)
    if not left_out:
        return OPENSTACK
    kept = {key: item for key, item in OPENSTACK.criteria.items() if key not in left_out}
    return Scoring(criteria=kept, cutoff=ADD_ON_CUTOFF)


def score_worksheet(worksheet: Worksheet, scoring: Scoring, *, altered: bool = False) -> Scores:
    """Score every line, and check the recorded totals.

    Args:
        worksheet: the worksheet.
        scoring: weights and cut-off.
        altered: the weights are a supposition, so recorded totals are not compared with them.
    """
    scored = []
    findings = list(worksheet.findings)
    findings.extend(
        _finding("unknown-column", Severity.ERROR, "legend", f"{column!r} is not a criterion")
        for column in worksheet.columns
        if column != ADMIN and column not in OPENSTACK.criteria and column not in scoring.criteria
    )
    for line in worksheet.lines:
        result = _score_marks(line.name, line.marks, scoring, line.recorded)
        scored.append(result)
        if not altered:
            findings.extend(_check_recorded(line, result))
    wrong = sum(finding.code == "recorded-total" for finding in findings)
    if wrong > len(scored) // 2 and _fits_earlier_weights(worksheet):
        message = "the recorded totals fit the weights used until 2016.08; name that guideline"
        findings.append(_finding("earlier-weights", Severity.NOTE, "", message))
    return Scores(scoring=scoring, capabilities=tuple(scored), findings=tuple(findings))


def score_guideline(guideline: Guideline, scoring: Scoring, *, altered: bool = False) -> Scores:
    """Score every capability of *guideline* by its achievements."""
    scored = []
    findings = []
    for capability in guideline.capabilities.values():
        achieved = set(capability.achievements or ())
        marks = {
            key: Mark(kind=MarkKind.VALUE, value=float(key in achieved)) for key in scoring.criteria
        }
        marks[ADMIN] = Mark(kind=MarkKind.VALUE, value=float(not capability.admin))
        recorded = capability.recorded_score
        result = _score_marks(capability.id, marks, scoring, recorded)
        scored.append(result)
        if recorded is not None and recorded != result.total and not altered:
            message = (
                f"records {number_text(recorded)}; the weights give {number_text(result.total)}"
            )
            path = f"capabilities.{capability.id}"
            findings.append(_finding("recorded-total", Severity.ERROR, path, message))
    return Scores(scoring=scoring, capabilities=tuple(scored), findings=tuple(findings))


def _score_marks(
    name: str, marks: Mapping[str, Mark], scoring: Scoring, recorded: float | None
) -> Scored:
    total = 0.0
    lost: dict[str, float] = {}
    open_marks: list[str] = []
    unweighed: list[str] = []
    left_out: list[str] = []
    for key, mark in marks.items():
        if key == ADMIN:
            continue
        criterion = scoring.criteria.get(key)
        if mark.kind is MarkKind.NOT_CONSIDERED:
            left_out.append(key)
        elif criterion is None:
            unweighed.append(key)
        elif mark.kind is MarkKind.OPEN:
            open_marks.append(key)
        else:
            total += criterion.weight * mark.value
            if mark.value < 1 and criterion.weight:
                lost[key] = criterion.weight * (1 - mark.value)
    total = round(total, 6)
    admin = marks.get(ADMIN)
    veto = admin is not None and admin.kind is MarkKind.VALUE and admin.value < 1
    if admin is not None and admin.kind is MarkKind.OPEN:
        open_marks.append(ADMIN)
    reached = scoring.cutoff is not None and total >= scoring.cutoff
    reasons: list[str] = []
    if veto:
        reasons.append(f"veto: needs an administrator; without it {number_text(total)}")
    if lost:
        parts = ", ".join(f"{key} -{number_text(loss)}" for key, loss in lost.items())
        reasons.append(f"{number_text(total)}: lost {parts}")
    elif not veto:
        reasons.append(f"{number_text(total)}: every criterion met")
    if open_marks:
        reasons.append(f"not scored yet: {', '.join(open_marks)}; negative until they are")
    if left_out:
        reasons.append(f"not considered: {', '.join(left_out)}")
    if unweighed:
        reasons.append(f"not a criterion here: {', '.join(unweighed)}")
    if scoring.cutoff is not None and not reached and not veto:
        enough = [key for key, loss in lost.items() if total + loss >= scoring.cutoff]
        missing = number_text(scoring.cutoff - total)
        hint = f"any of {', '.join(enough)} would do" if enough else "no one criterion would do"
        reasons.append(f"{missing} short of the cut-off {number_text(scoring.cutoff)}; {hint}")
    return Scored(
        id=name,
        total=0.0 if veto else -total if open_marks else total,
        recorded=recorded,
        included=reached and not veto and not open_marks,
        veto=veto,
        reasons=tuple(reasons),
    )


def _check_recorded(line: WorksheetLine, scored: Scored) -> list[Finding]:
    found = []
    path = f"line {line.line}"
    if line.recorded is None:
        message = f"{line.name!r} has no recorded total; it is {number_text(scored.total)}"
        found.append(_finding("no-recorded-total", Severity.NOTE, path, message))
        return found
    if line.recorded != scored.total:
        message = f"{line.name!r} records {number_text(line.recorded)}"
        message += f"; the weights give {number_text(scored.total)}"
        found.append(_finding("recorded-total", Severity.ERROR, path, message))
    if line.recorded_included != scored.included:
        marked = "is marked with *" if line.recorded_included else "is not marked with *"
        truth = "reaches" if scored.included else "does not reach"
        message = f"{line.name!r} {marked}, but {truth} the cut-off"
        found.append(_finding("recorded-mark", Severity.WARNING, path, message))
    return found


def _fits_earlier_weights(worksheet: Worksheet) -> bool:
    earlier = change_weights(
        OPENSTACK, {key: _EARLIER.get(key, 8.0) for key in OPENSTACK.criteria}, ""
    )
    fitting = sum(
        _score_marks(line.name, line.marks, earlier, None).total == line.recorded
        for line in worksheet.lines
    )
    return fitting > len(worksheet.lines) // 2


def number_text(value: float) -> str:
    """Write a number without a needless fraction."""
    return str(plain_number(value))


def plain_number(value: float) -> int | float:
    """Return a whole number as an integer."""
    return int(value) if float(value).is_integer() else value


def _finding(code: str, severity: Severity, path: str, message: str) -> Finding:
    return Finding(code=code, severity=severity, path=path, message=message)
