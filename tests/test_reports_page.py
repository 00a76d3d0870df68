"""The page, the matrix, JUnit and the documents on disk."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from reports.errors import BadReport, WouldChange
from reports.junit import junit
from reports.matrix import fact_rows, matrix
from reports.page import render
from reports.read import read_result
from reports.result import CheckRecord, Result
from reports.terminal import checks, nowhere, verdicts
from reports.timeline import timeline
from reports.verdict import VerdictDocument
from reports.write import write_document

NOW = "2026-11-21T03:00:00Z"


def check(id_: str, outcome: str, **more: Any) -> dict[str, Any]:
    return {
        "id": id_,
        "test": f"suites.x::{id_}",
        "outcome": outcome,
        "started": NOW,
        "seconds": 1.0,
        **more,
    }


def fact(name: str, value: Any, member: str | None = None, unit: str | None = None) -> Any:
    return {"name": name, "value": value, "unit": unit, "source": "guest", "member": member}


def result(name: str, checks: list[dict[str, Any]], **more: Any) -> Result:
    document = {
        "schema": "interop.result/1",
        "id": f"{name}-1",
        "run": "r1",
        "platform": {"name": name, "kind": "fake"},
        "started": NOW,
        "finished": NOW,
        "complete": True,
        "tool": {"version": "0.1.0"},
        "suite": {"digest": "sha256:" + "0" * 64, "seed": 1},
        "checks": checks,
        **more,
    }
    return Result.model_validate(document)


@pytest.fixture
def two() -> list[Result]:
    a = result(
        "metal",
        [
            check("net-02", "passed", facts=[fact("arp", "peer")]),
            check("net-10", "failed", reason="expected: <b>own</b> name\nactual: none"),
            check("P1", "passed", facts=[fact("mac", "1", "m1"), fact("mac", "2", "m2")]),
        ],
    )
    b = result(
        "aws",
        [
            check("net-02", "passed", facts=[fact("arp", "fabric")]),
            check("net-10", "passed"),
            check("P1", "passed", facts=[fact("mac", "3", "m1"), fact("mac", "4", "m2")]),
        ],
    )
    return [a, b]


def verdict(name: str) -> VerdictDocument:
    words = "required passed failed blocked skipped missing waived not_applicable flagged"
    return VerdictDocument.model_validate(
        {
            "schema": "interop.verdict/1",
            "verdict": name,
            "guideline": "2026.11",
            "program": "p",
            "at": "2026-11-21",
            "counts": dict.fromkeys(words.split(" "), 1),
            "items": [{"id": "net-10", "state": "failed", "reason": "", "evidence": ""}],
            "level": 1,
            "held_back_by": ["net-10"],
        }
    )


def test_what_differs_in_behaviour_comes_first_and_identities_last(two: list[Result]) -> None:
    table = matrix(two)

    assert [(row.name, row.sort, row.differs) for row in table.facts] == [
        ("arp", "behaviour", True),
        ("mac", "identity", True),
    ]


def test_what_applies_to_no_platform_is_counted_and_not_shown() -> None:
    one = result("metal", [check("net-02", "not-applicable"), check("net-10", "not-applicable")])
    two = result("aws", [check("net-02", "not-applicable"), check("net-10", "passed")])
    table = matrix([one, two])

    assert nowhere(table) == 1
    assert list(checks(table).columns[0].cells) == ["net-10"]


def test_what_failed_of_advice_is_told_beside_the_verdict() -> None:
    advised = [{"id": f"life-0{number}", "state": "failed"} for number in range(7)]
    told = verdict("compliant").model_copy(update={"advised_items": [advised[3]]})
    many = verdict("compliant").model_copy(update={"advised_items": advised})

    assert verdict("compliant").on_advice() == []
    (accounting,) = verdicts({"p": told}).columns[-1].cells
    assert str(accounting).endswith("; 1 advisory failed: life-03")
    assert many.on_advice() == [
        "7 advisory failed: life-00, life-01, life-02, life-03, life-04, ..."
    ]


def test_who_tells_no_id_does_not_make_it_behaviour() -> None:
    told = [("m1", "a"), ("m2", "b")], [("m1", ""), ("m2", "")]
    columns = [
        [
            CheckRecord.model_validate(
                {
                    "id": "meta-07", "test": "t", "outcome": "passed", "started": "", "seconds": 0,
                    "facts": [
                        {"name": "word", "value": v, "source": "guest", "member": m}
                        for m, v in many
                    ],
                }
            )
        ]
        for many in told
    ]  # fmt: skip

    assert [row.sort for row in fact_rows(columns)] == ["identity"]


def test_a_check_nobody_ran_is_a_row(two: list[Result]) -> None:
    table = matrix(two, catalogue={"net-04": {"title": "stable", "level": 3}})

    assert [row.id for row in table.rows] == ["net-02", "net-04", "net-10", "P1"]
    assert table.rows[1].cells == (None, None)


class Links(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.ids: set[str] = set()
        self.targets: set[str] = set()
        self.fetched: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        if values.get("id"):
            self.ids.add(str(values["id"]))
        href = values.get("href")
        if href and href.startswith("#"):
            self.targets.add(href[1:])
        elif href or values.get("src"):
            self.fetched.append(str(href or values.get("src")))


def test_the_page_fetches_nothing_and_every_link_has_its_target(two: list[Result]) -> None:
    text = render(
        two,
        {"metal": verdict("not-compliant"), "aws": verdict("compliant")},
        {"net-10": {"title": "names", "level": 3, "references": ["RFC 1035"]}},
        title="t",
        made=NOW,
    )
    links = Links()
    links.feed(text)

    assert links.fetched == []
    assert links.targets <= links.ids
    assert not re.search(r"url\(|@import|https?://", text)


def test_text_from_a_platform_is_escaped(two: list[Result]) -> None:
    text = render(two, {}, {}, title="t", made=NOW)

    assert "<b>own</b>" not in text
    assert "&lt;b&gt;own&lt;/b&gt;" in text


def test_junit_counts_are_those_of_its_cases(two: list[Result]) -> None:
    root = ElementTree.fromstring(junit(two[0]))  # noqa: S314 - our own text
    suite = root[0]

    assert suite.get("tests") == "3"
    assert suite.get("failures") == "1"
    assert [case.get("name") for case in suite if case.find("failure") is not None] == ["net-10"]


def test_junit_holds_any_text() -> None:
    odd = result("x", [check("net-02", "failed", reason="nul \x00 escape \x1b ]]> <&")])

    case = ElementTree.fromstring(junit(odd)).find("testsuite/testcase")  # noqa: S314 - our own

    assert case is not None

    assert "]]> <&" in (case[0].text or "")


def test_a_published_document_never_changes(two: list[Result], tmp_path: Path) -> None:
    file = tmp_path / "result.json"
    write_document(file, two[0].dump())

    with pytest.raises(WouldChange):
        write_document(file, two[1].dump())

    assert read_result(tmp_path) == two[0]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[]", "expected a JSON object"),
        ('{"schema": 1, "schema": 2}', "a key occurs twice"),
        ('{"a": NaN}', "NaN is not a JSON number"),
        ("[" * 100_000, "not JSON"),
        ('{"schema": "interop.result/2"}', "schema"),
        ("\udcff", "not JSON"),
    ],
)
def test_a_bad_document_is_one_line(tmp_path: Path, text: str, expected: str) -> None:
    file = tmp_path / "result.json"
    file.write_bytes(text.encode("utf-8", "surrogateescape"))

    with pytest.raises(BadReport) as caught:
        read_result(file)

    assert expected in str(caught.value)
    assert "\n" not in str(caught.value)


def test_the_timeline_fits_its_picture() -> None:
    timings = result(
        "x",
        [],
        timings=[
            {"step": "a", "kind": "machine", "started": 0, "seconds": 30, "outcome": "ready"},
            {"step": "b", "kind": "role", "started": 30, "seconds": 0.1, "outcome": "error"},
        ],
    ).timings

    picture = timeline(timings)

    assert all(bar.x + bar.width <= picture.width for bar in picture.bars)
    assert [bar.failed for bar in picture.bars] == [False, True]
