"""JUnit XML: what passes, what does not, and what is odd about the document."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from guidelines.errors import BadDocument
from guidelines.evidence import Evidence, Outcome, Status
from guidelines.results import Limits, load_results


def read(folder: Path, text: str | bytes, limits: Limits | None = None) -> Evidence:
    path = folder / "result"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return load_results(path, limits)


def only(folder: Path, case: str) -> Outcome:
    (outcome,) = read(folder, f"<testsuite name='s'>{case}</testsuite>").outcomes
    return outcome


@pytest.mark.parametrize(
    ("case", "expected", "reason"),
    [
        ("<testcase name='a'/>", Status.PASSED, ""),
        ("<testcase name='a' status='passed'/>", Status.PASSED, ""),
        ("<testcase name='a' status='run' result='completed'/>", Status.PASSED, ""),
        ("<testcase name='a'><failure message='no'/></testcase>", Status.FAILED, "no"),
        ("<testcase name='a'><failure/></testcase>", Status.FAILED, "<failure> without a message"),
        ("<testcase name='a'><error>boom\nat x</error></testcase>", Status.FAILED, "boom"),
        (
            "<testcase name='a'><error message='failed on setup with \"x\"'/></testcase>",
            Status.BLOCKED,
            'failed on setup with "x"',
        ),
        ("<testcase name='a'><skipped message='why'/></testcase>", Status.SKIPPED, "why"),
        ("<testcase name='a' status='notrun'/>", Status.SKIPPED, "status is notrun"),
        (
            "<testcase name='a' status='run' result='suppressed'/>",
            Status.SKIPPED,
            "status is suppressed",
        ),
        ("<testcase name='a' status='panicked'/>", Status.FAILED, None),
        ("<testcase name='a' status='interrupted'/>", Status.UNFINISHED, None),
        (
            "<testcase name='a' status='passed'><failure message='x'/></testcase>",
            Status.FAILED,
            "x",
        ),
        ("<testcase name='a' status='failed'><skipped/></testcase>", Status.FAILED, None),
        ("<testcase name='a' status='maybe'/>", Status.BLOCKED, None),
        (
            "<testcase name='a'><skipped/><failure message='later'/></testcase>",
            Status.FAILED,
            "later",
        ),
        (
            "<testcase name='a'><skipped type='pytest.xfail' message='bug'/></testcase>",
            Status.FAILED,
            "failed as expected: bug",
        ),
        ("<testcase name='a'><flakyFailure message='x'/></testcase>", Status.PASSED, ""),
        (
            "<testcase name='a'><failure message='x'/><rerunFailure/></testcase>",
            Status.FAILED,
            "x",
        ),
        (
            "<testcase name='a'><system-out><![CDATA[<failure/>]]></system-out></testcase>",
            Status.PASSED,
            "",
        ),
    ],
)
def test_a_case_says(tmp_path: Path, case: str, expected: Status, reason: str | None) -> None:
    outcome = only(tmp_path, case)

    assert outcome.status is expected
    assert reason is None or outcome.reason == reason


def test_the_reason_is_the_exception_of_a_traceback(tmp_path: Path) -> None:
    outcome = only(
        tmp_path,
        "<testcase name='a'><failure>log\nTraceback (most recent call last):\n  File 'x'\n    y\n"
        "ValueError: 3 machines\n</failure></testcase>",
    )

    assert outcome.reason == "ValueError: 3 machines"


def test_suites_may_nest_and_the_root_may_be_either(tmp_path: Path) -> None:
    evidence = read(
        tmp_path,
        "<testsuites><testsuite><testsuite tests='1'><testcase name='a'/></testsuite>"
        "<testcase name='b'/></testsuite><testcase name='c'/></testsuites>",
    )

    assert [outcome.name for outcome in evidence.outcomes] == ["a", "b", "c"]
    assert evidence.notes == ()


def test_wrong_counts_in_the_header_are_noted(tmp_path: Path) -> None:
    evidence = read(
        tmp_path,
        "<testsuite name='s' tests='3' failures='0' errors='x' skipped='0'>"
        "<testcase name='a'><failure/></testcase></testsuite>",
    )

    assert evidence.notes == (
        "suite s: header says tests=3, found 1",
        "suite s: header says failures=0, found 1",
        "suite s: header says errors=x, found 0",
    )
    assert evidence.complete


def test_names_that_occur_twice_are_noted_and_both_kept(tmp_path: Path) -> None:
    evidence = read(
        tmp_path,
        "<testsuite><testcase name='a'/><testcase name='a'><failure/></testcase>"
        "<testcase name='b'/><testcase name='b'/></testsuite>",
    )

    assert len(evidence.outcomes) == 4
    assert evidence.notes == (
        "1 item recorded more than once: b",
        "1 item recorded more than once with different outcomes, each kept: a",
    )


def test_flaky_and_twice_encoded_names_are_counted(tmp_path: Path) -> None:
    evidence = read(
        tmp_path,
        "<testsuite><testcase name='it&amp;amp;#39;s a'><flakyFailure/></testcase></testsuite>",
    )

    assert evidence.outcomes[0].name == "it's a"
    assert any(note.startswith("1 item flaky") for note in evidence.notes)
    assert any("encoded more than once: it's a" in note for note in evidence.notes)


def test_a_broken_class_set_up_covers_its_tests(tmp_path: Path) -> None:
    evidence = read(
        tmp_path,
        "<testsuite><testcase classname='' name='setUpClass (a.b.T)'><failure message='x'/>"
        "</testcase><testcase classname='setUpClass (a.b' name='U)'><skipped/></testcase>"
        "<testcase name='tearDownClass (a.b.V)'><failure/></testcase></testsuite>",
    )

    assert [(outcome.status, outcome.covers) for outcome in evidence.outcomes] == [
        (Status.BLOCKED, "a.b.T"),
        (Status.SKIPPED, "a.b.U"),
        (Status.FAILED, None),
    ]


def test_a_dry_run_passes_nothing(tmp_path: Path) -> None:
    evidence = read(
        tmp_path,
        "<testsuite><properties><property name='DryRun' value='true'/></properties>"
        "<testcase name='a' status='passed'/></testsuite>",
    )

    assert evidence.outcomes[0].status is Status.SKIPPED
    assert not evidence.complete


@pytest.mark.parametrize(
    "inside",
    [
        "<properties><property name='SpecialSuiteFailureReason' value='Interrupted'/></properties>",
        "<error message='collection failed'/>",
    ],
)
def test_a_suite_cut_short_is_not_complete(tmp_path: Path, inside: str) -> None:
    evidence = read(tmp_path, f"<testsuite>{inside}<testcase name='a'/></testsuite>")

    assert not evidence.complete


WHOLE = b"<testsuites><testsuite><testcase name='a'/><testcase name='b'/></testsuite></testsuites>"


@pytest.mark.parametrize("size", range(13, len(WHOLE)))
def test_a_document_that_breaks_off_is_not_complete(tmp_path: Path, size: int) -> None:
    evidence = read(tmp_path, WHOLE[:size])

    assert not evidence.complete
    assert len(evidence.outcomes) <= 2


def test_gzip_is_unpacked_and_may_break_off(tmp_path: Path) -> None:
    packed = gzip.compress(WHOLE)

    assert len(read(tmp_path, packed).outcomes) == 2
    assert not read(tmp_path, packed[:-4]).complete


def test_times_come_with_a_zone(tmp_path: Path) -> None:
    evidence = read(
        tmp_path,
        "<testsuite timestamp='2026-01-06T13:08:19' time='1,000.5'>"
        "<testcase name='a' time='NaN'/><testcase name='b' time='0.25'/></testsuite>",
    )

    assert evidence.started is not None
    assert evidence.started.isoformat() == "2026-01-06T13:08:19+00:00"
    assert evidence.finished is not None
    assert evidence.finished.isoformat() == "2026-01-06T13:24:59.500000+00:00"
    assert [outcome.seconds for outcome in evidence.outcomes] == [None, 0.25]


def test_utf_16_and_namespaces_are_read(tmp_path: Path) -> None:
    text = "<?xml version='1.0' encoding='utf-16'?><j:testsuite xmlns:j='u'><j:testcase name='ä'/>"

    assert read(tmp_path, (text + "</j:testsuite>").encode("utf-16")).outcomes[0].name == "ä"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("<html/>", "found <html>; expected JUnit's"),
        ("<testsuite>&x;</testsuite>", "expected XML"),
        ("<testsuite><a></b></testsuite>", "expected XML: mismatched tag"),
        ("<testsuite>\xff</testsuite>".encode("latin-1"), "expected XML"),
        ("<?xml version='1.0' encoding='no-such'?><testsuite/>", "expected XML"),
        ("<!DOCTYPE t [<!ENTITY a 'b'>]><testsuite/>", "document type or entities"),
        ("<!DOCTYPE t SYSTEM 'http://127.0.0.1/x'><testsuite/>", "document type or entities"),
        ("<testsuite>" * 200, "nested deeper than 100"),
    ],
)
def test_bad_xml_is_one_line(tmp_path: Path, text: str | bytes, expected: str) -> None:
    with pytest.raises(BadDocument) as raised:
        read(tmp_path, text)

    assert expected in str(raised.value)
    assert "\n" not in str(raised.value)


def test_one_endless_tag_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadDocument, match="one tag is longer than 100000 bytes"):
        read(
            tmp_path,
            b"<testsuite><testcase name='" + b"a" * 1_000_000,
            Limits(token_bytes=100_000),
        )


def test_too_many_cases_are_refused(tmp_path: Path) -> None:
    with pytest.raises(BadDocument, match="more than the 2 outcomes"):
        read(
            tmp_path,
            "<testsuite>" + "<testcase name='a'/>" * 3 + "</testsuite>",
            Limits(outcomes=2),
        )
