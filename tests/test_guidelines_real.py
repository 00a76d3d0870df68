"""Real files of existing programmes: numbers that are known, where the files are at hand."""

from __future__ import annotations

import datetime
from collections import Counter
from pathlib import Path

import pytest

from guidelines.catalog import load_guideline, load_score_document
from guidelines.diff import diff_guidelines
from guidelines.evidence import Evidence, Outcome, Status
from guidelines.judge import judge
from guidelines.lint import lint
from guidelines.model import Guideline
from guidelines.requirements import find_program, resolve
from guidelines.results import load_results
from guidelines.score import score_worksheet, worksheet_scoring
from guidelines.verdict import Conclusion, Verdict
from guidelines.worksheet import Worksheet

DATA = Path(__file__).parent.parent.parent / "shared" / "data"
DAY = datetime.date(2026, 11, 21)
ALL = [
    "openstack/2015.03.json",
    "openstack/2016.01.json",
    "openstack/2018.02.json",
    "openstack/2019.06.json",
    "openstack/schema/next.2.0.json",
    "kubernetes/conformance-v1.34.yaml",
    "scs/scs-compatible-kaas.yaml",
    "scs/tempest-tests-non-admin.lst",
]
pytestmark = pytest.mark.skipif(not DATA.is_dir(), reason=f"no foreign files at {DATA}")


def load(name: str) -> Guideline:
    return load_guideline(DATA / name)


def passing(names: list[str], **more: bool) -> Evidence:
    return Evidence(
        source="f",
        format="refstack",
        digest="sha256:f",
        passes_only=more.get("passes_only", True),
        outcomes=tuple(
            Outcome(name=name, names=frozenset({name}), status=Status.PASSED, where="f")
            for name in names
        ),
    )


def verdict(guideline: Guideline, program: str, evidence: Evidence) -> Verdict:
    return judge(guideline, [evidence], program=program, at=DAY)


@pytest.mark.parametrize(
    ("program", "capabilities", "tests", "flagged", "distinct"),
    [("platform", 78, 286, 11, 273), ("compute", 60, 228, 11, 217), ("object", 20, 60, 0, 58)],
)
def test_numbers_of_2019_06(
    program: str, capabilities: int, tests: int, flagged: int, distinct: int
) -> None:
    guideline = load("openstack/2019.06.json")

    found = resolve(guideline, find_program(guideline, program))

    assert Counter(str(status) for status in found.statuses.values())["required"] == capabilities
    assert (found.entries, found.flagged_entries, len(found.must_pass)) == (
        tests,
        flagged,
        distinct,
    )


def test_numbers_of_the_first_guideline() -> None:
    guideline = load("openstack/2015.03.json")

    assert len(guideline.capabilities) == 15
    assert len(guideline.checks) == 127
    assert resolve(guideline, find_program(guideline, "platform")).flagged_entries == 9


@pytest.mark.parametrize("name", ALL)
def test_exactly_the_must_set_is_compliant_and_one_less_is_not(name: str) -> None:
    guideline = load(name)

    for program in guideline.programs.values():
        must = [item.check.id for item in resolve(guideline, program).must_pass]
        assert verdict(guideline, program.id, passing(must)).verdict is Conclusion.COMPLIANT
        assert verdict(guideline, program.id, passing(must[1:])).verdict is Conclusion.NOT_COMPLIANT


def test_aliases_of_2018_02_count_as_the_programme_counts_them() -> None:
    guideline = load("openstack/2018.02.json")
    program = find_program(guideline, "compute")
    must = resolve(guideline, program).must_pass
    renamed = [item.check.aliases[0] if item.check.aliases else item.check.id for item in must]

    assert verdict(guideline, program.id, passing(renamed)).verdict is Conclusion.COMPLIANT


def test_defects_of_2019_06() -> None:
    codes = Counter(finding.code for finding in lint(load("openstack/2019.06.json"), at=DAY))

    assert codes["misspelt-key"] == 3
    assert codes["missing-key"] == 3
    assert codes["below-cutoff"] == 17
    assert codes["orphan-capability"] == 1
    assert codes["flag-without-code"] == 4


def test_ids_shared_by_different_tests_in_2016_01() -> None:
    findings = lint(load("openstack/2016.01.json"), at=DAY)

    shared = [finding for finding in findings if finding.code == "duplicate-id"]
    assert [str(finding.severity) for finding in shared] == ["error"] * 5


@pytest.mark.parametrize("name", ALL)
def test_lint_never_fails(name: str) -> None:
    assert lint(load(name), previous=load(ALL[0]), at=DAY) is not None


def test_what_changed_from_2018_02_to_2019_06() -> None:
    found = diff_guidelines(load("openstack/2018.02.json"), load("openstack/2019.06.json"))

    assert set(found.capabilities_added) == {
        "compute-servers-create-multiple",
        "identity-v3-tokens-delete",
    }
    assert set(found.capabilities_removed) == {
        "volumes-v2-attach-detach",
        "volumes-v3-attach-detach",
    }
    assert len(found.tests_added) == 2


def test_the_nfv_worksheet_records_right_totals() -> None:
    worksheet = load_score_document(DATA / "openstack" / "scoring_nfv.txt")
    assert isinstance(worksheet, Worksheet)

    scores = score_worksheet(worksheet, worksheet_scoring(worksheet))

    assert [scored.total for scored in scores.capabilities] == [76, 76, 76, 0, 82, 82]
    assert [scored.veto for scored in scores.capabilities] == [False] * 3 + [True, False, False]
    assert scores.findings == ()


def test_a_run_of_kubernetes_1_35_lacks_what_1_34_retired() -> None:
    evidence = load_results(DATA / "kubernetes" / "junit_01.one-missing.xml.gz")

    found = verdict(load("kubernetes/conformance-v1.34.yaml"), "conformance", evidence)

    assert found.verdict is Conclusion.NOT_COMPLIANT
    assert found.counts.required == 424
    assert (found.counts.passed, found.counts.missing) == (416, 8)


def test_a_stream_of_other_tests_does_not_satisfy_a_list() -> None:
    evidence = load_results(DATA / "streams" / "stestr-successful.subunit")

    found = verdict(load("scs/tempest-tests-non-admin.lst"), "list", evidence)

    assert found.verdict is Conclusion.NOT_COMPLIANT
    assert found.counts.missing == found.counts.required == 258
