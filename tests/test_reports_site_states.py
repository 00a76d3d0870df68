"""Joint score and claims on the site: the same law, whoever computes it."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from site_results import guideline_file, publication, result, site, written

from harness.publishing import publish
from reports.result import Result
from reports.site.documents import GuidelineDocument, Judged, Summary
from reports.site.states import asked, joint, state_of
from reports.site.summary import summarise

GUIDELINE = GuidelineDocument.model_validate(
    {
        "id": "g",
        "programs": {"all": {"components": ["c"]}},
        "components": {"c": {"title": "C", "required": ["x"], "advisory": ["y"]}},
        "capabilities": {"x": {"checks": ["net-10", "disk-03"]}, "y": {"checks": ["disk-05"]}},
    }
)
STATES = ("passed", "failed", "blocked", "skipped", "missing", "waived", "not-applicable")


def summary(platform: str, states: dict[str, str], **outcomes: str) -> Summary:
    judged = Judged(
        guideline="g", program="all", verdict="inconclusive", states=states,
        capabilities=[{"id": "x"}, {"id": "y"}],
    )  # fmt: skip
    made = Result.model_validate(result(platform, "2026-11-01", **outcomes))
    return summarise(made, key="k", digest="d", redacted=False, judged=[judged])


@pytest.mark.parametrize(
    ("states", "outcomes", "expected"),
    [
        ({"net-10": "waived"}, {"net_10": "failed"}, "waived"),
        ({"net-10": "missing"}, {}, "missing"),
        ({}, {"net_10": "failed"}, "failed"),
        ({}, {}, "missing"),
    ],
)
def test_the_verdict_decides_and_silence_is_missing(
    states: dict[str, str], outcomes: dict[str, str], expected: str
) -> None:
    seen = summary("p", states, **outcomes)

    assert state_of(seen, "net-10", GUIDELINE, asked(seen, GUIDELINE))[0] == expected


def test_what_the_program_does_not_ask_for_does_not_apply() -> None:
    seen = summary("p", {})

    found = state_of(seen, "bmc-01", GUIDELINE, asked(seen, GUIDELINE))

    assert found == ("not-applicable", "all does not ask for it")


@given(
    st.lists(st.tuples(st.sampled_from(STATES), st.sampled_from(STATES)), min_size=1, max_size=5)
)
def test_law_joint_is_never_above_the_weakest(members: list[tuple[str, str]]) -> None:
    seen = [
        summary(f"p{n}", {"net-10": one, "disk-03": two}) for n, (one, two) in enumerate(members)
    ]

    found = joint(seen, GUIDELINE)

    assert found.points <= min(found.member_points)
    assert found.joint == sum(all(states[n] == "passed" for states in members) for n in (0, 1))
    assert len(found.lost) == found.checks - found.joint


def test_the_front_page_says_on_how_much_one_can_rely(tmp_path: Path) -> None:
    documents = [
        result("a", "2026-11-01", net_10="passed", disk_03="failed"),
        result("b", "2026-11-01", net_10="passed", disk_03="passed"),
        result("partial", "2026-11-01", net_10="passed"),
    ]
    site(tmp_path, documents)

    page = (tmp_path / "site/index.html").read_text(encoding="utf-8")

    assert '<b>1<span class="dim"> of 2</span></b>' in page
    assert "each of the 2 platforms that ran all of them" in page
    assert 'href="checks/disk-03.html" title="a">disk-03</a> costs the rest' in page


def claimed(folder: Path) -> dict[str, str]:
    told = json.loads(next(folder.rglob("*.summary.json")).read_text(encoding="utf-8"))
    return {claim["what"]: claim["standing"] for claim in told["claims"]}


@pytest.mark.parametrize(
    ("declared", "standing"),
    [({"source": "dhcp"}, "proven"), ({"source": "static"}, "contradicted"),
     ({"colour": "blue"}, "unproven")],
)  # fmt: skip
def test_a_claim_on_a_platform_page_is_proven_or_not(
    tmp_path: Path, declared: dict[str, Any], standing: str
) -> None:
    document = result("p", "2026-11-01", net_10="passed", disk_03="passed")
    document["platform"]["declared"] = declared
    paths = written(tmp_path / "r", [document])
    publish(publication([guideline_file(tmp_path)]), paths, tmp_path / "site")

    page = (tmp_path / "site/platforms/p.html").read_text(encoding="utf-8")

    assert set(claimed(tmp_path / "site").values()) == {standing}
    assert f"</svg>{standing}</span>" in page


def test_a_platform_page_says_what_had_to_be_set_for_it(tmp_path: Path) -> None:
    documents = [result(p, "2026-11-01", net_10="passed", disk_03="passed") for p in ("p", "q")]
    documents[0]["platform"]["profile"] = {"image": "own", "sizes": {"small": "m1"}}
    documents[1]["platform"]["profile"] = {"sizes": {"small": "m1"}}
    paths = written(tmp_path / "r", documents)
    publish(publication([guideline_file(tmp_path)]), paths, tmp_path / "site")

    page = (tmp_path / "site/platforms/p.html").read_text(encoding="utf-8")
    copy = json.loads((tmp_path / "site/platforms/p.json").read_text(encoding="utf-8"))

    rows = re.findall(r'row">([\w.]+)</th><td[^>]*>(\w+)</td><td[^>]*>(.*?)</td>', page)
    assert ("sizes.small", "m1", "q") in rows
    assert ("image", "own", '<span class="dim">no other platform</span>') in rows
    assert copy["profile"] == {"image": "own", "sizes": {"small": "m1"}}


def test_not_asked_and_not_run_is_no_change(tmp_path: Path) -> None:
    old = result("p", "2026-10-01", net_10="passed", disk_03="passed", disk_05="not-applicable")
    new = result("p", "2026-11-01", net_10="passed", disk_03="passed")
    site(tmp_path, [old, new])

    told = json.loads((tmp_path / "site/platforms/p.json").read_text(encoding="utf-8"))

    assert told["changes"] == []
