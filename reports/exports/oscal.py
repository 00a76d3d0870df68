"""Results as OSCAL assessment results 1.1: observations that expire, findings, accepted risks.

Each check of each result is an observation with the day its evidence ends, and a finding whose
objective is satisfied only by a pass. A waiver is a risk whose deviation was approved. A platform
is a component. UUIDs follow from what they name, so the same result gives the same document.

Source: NIST, OSCAL Assessment Results model, version 1.1.3.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote

from reports.exports.entries import Entry, entries, first_line, identity, utc
from reports.subject import About, Subject

VERSION = "1.1.3"
NAMESPACE = "urn:interop:oscal"


def oscal(subjects: Sequence[Subject], about: Mapping[str, About], *, made: str) -> dict[str, Any]:
    """The document as plain JSON values."""
    digests = [s.digest or s.id or s.label for s in subjects]
    guidelines = sorted({s.judgement.guideline for s in subjects if s.judgement})
    return {
        "assessment-results": {
            "uuid": str(identity("assessment-results", *digests)),
            "metadata": {
                "title": "Interop results",
                "last-modified": utc(made),
                "version": ", ".join(guidelines) or "not judged",
                "oscal-version": VERSION,
            },
            "import-ap": {
                "href": f"urn:interop:guideline:{guidelines[0] if guidelines else 'none'}"
            },
            "results": [_result(subject, about, made) for subject in subjects],
        }
    }


def _result(subject: Subject, about: Mapping[str, About], made: str) -> dict[str, Any]:
    items = entries(subject, about)
    result: dict[str, Any] = {
        "uuid": _uuid(subject, "result"),
        "title": f"{subject.label} ({subject.kind})",
        "description": _description(subject),
        "start": utc(subject.started) or utc(subject.finished) or utc(made),
        "local-definitions": {"components": [_component(subject)]},
        "props": _props(
            verdict=subject.judgement.verdict if subject.judgement else "not-judged",
            complete="yes" if subject.complete else "no",
            emulator="yes" if subject.emulator else "no",
        ),
        "reviewed-controls": {"control-selections": [_reviewed(items)]},
    }
    if utc(subject.finished):
        result["end"] = utc(subject.finished)
    if items:
        result["observations"] = [_observation(subject, entry, made) for entry in items]
        result["findings"] = [_finding(subject, entry) for entry in items]
    waived = [entry for entry in items if entry.state == "waived"]
    if waived:
        result["risks"] = [_risk(subject, entry) for entry in waived]
    return result


def _description(subject: Subject) -> str:
    judgement = subject.judgement
    if judgement is None:
        return f"What was seen on {subject.platform}; not judged."
    words = f"{subject.platform} against {judgement.guideline} {judgement.program}"
    why = f": {'; '.join(judgement.reasons)}" if judgement.reasons else ""
    return f"{words} as of {judgement.at}: {judgement.verdict}{why}"


def _component(subject: Subject) -> dict[str, Any]:
    return {
        "uuid": _uuid(subject, "component"),
        "type": "system",
        "title": subject.platform,
        "description": f"platform of kind {subject.kind}",
        "status": {"state": "operational" if subject.complete else "other"},
    }


def _reviewed(items: Sequence[Entry]) -> dict[str, Any]:
    if not items:
        return {"include-all": {}}
    return {"include-controls": [{"control-id": token(id_)} for id_ in _distinct(items)]}


def _distinct(items: Sequence[Entry]) -> list[str]:
    return list(dict.fromkeys(entry.id for entry in items))


def _observation(subject: Subject, entry: Entry, made: str) -> dict[str, Any]:
    collected = entry.start.isoformat() if entry.start else subject.finished or made
    observation: dict[str, Any] = {
        "uuid": _uuid(subject, "observation", entry.id),
        "title": f"{entry.id} {entry.title}".strip(),
        "description": _words(entry),
        "methods": ["TEST"],
        "types": ["finding"],
        "subjects": [{"subject-uuid": _uuid(subject, "component"), "type": "component"}],
        "collected": utc(collected) or utc(made),
        "props": _props(state=entry.state, status="required" if entry.required else "advisory"),
    }
    expires = subject.judgement.expires if subject.judgement else ""
    if expires:
        observation["expires"] = f"{expires}T00:00:00Z"
    if entry.evidence:
        observation["relevant-evidence"] = [
            {
                "href": _reference(entry.evidence),
                "description": "the record in the result",
            }
        ]
    return observation


def _reference(evidence: str) -> str:
    """Where evidence stands, as a URI reference."""
    file, mark, place = evidence.partition("#")
    return quote(file) + mark + quote(place)


def _finding(subject: Subject, entry: Entry) -> dict[str, Any]:
    satisfied = entry.state == "passed"
    status = {"state": "satisfied" if satisfied else "not-satisfied", "reason": _reason(entry)}
    finding: dict[str, Any] = {
        "uuid": _uuid(subject, "finding", entry.id),
        "title": f"{entry.id} {entry.title}".strip(),
        "description": _words(entry),
        "target": {"type": "objective-id", "target-id": token(entry.id), "status": status},
        "related-observations": [{"observation-uuid": _uuid(subject, "observation", entry.id)}],
    }
    if entry.state == "waived":
        finding["related-risks"] = [{"risk-uuid": _uuid(subject, "risk", entry.id)}]
    return finding


def _reason(entry: Entry) -> str:
    """OSCAL's own words where it has one: ``pass``, ``fail``, ``other``."""
    return {"passed": "pass", "failed": "fail", "skipped": "fail"}.get(entry.state, "other")


def _risk(subject: Subject, entry: Entry) -> dict[str, Any]:
    return {
        "uuid": _uuid(subject, "risk", entry.id),
        "title": f"{entry.id} is waived",
        "description": _words(entry),
        "statement": entry.reason or "waived",
        "status": "deviation-approved",
    }


def _words(entry: Entry) -> str:
    """The state and its reason; OSCAL wants a description of everything."""
    state = entry.state.replace("-", " ")
    return f"{state}: {first_line(entry.reason, 2000)}" if entry.reason else state


def _props(**words: str) -> list[dict[str, str]]:
    return [{"name": name, "ns": NAMESPACE, "value": value} for name, value in words.items()]


def _uuid(subject: Subject, *words: str) -> str:
    return str(identity(subject.digest or subject.id, subject.label, *words))


def token(text: str) -> str:
    """A check's id as OSCAL's token: a letter or ``_`` first, then letters, digits, ``.-_``."""
    safe = re.sub(r"[^\w.\-]", "_", text, flags=re.ASCII)
    return safe if re.match(r"[A-Za-z_]", safe) else f"_{safe}"
