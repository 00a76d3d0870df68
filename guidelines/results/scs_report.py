"""Reports of the SCS compliance check and the scorecard made of them: results by test case.

Three forms have been in use: results of single test cases (``tests``, and ``results`` in a
scorecard), results by version and check, and results by the invocation of a script.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from guidelines.errors import BadDocument
from guidelines.evidence import Evidence, Status
from guidelines.results.collector import Collector
from guidelines.results.instants import from_text
from guidelines.results.source import Source

FORMAT = "scs-report"
# 0 is ABORT: the check did not come to an end.
_RESULTS = {"1": Status.PASSED, "-1": Status.FAILED, "0": Status.BLOCKED}
_REASONS = {"1": "", "-1": "reported as FAIL", "0": "reported as ABORT"}


def recognises(value: object) -> bool:
    """Whether this is a report of SCS: about a subject, and with results in one of its forms."""
    if not isinstance(value, dict) or "subject" not in value:
        return False
    if "scope" in value:
        return isinstance(value.get("tests"), dict) or isinstance(value.get("results"), dict)
    return "spec" in value and isinstance(value.get("run"), dict)


def load(source: Source, value: Mapping[str, Any]) -> Evidence:
    """Read a report.

    Raises:
        BadDocument: a result is not 1, 0 or -1.
    """
    collector = Collector(source.name, source.limits, repeats=True)
    checked_at = _text(value.get("checked_at"))
    for where, name, result in _results(value, source.name):
        entry = result if isinstance(result, dict) else {"result": result}
        said = str(entry.get("result"))
        if said not in _RESULTS:
            raise BadDocument(source.name, where, f"found {said[:40]}; expected 1, 0 or -1")
        collector.add(
            name,
            _RESULTS[said],
            where=where,
            reason=_REASONS[said],
            finished=from_text(_text(entry.get("checked_at")) or checked_at),
        )
    return collector.evidence(
        FORMAT,
        source.digest,
        subject=_text(value.get("subject")),
        finished=from_text(checked_at),
    )


def _results(value: Mapping[str, Any], source: str) -> Iterator[tuple[str, str, Any]]:
    """Yield where a result stands, the test case, and the result."""
    for key in ("tests", "results"):
        yield from _entries(value.get(key), key, source)
    versions = value.get("versions")
    for version, checks in versions.items() if isinstance(versions, dict) else ():
        yield from _entries(checks, f"versions.{version}", source)
    run = value.get("run")
    invocations = run.get("invocations") if isinstance(run, dict) else None
    for name, invocation in invocations.items() if isinstance(invocations, dict) else ():
        results = invocation.get("results") if isinstance(invocation, dict) else None
        yield from _entries(results, f"run.invocations.{name}.results", source)


def _entries(value: object, path: str, source: str) -> Iterator[tuple[str, str, Any]]:
    if value is None or value == "":
        return
    if not isinstance(value, dict):
        raise BadDocument(source, path, "expected test cases and their results")
    for name, result in value.items():
        yield f"{path}.{name}", str(name), result


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None
