"""CTRF, the common test report format (JSON)."""

from __future__ import annotations

from collections import Counter
from typing import Any

from pydantic import Field

from guidelines.evidence import Evidence, Status
from guidelines.results.collector import Collector, reason_of
from guidelines.results.instants import from_epoch
from guidelines.results.source import Source
from guidelines.results.strict_json import Foreign, checked

FORMAT = "ctrf"
_STATUSES = {
    "passed": Status.PASSED,
    "failed": Status.FAILED,
    "skipped": Status.SKIPPED,
    "pending": Status.SKIPPED,
    # "other" is whatever the tool could not map; nothing can be told from it.
    "other": Status.BLOCKED,
}


class _Test(Foreign):
    name: str = Field(min_length=1)
    status: str
    duration: float | int | None = None
    start: float | int | None = None
    stop: float | int | None = None
    suite: list[str] | str | None = None
    message: str | None = None
    trace: str | None = None
    rawStatus: str | None = None  # noqa: N815 - the format's name
    testId: str | None = None  # noqa: N815 - the format's name
    id: str | None = None
    flaky: bool | None = None
    retries: int | None = None


class _Summary(Foreign):
    tests: int | None = None
    passed: int | None = None
    failed: int | None = None
    skipped: int | None = None
    pending: int | None = None
    other: int | None = None
    start: float | int | None = None
    stop: float | int | None = None


class _Results(Foreign):
    summary: _Summary = _Summary()
    tests: list[_Test]


class _Report(Foreign):
    results: _Results


def recognises(value: object) -> bool:
    """Whether this is CTRF; versions before 1.0 have no ``reportFormat``."""
    if not isinstance(value, dict):
        return False
    results = value.get("results")
    return value.get("reportFormat") == "CTRF" or (
        isinstance(results, dict)
        and "tests" in results
        and ("tool" in results or "summary" in results)
    )


def load(source: Source, value: Any) -> Evidence:
    """Read a CTRF report. The status after all retries counts; that there were some is noted.

    Raises:
        BadDocument: a key is missing or of another kind.
    """
    results = checked(_Report, value, source.name).results
    collector = Collector(source.name, source.limits)
    found: Counter[str] = Counter()
    for number, test in enumerate(results.tests):
        said = test.status.lower()
        found[said] += 1
        status = _STATUSES.get(said, Status.BLOCKED)
        suite = [test.suite] if isinstance(test.suite, str) else test.suite or []
        if test.flaky or (test.retries and status is Status.PASSED):
            collector.count("flaky: passed after a failed run", test.name)
        collector.add(
            test.name,
            status,
            where=f"results.tests[{number}]",
            reason=_reason(test, status, said),
            qualifiers=(".".join(suite),) if suite else (),
            forms=[form for form in (test.testId, test.id) if form],
            finished=from_epoch(test.stop),
            seconds=test.duration / 1000 if test.duration and test.duration > 0 else None,
        )
    _compare(results.summary, found, len(results.tests), collector)
    return collector.evidence(
        FORMAT,
        source.digest,
        started=from_epoch(results.summary.start),
        finished=from_epoch(results.summary.stop),
    )


def _reason(test: _Test, status: Status, said: str) -> str:
    if status is Status.PASSED:
        return ""
    raw = f" ({test.rawStatus})" if test.rawStatus else ""
    return reason_of(test.message, test.trace or "") or f"status is {said[:60]}{raw[:60]}"


def _compare(summary: _Summary, found: Counter[str], total: int, collector: Collector) -> None:
    written = {"tests": summary.tests, **{key: getattr(summary, key) for key in _STATUSES}}
    for key, number in written.items():
        here = total if key == "tests" else found[key]
        if number is not None and number != here:
            collector.note(f"summary says {key}={number}, found {here}")
