"""Lint: one small guideline for each rule, and what must not be reported."""

from __future__ import annotations

import copy
import datetime
import json
from typing import Any

import pytest

from guidelines.catalog import parse_guideline
from guidelines.lint import lint
from guidelines.model import Finding, Severity

ID = "11111111-2222-3333-4444-555555555555"
FLAG = {"date": "2030-01-01", "reason": "[D401] broken", "action": "fix"}
CLEAN: dict[str, Any] = {
    "metadata": {
        "id": "2030.01",
        "schema": "2.0",
        "scoring": {
            "cutoff_score": 9,
            "criteria": {"stable": {"name": "Stable", "weight": 9, "description": "d"}},
        },
        "os_trademark_approval": {"status": "draft", "replaces": "2029.11", "releases": ["a"]},
    },
    "platforms": {"P": {"components": [{"name": "core"}]}},
    "components": {"core": {"capabilities": {"required": ["cap"]}, "designated_sections": {}}},
    "capabilities": {
        "cap": {
            "achievements": ["stable"],
            "admin": False,
            "description": "d",
            "project": "p",
            "required_since": "2029.11",
            "tests": {"t.a": {"idempotent_id": f"id-{ID}"}},
        }
    },
}


def findings(
    changes: dict[str, Any], previous: dict[str, Any] | None = None
) -> tuple[Finding, ...]:
    """Lint the clean guideline with some values changed; a path is separated by slashes."""
    old = None if previous is None else parse(previous)
    return lint(parse(changes), previous=old, at=datetime.date(2030, 6, 1))


def parse(changes: dict[str, Any]) -> Any:
    document = copy.deepcopy(CLEAN)
    for path, value in changes.items():
        *parents, last = path.split("/")
        node = document
        for key in parents:
            node = node.setdefault(key, {})
        if value is None:
            del node[last]
        else:
            node[last] = value
    return parse_guideline(json.dumps(document).encode(), source="g", digest="sha256:g")


def test_a_clean_guideline_has_no_finding() -> None:
    assert findings({}) == ()


CAP = "capabilities/cap"
LISTS = "components/core/capabilities"


@pytest.mark.parametrize(
    ("changes", "code", "severity"),
    [
        ({f"{LISTS}/required": ["cap", "ghost"]}, "undefined-capability", Severity.ERROR),
        ({f"{LISTS}/advisory": ["ghost"]}, "undefined-capability", Severity.WARNING),
        ({f"{LISTS}/removed": ["ghost"]}, "undefined-capability", Severity.NOTE),
        ({"capabilities/extra": {"tests": {}}}, "orphan-capability", Severity.WARNING),
        ({f"{LISTS}/removed": ["cap"]}, "status-conflict", Severity.ERROR),
        ({f"{LISTS}/required": ["cap", "cap"]}, "duplicate-entry", Severity.WARNING),
        ({f"{CAP}/achievements": []}, "below-cutoff", Severity.WARNING),
        ({f"{CAP}/achievements": ["stable", "stabel"]}, "undefined-criterion", Severity.ERROR),
        ({f"{CAP}/achievements": ["stable", "stable"]}, "duplicate-criterion", Severity.WARNING),
        ({f"{CAP}/admin": True}, "required-admin", Severity.ERROR),
        ({f"{CAP}/required_since": ""}, "required-since", Severity.WARNING),
        ({f"{CAP}/required_since": "2031.01"}, "required-since", Severity.ERROR),
        ({f"{CAP}/project": None}, "missing-key", Severity.ERROR),
        ({f"{CAP}/descriptin": "d", f"{CAP}/description": None}, "misspelt-key", Severity.ERROR),
        ({f"{CAP}/colour": "blue"}, "unknown-key", Severity.WARNING),
        ({f"{CAP}/tests": {}}, "unproven-capability", Severity.WARNING),
        ({f"{CAP}/tests": {}}, "empty-program", Severity.ERROR),
        ({f"{CAP}/tests/t.a/flagged": FLAG}, "empty-program", Severity.ERROR),
        ({f"{LISTS}/required": []}, "empty-program", Severity.ERROR),
        (
            {f"{CAP}/tests/t.a/flagged": {**FLAG, "reason": "because"}},
            "flag-without-code",
            Severity.WARNING,
        ),
        (
            {f"{CAP}/tests/t.a/flagged": {**FLAG, "reason": "D499 x"}},
            "flag-code",
            Severity.WARNING,
        ),
        (
            {f"{CAP}/tests/t.a/flagged": {**FLAG, "action": ""}},
            "flag-without-action",
            Severity.WARNING,
        ),
        ({f"{CAP}/tests/t.a/flagged": {**FLAG, "date": ""}}, "flag-date", Severity.WARNING),
        (
            {f"{CAP}/tests/t.a/flagged": {**FLAG, "expires": "2030-05-31"}},
            "flag-expired",
            Severity.ERROR,
        ),
        ({f"{CAP}/tests/t.b": {"idempotent_id": f"id-{ID}"}}, "duplicate-id", Severity.ERROR),
        (
            {f"{CAP}/tests/t.b": {"idempotent_id": f"id-{ID}", "aliases": ["t.a"]}},
            "duplicate-id",
            Severity.NOTE,
        ),
        ({f"{CAP}/tests/t.b": {"aliases": ["t.a"]}}, "alias-collision", Severity.ERROR),
        (
            {f"{CAP}/tests/t.b": {"aliases": ["t.o"]}, f"{CAP}/tests/t.c": {"aliases": ["t.o"]}},
            "alias-collision",
            Severity.ERROR,
        ),
        ({f"{CAP}/tests/t.b": {"aliases": ["t.b"]}}, "alias-of-itself", Severity.NOTE),
        ({"platforms/P/components": [{"name": "nowhere"}]}, "external-component", Severity.NOTE),
        ({"metadata/scoring/cutoff_score": 10}, "unreachable-cutoff", Severity.ERROR),
    ],
)
def test_each_rule(changes: dict[str, Any], code: str, severity: Severity) -> None:
    found = findings(changes)

    assert (code, severity) in {(finding.code, finding.severity) for finding in found}
    assert all(finding.path and finding.message for finding in found)


def test_one_test_in_two_capabilities_is_told_once_per_pair() -> None:
    tests = {"t.a": {"idempotent_id": f"id-{ID}"}, "t.b": {}}
    again = {**CLEAN["capabilities"]["cap"], "tests": tests}

    found = findings(
        {f"{CAP}/tests": tests, "capabilities/again": again, f"{LISTS}/required": ["cap", "again"]}
    )

    assert [finding.code for finding in found] == ["duplicate-test"]


@pytest.mark.parametrize(
    ("before", "after", "codes"),
    [
        ("required", "removed", {"removed-without-deprecation"}),
        ("required", None, {"removed-without-deprecation"}),
        ("required", "deprecated", set()),
        ("deprecated", "removed", set()),
        (None, "required", {"required-without-advisory"}),
        ("removed", "required", {"required-without-advisory"}),
        ("advisory", "required", set()),
    ],
)
def test_rules_about_the_step_between_two_versions(
    before: str | None, after: str | None, codes: set[str]
) -> None:
    extra = {"capabilities/extra": CLEAN["capabilities"]["cap"]}
    old = {**extra, **({f"{LISTS}/{before}": ["extra"]} if before else {})}
    new = {**extra, **({f"{LISTS}/{after}": ["extra"]} if after else {})}
    for lists in (old, new):
        if f"{LISTS}/required" in lists:
            lists[f"{LISTS}/required"] = ["cap", "extra"]

    found = findings(new, previous={**old, "metadata/id": "2029.11"})

    transitions = {"removed-without-deprecation", "required-without-advisory"}
    assert {finding.code for finding in found} & transitions == codes


def own(**changes: Any) -> Any:
    document = {
        "schema": "interop.guideline/1",
        "id": "2030.01",
        "status": "draft",
        "programs": {"p": {"components": ["c"]}},
        "components": {"c": {"capabilities": {"required": ["cap"]}}},
        "capabilities": {"cap": {"checks": ["a-01"]}},
        "checks": {
            "a-01": {"title": "a", "level": 1, "references": [{"title": "RFC 1 section 1"}]}
        },
        **changes,
    }
    guideline = parse_guideline(json.dumps(document).encode(), source="g", digest="sha256:g")
    return {finding.code for finding in lint(guideline)}


def test_rules_of_our_own_format() -> None:
    assert own() == set()
    assert own(checks={"a-01": {"title": "a", "level": 1}}) == {"check-without-reference"}
    assert "undefined-check" in own(capabilities={"cap": {"checks": ["a-01", "b-01"]}})
    assert own(timeline=[{"date": "2030-01-01", "status": "approved"}]) == {"status-timeline"}
    assert own(programs={"p": {"components": ["c", "d"]}}) == {"undefined-component"}
    assert own(
        timeline=[{"date": "2030-01-01", "status": "draft", "target": "q"}]
    ) == {"undefined-target"}  # fmt: skip
