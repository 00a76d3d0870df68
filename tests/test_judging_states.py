"""Judging: every required item has one state, with a reason, and silence is never a pass."""

from __future__ import annotations

import datetime
import json
from collections.abc import Iterable
from datetime import UTC
from typing import Any

import pytest

from guidelines.catalog import parse_guideline
from guidelines.documents import VerdictOutput
from guidelines.errors import BadDocument
from guidelines.evidence import Evidence, Fact, FactValue, Outcome, Status
from guidelines.judge import judge
from guidelines.model import Guideline
from guidelines.verdict import Conclusion, JudgedItem, State, Verdict

DAY = datetime.date(2030, 6, 1)


def guideline(
    checks: dict[str, dict[str, Any]],
    *,
    advisory: Iterable[str] = (),
    when: dict[str, list[str]] | None = None,
    **more: Any,
) -> Guideline:
    """A guideline with one capability per check; those in *advisory* are not required."""
    document = {
        "schema": "interop.guideline/1",
        "id": "2030.01",
        "status": "draft",
        "programs": {"p": {"components": ["c"], **more.pop("program", {})}},
        "components": {
            "c": {
                "capabilities": {
                    "required": [f"cap-{name}" for name in checks if name not in advisory],
                    "advisory": [f"cap-{name}" for name in checks if name in advisory],
                }
            }
        },
        "capabilities": {
            f"cap-{name}": {
                "checks": [name],
                **({"when": {"declares": when[name]}} if when and name in when else {}),
            }
            for name in checks
        },
        "checks": {name: {"title": name, "level": 1, **part} for name, part in checks.items()},
        **more,
    }
    return parse_guideline(json.dumps(document).encode(), source="g", digest="sha256:g")


def outcome(name: str, status: Status = Status.PASSED, **more: Any) -> Outcome:
    names = more.pop("names", frozenset({name}))
    return Outcome(name=name, names=names, status=status, where=f"f#{name}", **more)


def evidence(*outcomes: Outcome, **more: Any) -> Evidence:
    more.setdefault("source", "f")
    more.setdefault("digest", f"sha256:{more['source']}")
    return Evidence(format=more.pop("format", "junit"), outcomes=outcomes, **more)


def check(guide: Guideline, *bodies: Evidence, **more: Any) -> Verdict:
    return judge(guide, bodies, program="p", at=more.pop("at", DAY), **more)


def item(verdict: Verdict, name: str) -> JudgedItem:
    return next(found for found in verdict.items if found.id == name)


ONE = guideline({"a-01": {}})
TWO = guideline({"a-01": {}, "a-02": {}})


@pytest.mark.parametrize(
    ("status", "state", "verdict"),
    [
        (Status.PASSED, State.PASSED, Conclusion.COMPLIANT),
        (Status.FAILED, State.FAILED, Conclusion.NOT_COMPLIANT),
        (Status.BLOCKED, State.BLOCKED, Conclusion.INCONCLUSIVE),
        (Status.UNFINISHED, State.BLOCKED, Conclusion.INCONCLUSIVE),
        (Status.SKIPPED, State.SKIPPED, Conclusion.NOT_COMPLIANT),
        (Status.NOT_APPLICABLE, State.SKIPPED, Conclusion.NOT_COMPLIANT),
        (None, State.MISSING, Conclusion.NOT_COMPLIANT),
    ],
)
def test_state_follows_what_the_run_said(
    status: Status | None, state: State, verdict: Conclusion
) -> None:
    outcomes = [outcome("a-02")] + ([outcome("a-01", status)] if status else [])

    found = check(TWO, evidence(*outcomes))

    assert item(found, "a-01").state is state
    assert item(found, "a-01").reason
    assert found.verdict is verdict
    assert found.counts.total == found.counts.required == 2


@pytest.mark.parametrize(
    ("conclusion", "code"),
    [(Status.PASSED, 0), (Status.FAILED, 1), (Status.BLOCKED, 3)],
)
def test_exit_code(conclusion: Status, code: int) -> None:
    assert check(ONE, evidence(outcome("a-01", conclusion))).exit_code == code


def test_no_evidence_is_not_compliant() -> None:
    found = check(ONE)

    assert found.verdict is Conclusion.NOT_COMPLIANT
    assert "no evidence" in item(found, "a-01").reason


def test_a_program_that_requires_nothing_is_never_compliant() -> None:
    guide = guideline({"a-01": {}}, advisory=["a-01"])

    found = check(guide, evidence(outcome("a-01")))

    assert found.verdict is Conclusion.INCONCLUSIVE
    assert "empty-requirement" in {finding.code for finding in found.findings}
    assert found.counts.required == 0


def test_only_conditional_requirements_that_do_not_apply_are_never_compliant() -> None:
    guide = guideline({"a-01": {}}, when={"a-01": ["volume"]})

    found = check(guide, evidence(outcome("b")))

    assert item(found, "a-01").state is State.NOT_APPLICABLE
    assert "volume" in item(found, "a-01").reason
    assert found.verdict is Conclusion.INCONCLUSIVE


def test_a_declared_condition_must_be_met() -> None:
    guide = guideline({"a-01": {}, "a-02": {}}, when={"a-01": ["volume"]})

    undeclared = check(guide, evidence(outcome("a-02")))
    declared = check(guide, evidence(outcome("a-02"), declared=frozenset({"volume"})))

    assert undeclared.verdict is Conclusion.COMPLIANT
    assert undeclared.counts.not_applicable == 1
    assert declared.verdict is Conclusion.NOT_COMPLIANT
    assert item(declared, "a-01").state is State.MISSING


def test_a_failure_of_an_undeclared_feature_is_a_finding() -> None:
    guide = guideline({"a-01": {}, "a-02": {}}, when={"a-01": ["volume"]})

    found = check(guide, evidence(outcome("a-02"), outcome("a-01", Status.FAILED)))

    assert "undeclared-feature" in {finding.code for finding in found.findings}


def test_a_flagged_check_is_counted_apart() -> None:
    flag = {"reason": "[D401] broken", "action": "fix", "date": "2030-01-01"}
    guide = guideline({"a-01": {"flag": flag}, "a-02": {}})

    found = check(guide, evidence(outcome("a-01", Status.FAILED), outcome("a-02")))

    assert found.verdict is Conclusion.COMPLIANT
    assert (found.counts.required, found.counts.flagged) == (1, 1)
    assert [flagged.state for flagged in found.flagged_items] == [State.FAILED]


@pytest.mark.parametrize(("expires", "required"), [("2030-06-01", 1), ("2030-05-31", 2)])
def test_an_expired_flag_excuses_no_more(expires: str, required: int) -> None:
    flag = {"reason": "[D401] x", "action": "y", "date": "2030-01-01", "expires": expires}
    guide = guideline({"a-01": {"flag": flag}, "a-02": {}})

    assert check(guide, evidence(outcome("a-02"))).counts.required == required


def test_a_broken_off_document_is_inconclusive() -> None:
    missing = check(TWO, evidence(outcome("a-01"), complete=False))
    whole = check(ONE, evidence(outcome("a-01"), complete=False))

    assert missing.verdict is Conclusion.INCONCLUSIVE
    assert "incomplete" in item(missing, "a-02").reason
    assert whole.verdict is Conclusion.INCONCLUSIVE


def test_a_failure_counts_even_where_the_document_breaks_off() -> None:
    found = check(TWO, evidence(outcome("a-01", Status.FAILED), complete=False))

    assert found.verdict is Conclusion.NOT_COMPLIANT


def test_a_skipped_class_speaks_for_its_tests() -> None:
    guide = guideline({"m.C.test_a": {}, "m.C.test_b": {}, "m.D.test_c": {}})
    fixture = outcome("setUpClass (m.C)", Status.SKIPPED, covers="m.C", reason="no swift")

    found = check(guide, evidence(fixture, outcome("m.C.test_b"), outcome("m.D.test_c")))

    assert item(found, "m.C.test_a").state is State.SKIPPED
    assert "no swift" in item(found, "m.C.test_a").reason
    assert item(found, "m.C.test_b").state is State.PASSED


def test_a_class_whose_set_up_failed_is_blocked() -> None:
    guide = guideline({"m.C.test_a": {}})

    found = check(guide, evidence(outcome("setUpClass (m.C)", Status.FAILED, covers="m.C")))

    assert item(found, "m.C.test_a").state is State.BLOCKED
    assert found.verdict is Conclusion.NOT_COMPLIANT
    assert found.reasons == ("1 required item blocked by a failed set-up",)


def test_a_failed_set_up_in_a_document_that_breaks_off_leaves_it_open() -> None:
    guide = guideline({"m.C.test_a": {}})
    fixture = outcome("setUpClass (m.C)", Status.BLOCKED, covers="m.C")

    assert check(guide, evidence(fixture, complete=False)).verdict is Conclusion.INCONCLUSIVE


def test_a_failed_set_up_does_not_take_back_an_older_failure() -> None:
    guide = guideline({"m.C.test_a": {}})
    fixture = outcome("setUpClass (m.C)", Status.BLOCKED, covers="m.C")
    old = evidence(outcome("m.C.test_a", Status.FAILED), source="old", finished=hour(1))
    new = evidence(fixture, source="new", finished=hour(2), complete=False)

    found = check(guide, old, new)

    assert item(found, "m.C.test_a").state is State.FAILED
    assert found.verdict is Conclusion.NOT_COMPLIANT


def test_a_failed_set_up_newer_than_a_pass_blocks() -> None:
    guide = guideline({"m.C.test_a": {}})
    fixture = outcome("setUpClass (m.C)", Status.BLOCKED, covers="m.C")
    old = evidence(outcome("m.C.test_a"), source="old", finished=hour(1))

    found = check(guide, old, evidence(fixture, source="new", finished=hour(2)))

    assert item(found, "m.C.test_a").state is State.BLOCKED
    assert found.verdict is Conclusion.INCONCLUSIVE
    assert [s.state for s in item(found, "m.C.test_a").superseded] == [State.PASSED]


def test_a_record_without_a_date_is_not_made_older_by_one_with_a_date() -> None:
    unsure = evidence(
        outcome("a-01", Status.FAILED),
        outcome("a-01", Status.FAILED, finished=hour(1)),
        source="a",
    )
    later = evidence(outcome("a-01"), source="b", finished=hour(2))

    assert check(ONE, unsure, later).verdict is Conclusion.NOT_COMPLIANT


def test_a_flagged_item_of_a_document_that_breaks_off_casts_no_doubt() -> None:
    flag = {"reason": "[D401] x", "action": "y", "date": "2030-01-01"}
    guide = guideline({"a-01": {}, "a-02": {"flag": flag}})
    whole = evidence(outcome("a-01"), source="whole")
    part = evidence(outcome("a-02"), source="part", complete=False)

    assert check(guide, whole, part).verdict is Conclusion.COMPLIANT


def test_of_several_records_in_one_document_the_worst_counts() -> None:
    found = check(ONE, evidence(outcome("a-01"), outcome("a-01", Status.FAILED, reason="host b")))

    assert item(found, "a-01").state is State.FAILED
    assert item(found, "a-01").reason == "host b"
    assert "unstable-item" in {finding.code for finding in found.findings}


def hour(number: int) -> datetime.datetime:
    return datetime.datetime(2030, 5, 1, number, tzinfo=UTC)


def test_the_newest_document_decides_and_older_ones_stay_visible() -> None:
    old = evidence(outcome("a-01", Status.FAILED, reason="bug 7"), source="old", finished=hour(1))
    new = evidence(outcome("a-01"), source="new", finished=hour(2))

    found = check(ONE, old, new)

    assert found.verdict is Conclusion.COMPLIANT
    assert [(s.state, s.reason) for s in item(found, "a-01").superseded] == [
        (State.FAILED, "bug 7")
    ]
    assert "conflicting-evidence" in {finding.code for finding in found.findings}


def test_an_undated_failure_is_not_beaten_by_a_dated_pass() -> None:
    undated = evidence(outcome("a-01", Status.FAILED), source="undated")
    dated = evidence(outcome("a-01"), source="dated", finished=hour(1))

    assert check(ONE, undated, dated).verdict is Conclusion.NOT_COMPLIANT


def test_the_same_document_twice_counts_once() -> None:
    body = evidence(outcome("a-01"))

    found = check(ONE, body, body)

    assert len(found.sources) == 1
    assert "repeated-evidence" in {finding.code for finding in found.findings}


def test_results_of_several_platforms_are_not_one_body() -> None:
    bodies = [
        evidence(outcome(name), source=name, subject=name, format="interop.result/1")
        for name in ("a-01", "a-02")
    ]

    assert check(TWO, *bodies).verdict is Conclusion.INCONCLUSIVE


def test_a_passes_only_upload_says_so() -> None:
    found = check(TWO, evidence(outcome("a-01"), passes_only=True))

    assert "not among the passes" in item(found, "a-02").reason


def fact(value: FactValue, **more: Any) -> Fact:
    return Fact(**{"check": "a-01", "name": "x", "source": "guest", **more}, value=value)


@pytest.mark.parametrize(
    ("expects", "facts", "state"),
    [
        ({"equals": 5}, [fact(5)], State.PASSED),
        ({"equals": 1}, [fact(True)], State.FAILED),
        ({"equals": 1}, [fact(1.0)], State.PASSED),
        ({"equals": [1, 2]}, [fact((1, 2))], State.PASSED),
        ({"one-of": ["a", "b"]}, [fact("b"), fact("c")], State.FAILED),
        ({"range": {"low": 1, "high": 2}}, [fact(2)], State.PASSED),
        ({"range": {"high": 2}}, [fact("2")], State.FAILED),
        ({"range": {"low": 1}, "unit": "s"}, [fact(3, unit="ms")], State.FAILED),
        ({"contains": ["a"]}, [fact(("b", "a"))], State.PASSED),
        ({"recorded": True}, [fact(0)], State.PASSED),
        ({"recorded": True}, [fact(None)], State.BLOCKED),
        ({"recorded": True}, [], State.BLOCKED),
        ({"recorded": True, "optional": True}, [], State.PASSED),
        ({"same-across": "members"}, [fact(1, member="m"), fact(1, member="n")], State.PASSED),
        ({"same-across": "members"}, [fact(1, member="m"), fact(2, member="n")], State.FAILED),
        ({"same-across": "members"}, [fact(1, member="m")], State.BLOCKED),
        ({"equals": 5}, [fact(5, check="other")], State.BLOCKED),
    ],
)
def test_a_pass_holds_only_with_the_expected_facts(
    expects: dict[str, Any], facts: list[Fact], state: State
) -> None:
    guide = guideline({"a-01": {"expects": [{"fact": "x", **expects}]}})

    found = check(guide, evidence(outcome("a-01"), facts=tuple(facts)))

    assert item(found, "a-01").state is state


def test_an_add_on_needs_its_host() -> None:
    guide = guideline(
        {"a-01": {}, "b-01": {}},
        programs={"p": {"components": ["top"], "add-on": True, "requires": ["c"]}},
        components={
            "c": {"capabilities": {"required": ["cap-a-01"]}},
            "top": {"capabilities": {"required": ["cap-b-01"]}},
        },
    )

    alone = check(guide, evidence(outcome("b-01"), outcome("a-01", Status.FAILED)))
    both = check(guide, evidence(outcome("b-01"), outcome("a-01")))

    assert alone.verdict is Conclusion.NOT_COMPLIANT
    assert both.verdict is Conclusion.COMPLIANT


def test_a_component_defined_elsewhere_must_be_given() -> None:
    guide = guideline({"a-01": {}}, programs={"p": {"components": ["c", "far"]}})
    far = parse_guideline(
        json.dumps(
            {
                "schema": "interop.guideline/1",
                "id": "far",
                "status": "draft",
                "programs": {},
                "components": {"far": {"capabilities": {"required": ["f"]}}},
                "capabilities": {"f": {"checks": ["f-01"]}},
                "checks": {"f-01": {"title": "f", "level": 1}},
            }
        ).encode(),
        source="far",
        digest="sha256:far",
    )
    body = evidence(outcome("a-01"), outcome("f-01"))

    assert check(guide, body).verdict is Conclusion.INCONCLUSIVE
    assert check(guide, body, hosts=[far]).verdict is Conclusion.COMPLIANT
    assert check(guide, evidence(outcome("a-01")), hosts=[far]).verdict is Conclusion.NOT_COMPLIANT


def test_a_listed_but_undefined_capability_is_reported() -> None:
    guide = guideline(
        {"a-01": {}}, components={"c": {"capabilities": {"required": ["cap-a-01", "ghost"]}}}
    )

    found = check(guide, evidence(outcome("a-01")))

    assert ("undefined-capability", "ghost") in {(f.code, f.path) for f in found.findings}
    assert {c.id: c.state for c in found.capabilities}["ghost"] == "undefined"


@pytest.mark.parametrize(
    ("statuses", "level", "held"),
    [
        ("PPP", 2, ()),
        ("PPF", 1, ("l2",)),
        ("PFP", 0, ("l1",)),
        ("FPP", None, ("l0",)),
    ],
)
def test_level_is_the_highest_below_which_everything_passed(
    statuses: str, level: int | None, held: tuple[str, ...]
) -> None:
    guide = guideline({f"l{number}": {"level": number} for number in range(3)})
    outcomes = [
        outcome(f"l{number}", Status.PASSED if letter == "P" else Status.FAILED)
        for number, letter in enumerate(statuses)
    ]

    found = check(guide, evidence(*outcomes))

    assert (found.level, found.held_back_by) == (level, held)


def test_no_level_is_awarded_for_what_does_not_apply() -> None:
    guide = guideline(
        {"l0": {"level": 0}, "l1": {"level": 1}, "l2": {"level": 2}},
        when={"l1": ["x"], "l2": ["x"]},
    )

    assert check(guide, evidence(outcome("l0"))).level == 0


def test_verdict_document_follows_its_schema() -> None:
    found = check(TWO, evidence(outcome("a-01", Status.FAILED), source="x", finished=hour(1)))

    VerdictOutput.model_validate(found.to_json())


def test_unknown_program_is_bad_input() -> None:
    with pytest.raises(BadDocument, match="no program is called"):
        judge(ONE, [], program="q", at=DAY)
