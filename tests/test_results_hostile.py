"""Documents made to cost time or memory, and whatever fuzzing found."""

from __future__ import annotations

import datetime
import gzip
import os
import subprocess
import sys
import textwrap
import threading
from pathlib import Path

import pytest

from guidelines.errors import BadDocument
from guidelines.results import Limits, load_results

CORPUS = Path(__file__).parent / "data" / "results"


def told(path: Path) -> str:
    """What the loader says of a document: that it read it, or why not."""
    try:
        load_results(path)
    except BadDocument as error:
        return str(error)
    return "read"


# Reads a document under a limit of memory and tells the message and the peak.
PROBE = """
import resource, sys
from pathlib import Path
from guidelines.results import load_results
resource.setrlimit(resource.RLIMIT_AS, (900 * 1024 * 1024, 900 * 1024 * 1024))
try:
    print(len(load_results(Path(sys.argv[1])).outcomes))
except ValueError as error:
    print(type(error).__name__, error)
status = Path("/proc/self/status").read_text()  # getrusage counts what the parent had at fork
print(int(status.split("VmHWM:")[1].split()[0]) // 1024)
"""


def probed(path: Path) -> tuple[str, int]:
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(PROBE), str(path)],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
        cwd=Path(__file__).parent.parent,
    )
    message, peak = done.stdout.splitlines()
    return message, int(peak)


@pytest.mark.parametrize(
    ("begin", "expected"),
    [
        (b"", "no known result format"),
        (b"time: 2026-01-01 00:00:00Z\n", "line 2: longer than 1048576 bytes"),
        (b"1..1\n", "line 2: longer than 1048576 bytes"),
        (b"<testsuite><testcase name='", "one tag is longer than 4194304 bytes"),
        (b'{"cpid": "', "more than the 67108864 bytes"),
        (b"name: ", "more than the 67108864 bytes"),
    ],
)
def test_100_megabytes_of_one_line(tmp_path: Path, begin: bytes, expected: str) -> None:
    path = tmp_path / "line"
    path.write_bytes(begin + b"a" * 100_000_000)

    message, peak = probed(path)

    assert expected in message
    assert peak < 300


def test_json_that_would_unfold_in_memory(tmp_path: Path) -> None:
    path = tmp_path / "lists"
    path.write_bytes(b'{"cpid":"","results":[' + b"[]," * 20_000_000 + b"[]]}")

    message, peak = probed(path)

    assert "more than the 4000000 values" in message
    assert peak < 300


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"<testsuite><testcase name='a'><failure>", "more than the 2000000 bytes"),
        (b"", "no known result format"),
    ],
)
def test_a_gzip_bomb(tmp_path: Path, content: bytes, expected: str) -> None:
    path = tmp_path / "bomb"
    path.write_bytes(gzip.compress(content + b"a" * 5_000_000))

    with pytest.raises(BadDocument, match=expected):
        load_results(path, Limits(unpacked_bytes=2_000_000))


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"", "the file is empty"),
        (b"\x1f\x8b", "no known result format"),
        (b"\x1f\x8b\x08\x00" + b"x" * 100, "expected intact gzip data"),
        (gzip.compress(gzip.compress(b"1..1\nok\n")), "gzip within gzip"),
        (gzip.compress(b"1..1\nok\n") + b"junk", "expected intact gzip data"),
        (b"PK\x03\x04zip", "a zip archive; expected it unpacked"),
        (b"\x00" * 1000, "no known result format"),
        (b"hello\n", "no known result format"),
    ],
)
def test_no_result_at_all(tmp_path: Path, data: bytes, expected: str) -> None:
    path = tmp_path / "file"
    path.write_bytes(data)

    with pytest.raises(BadDocument, match=expected):
        load_results(path)


def test_a_file_that_is_not_there() -> None:
    with pytest.raises(BadDocument, match="/nowhere/x: file: no such file or directory"):
        load_results(Path("/nowhere/x"))


def test_a_file_beyond_the_limit(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"1..1\nok 1\n")

    with pytest.raises(BadDocument, match="10 bytes; at most 5 are read"):
        load_results(path, Limits(file_bytes=5))


def test_a_pipe_is_read_like_a_file(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = threading.Thread(target=pipe.write_bytes, args=(gzip.compress(b"1..1\nok 1 a\n"),))
    writer.start()

    evidence = load_results(pipe)
    writer.join()

    assert [outcome.name for outcome in evidence.outcomes] == ["a"]


def test_a_name_beyond_all_measure(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"1..1\nok 1 - " + b"a" * 70_000)

    with pytest.raises(BadDocument, match="a name of 70000 characters"):
        load_results(path)


def test_terminal_sequences_reach_no_name_and_no_reason(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"1..1\nok 1 - a\x1b[2Jb # SKIP \x1b]0;title\x07why\xe2\x80\xae\n")

    (outcome,) = load_results(path).outcomes

    assert (outcome.name, outcome.reason) == ("ab", "why")


@pytest.mark.parametrize("path", sorted(CORPUS.iterdir()), ids=lambda path: path.name)
def test_the_corpus_is_read_or_refused_in_one_line(path: Path) -> None:
    said = told(path)

    assert said == "read" or said.startswith(f"{path}: ")
    assert "\n" not in said


def test_a_pipe_nobody_writes_to_is_given_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("guidelines.results.source.PIPE_PATIENCE_S", 0.05)
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)

    assert told(pipe) == f"{pipe}: pipe: nobody wrote to it for 0.05 s"


def test_bytes_that_only_look_like_a_packet_are_no_stream(tmp_path: Path) -> None:
    path = tmp_path / "noise"
    path.write_bytes(b"\x01noise\xb3\x29" + bytes(range(256)) * 4)

    assert "expected a subunit v2 stream" in told(path)


@pytest.mark.parametrize("stamp", ["9999-12-31T23:59:59-14:00", "0001-01-01T00:00:00+14:00"])
def test_a_date_at_the_end_of_time_is_read(tmp_path: Path, stamp: str) -> None:
    path = tmp_path / "junit.xml"
    path.write_text(f'<testsuite timestamp="{stamp}" time="5"><testcase name="a"/></testsuite>')

    finished = load_results(path).finished

    assert finished is not None
    assert finished.utcoffset() == datetime.timedelta(0)
