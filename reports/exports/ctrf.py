"""Results as CTRF, the Common Test Report Format.

Source: ctrf-schema-0.0.json of the package ``ctrf``. ``rawStatus`` is our own state, because
CTRF knows no *blocked*, *waived* or *not applicable*.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from reports.exports.entries import Entry, entries, first_line, identity, instant, milliseconds, utc
from reports.subject import About, Subject

SPEC = "0.0.0"
STATUSES = ("passed", "failed", "skipped", "pending", "other")


def ctrf(subjects: Sequence[Subject], about: Mapping[str, About], *, made: str) -> dict[str, Any]:
    """The document as plain JSON values; all results are one run of one report."""
    tests = [_test(s, entry) for s in subjects for entry in entries(s, about)]
    count = Counter(test["status"] for test in tests)
    starts = [t for s in subjects if (t := milliseconds(instant(s.started)))]
    stops = [t for s in subjects if (t := milliseconds(instant(s.finished)))]
    start, stop = min(starts, default=0), max(stops, default=0)
    first = subjects[0]
    tool = {"name": first.tool or first.kind, "version": first.tool_version or "unknown"}
    return {
        "reportFormat": "CTRF",
        "specVersion": SPEC,
        "reportId": str(identity("ctrf", *(s.digest or s.id for s in subjects))),
        "runId": first.run or first.id or first.label,
        "timestamp": utc(made),
        "generatedBy": "interop-harness",
        "results": {
            "tool": tool,
            "summary": {
                "tests": len(tests),
                **{word: count[word] for word in STATUSES},
                "suites": len(subjects),
                "start": start,
                "stop": max(stop, start),
                "duration": max(stop - start, 0),
            },
            "tests": tests,
            "environment": {
                "reportName": "Interop",
                "appName": ", ".join(s.label for s in subjects),
                "testEnvironment": ", ".join(sorted({s.kind for s in subjects})),
                "healthy": all(s.complete for s in subjects),
                "extra": {s.label: _said(s) for s in subjects},
            },
        },
    }


def _test(subject: Subject, entry: Entry) -> dict[str, Any]:
    test: dict[str, Any] = {
        "testId": entry.id,
        "executionId": str(identity("execution", subject.id, subject.label, entry.id)),
        "name": f"{entry.id} {entry.title}".strip(),
        "status": entry.status("other"),
        "rawStatus": entry.state,
        "duration": round(entry.seconds * 1000),
        "suite": [subject.label, entry.topic],
        "type": "interoperability",
        "tags": ["required" if entry.required else "advisory", *entry.about.components],
        "extra": {
            "evidence": entry.evidence,
            "repeat": entry.again(subject),
            "facts": _facts(entry),
        },
    }
    if entry.start is not None:
        test["start"], test["stop"] = milliseconds(entry.start), milliseconds(entry.stop)
    if entry.reason:
        test["message"] = first_line(entry.reason)
        test["trace"] = entry.trace or entry.reason
    labels = {"level": entry.about.level, "capability": list(entry.about.capabilities)}
    test["labels"] = {key: value for key, value in labels.items() if value not in (None, [])}
    return test


def _facts(entry: Entry) -> list[dict[str, Any]]:
    return [fact.model_dump(mode="json") for r in entry.records for fact in r.facts]


def _said(subject: Subject) -> dict[str, Any]:
    """The verdict on a result, which CTRF has no place for."""
    judgement = subject.judgement
    said: dict[str, Any] = {"complete": subject.complete, "incomplete": subject.incomplete}
    if judgement is not None:
        said |= {
            "verdict": judgement.verdict,
            "level": judgement.level,
            "guideline": judgement.guideline,
            "program": judgement.program,
            "at": judgement.at,
        }
    return said
