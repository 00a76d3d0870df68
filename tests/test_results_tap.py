"""TAP as a result."""

from __future__ import annotations

from pathlib import Path

import pytest

from guidelines.evidence import Evidence, Status
from guidelines.results import load_results


def read(folder: Path, text: str) -> Evidence:
    path = folder / "tap"
    path.write_text(text, encoding="utf-8")
    return load_results(path)


@pytest.mark.parametrize(
    ("line", "name", "expected", "reason"),
    [
        ("ok 1 - boots", "boots", Status.PASSED, ""),
        ("ok 1 boots", "boots", Status.PASSED, ""),
        ("ok", "test 1", Status.PASSED, ""),
        ("not ok 1 - boots", "boots", Status.FAILED, "not ok"),
        ("not ok 1 - b\n  ---\n  message: 'no disk'\n  ...", "b", Status.FAILED, "no disk"),
        ("ok 1 - boots # SKIP no console", "boots", Status.SKIPPED, "no console"),
        ("ok 1 # skipped: later", "test 1", Status.SKIPPED, "later"),
        ("not ok 1 - b # TODO bug 3", "b", Status.FAILED, "failed as expected (TODO) bug 3"),
        ("ok 1 - b # TODO", "b", Status.PASSED, ""),
        ("ok 1 - issue \\# 3", "issue # 3", Status.PASSED, ""),
    ],
)
def test_a_point(tmp_path: Path, line: str, name: str, expected: Status, reason: str) -> None:
    evidence = read(tmp_path, f"TAP version 14\n1..1\n{line}\n")

    (outcome,) = evidence.outcomes
    assert (outcome.name, outcome.status, outcome.reason) == (name, expected, reason)
    assert evidence.complete


@pytest.mark.parametrize(
    ("text", "note"),
    [
        ("1..3\nok 1 - a\n", "the plan says 3 tests, found 1"),
        ("1..1\nok 1 - a\nok 2 - b\n", "the plan says 1 tests, found 2"),
        ("ok 1 - a\n", "there is no plan (1..N), so what is missing cannot be told"),
        ("1..1\nok 1 - a\nBail out! no quota\n", "bailed out: no quota"),
    ],
)
def test_a_plan_not_fulfilled_is_not_complete(tmp_path: Path, text: str, note: str) -> None:
    evidence = read(tmp_path, text)

    assert not evidence.complete
    assert note in evidence.notes


def test_subtests_are_summed_up_by_their_point(tmp_path: Path) -> None:
    evidence = read(tmp_path, "1..1\n    not ok 1 - inner\n    1..1\nnot ok 1 - outer\n")

    assert [outcome.name for outcome in evidence.outcomes] == ["outer"]
    assert evidence.notes == ("1 results of subtests stand behind the points that sum them up",)


def test_a_plan_of_nothing_is_noted(tmp_path: Path) -> None:
    evidence = read(tmp_path, "1..0 # SKIP no platform\n")

    assert "the whole run was skipped: no platform" in evidence.notes
    assert "there is no outcome in it" in evidence.notes
