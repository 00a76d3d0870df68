"""Scoring: totals, vetoes, what is left out, what is open, and the totals people wrote down."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guidelines.catalog import load_guideline
from guidelines.errors import BadDocument
from guidelines.score import (
    ADD_ON_CUTOFF,
    OPENSTACK,
    Scored,
    Scores,
    change_weights,
    score_guideline,
    score_worksheet,
    worksheet_scoring,
)
from guidelines.worksheet import STANDARD_COLUMNS, read_worksheet

ADD_ON = """\
Criteria in *Name* are not considered for this add-on program

Capability Name: [*Widely Deployed*, Used By Tools, Used by Clients],
                 [TC Future Direction, Complete, Stable],
                 [Discoverable, Doc'd, Required in Last Release],
                 [*Foundation*, Atomic, *Proximity*],
                 [Non-Admin] [Total]

Possible scores: 0, 1, ? (not scored yet or needs discussion), * (not considered)
"""


def scores(text: str, **changes: float) -> Scores:
    worksheet = read_worksheet(text, "w.txt")
    scoring = change_weights(worksheet_scoring(worksheet), changes, "w.txt")
    return score_worksheet(worksheet, scoring, altered=bool(changes))


def one(line: str, **changes: float) -> Scored:
    return scores(line, **changes).capabilities[0]


def test_weights_of_the_programme_add_up() -> None:
    assert sum(criterion.weight for criterion in OPENSTACK.criteria.values()) == 100


@pytest.mark.parametrize(
    ("line", "total", "included"),
    [
        ("a: [1,1,1] [1,1,1] [1,1,1] [1,1,1] [1] [100]*", 100, True),
        ("a:  [1,1,1] [1,1,1] [1,1,0] [0,1,0] [1] [74]*", 74, True),
        ("a: [0,1,1] [0,1,1] [1,1,1] [0,1,1] [1] [72]", 72, False),
        ("a: [0,0,0] [0,0,0] [0,0,0] [0,0,0] [1] [0]", 0, False),
        ("a b-c : [ 1, 0 ,1][1,1,1][1,1,0][0,1,1][1][76]*", 76, True),
    ],
)
def test_total(line: str, total: float, included: bool) -> None:
    found = scores(line)

    assert (found.capabilities[0].total, found.capabilities[0].included) == (total, included)
    assert found.findings == ()


def test_needing_an_administrator_is_a_veto() -> None:
    found = one("a: [1,1,1] [1,1,1] [1,1,0] [0,1,1] [0] [0]")

    assert (found.total, found.veto, found.included) == (0, True, False)
    assert "82" in found.reasons[0]


def test_an_open_mark_makes_the_total_negative() -> None:
    found = one("a: [1,?,1] [1,1,1] [1,1,1] [1,1,1] [1] [-94]")

    assert (found.total, found.included) == (-94, False)
    assert any("tools" in reason for reason in found.reasons)


def test_an_open_administrator_mark_is_open_too() -> None:
    assert not one("a: [1,1,1] [1,1,1] [1,1,1] [1,1,1] [?] [-100]").included


def test_partial_marks_count_in_part() -> None:
    assert one("a: [1,0.5,1] [1,1,1] [1,1,1] [1,1,1] [1] [97]").total == 97


def test_an_add_on_leaves_criteria_out() -> None:
    """The programme's worksheets for DNS and Orchestration record 64 where the weights give 66."""
    found = scores(ADD_ON + "zone: [*,1,1][1,1,1][1,1,0][*,1,*][1] [64]\n")

    assert found.scoring.cutoff == ADD_ON_CUTOFF
    assert sum(criterion.weight for criterion in found.scoring.criteria.values()) == 75
    assert (found.capabilities[0].total, found.capabilities[0].included) == (66, True)
    assert "recorded-total" in {finding.code for finding in found.findings}


def test_a_mark_in_a_column_left_out_does_not_count() -> None:
    assert one(ADD_ON + "zone: [1,1,1][1,1,1][1,1,0][1,1,1][1] [66]*\n").total == 66


def test_the_legend_gives_the_order_of_the_columns() -> None:
    text = "Capability Name: [Atomic, Stable], [Non-Admin] [Total]\n\na: [1,0] [1] [6]\n"

    found = scores(text)

    assert found.capabilities[0].total == 6


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("a: [1,1,1] [1,1,1] [1,1,1] [1,1,1] [1] [99]*", "recorded-total"),
        ("a: [1,1,1] [1,1,1] [1,1,1] [1,1,1] [1] [100]", "recorded-mark"),
        ("a: [1,1,1] [1,1,1] [1,1,1] [1,1,1] [1]", "no-recorded-total"),
        ("a: [1,1] [1,1,1] [1,1,1] [1,1,1] [1]", "malformed-line"),
        ("a: [1,x,1] [1,1,1] [1,1,1] [1,1,1] [1] [9]", "malformed-mark"),
        ("a: [1,2,1] [1,1,1] [1,1,1] [1,1,1] [1] [9]", "malformed-mark"),
        ("a: [1,1,1] [1,1,1] [1,1,1] [1,1,1] [1] [many]", "malformed-total"),
        ("\n".join(["a: [1,1,1] [1,1,1] [1,1,1] [1,1,1] [1] [100]*"] * 2), "duplicate-line"),
    ],
)
def test_what_is_wrong_with_a_worksheet_is_told(text: str, code: str) -> None:
    assert code in {finding.code for finding in scores(text).findings}


def test_notes_between_the_lines_are_passed_over() -> None:
    text = """\
Networking
----------
a: [1,1,1] [1,1,1] [1,1,1] [1,1,1] [1] [100]*

Notes:
  * see [1] and [2]: they matter
  * networks-l2-CRUD:
    * networks-l2-create
[1] https://example.org/x
"""

    assert [scored.id for scored in scores(text).capabilities] == ["a"]


def test_totals_by_the_earlier_weights_are_recognised() -> None:
    text = (
        "a: [1,1,0] [1,1,1] [1,1,1] [1,1,1] [1] [92]*\nb: [1,1,1] [1,1,1] [1,1,0] [1,1,1] [1] [91]*"
    )

    found = scores(text.replace("[92]", "[92]").replace("b:", "b:"))

    assert "earlier-weights" not in {finding.code for finding in found.findings}
    older = scores("a: [1,1,0] [1,1,1] [1,1,1] [1,1,1] [1] [92]*")
    assert {finding.code for finding in older.findings} >= {"recorded-total", "earlier-weights"}


def test_what_if_another_weight() -> None:
    line = "a: [1,1,1] [1,1,1] [1,1,0] [0,1,0] [1] [74]*"

    assert one(line, tools=0).total == 68
    assert not one(line, tools=0).included
    assert one(line, tools=0, cutoff=60).included
    assert scores(line, tools=0).findings == ()


def test_what_if_names_no_criterion() -> None:
    with pytest.raises(BadDocument, match="did you mean 'tools'"):
        one("a: [1,1,1] [1,1,1] [1,1,1] [1,1,1] [1]", tool=0)


def test_a_text_without_marks_is_no_worksheet() -> None:
    with pytest.raises(BadDocument, match="no line of marks"):
        read_worksheet("Core Criteria\n-------------\n", "c.txt")


def test_the_reasons_say_which_criterion_would_do() -> None:
    found = one("a: [0,1,1] [0,1,1] [1,1,1] [0,1,1] [1] [72]")

    assert any("2 short of the cut-off 74" in reason for reason in found.reasons)


def test_a_guideline_is_scored_by_its_achievements() -> None:
    guideline = load_guideline("2026.11")

    found = score_guideline(guideline, guideline.scoring)

    totals = {scored.id: scored for scored in found.capabilities}
    assert totals["allocation-discovery"].total == 100
    assert totals["init-kernel"].included is False


@given(st.lists(st.sampled_from(["0", "1"]), min_size=12, max_size=12))
def test_the_total_is_the_sum_of_the_weights_met(marks: list[str]) -> None:
    line = f"a: [{','.join(marks)}] [1] [0]"

    expected = sum(
        OPENSTACK.criteria[column].weight
        for column, mark in zip(STANDARD_COLUMNS, marks, strict=False)
        if mark == "1"
    )

    assert one(line).total == expected


@given(st.text(alphabet="a:[]01,?* \n-", max_size=200))
def test_any_text_is_scored_or_refused(text: str) -> None:
    try:
        worksheet = read_worksheet(text, "w")
    except BadDocument:
        return
    assert score_worksheet(worksheet, worksheet_scoring(worksheet)).to_json()
