"""Waivers, known failures, freshness: exceptions have an end, and stale ones are told."""

from __future__ import annotations

import datetime
import json
from datetime import UTC
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guidelines.catalog import parse_guideline
from guidelines.errors import BadDocument
from guidelines.evidence import Evidence, Outcome, Status
from guidelines.freshness import expires_on
from guidelines.judge import judge
from guidelines.patterns import Pattern, read_patterns
from guidelines.verdict import Conclusion, State, Verdict
from guidelines.waivers import read_waivers

DAY = datetime.date(2030, 6, 1)


def verdict(statuses: dict[str, Status | None], **more: Any) -> Verdict:
    document = {
        "schema": "interop.guideline/1",
        "id": "2030.01",
        "status": "draft",
        "programs": {"p": {"components": ["c"], **more.pop("program", {})}},
        "components": {"c": {"capabilities": {"required": ["cap"]}}},
        "capabilities": {"cap": {"checks": list(statuses)}},
        "checks": {name: {"title": name, "level": 1} for name in statuses},
    }
    guideline = parse_guideline(json.dumps(document).encode(), source="g", digest="sha256:g")
    body = Evidence(
        source="f",
        format="interop.result/1",
        digest="sha256:f",
        subject="cloud-a",
        finished=more.pop("finished", None),
        outcomes=tuple(
            Outcome(name=name, names=frozenset({name}), status=status, where=f"f#{name}")
            for name, status in statuses.items()
            if status is not None
        ),
    )
    return judge(guideline, [body], program="p", at=more.pop("at", DAY), **more)


def waiver(**fields: Any) -> dict[str, Any]:
    return {"check": "a", "owner": "ann", "reason": "bug 5", "expires": "2030-06-30", **fields}


def codes(found: Verdict) -> set[str]:
    return {finding.code for finding in found.findings}


@pytest.mark.parametrize("status", [Status.FAILED, Status.BLOCKED, Status.SKIPPED, None])
def test_a_waiver_excuses_what_is_no_pass_and_shows_it(status: Status | None) -> None:
    waivers = read_waivers([waiver()], "w")

    found = verdict({"a": status, "b": Status.PASSED}, waivers=waivers)

    assert found.verdict is Conclusion.COMPLIANT
    assert found.verdict_without_waivers is not Conclusion.COMPLIANT
    assert found.counts.waived == 1
    assert "ann" in found.items[0].reason
    assert "bug 5" in found.items[0].reason


def test_a_capability_can_be_waived() -> None:
    waivers = read_waivers({"waivers": [waiver(check=None, capability="cap")]}, "w")

    found = verdict({"a": Status.FAILED, "b": Status.PASSED}, waivers=waivers)

    assert found.verdict is Conclusion.COMPLIANT


@pytest.mark.parametrize(
    ("day", "expected"),
    [("2030-06-30", Conclusion.COMPLIANT), ("2030-07-01", Conclusion.NOT_COMPLIANT)],
)
def test_a_waiver_holds_through_its_last_day(day: str, expected: Conclusion) -> None:
    found = verdict(
        {"a": Status.FAILED, "b": Status.PASSED},
        waivers=read_waivers([waiver()], "w"),
        at=datetime.date.fromisoformat(day),
    )

    assert found.verdict is expected
    assert ("expired-waiver" in codes(found)) is (expected is Conclusion.NOT_COMPLIANT)


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"check": "zzz"}, "unused-waiver"),
        ({"scope": "cloud-b"}, "unused-waiver"),
        ({"scope": {"guideline": "2029.01"}}, "unused-waiver"),
        ({"check": "b"}, "needless-waiver"),
    ],
)
def test_a_stale_waiver_is_a_finding(fields: dict[str, Any], code: str) -> None:
    waivers = read_waivers([waiver(**fields)], "w")

    found = verdict({"a": Status.FAILED, "b": Status.PASSED}, waivers=waivers)

    assert code in codes(found)
    assert found.verdict is Conclusion.NOT_COMPLIANT


def test_a_waiver_in_scope_counts() -> None:
    scope = {"platform": "cloud-a", "guideline": "2030.01", "program": "p"}

    found = verdict(
        {"a": Status.FAILED, "b": Status.PASSED}, waivers=read_waivers([waiver(scope=scope)], "w")
    )

    assert found.verdict is Conclusion.COMPLIANT


def test_waiving_everything_is_not_compliant_by_silence() -> None:
    found = verdict({"a": Status.FAILED}, waivers=read_waivers([waiver()], "w"))

    assert found.verdict is Conclusion.INCONCLUSIVE


@pytest.mark.parametrize(
    ("document", "said"),
    [
        ([{"check": "a"}], "owner: this key is required"),
        ([waiver(capability="c")], "either check or capability"),
        ([waiver(ownr="x")], "did you mean 'owner'"),
        ([waiver(expires="soon")], "expires"),
        ([waiver(scope={"platfrom": "x"})], "did you mean 'platform'"),
        ("text", "expected a list of waivers"),
        ({"waivrs": []}, "waivers: this key is required"),
    ],
)
def test_a_wrong_waiver_is_named(document: object, said: str) -> None:
    with pytest.raises(BadDocument) as caught:
        read_waivers(document, "w.yaml")

    problems = getattr(caught.value, "problems", ())
    assert said in str(caught.value) or any(said in f"{p.path}: {p.message}" for p in problems)


@pytest.mark.parametrize(
    ("pattern", "name", "fits"),
    [
        ("**/unary/no-request", "suite/tls/unary/no-request", True),
        ("**/unary/no-request", "unary/no-request", True),
        ("*/unary/no-request", "unary/no-request", False),
        ("a/*/c", "a/b/c", True),
        ("a/*/c", "a/b/b/c", False),
        ("a/**/c", "a/c", True),
        ("a/**", "a/b/c", True),
        ("**", "anything/at.all", True),
        ("a/b", "a/b/c", False),
        ("tempest.**.test_x", "tempest.api.compute.C.test_x", True),
        ("tempest/*/test_x", "tempest.C.test_x", True),
        ("[sig-node] a b.c/d [Conformance]", "[sig-node] a b.c/d [Conformance]", True),
        ("a*", "ab", False),
    ],
)
def test_patterns(pattern: str, name: str, fits: bool) -> None:
    assert Pattern(text=pattern, where="l").matches(name) is fits


@given(st.lists(st.sampled_from(["a", "*", "**"]), min_size=1, max_size=40))
def test_patterns_never_take_long(parts: list[str]) -> None:
    assert Pattern(text="/".join([*parts, "z"]), where="l").matches("/".join("a" * 150)) is False


def test_a_known_failure_is_waived() -> None:
    known = read_patterns("# why\n\n**/x\n", "known.txt")

    found = verdict({"s/x": Status.FAILED, "s/y": Status.PASSED}, known_failing=known)

    assert found.verdict is Conclusion.COMPLIANT
    assert found.items[0].state is State.WAIVED
    assert "known.txt:3" in found.items[0].reason


@pytest.mark.parametrize(
    ("strict", "expected"), [(False, Conclusion.COMPLIANT), (True, Conclusion.NOT_COMPLIANT)]
)
def test_a_known_failure_that_passes_fails_in_strict_mode(
    strict: bool, expected: Conclusion
) -> None:
    known = read_patterns("s/x\n", "known.txt", strict=strict)

    found = verdict({"s/x": Status.PASSED, "s/y": Status.PASSED}, known_failing=known)

    assert "unexpected-pass" in codes(found)
    assert found.verdict is expected


def test_a_known_failure_does_not_excuse_a_missing_test() -> None:
    known = read_patterns("s/x\n", "known.txt")

    assert verdict({"s/x": None, "s/y": Status.PASSED}, known_failing=known).exit_code == 1


def test_a_pattern_that_matches_nothing_is_a_finding() -> None:
    found = verdict({"a": Status.PASSED}, known_failing=read_patterns("zzz", "known.txt"))

    assert "unused-pattern" in codes(found)


@pytest.mark.parametrize(
    ("seen", "holds", "until"),
    [
        ("2024-02-28", "day", "2024-03-01"),
        ("2024-05-27", "week", "2024-06-10"),  # a Monday
        ("2024-06-02", "week", "2024-06-10"),  # the Sunday after
        ("2024-10-31", "month", "2024-12-01"),
        ("2024-11-01", "month", "2025-01-01"),
        ("2024-12-31", "month", "2025-02-01"),
        ("2024-03-31", "quarter", "2024-07-01"),
        ("2024-04-01", "quarter", "2024-10-01"),
        ("2024-12-31", "quarter", "2025-04-01"),
        ("2024-01-01", "year", "2025-03-01"),
        ("2024-11-30", "year", "2026-01-01"),
        ("2024-12-31", "year", "2026-02-01"),
        ("2024-12-31", "infinite", "9999-12-31"),
        ("9999-06-30", "P9999W", "9999-12-31"),
        ("9999-12-31", "month", "9999-12-31"),
        ("2024-01-31", "P1M", "2024-02-29"),
        ("2023-01-31", "P1M", "2023-02-28"),
        ("2024-02-29", "P1Y", "2025-02-28"),
        ("2024-12-31", "P2M", "2025-02-28"),
        ("2024-01-01", "P30D", "2024-01-31"),
        ("2024-01-01", "P2W", "2024-01-15"),
    ],
)
def test_how_long_evidence_holds(seen: str, holds: str, until: str) -> None:
    assert expires_on(datetime.date.fromisoformat(seen), holds).isoformat() == until


def test_an_unknown_period_is_an_error() -> None:
    with pytest.raises(ValueError, match="no period"):
        expires_on(DAY, "P1H")


@pytest.mark.parametrize(
    ("day", "state"), [("2030-05-30", State.PASSED), ("2030-05-31", State.MISSING)]
)
def test_expired_evidence_is_missing_and_stays_visible(day: str, state: State) -> None:
    found = verdict(
        {"a": Status.PASSED},
        program={"holds": "P30D"},
        finished=datetime.datetime(2030, 5, 1, 12, tzinfo=UTC),
        at=datetime.date.fromisoformat(day),
    )

    assert found.items[0].state is state
    if state is State.MISSING:
        assert "expired on 2030-05-31" in found.items[0].reason
        assert found.items[0].superseded[0].state is State.PASSED


def test_evidence_without_a_date_is_told() -> None:
    found = verdict({"a": Status.PASSED}, program={"holds": "P30D"})

    assert "undated-evidence" in codes(found)


@pytest.mark.parametrize("text", ['{"a": 1}', "<a/>", "---", "- a", "a\x07b"])
def test_a_list_of_known_failures_is_no_other_document(text: str) -> None:
    with pytest.raises(BadDocument, match="is no pattern"):
        read_patterns(text, "known.txt")
