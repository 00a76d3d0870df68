"""Fuzz of every loader of results, for a bounded time.

Run with ``pytest tests/fuzz_results.py``; ``FUZZ_SECONDS`` (default 60) is shared by all seeds.
Whatever is given to a loader, it returns evidence or refuses in one line. What it cannot take is
written to ``tests/data/results/`` by hand, where `test_results_hostile` reads it for ever.
"""

from __future__ import annotations

import gzip
import io
import json
import os
import random
import tarfile
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from subunit.v2 import StreamResultToBytes

from guidelines.errors import BadDocument
from guidelines.evidence import Status
from guidelines.results import Limits, load_results

pytestmark = pytest.mark.fuzz

SECONDS = float(os.environ.get("FUZZ_SECONDS", "60"))
LIMITS = Limits(
    file_bytes=1_000_000,
    unpacked_bytes=2_000_000,
    json_bytes=1_000_000,
    line_bytes=100_000,
    token_bytes=100_000,
)
# A name no seed has: it must never come out as passed when nothing passes in the seed.
MARKER = "marker.of.the.fuzz.test_never_passed"
SLOWEST_S = 5.0

JUNIT = f"""<?xml version="1.0"?><testsuites tests="2"><testsuite name="s" timestamp="2026-01-01">
<properties><property name="DryRun" value="false"/></properties>
<testcase name="{MARKER}" status="failed"><failure message="m">text</failure></testcase>
<testcase classname="a.b" name="y[id-0146f675-ffbd-4208-b3a4-60eb628dbc5e]"><skipped/></testcase>
</testsuite></testsuites>""".encode()
V1 = f"""time: 2026-01-01 00:00:00.0Z
test: {MARKER}
failure: {MARKER} [ multipart
Content-Type: text/plain
traceback
4\r
boom0\r
]
test: b
skip: b [
why
]
""".encode()
TAP = f"TAP version 14\n1..2\nnot ok 1 - {MARKER}\n  ---\n  message: m\n  ...\nok 2 - b # SKIP\n"
ITEMS = f"name: e2e\nstatus: failed\nitems:\n- name: {MARKER}\n  status: failed\n"


def subunit() -> bytes:
    out = io.BytesIO()
    writer = StreamResultToBytes(out)
    at = datetime(2026, 1, 1, tzinfo=UTC)
    writer.status(test_id=MARKER, test_status="inprogress", timestamp=at)
    writer.status(test_id=MARKER, file_name="traceback", file_bytes=b"boom", eof=True)
    writer.status(test_id=MARKER, test_status="fail", timestamp=at, test_tags={"worker-0"})
    writer.status(test_id="setUpClass (a.b.C)", test_status="skip", timestamp=at)
    return out.getvalue()


def tarball() -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for name, data in (
            ("plugins/e2e/results/global/junit_01.xml", JUNIT),
            ("plugins/x/sonobuoy_results.yaml", ITEMS.encode()),
            ("plugins/" + "long/" * 40 + "ä", b""),
        ):
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return out.getvalue()


def document(value: object) -> bytes:
    return json.dumps(value).encode()


SEEDS: dict[str, bytes] = {
    "junit": JUNIT,
    "subunit-1": V1,
    "subunit-2": subunit(),
    "tap": TAP.encode(),
    "items": ITEMS.encode(),
    "tarball": tarball(),
    "ctrf": document(
        {
            "reportFormat": "CTRF",
            "results": {
                "summary": {"tests": 1, "start": 1},
                "tests": [{"name": MARKER, "status": "failed", "duration": 1, "retries": 0}],
            },
        }
    ),
    "refstack": document({"cpid": "c", "duration_seconds": 1, "results": []}),
    "scs": f"uuid: u\nscope: s\nsubject: c\ntests:\n  {MARKER}:\n    result: -1\n".encode(),
    "allure": document({"uuid": "u", "name": MARKER, "status": "failed", "start": 1, "stop": 2}),
    "own": document(
        {
            "schema": "interop.result/1",
            "platform": {"name": "p", "kind": "k", "features": ["f"]},
            "complete": True,
            "checks": [{"id": MARKER, "outcome": "failed", "facts": []}],
        }
    ),
}
# What is spliced in: what parsers trip over, and what closes one structure and opens another.
PIECES = (
    b"\x00", b"\xff\xfe", b"\xb3", b"\xb3\x29", b"\x1b[2J", b"]\n", b"[", b"{", b"}", b'"', b"\\u",
    b"&#0;", b"<", b">", b"<testcase name='x'>", b"</testsuite>", b"<!DOCTYPE a [", b"]]>", b"NaN",
    b"1e999",
    b"-1", b"9" * 40, b"\n", b"\r\n", b"\t", b": ", b"*a", b"&a ", b"!!x ", b"ok 1\n", b"test: q\n",
    b"progress: push\n", b"ustar", b"0\r\n", "ﬁ\u202e".encode(), b"null", b"true", b"[]",
)  # fmt: skip


def mutated(data: bytes, chance: random.Random) -> bytes:
    changed = bytearray(data)
    for _ in range(chance.choice((1, 1, 2, 4, 16))):
        at = chance.randrange(len(changed) + 1)
        match chance.randrange(6):
            case 0 if at < len(changed):
                changed[at] = chance.randrange(256)
            case 1:
                changed[at:at] = chance.choice(PIECES)
            case 2:
                del changed[at : at + chance.choice((1, 2, 8, 64))]
            case 3:
                changed[at:at] = changed[at : at + 64] * chance.choice((1, 2, 50))
            case 4:
                del changed[at:]
            case _:
                other = chance.choice(list(SEEDS.values()))
                changed[at:at] = other[chance.randrange(len(other)) :][:200]
    return bytes(changed)


def take(data: bytes, folder: Path) -> set[str]:
    """Read *data*; the names that passed. Anything but evidence or one line is an error."""
    path = folder / "fuzzed"
    path.write_bytes(data)
    started = time.process_time()
    passed: set[str] = set()
    try:
        evidence = load_results(path, LIMITS)
    except BadDocument as error:
        text = str(error)
        if "\n" in text or not text.isprintable():
            raise AssertionError(f"not one line: {text!r}") from error
    else:
        passed = {o.name for o in evidence.outcomes if o.status is Status.PASSED}
        for outcome in evidence.outcomes:
            texts = (outcome.name, outcome.reason, *outcome.names)
            assert not any("\x1b" in text or "\n" in text for text in texts)
            "".join(texts).encode()
        assert all("\n" not in note for note in evidence.notes)
    took = time.process_time() - started
    assert took < SLOWEST_S, f"took {took:.1f} s"
    return passed


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("packed", [False, True], ids=["plain", "gzip"])
def test_mutated_documents(seed: str, packed: bool, tmp_path: Path) -> None:
    chance = random.Random(f"{seed} {packed}")
    deadline = time.monotonic() + SECONDS / (2 * len(SEEDS)) / 2
    tried = 0
    while time.monotonic() < deadline:
        data = mutated(SEEDS[seed], chance)
        if packed:
            data = gzip.compress(data, 1)
            if chance.randrange(4) == 0:
                data = mutated(data, chance)
        try:
            take(data, tmp_path)
        except Exception as error:
            error.add_note(f"document: {data!r}")
            raise
        tried += 1
    assert tried > 10


@pytest.mark.parametrize("seed", [name for name in SEEDS if name not in ("refstack", "tarball")])
def test_a_failure_cut_anywhere_is_never_a_pass(seed: str, tmp_path: Path) -> None:
    """The marker failed in every seed: no prefix of a seed may say that it passed."""
    data = SEEDS[seed]

    for size in range(len(data) + 1):
        assert MARKER not in take(data[:size], tmp_path)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=5)
        | st.dictionaries(
            st.sampled_from(
                ["name", "status", "items", "results", "tests", "cpid", "uuid", "schema", "checks"]
            ),
            inner,
            max_size=5,
        )
    ),
    max_leaves=20,
)
lines = st.lists(
    st.sampled_from(
        [b"test: a", b"success: a", b"failure: a [", b"]", b"ok 1 - a", b"1..2", b"time: x", b" ]",
         b"error: a [ multipart", b"Content-Type: text/plain", b"traceback", b"3\r", b"abc0\r",
         b"xfail: a", b"progress: 3", b"tags: -a", b"Bail out!", b"# SKIP", b"name: a", b"\xff"]
    ),
    max_size=30,
).map(b"\n".join)  # fmt: skip


@settings(
    max_examples=max(50, int(SECONDS * 20)),
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
@given(st.binary(max_size=300) | json_values.map(document) | lines)
def test_generated_documents(data: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        take(data, Path(folder))
