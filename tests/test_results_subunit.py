"""Subunit streams of both versions: endings, attachments, streams that stop or are damaged."""

from __future__ import annotations

import io
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from subunit.v2 import StreamResultToBytes

from guidelines.errors import BadDocument
from guidelines.evidence import Evidence, Status
from guidelines.results import Limits, load_results

START = datetime(2026, 11, 1, 12, 0, tzinfo=UTC)


def stream(*events: dict[str, Any]) -> bytes:
    out = io.BytesIO()
    writer = StreamResultToBytes(out)
    for number, event in enumerate(events):
        writer.status(timestamp=START + timedelta(seconds=number), **event)
    return out.getvalue()


def ran(test: str, ending: str) -> list[dict[str, Any]]:
    return [
        {"test_id": test, "test_status": "inprogress"},
        {"test_id": test, "test_status": ending},
    ]


def read(folder: Path, data: bytes, limits: Limits | None = None) -> Evidence:
    path = folder / "stream"
    path.write_bytes(data)
    return load_results(path, limits)


@pytest.mark.parametrize(
    ("ending", "expected"),
    [
        ("success", Status.PASSED),
        ("fail", Status.FAILED),
        ("skip", Status.SKIPPED),
        ("xfail", Status.FAILED),
        ("uxsuccess", Status.FAILED),
        ("inprogress", Status.UNFINISHED),
    ],
)
def test_an_ending_of_version_2(tmp_path: Path, ending: str, expected: Status) -> None:
    evidence = read(tmp_path, stream(*ran("a.b.test", ending)))

    (outcome,) = evidence.outcomes
    assert outcome.status is expected
    assert evidence.format == "subunit-v2"
    assert evidence.complete is (ending != "inprogress")
    assert outcome.seconds == (None if ending == "inprogress" else 1.0)


def test_listed_tests_are_no_outcomes(tmp_path: Path) -> None:
    evidence = read(
        tmp_path,
        stream(
            {"test_id": "a", "test_status": "exists"},
            {"test_id": "b", "test_status": "exists"},
            *ran("a", "success"),
        ),
    )

    assert [outcome.name for outcome in evidence.outcomes] == ["a"]
    assert "1 tests are only listed (exists), not run" in evidence.notes


def test_reasons_come_from_the_attachments_that_tell(tmp_path: Path) -> None:
    def attached(test: str, name: str, data: bytes) -> dict[str, Any]:
        return {"test_id": test, "file_name": name, "file_bytes": data, "eof": True}

    evidence = read(
        tmp_path,
        stream(
            attached("a", "reason", b"no volume service"),
            {"test_id": "a", "test_status": "skip"},
            attached("b", "pythonlogging:''", b"noise"),
            attached("b", "traceback", b"Traceback (most recent call last):\n  x\nValueError: v\n"),
            {"test_id": "b", "test_status": "fail"},
        ),
    )

    assert [outcome.reason for outcome in evidence.outcomes] == [
        "no volume service",
        "ValueError: v",
    ]


def test_set_up_of_a_class_covers_its_tests(tmp_path: Path) -> None:
    evidence = read(
        tmp_path,
        stream(
            {"test_id": "setUpClass (a.b.T)", "test_status": "skip"},
            {"test_id": "setUpClass (a.b.U)", "test_status": "fail"},
        ),
    )

    assert [(outcome.status, outcome.covers) for outcome in evidence.outcomes] == [
        (Status.SKIPPED, "a.b.T"),
        (Status.BLOCKED, "a.b.U"),
    ]


def test_a_test_run_twice_keeps_both_outcomes(tmp_path: Path) -> None:
    evidence = read(tmp_path, stream(*ran("a", "fail"), *ran("a", "success")))

    assert [outcome.status for outcome in evidence.outcomes] == [Status.FAILED, Status.PASSED]
    assert "1 item recorded more than once with different outcomes, each kept: a" in evidence.notes


def test_a_stream_stopped_at_any_byte_passes_nothing_it_does_not_show(tmp_path: Path) -> None:
    whole = stream(*ran("a", "success"), *ran("b", "fail"))
    events = [len(stream(*(ran("a", "success") + ran("b", "fail"))[:count])) for count in range(5)]

    for size in range(1, len(whole)):
        try:
            evidence = read(tmp_path, whole[:size])
        except BadDocument:
            assert size < events[1]
            continue
        passed = [outcome.name for outcome in evidence.outcomes if outcome.status is Status.PASSED]
        assert passed == (["a"] if size >= events[2] else [])
        assert evidence.complete is (size == events[2])


def test_damaged_packets_are_passed_over_and_counted(tmp_path: Path) -> None:
    first, second = stream(*ran("a", "success")), stream(*ran("b", "success"))
    damaged = bytearray(first)
    damaged[-1] ^= 0xFF

    evidence = read(tmp_path, bytes(damaged) + second)

    assert [(outcome.name, outcome.status) for outcome in evidence.outcomes] == [
        ("b", Status.PASSED),
        ("a", Status.UNFINISHED),
    ]
    assert not evidence.complete


@pytest.mark.parametrize("text", [b"warning: x\n", b"x" * 70_000 + b"\n", "³\n".encode()])
def test_text_between_packets_is_passed_over(tmp_path: Path, text: bytes) -> None:
    evidence = read(tmp_path, stream(*ran("a", "success")) + text + stream(*ran("b", "success")))

    assert [outcome.name for outcome in evidence.outcomes] == ["a", "b"]
    assert evidence.notes == (f"{len(text)} bytes between packets are no subunit",)


def test_text_before_the_first_packet_is_passed_over(tmp_path: Path) -> None:
    assert len(read(tmp_path, b"warning\n" + stream(*ran("a", "success"))).outcomes) == 1


def test_a_negative_length_reads_nothing(tmp_path: Path) -> None:
    with pytest.raises(BadDocument, match="no intact one"):
        read(tmp_path, b"\xb3\x20\x00\x05\x00\x00" + b"\x00" * 1_000_000)


def test_a_stream_of_nothing_but_damage_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadDocument, match="more than 1000 are damaged"):
        read(tmp_path, b"\xb3\x20\x00\x08\x00\x00\x00\x00" * 5000)


V1 = (
    b"time: 2026-11-01 12:00:00.000000Z\ntags: worker-0\n"
    b"test: a.b.T.test_1[id-0146f675-ffbd-4208-b3a4-60eb628dbc5e]\n"
    b"time: 2026-11-01 12:00:02.000000Z\n"
)
NAME = b"a.b.T.test_1[id-0146f675-ffbd-4208-b3a4-60eb628dbc5e]"


@pytest.mark.parametrize(
    ("ending", "expected", "reason"),
    [
        (b"success: %s\n", Status.PASSED, ""),
        (b"successful: %s [ multipart\n]\n", Status.PASSED, ""),
        (b"failure: %s [\nline one\nline two\n]\n", Status.FAILED, "line one"),
        (
            b"error: %s [\nTraceback (most recent call last):\n  f\nKeyError: 'k'\n]\n",
            Status.FAILED,
            "KeyError: 'k'",
        ),
        (b"skip: %s [\nnot here\n]\n", Status.SKIPPED, "not here"),
        (
            b"skip: %s [ multipart\nContent-Type: text/plain\nreason\n8\r\nnot here0\r\n]\n",
            Status.SKIPPED,
            "not here",
        ),
        (b"xfail: %s\n", Status.FAILED, "failed as expected (xfail)"),
        (b"uxsuccess: %s\n", Status.FAILED, None),
        (b"", Status.UNFINISHED, None),
        (b"successful: %s [ multipart\n", Status.UNFINISHED, None),
        (b"failure: %s [\nline", Status.FAILED, "failed; the report of it breaks off"),
    ],
)
def test_an_ending_of_version_1(
    tmp_path: Path, ending: bytes, expected: Status, reason: str | None
) -> None:
    evidence = read(tmp_path, V1 + ending.replace(b"%s", NAME))

    (outcome,) = evidence.outcomes
    assert evidence.format == "subunit-v1"
    assert outcome.status is expected
    assert outcome.idempotent_id == "0146f675-ffbd-4208-b3a4-60eb628dbc5e"
    assert outcome.seconds == 2.0
    assert reason is None or outcome.reason == reason
    assert evidence.complete is ending.endswith((b"]\n", b"%s\n"))


def test_an_outcome_of_a_test_that_never_began_is_not_counted(tmp_path: Path) -> None:
    evidence = read(tmp_path, b"test: a\nsuccess: a\nsuccess: b\n")

    assert [outcome.name for outcome in evidence.outcomes] == ["a"]
    assert evidence.notes == ("1 outcomes of tests that never began are not counted: success: b",)


@pytest.mark.parametrize(
    "line",
    [b"time: 2026-99-99 x\n", b"progress: +x\n", b"uxsuccess: a\n", b"test: \xff\xfe\n"],
)
def test_a_malformed_line_of_version_1_is_named(tmp_path: Path, line: bytes) -> None:
    with pytest.raises(
        BadDocument, match=r"line 2: expected (a line of subunit v1|the test to begin)"
    ):
        read(tmp_path, b"time: 2026-11-01 12:00:00.0Z\n" + line)


def short_lines() -> bytes:
    return b"test: a\nfailure: a [\n" + b"x\n" * 2_000_000 + b"]\n"


def one_line() -> bytes:
    return b"test: a\n" + b"x" * 3_000_000


def test_a_long_report_takes_linear_time(tmp_path: Path) -> None:
    assert read(tmp_path, short_lines()).outcomes[0].reason == "x"


@pytest.mark.parametrize("data", [one_line])
def test_an_endless_line_is_refused(tmp_path: Path, data: Callable[[], bytes]) -> None:
    with pytest.raises(BadDocument, match="line 2: longer than 1048576 bytes"):
        read(tmp_path, data())
