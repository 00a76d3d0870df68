"""Real results of existing programmes, where their files are at hand."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from guidelines.errors import BadDocument
from guidelines.evidence import Status
from guidelines.results import load_results

DATA = Path(__file__).parent.parent.parent / "shared" / "data"

pytestmark = pytest.mark.skipif(
    not DATA.is_dir(), reason="the real files of other programmes (../shared/data) are not here"
)


@pytest.mark.parametrize(
    ("file", "form", "expected"),
    [
        ("kubernetes/junit_01.one-missing.xml.gz", "junit", {"passed": 445, "skipped": 6907}),
        ("streams/junit_good_junit.xml", "junit", {"passed": 4, "failed": 6, "skipped": 2}),
        (
            "streams/item_good_junit.json",
            "sonobuoy-items",
            {"passed": 4, "failed": 6, "skipped": 2},
        ),
        ("streams/refstack-client-v1.subunit", "subunit-v1", {"passed": 2}),
        ("streams/stestr-successful.subunit", "subunit-v2", {"passed": 20, "skipped": 1}),
        ("formats/ctrf-comprehensive.json", "ctrf", {"passed": 2, "failed": 1}),
        ("formats/ctrf-with-retries.json", "ctrf", {"passed": 2}),
        ("formats/ctrf-minimal.json", "ctrf", {"passed": 1}),
        ("formats/allure-ansi-status-details-result.json", "allure", {"failed": 1}),
    ],
)
def test_a_real_result(file: str, form: str, expected: dict[str, int]) -> None:
    evidence = load_results(DATA / file)

    assert evidence.format == form
    assert Counter(outcome.status.value for outcome in evidence.outcomes) == expected
    assert evidence.complete
    assert evidence.digest.startswith("sha256:")


def test_the_header_of_the_kubernetes_run_counts_one_more() -> None:
    evidence = load_results(DATA / "kubernetes" / "junit_01.one-missing.xml.gz")

    assert any("header says tests=7353, found 7352" in note for note in evidence.notes)
    ran = [outcome for outcome in evidence.outcomes if outcome.name.endswith("[Conformance]")]
    assert {outcome.status for outcome in ran} == {Status.PASSED}
    assert all(not outcome.name.startswith("[It]") for outcome in evidence.outcomes)


@pytest.mark.parametrize(
    "file",
    [
        "kubernetes/conformance-v1.34.yaml",
        "scs/scs-compatible-kaas.yaml",
        "scs/tempest-tests-non-admin.lst",
        "openstack/2019.06.json",
        "openstack/scoring_nfv.txt",
        "redfish/OpenStackIronicProfile.v1_1_0.json",
        "known-failing/connect-grpcserver-known-failing.txt",
        "formats/sarif-schema-2.1.0.json",
        "formats/oscal-assessment-results-example.json",
    ],
)
def test_what_is_no_result_is_refused(file: str) -> None:
    with pytest.raises(BadDocument, match="no known result format"):
        load_results(DATA / file)
