"""Diff and preview: what changed between two guidelines, and would a result still pass."""

from __future__ import annotations

import datetime
import json
from typing import Any

from guidelines.catalog import parse_guideline
from guidelines.diff import diff_guidelines
from guidelines.documents import DiffOutput, PreviewOutput
from guidelines.evidence import Evidence, Outcome, Status
from guidelines.judge import judge
from guidelines.model import Guideline
from guidelines.preview import Preview, compare_verdicts

ID = "11111111-2222-3333-4444-555555555555"
FLAG = {"date": "2030-01-01", "reason": "[D401] broken", "action": "fix"}


def guideline(
    tests: dict[str, Any],
    *,
    name: str = "2030.01",
    status: str = "required",
    weight: int = 9,
    **capability: Any,
) -> Guideline:
    document = {
        "id": name,
        "schema": "1.6",
        "status": "approved",
        "platform": {"required": ["compute"]},
        "components": {"compute": {"required": ["base"], status: ["cap"]}}
        if status != "required"
        else {"compute": {"required": ["base", "cap"]}},
        "criteria": {"stable": {"weight": weight}},
        "capabilities": {"base": {"tests": ["t.base"]}, "cap": {"tests": tests, **capability}},
    }
    return parse_guideline(json.dumps(document).encode(), source="g", digest="sha256:g")


def test_a_guideline_does_not_differ_from_itself() -> None:
    one = guideline({"t.a": {}})

    assert diff_guidelines(one, one).empty


def test_tests_added_removed_and_renamed() -> None:
    old = guideline({"t.a": {}, "t.old": {"idempotent_id": f"id-{ID}"}, "t.x": {}})
    new = guideline(
        {"t.b": {}, "t.new": {"idempotent_id": f"id-{ID}"}, "t.y": {"aliases": ["t.x"]}}
    )

    found = diff_guidelines(old, new)

    assert found.tests_added == ("t.b",)
    assert found.tests_removed == ("t.a",)
    assert {(item.old, item.new) for item in found.tests_renamed} == {
        ("t.old", "t.new"),
        ("t.x", "t.y"),
    }


def test_an_id_shared_by_two_tests_shows_no_rename() -> None:
    shared = {"idempotent_id": f"id-{ID}"}

    found = diff_guidelines(guideline({"t.a": shared, "t.b": shared}), guideline({"t.c": shared}))

    assert found.tests_renamed == ()


def test_flags_aliases_status_and_weights() -> None:
    old = guideline({"t.a": {"flagged": FLAG}, "t.b": {}}, achievements=["stable"])
    new = guideline(
        {"t.a": {}, "t.b": {"flagged": FLAG, "aliases": ["t.z"]}}, status="deprecated", weight=8
    )

    found = diff_guidelines(old, new)

    assert (found.tests_flagged, found.tests_unflagged) == (("t.b",), ("t.a",))
    assert [item.id for item in found.tests_changed] == ["t.b"]
    assert found.capabilities_changed[0].changes == (
        "compute: required -> deprecated",
        "achievements removed: stable",
    )
    assert found.weights[0].changes == ("9.0 -> 8.0",)
    DiffOutput.model_validate(found.to_json())


def preview(old: Guideline, new: Guideline, **statuses: Status) -> Preview:
    body = Evidence(
        source="f",
        format="subunit-v2",
        digest="sha256:f",
        outcomes=tuple(
            Outcome(name=f"t.{key}", names=frozenset({f"t.{key}"}), status=status, where="f")
            for key, status in {"base": Status.PASSED, **statuses}.items()
        ),
    )
    before, after = (
        judge(one, [body], program="compute", at=datetime.date(2030, 6, 1)) for one in (old, new)
    )
    return compare_verdicts(old, new, before, after)


def rows(found: Preview) -> dict[str, tuple[str, str]]:
    return {item.id: (item.before, item.after) for item in found.items}


def test_a_new_requirement_that_never_ran() -> None:
    found = preview(
        guideline({"t.a": {}}), guideline({"t.a": {}, "t.b": {}}, name="2030.07"), a=Status.PASSED
    )

    assert rows(found)["t.b"] == ("not-required", "missing")
    assert rows(found)["t.a"] == ("passed", "passed")
    document = found.to_json()
    assert document["verdict"] == {"before": "compliant", "after": "not-compliant"}
    PreviewOutput.model_validate(document)


def test_a_renamed_test_is_one_item() -> None:
    found = preview(
        guideline({"t.a": {}}), guideline({"t.n": {"aliases": ["t.a"]}}, name="b"), a=Status.PASSED
    )

    assert rows(found) == {"t.base": ("passed", "passed"), "t.n": ("passed", "passed")}
    assert "renamed from t.a" in {item.id: item.why for item in found.items}["t.n"]


def test_a_flag_that_goes_and_a_requirement_that_goes() -> None:
    old = guideline({"t.a": {"flagged": FLAG}, "t.b": {}})
    new = guideline({"t.a": {}}, name="2030.07")

    found = preview(old, new, a=Status.FAILED, b=Status.PASSED)

    assert rows(found)["t.a"] == ("flagged", "failed")
    assert rows(found)["t.b"] == ("passed", "not-required")
    assert "no longer flags it" in {item.id: item.why for item in found.items}["t.a"]


def test_what_was_advised_becomes_required() -> None:
    old = guideline({"t.a": {}}, status="advisory")

    found = preview(old, guideline({"t.a": {}}, name="2030.07"), a=Status.PASSED)

    assert rows(found)["t.a"] == ("not-required-advised", "passed")
