"""Reports of the SCS compliance check, in the forms it has had."""

from __future__ import annotations

import datetime
import json
from datetime import UTC
from pathlib import Path

import pytest

from guidelines.catalog import parse_guideline
from guidelines.errors import BadDocument
from guidelines.evidence import Status
from guidelines.judge import judge
from guidelines.results import load_results
from guidelines.verdict import Conclusion

REPORT = """\
---
uuid: 0b7a
creator: SCS test suite; version=20260623
scope: 50393e6f
checked_at: 2030-06-01 10:20:30.123456
subject: cloud-a
tests:
  a:
    result: 1
  b:
    result: -1
  c:
    result: 0
log: []
"""
EARLIER = """\
spec:
  uuid: 50393e6f
  name: Scope
checked_at: 2030-06-01 10:20:30
subject: cloud-a
run:
  uuid: 1
  invocations:
    d4c1:
      rc: 0
      results:
        a: 1
    e5:
      rc: 1
      results: {b: -1, c: 0}
"""
EARLIEST = {
    "spec": {"uuid": "5039"},
    "checked_at": "2030-06-01 10:20:30",
    "subject": "cloud-a",
    "run": {"uuid": "1", "invocations": {"i": {"rc": 0}}},
    "versions": {
        "v4": {
            "a": {"result": 1, "invocation": "i"},
            "b": {"result": -1, "invocation": "i"},
            "c": {"result": 0, "invocation": "i"},
        }
    },
}
SCORECARD = """\
subject: cloud-a
scope: 50393e6f
results:
  a: {report: r, checked_at: '2030-06-01 10:20:30', expires_at: x, result: 1}
  b: {report: r, checked_at: '2030-06-01 10:20:30', expires_at: x, result: -1}
  c: {report: r, checked_at: '2030-06-01 10:20:30', expires_at: x, result: 0}
"""


@pytest.mark.parametrize("text", [REPORT, EARLIER, json.dumps(EARLIEST), SCORECARD])
def test_every_form_gives_the_same_outcomes(tmp_path: Path, text: str) -> None:
    path = tmp_path / "report"
    path.write_text(text)

    found = load_results(path)

    assert found.format == "scs-report"
    assert found.subject == "cloud-a"
    assert {outcome.name: outcome.status for outcome in found.outcomes} == {
        "a": Status.PASSED,
        "b": Status.FAILED,
        "c": Status.BLOCKED,
    }
    assert all(
        outcome.finished is not None
        and outcome.finished.replace(microsecond=0)
        == datetime.datetime(2030, 6, 1, 10, 20, 30, tzinfo=UTC)
        for outcome in found.outcomes
    )


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (REPORT.replace("result: 0", "result: 2"), r"tests\.c: found 2; expected 1, 0 or -1"),
        (REPORT.replace("    result: 0", "    x: 0"), r"tests\.c: found None"),
        (EARLIER.replace("{b: -1, c: 0}", "[b]"), "expected test cases and their results"),
    ],
)
def test_a_result_that_is_none_is_refused(tmp_path: Path, text: str, expected: str) -> None:
    path = tmp_path / "report.yaml"
    path.write_text(text)

    with pytest.raises(BadDocument, match=expected):
        load_results(path)


def test_a_report_is_judged_by_its_scope_as_of_a_day(tmp_path: Path) -> None:
    scope = {
        "name": "Scope",
        "scripts": [{"executable": "x", "testcases": [{"id": "a"}]}],
        "groups": [{"id": "g", "include": ["a"]}],
        "versions": [{"version": "v1", "test": "g"}],
        "timeline": [{"date": "2030-01-01", "versions": {"v1": "effective"}}],
    }
    guideline = parse_guideline(json.dumps(scope).encode(), source="s", digest="sha256:s")
    path = tmp_path / "report.yaml"
    path.write_text(REPORT)
    evidence = load_results(path)

    def verdict(day: int) -> Conclusion:
        at = datetime.date(2030, 6, day)
        return judge(guideline, [evidence], program="v1", at=at).verdict

    # 1 June 2030 is a Saturday: evidence holds until Monday the 10th.
    assert verdict(9) is Conclusion.COMPLIANT
    assert verdict(10) is Conclusion.NOT_COMPLIANT
