"""Comparison: states, guards, the law of the joint score, changes, claims, debt, set levels."""

from __future__ import annotations

import csv
import io
import json
import re
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.cli.policy import regression_code
from reports.compare.claims import claims
from reports.compare.comparison import Comparison, compare, document, json_text, schema
from reports.compare.guards import objections
from reports.compare.page import pieces
from reports.compare.regressions import changes
from reports.compare.score import score
from reports.compare.spreadsheet import checks_csv
from reports.compare.table import STATES, Cell, Row, rows
from reports.compare.text import markdown
from reports.compare.topics import TOPICS, topic_of
from reports.result import CheckRecord, FactRecord
from reports.subject import About, ItemState, Judgement, Subject, labelled

SCHEMA = Path(__file__).parent.parent / "reports" / "schema" / "comparison-1.json"
DIGEST = "sha256:" + "0" * 64
NOW = "2026-11-21T03:00:00+00:00"


def record(id_: str, outcome: str = "passed", reason: str = "", **facts: Any) -> CheckRecord:
    told = [FactRecord(name=n, value=v, source="guest") for n, v in facts.items()]
    return CheckRecord.model_validate(
        {"id": id_, "test": id_, "outcome": outcome, "reason": reason, "started": NOW,
         "seconds": 1.0, "facts": told}
    )  # fmt: skip


def judgement(states: dict[str, str], level: int | None = 3, **more: Any) -> Judgement:
    verdict = "compliant" if set(states.values()) <= {"passed"} else "not-compliant"
    fields = {
        "guideline": "2026.11",
        "digest": "sha256:g",
        "program": "p",
        "at": "2026-11-21",
        "verdict": verdict,
        "level": level,
        "held_back_by": tuple(id_ for id_, state in states.items() if state != "passed"),
        "reasons": (),
        "counts": {"required": len(states)},
        "items": {
            id_: ItemState(state=state, reason=f"why {state}", evidence=f"x#{id_}")
            for id_, state in states.items()
        },
        "components": ("c",),
    }
    return Judgement(**{**fields, **more})


def subject(name: str, states: dict[str, str] | None = None, **more: Any) -> Subject:
    fields: dict[str, Any] = {
        "label": name,
        "platform": name,
        "kind": "fake",
        "run": f"run-{name}",
        "finished": NOW,
        "suite": DIGEST,
        "workload": DIGEST,
        "digest": f"sha256:{name}",
        "judgement": judgement(states) if states is not None else None,
    }
    return Subject(**{**fields, **more})


def about(*ids: str, component: str = "c", **more: Any) -> dict[str, About]:
    return {id_: About(id=id_, title=f"T {id_}", components=(component,), **more) for id_ in ids}


def compared(*subjects: Subject, **more: Any) -> Comparison:
    ids = {id_ for s in subjects if s.judgement for id_ in s.judgement.items}
    return compare(subjects, about(*sorted(ids)), made=NOW, **more)


def test_every_cell_has_one_state_and_silence_is_missing() -> None:
    a = subject("a", records=(record("net-02"), record("net-03", "failed", "boom\nmore")))
    b = subject("b", records=(record("net-02"),))

    found = {row.id: row for row in rows([a, b], about("net-02", "net-03", "net-04"))}

    assert [c.state for c in found["net-02"].cells] == ["passed", "passed"]
    assert [c.state for c in found["net-03"].cells] == ["failed", "missing"]
    assert found["net-03"].cells[0].reason == "boom"
    assert [c.state for c in found["net-04"].cells] == ["missing", "missing"]


def test_the_verdict_decides_over_the_outcome() -> None:
    states = {"disk-01": "waived", "disk-02": "failed"}
    a = subject("a", states, records=(record("disk-01", "failed"), record("disk-02")))

    found = {row.id: row.cells[0] for row in rows([a], about("disk-01", "disk-02"))}

    assert found["disk-01"].state == "waived"
    assert (found["disk-02"].state, found["disk-02"].evidence) == ("failed", "x#disk-02")


def test_what_a_program_does_not_ask_for_is_told_so() -> None:
    a = subject("a", {"bmc-01": "passed"})
    b = subject("b", {})

    (row,) = rows([a, b], about("bmc-01"))

    assert [cell.state for cell in row.cells] == ["passed", "not-applicable"]
    assert row.cells[1].reason == "p does not ask for it"


def test_differences_come_first_in_the_order_in_which_they_hurt() -> None:
    a = subject("a", {"net-01": "passed", "P9": "passed", "disk-01": "passed", "time-01": "passed"})
    b = subject("b", {"net-01": "failed", "P9": "failed", "disk-01": "passed", "time-01": "failed"})

    found = compared(a, b).rows

    assert [(row.id, row.differs) for row in found] == [
        ("net-01", True), ("time-01", True), ("P9", True), ("disk-01", False)
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("check", "topic"),
    [("net-09", "addressing"), ("P9", "errors"), ("P3", "api"), ("meta-05", "initialisation"),
     ("disk-03", "storage"), ("life-02", "lifecycle"), ("span-01", "spanning"),
     ("tempest.api.volume.test_volumes", "storage"), ("zzz", "other")],
)  # fmt: skip
def test_topics_are_what_a_user_feels(check: str, topic: str) -> None:
    assert topic_of(check) == topic
    assert topic in TOPICS


@pytest.mark.parametrize(
    ("other", "code"),
    [
        ({"suite": "sha256:other"}, "suite"),
        ({"workload": "sha256:other"}, "workload"),
        ({"complete": False, "incomplete": "interrupted"}, "unfinished"),
        ({"digest": "sha256:a"}, "twice"),
        ({"judgement": judgement({}, guideline="2027.05")}, "guideline"),
        ({"judgement": judgement({}, digest="sha256:changed")}, "guideline"),
    ],
)
def test_what_is_not_comparable_is_objected_to(other: dict[str, Any], code: str) -> None:
    found = objections(
        [subject("a", {}), subject("b", {}, **{"judgement": judgement({}), **other})]
    )

    assert [(o.code, o.grave) for o in found] == [(code, True)]


def test_what_a_reader_should_know_is_no_reason_to_refuse() -> None:
    found = objections([subject("a", emulator=True), subject("b", leaks=("vm-1",), suite="")])

    assert {(o.code, o.grave) for o in found} == {
        ("suite-unknown", False), ("emulator", False), ("leaks", False)
    }  # fmt: skip


def test_good_results_raise_no_objection() -> None:
    assert objections([subject("a", {}), subject("b", {})]) == ()


def row_of(number: int, states: list[str]) -> Row:
    cells = tuple(Cell(state=next(s for s in STATES if s == state)) for state in states)
    return Row(id=f"x-{number}", title="", topic="other", components=("c",), status="required",
               level=None, differs=False, cells=cells)  # fmt: skip


TABLES = st.integers(1, 5).flatmap(
    lambda members: st.lists(
        st.lists(st.sampled_from(STATES), min_size=members, max_size=members), max_size=25
    )
)


@given(TABLES)
def test_law_joint_is_never_above_the_weakest_and_missing_counts_zero(
    table: list[list[str]],
) -> None:
    members = len(table[0]) if table else 1
    subjects = [subject(f"s{n}") for n in range(members)]
    made = [row_of(number, states) for number, states in enumerate(table)]

    found = score(subjects, made, component="c", status="required")

    applying = [states for states in table if set(states) != {"not-applicable"}]
    assert found.checks == len(applying)
    assert found.joint <= min(found.members)
    assert found.points <= min(found.member_points)
    assert len(found.lost) == found.checks - found.joint
    everything = all(set(states) == {"passed"} for states in applying) and bool(applying)
    assert (found.points == 1000) is everything
    assert sum(found.members) == sum(s == "passed" for states in applying for s in states)


@given(TABLES.filter(bool), st.data())
def test_law_a_state_that_gets_worse_and_a_member_more_never_raise_the_score(
    table: list[list[str]], data: st.DataObject
) -> None:
    members = len(table[0])
    subjects = [subject(f"s{n}") for n in range(members + 1)]
    before = score(subjects[:-1], [row_of(n, s) for n, s in enumerate(table)],
                   component="c", status="required")  # fmt: skip
    row = data.draw(st.integers(0, len(table) - 1))
    member = data.draw(st.integers(0, members - 1))
    worse = data.draw(st.sampled_from([s for s in STATES if s not in ("passed", "not-applicable")]))
    changed = [list(states) for states in table]
    changed[row][member] = worse
    after = score(subjects[:-1], [row_of(n, s) for n, s in enumerate(changed)],
                  component="c", status="required")  # fmt: skip
    joined = data.draw(st.lists(st.sampled_from(STATES), min_size=len(table), max_size=len(table)))
    larger = score(subjects, [row_of(n, [*s, joined[n]]) for n, s in enumerate(table)],
                   component="c", status="required")  # fmt: skip

    assert after.joint <= before.joint
    assert after.points <= before.points
    assert larger.joint <= before.joint
    assert larger.points <= before.points


def test_a_component_that_not_all_hold_is_scored_apart() -> None:
    a = subject("a", {"net-01": "passed", "bmc-01": "passed"})
    b = subject("b", {"net-01": "passed"})
    a_judged = judgement({"net-01": "passed", "bmc-01": "passed"}, components=("c", "metal"))
    a = subject("a", judgement=a_judged)
    asked = {**about("net-01"), **about("bmc-01", component="metal")}

    found = {s.component: s for s in compare([a, b], asked, made=NOW).scores}

    assert (found["all"].points, found["c"].points) == (1000, 1000)
    assert (found["metal"].shared, found["metal"].points) == (False, 0)
    assert found["metal"].lost[0].members == ("b",)


@pytest.mark.parametrize(
    ("before", "after", "kind"),
    [("passed", "failed", "regression"), ("passed", "missing", "regression"),
     ("passed", "skipped", "regression"), ("passed", "not-applicable", "regression"),
     ("passed", "waived", "regression"), ("passed", "blocked", "unknown"),
     ("failed", "passed", "improvement"), ("failed", "blocked", "change")],
)  # fmt: skip
def test_a_loss_of_any_kind_is_no_pass_any_more(before: str, after: str, kind: str) -> None:
    then = subject("a", {"net-01": before})
    now = subject("a", {"net-01": after})

    (found,) = changes([now], [then], {}).checks

    assert (found.kind, found.before, found.after) == (kind, before, after)


@pytest.mark.parametrize(
    ("after", "verdict", "level", "code"),
    [("passed", "compliant", 3, 0), ("failed", "not-compliant", 1, 1),
     ("blocked", "inconclusive", 1, 3), ("blocked", "not-compliant", 3, 1),
     ("passed", "inconclusive", 3, 1), ("passed", "compliant", 2, 1)],
)  # fmt: skip
def test_what_could_not_be_told_is_no_regression_to_a_build(
    after: str, verdict: str, level: int, code: int
) -> None:
    then = subject("a", judgement=judgement({"net-01": "passed"}, verdict="compliant"))
    judged = judgement({"net-01": after}, level=level, verdict=verdict)

    assert regression_code(changes([subject("a", judgement=judged)], [then], {})) == code


def test_what_a_run_of_chosen_checks_left_out_cannot_be_told() -> None:
    then = subject("a", {"net-01": "passed", "net-04": "passed"})
    now = subject("a", {"net-01": "failed", "net-04": "missing"}, complete=False)

    found = {change.check: change.kind for change in changes([now], [then], {}).checks}

    assert found == {"net-01": "regression", "net-04": "unknown"}


def test_a_check_the_baseline_never_knew_is_no_regression() -> None:
    then = subject("a", {"net-01": "passed"})
    now = subject("a", {"net-01": "passed", "net-02": "failed"})

    assert changes([now], [then], {}).checks == ()


def test_baselines_are_matched_by_platform() -> None:
    then = [subject("a", {"net-01": "passed"}), subject("b", {"net-01": "failed"})]
    now = [subject(name, {"net-01": "failed"}) for name in ("a", "b", "c")]

    found = changes(now, then, {})

    assert [change.member for change in found.checks] == ["a"]
    assert found.alone == ("c",)


def test_a_single_baseline_of_another_platform_is_everybodys() -> None:
    found = changes(
        [subject("a", {"net-01": "failed"}), subject("b", {"net-01": "passed"})],
        [subject("old", {"net-01": "passed"})],
        {},
    )

    assert [(c.member, c.baseline) for c in found.checks] == [("a", "old")]


def test_a_fallen_verdict_level_and_behaviour_are_told() -> None:
    then = subject("a", {}, records=(record("net-02", arp="peer", seed=1),))
    now = subject("a", judgement=judgement({"net-01": "failed"}, level=None),
                  records=(record("net-02", arp="fabric", seed=2),))  # fmt: skip

    found = changes([now], [then], {})

    assert [(f.what, f.before, f.after) for f in found.fallen] == [
        ("verdict", "compliant", "not-compliant"), ("level", "3", "none")
    ]  # fmt: skip
    assert [(f.name, f.before, f.after) for f in found.facts] == [("arp", "peer", "fabric")]


def test_claimed_and_proven_are_told_apart() -> None:
    states = {"P3": "failed", "life-04": "skipped", "net-02": "passed"}
    a = subject(
        "a",
        states,
        features=("pagination", "console", "address"),
        absent={"volume": "not offered"},
        declared={"volume": True, "mtu": 1500, "gateway": "yes", "product": "Cloud"},
        records=(record("path-02", mtu=1450), record("net-06", gateway=True)),
    )
    asked = {
        **about("P3", features=("pagination",)),
        **about("life-04", features=("console",)),
        **about("net-02", features=("address",)),
    }

    found = {c.what: (c.standing, c.by) for c in claims([a], asked)}

    assert found == {
        "pagination": ("contradicted", "description"),
        "console": ("unproven", "description"),
        "address": ("proven", "description"),
        "volume": ("contradicted", "owner"),
        "mtu": ("contradicted", "owner"),
        "gateway": ("proven", "owner"),
    }


def test_debt_is_what_the_profiles_had_to_set() -> None:
    a = subject("a", {}, profile={"image": {"name": "x"}, "size": "m"})
    b = subject("b", {}, profile={"size": "m"})

    found = compared(a, b).debt

    assert [(d.key, d.values, d.differs) for d in found] == [
        ("image.name", ("x", ""), True), ("size", ("m", "m"), False)
    ]  # fmt: skip


def test_levels_of_a_set_are_given_only_on_proof() -> None:
    a, b = subject("a", {"net-01": "passed"}), subject("b", {"net-01": "passed"})
    again = [
        subject(n, {"net-01": "passed"}, run=f"second-{n}", digest=f"2{n}") for n in ("a", "b")
    ]

    portable = compared(a, b).set_level
    unaware = compared(a, b, *again).set_level

    assert (portable.level, portable.name) == (4, "workload-portable")
    assert "a was not built a second time" in portable.held_back
    assert unaware.level == 5
    assert unaware.held_back == ("no check of one deployment over several platforms ran",)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"workload": "sha256:other"}, "not every member stood the same workload"),
        ({"complete": False}, "b did not finish"),
        ({"judgement": judgement({"P3": "failed"}, level=1)}, "b is at level 1: P3"),
        ({"platform": "a"}, "results of two platforms are needed"),
    ],
)
def test_what_keeps_a_set_from_being_portable_is_told(change: dict[str, Any], reason: str) -> None:
    fields = {"judgement": judgement({"net-01": "passed"}), **change}

    found = compared(subject("a", {"net-01": "passed"}), subject("b", **fields)).set_level

    assert found.level != 4
    assert reason in found.held_back


def test_a_set_that_is_rebuilt_differently_or_needs_a_profile_is_not_site_unaware() -> None:
    many = [
        subject(n, {"net-01": "passed"}, run=f"{run}{n}", digest=f"{run}{n}",
                records=(record("net-02", arp=run),), profile={"size": "m"} if n == "a" else {})
        for n in ("a", "b") for run in ("first", "second")
    ]  # fmt: skip

    found = compared(*many).set_level

    assert found.level == 4
    assert "profile sets size on 2 members" in found.held_back
    assert "a is not the same when built again: net-02 arp" in found.held_back


def test_labels_tell_results_of_one_platform_apart() -> None:
    many = [subject("a"), subject("a", finished="2026-10-01T00:00:00+00:00"),
            subject("a", run="r3"), subject("b")]  # fmt: skip

    labels = [s.label for s in labelled(many)]

    assert labels == ["a run-a", "a 2026-10-01", "a r3", "b"]


@pytest.fixture
def hostile() -> Comparison:
    bad = "<script>alert(1)</script>|`x`\n=cmd"
    a = subject("a", records=(record("net-01", "failed", bad),), profile={bad: bad},
                features=(bad,), declared={bad: bad})  # fmt: skip
    b = subject("<b>", records=(record("net-01", "passed", arp=bad), record("=HYPERLINK")))
    return compare([a, b], about("net-01"), made=NOW)


def test_the_json_document_keeps_its_published_schema(hostile: Comparison) -> None:
    found = json.loads(json_text(hostile))

    jsonschema.validate(found, schema())
    assert found == document(hostile)
    found["surprise"] = 1
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(found, schema())


def test_the_published_schema_is_that_of_the_code() -> None:
    assert json.loads(SCHEMA.read_text(encoding="utf-8")) == schema()


def test_the_page_escapes_and_fetches_nothing(hostile: Comparison) -> None:
    text = "".join(pieces(hostile))

    assert "<script>" not in text
    assert "<b>" not in text.replace("<body>", "")
    assert not re.search(r"url\(|@import|https?://", text)
    targets = set(re.findall(r'href="#([^"]+)"', text))
    assert targets <= set(re.findall(r'id="([^"]+)"', text))


def test_the_page_of_many_members_tells_together_what_is_alike() -> None:
    many = [subject(f"p{n}", {"net-01": "failed" if n == 7 else "passed"}) for n in range(30)]

    text = "".join(pieces(compared(*many)))

    assert "<summary>p0, p1, p2, p3, p4, p5 and 23 more</summary>" in text
    assert "p28, p29</details>" in text
    assert "1: p7" in text


def test_overruled_objections_are_on_the_page() -> None:
    text = "".join(pieces(compared(subject("a", {}), subject("b", {}, suite="x"), anyway=True)))

    assert "Not comparable, compared anyway" in text
    assert "different suites of checks ran" in text


def test_a_verdict_that_was_given_by_other_words_is_told() -> None:
    held = subject("a", {"net-01": "failed"}, told="compliant")
    text = "".join(pieces(compared(held, subject("b", {"net-01": "passed"}))))

    assert "a: judged anew, not compliant; compliant by guideline" in text


def test_verdicts_that_changed_words_leave_alike_are_told_in_one_line() -> None:
    one, two = (subject(n, {"net-01": "passed"}, told="compliant") for n in ("a", "b"))

    (found,) = objections([one, two])

    assert (found.code, found.grave, found.members) == ("anew", False, ("a", "b"))


def test_what_differs_only_in_whom_it_applies_to_comes_last_and_folded() -> None:
    one = subject("a", {"net-01": "passed", "disk-01": "passed"})
    other = subject("b", {"net-01": "not-applicable", "disk-01": "failed"})
    text = "".join(pieces(compared(one, other)))

    assert text.index('id="t-storage"') < text.index('id="applies"')
    assert "<summary>Addresses and names: 1</summary>" in text
    assert 'id="t-addressing"' not in text
    assert "1 of 2 checks differ between 2 results, 1 more only in whom they apply to" in text


def test_markdown_and_csv_take_hostile_words_as_words(hostile: Comparison) -> None:
    table = markdown(hostile)
    cells = [cell for line in csv.reader(io.StringIO(checks_csv(hostile))) for cell in line]

    assert "<script>" not in table
    assert all(line.count("|") - line.count("\\|") <= 8 for line in table.splitlines())
    assert not [cell for cell in cells if cell.startswith(("=", "+", "@"))]
    assert "'=HYPERLINK" in cells
