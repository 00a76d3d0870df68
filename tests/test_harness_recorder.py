"""What pytest saw becomes one honest record; secrets never reach it."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.mask import MASK, Masker
from harness.recorder import EVIDENCE_CHARS, Draft, Journal, NotApplicable, settle
from provisioner.errors import BadRequest, Lost, PlatformFault, Quota, Throttled, Unauthorized


def draft() -> Draft:
    return Draft(check="net-09", title="t", test="suites.net.x::y", started="now")


def run(what: Callable[[], None], when: Any = "call", into: Draft | None = None) -> Draft:
    made = into or draft()
    settle(made, pytest.CallInfo.from_call(what, when))
    return made


def raising(error: BaseException) -> Callable[[], None]:
    def fail() -> None:
        raise error

    return fail


@pytest.mark.parametrize(
    ("error", "when", "expected"),
    [
        (AssertionError("expected a, actual b"), "call", "failed"),
        (AssertionError("set-up"), "setup", "blocked"),
        (Lost("no answer"), "call", "blocked"),
        (Quota("limit"), "call", "blocked"),
        (Throttled("slow down"), "call", "blocked"),
        (Unauthorized("who?"), "call", "blocked"),
        (PlatformFault("500"), "call", "failed"),
        (BadRequest("400"), "call", "failed"),
        (PlatformFault("500"), "setup", "blocked"),
        (KeyError("our bug"), "call", "blocked"),
        (NotApplicable("no bmc"), "setup", "not-applicable"),
    ],
)
def test_an_error_becomes_the_outcome_it_deserves(
    error: BaseException, when: str, expected: str
) -> None:
    made = run(raising(error), when)

    assert made.outcome == expected
    assert made.reason


def test_a_skip_is_never_a_pass() -> None:
    assert run(lambda: pytest.skip("later")).outcome == "skipped"


def test_a_failed_clean_up_takes_the_pass_back() -> None:
    made = run(lambda: None)

    run(raising(PlatformFault("still there")), "teardown", made)

    assert made.outcome == "blocked"
    assert "clean-up failed" in made.reason


def test_a_failed_clean_up_leaves_a_failure_a_failure() -> None:
    made = run(raising(AssertionError("wrong")))

    run(raising(PlatformFault("still there")), "teardown", made)

    assert (made.outcome, made.reason) == ("failed", "wrong")


def test_facts_are_plain_json() -> None:
    made = draft()
    made.fact("ports", {2, 1})
    made.fact("raw", b"\xff")

    assert json.dumps(made.facts)
    assert made.facts[0]["value"] == [1, 2]


def test_long_evidence_is_cut_in_the_middle_and_says_so() -> None:
    made = draft()
    made.note("$ x", "a" + "b" * 10 * EVIDENCE_CHARS + "c")

    text = made.evidence[0]["text"]

    assert text.startswith("a")
    assert text.endswith("c")
    assert "characters cut" in text


@given(secret=st.text(min_size=6, max_size=40), before=st.text(max_size=20))
def test_no_secret_reaches_a_record(tmp_path_factory: Any, secret: str, before: str) -> None:
    made = draft()
    encoded = base64.b64encode(secret.encode()).decode()
    made.note(f"$ echo {secret}", f"{before}{secret}{before} {encoded}")
    made.fact("password", [secret, {secret: secret}])
    made.reason = secret

    text = json.dumps(made.record(Masker([secret])), ensure_ascii=False)

    assert encoded not in text
    if secret not in json.dumps(draft().record(Masker()), ensure_ascii=False) + MASK + before:
        assert secret not in json.loads(text)["reason"]
        assert secret not in json.loads(text)["evidence"][0]["title"]


def test_the_longest_secret_goes_first() -> None:
    assert Masker(["secret", "secret-longer"]).text("x secret-longer y") == f"x {MASK} y"


def test_records_are_one_line_each(tmp_path: Path) -> None:
    file = tmp_path / "checks.jsonl"
    made = draft()
    made.reason = "two\nlines"
    journal = Journal(file)

    journal.append(made.record(Masker()))
    made.reason = "half a \ud800 pair"
    journal.append(made.record(Masker()))

    lines = file.read_text(encoding="utf-8").splitlines()  # a crash now would lose nothing
    assert [json.loads(line)["reason"][:4] for line in lines] == ["two\n", "half"]
    journal.close()
