"""Results in JSON: our own, RefStack, CTRF, Allure, Sonobuoy's items."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from guidelines.errors import BadDocument
from guidelines.evidence import Evidence, Status
from guidelines.results import Limits, load_results
from reports.result import Result

UUID = "0146f675-ffbd-4208-b3a4-60eb628dbc5e"


def read(folder: Path, value: object) -> Evidence:
    path = folder / "document"
    path.write_text(json.dumps(value), encoding="utf-8")
    return load_results(path)


def own(**changes: Any) -> dict[str, Any]:
    return {
        "schema": "interop.result/1",
        "id": "r1",
        "run": "1",
        "platform": {
            "name": "lab-metal",
            "kind": "metal",
            "features": ["power"],
            "declared": {"metadata": True, "zones": 1},
            "described": {"nics": [1, 2]},
        },
        "started": "2026-11-01T12:00:00Z",
        "finished": "2026-11-01T13:00:00Z",
        "complete": True,
        "tool": {"name": "interop-harness", "version": "0.1.0"},
        "suite": {"digest": "sha256:0", "seed": 1},
        "checks": [
            {
                "id": "net-09",
                "test": "suites.net::test_x",
                "outcome": outcome,
                "reason": "because",
                "started": "2026-11-01T12:30:00Z",
                "seconds": 1.5,
                "facts": [
                    {"name": "hostname", "value": "app-1", "source": "guest", "member": "app-1"},
                    {"name": "disks", "value": [{"b": 1, "a": 2}], "source": "api"},
                ],
            }
            for outcome in ("passed", "failed", "blocked", "skipped", "not-applicable")
        ],
        **changes,
    }


def test_our_own_document_is_read_whole(tmp_path: Path) -> None:
    evidence = read(tmp_path, Result.model_validate(own()).dump())

    assert [outcome.status.value for outcome in evidence.outcomes] == [
        "passed",
        "failed",
        "blocked",
        "skipped",
        "not-applicable",
    ]
    assert evidence.outcomes[0].names == {"net-09", "suites.net::test_x"}
    assert evidence.outcomes[0].where.endswith("#checks[0]")
    assert evidence.outcomes[0].finished is not None
    assert evidence.outcomes[0].finished.isoformat() == "2026-11-01T12:30:01.500000+00:00"
    assert evidence.subject == "lab-metal"
    assert evidence.declared == {"power", "metadata"}
    assert (evidence.complete, evidence.notes) == (True, ())
    facts = {(fact.check, fact.name): fact.value for fact in evidence.facts}
    assert facts == {
        ("net-09", "hostname"): "app-1",
        ("net-09", "disks"): '[{"a":2,"b":1}]',
        (None, "metadata"): True,
        (None, "zones"): 1,
        (None, "nics"): (1, 2),
    }


def test_a_run_cut_short_says_so(tmp_path: Path) -> None:
    evidence = read(
        tmp_path, own(complete=False, incomplete="interrupted", census={"leaks": ["vm-1"]})
    )

    assert not evidence.complete
    assert evidence.notes == (
        "the run says that it is not complete: interrupted",
        "the run left 1 resources behind",
    )


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"schema": "interop.result/2"}, "schema: found interop.result/2; expected"),
        ({"complete": "yes"}, "complete: input should be a valid boolean"),
        ({"checks": [{"id": "a"}]}, "checks[0].outcome: field required"),
        ({"checks": [{"id": "a", "outcome": "ok"}]}, "checks[0].outcome: found ok; expected one"),
        ({"checks": {}}, "checks: input should be a valid list"),
        ({"started": "yesterday"}, "started: found yesterday; expected an RFC 3339 instant"),
        ({"platform": None}, "platform: input should be a valid dictionary"),
    ],
)
def test_a_wrong_key_is_named(tmp_path: Path, change: dict[str, Any], expected: str) -> None:
    with pytest.raises(BadDocument) as raised:
        read(tmp_path, own(**change))

    assert expected in str(raised.value)


def test_refstack_keeps_passes_only(tmp_path: Path) -> None:
    evidence = read(
        tmp_path,
        {
            "cpid": "cloud",
            "duration_seconds": 0,
            "results": [{"name": f"a.b.test_x[id-{UUID}]", "uuid": UUID}, {"name": "a.b.y"}, "a.z"],
        },
    )

    assert evidence.passes_only
    assert (evidence.format, evidence.subject) == ("refstack", "cloud")
    assert [outcome.name for outcome in evidence.outcomes] == ["a.b.test_x", "a.b.y", "a.z"]
    assert {outcome.status for outcome in evidence.outcomes} == {Status.PASSED}
    assert [outcome.idempotent_id for outcome in evidence.outcomes] == [UUID, None, None]


def test_refstack_without_a_name_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadDocument, match=r"results\[0\]"):
        read(tmp_path, {"cpid": "c", "results": [{"uuid": UUID}]})


def ctrf(*tests: dict[str, Any], **summary: int) -> dict[str, Any]:
    return {"reportFormat": "CTRF", "results": {"summary": summary, "tests": list(tests)}}


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        ("passed", Status.PASSED),
        ("failed", Status.FAILED),
        ("skipped", Status.SKIPPED),
        ("pending", Status.SKIPPED),
        ("other", Status.BLOCKED),
        ("whatever", Status.BLOCKED),
    ],
)
def test_a_status_of_ctrf(tmp_path: Path, status: str, expected: Status) -> None:
    evidence = read(tmp_path, ctrf({"name": "a", "status": status, "duration": 1500}))

    assert evidence.outcomes[0].status is expected
    assert evidence.outcomes[0].seconds == 1.5
    assert bool(evidence.outcomes[0].reason) is (expected is not Status.PASSED)


def test_ctrf_counts_flaky_tests_and_wrong_summaries(tmp_path: Path) -> None:
    evidence = read(
        tmp_path,
        ctrf(
            {"name": "a", "status": "passed", "flaky": True, "suite": ["S", "T"], "testId": "t-1"},
            tests=2,
            passed=1,
            failed=1,
        ),
    )

    assert evidence.outcomes[0].names == {"a", "S.T.a", "t-1"}
    assert evidence.notes == (
        "summary says tests=2, found 1",
        "summary says failed=1, found 0",
        "1 item flaky: passed after a failed run: a",
    )


def allure(folder: Path, number: int, **changes: Any) -> None:
    value = {"uuid": f"u{number}", "name": "a", "status": "passed", "start": number, **changes}
    (folder / f"{number}-result.json").write_text(json.dumps(value), encoding="utf-8")


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, Status.PASSED),
        ({"status": "failed"}, Status.FAILED),
        ({"status": "broken"}, Status.BLOCKED),
        ({"status": "skipped"}, Status.SKIPPED),
        ({"status": "unknown"}, Status.BLOCKED),
        ({"status": None, "stage": "running"}, Status.UNFINISHED),
        ({"status": None, "stage": "finished"}, Status.BLOCKED),
    ],
)
def test_a_status_of_allure(tmp_path: Path, changes: dict[str, Any], expected: Status) -> None:
    allure(tmp_path, 1, **changes)

    assert load_results(tmp_path).outcomes[0].status is expected


def test_the_last_retry_of_allure_counts(tmp_path: Path) -> None:
    allure(tmp_path, 3, historyId="h", status="passed", fullName="suites.net.x:T#test_a")
    allure(tmp_path, 1, historyId="h", status="failed", fullName="suites.net.x:T#test_a")
    allure(tmp_path, 2, historyId="other", name="b")

    evidence = load_results(tmp_path)

    assert [(outcome.name, outcome.status) for outcome in evidence.outcomes] == [
        ("b", Status.PASSED),
        ("a", Status.PASSED),
    ]
    assert "suites.net.x.T.test_a" in evidence.outcomes[1].names
    assert evidence.notes == ("1 item retried with another outcome (flaky): a",)


def test_links_in_an_allure_folder_are_not_followed(tmp_path: Path) -> None:
    allure(tmp_path, 1)
    (tmp_path / "2-result.json").symlink_to("/etc/hostname")

    evidence = load_results(tmp_path)

    assert len(evidence.outcomes) == 1
    assert evidence.notes == ("1 item that is no plain file and was not read: 2-result.json",)


def test_an_empty_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadDocument, match=r"no \*-result.json in it"):
        load_results(tmp_path)


def test_sonobuoys_items_are_walked(tmp_path: Path) -> None:
    evidence = read(
        tmp_path,
        {
            "name": "e2e",
            "status": "failed",
            "items": [
                {
                    "name": "junit_01.xml",
                    "status": "failed",
                    "items": [
                        {"name": "[It] a [Conformance]", "status": "passed"},
                        {"name": "b", "status": "failed", "details": {"failure": "why\nmore"}},
                        {"name": "c", "status": "timeout"},
                        {"name": "d", "status": "odd"},
                    ],
                }
            ],
        },
    )

    assert [(outcome.name, outcome.status, outcome.reason) for outcome in evidence.outcomes] == [
        ("a [Conformance]", Status.PASSED, ""),
        ("b", Status.FAILED, "why"),
        ("c", Status.UNFINISHED, "status is timeout"),
        ("d", Status.BLOCKED, "status is odd"),
    ]
    assert evidence.outcomes[1].where.endswith("#items[0].items[1]")


def test_json_of_something_else_is_refused(tmp_path: Path) -> None:
    values: list[object] = [{"a": 1}, [], {"results": []}, {"uuid": "x"}, {"schema": 3}]
    for value in values:
        with pytest.raises(BadDocument, match="JSON of no known result format"):
            read(tmp_path, value)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (b'{"results": [], "results": [], "cpid": ""}', "results: key occurs twice"),
        (b'{"cpid": "", "duration_seconds": NaN, "results": []}', "NaN: no number of JSON"),
        (b'{"cpid": "", "duration_seconds": 1e999, "results": []}', "1e999: no number of JSON"),
        (b'{"cpid": "", "duration_seconds": ' + b"9" * 5000 + b"}", "a number of 5000 digits"),
        (b'{"cpid": "\xff"}', "byte 10: expected UTF-8"),
        (b'{"cpid": "\\ud800", "results": []}', "half a surrogate pair"),
        (b'{"cpid": "", "results": [', "line 1 column 26: expected JSON"),
        (b"[" * 100_000, "nested deeper than 100"),
        (b'{"a":' * 101 + b"1" + b"}" * 101, "nested deeper than 100"),
        (b'{"cpid": "", "results": []} x', "expected JSON: extra data"),
    ],
)
def test_hostile_json_is_one_line(tmp_path: Path, text: bytes, expected: str) -> None:
    path = tmp_path / "document"
    path.write_bytes(text)

    with pytest.raises(BadDocument) as raised:
        load_results(path)

    assert expected in str(raised.value)
    assert "\n" not in str(raised.value)


def test_more_values_than_are_read_are_refused_before_they_are_built(tmp_path: Path) -> None:
    path = tmp_path / "document"
    path.write_bytes(b"[" + b"[]," * 1000 + b"[]]")

    with pytest.raises(BadDocument, match="more than the 500 values"):
        load_results(path, Limits(json_values=500))
