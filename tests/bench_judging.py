"""What reading and judging results costs, as ratios against reading with the bare library.

Run with ``python tests/bench_judging.py``. Exits 1 where a promise is broken:

* 7,353 specs of JUnit, gzip: read and judged in under 1.5 s of CPU and 150 MiB, Python included
* 100,000 events of subunit v2: read at least as fast as ``subunit2junitxml`` reads them
* 1,000 result documents, one after the other: no growth of memory
"""

from __future__ import annotations

import gc
import gzip
import io
import json
import os
import subprocess
import sys
import tempfile
import time
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from uuid import UUID

from defusedxml.ElementTree import iterparse
from rich.console import Console
from rich.table import Table
from subunit import ByteStreamToStreamResult
from subunit.v2 import StreamResultToBytes
from testtools import StreamResult, StreamToExtendedDecorator, TestResult

from guidelines.catalog import load_guideline
from guidelines.judge import judge
from guidelines.results import load_results

SPECS = 7353
RUN = 446
EVENTS = 100_000
DOCUMENTS = 1000
AT = date(2026, 11, 1)
PROGRAM = """
import sys
from datetime import date
from pathlib import Path
from uuid import UUID
from guidelines.catalog import load_guideline
from guidelines.judge import judge
from guidelines.results import load_results

guideline = load_guideline(Path(sys.argv[2]))
evidence = load_results(Path(sys.argv[1]))
verdict = judge(guideline, [evidence], program=next(iter(guideline.programs)), at=date(2026, 11, 1))
sys.exit(verdict.verdict != "compliant")
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """One line of the table."""

    what: str
    value: str
    promise: str
    kept: bool


def spec(number: int) -> str:
    return f"[sig-bench] Group {number % 97} should do what number {number} says [Conformance]"


def junit(path: Path) -> None:
    """A run like Kubernetes': many specs, most of them skipped."""
    with gzip.open(path, "wt", encoding="utf-8") as out:
        out.write(f'<testsuites tests="{SPECS}"><testsuite name="e2e suite" tests="{SPECS}">\n')
        for number in range(SPECS):
            head = f'<testcase name="[It] {spec(number)}" classname="e2e suite" time="1.5"'
            if number < RUN:
                out.write(f'{head} status="passed"></testcase>\n')
            else:
                out.write(f'{head} status="skipped"><skipped message="skipped"/></testcase>\n')
        out.write("</testsuite></testsuites>\n")


def subunit(path: Path) -> None:
    """A stream like stestr's: begin and end of each test, with a tag of the worker."""
    at = datetime(2026, 11, 1, tzinfo=UTC)
    with path.open("wb") as out:
        writer = StreamResultToBytes(out)
        for number in range(EVENTS // 2):
            name = f"tempest.api.bench.T{number % 50}.test_{number}[id-{UUID(int=number)},smoke]"
            for status in ("inprogress", "success" if number % 10 else "fail"):
                at += timedelta(milliseconds=3)
                writer.status(
                    test_id=name, test_status=status, test_tags={"worker-0"}, timestamp=at
                )


def document(folder: Path, number: int) -> Path:
    path = folder / "result.json"
    checks = [
        {"id": f"bench.checks.test_{one:02}", "outcome": "passed", "seconds": number}
        for one in range(60)
    ]
    path.write_text(
        json.dumps(
            {
                "schema": "interop.result/1",
                "platform": {"name": "bench", "kind": "fake"},
                "complete": True,
                "finished": "2026-11-01T00:00:00Z",
                "checks": checks,
            }
        ),
        encoding="utf-8",
    )
    return path


def best_cpu_s(work: Callable[[], object], times: int = 3) -> float:
    taken = []
    for _ in range(times):
        gc.collect()
        started = time.process_time()
        work()
        taken.append(time.process_time() - started)
    return min(taken)


def in_own_process(result: Path, guideline: Path) -> tuple[float, int]:
    """CPU seconds and peak MiB of a fresh Python that reads and judges."""
    child = subprocess.Popen([sys.executable, "-c", PROGRAM, str(result), str(guideline)])
    _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode != 0:
        raise RuntimeError(f"judging exited {child.returncode}")
    return usage.ru_utime + usage.ru_stime, usage.ru_maxrss // 1024


def bench_junit(folder: Path) -> Iterator[Measured]:
    path, required = folder / "junit.xml.gz", folder / "conformance.yaml"
    junit(path)
    required.write_text(
        "".join(
            f"- testname: number {number}\n  codename: '{spec(number)}'\n"
            f"  description: It MUST.\n  release: v1.9\n  file: test/bench.go\n"
            for number in range(RUN)
        ),
        encoding="utf-8",
    )

    def bare() -> int:
        with gzip.open(path) as packed:
            return sum(1 for _ in iterparse(packed, forbid_dtd=True))

    ours, library = best_cpu_s(lambda: load_results(path)), best_cpu_s(bare)
    yield ratio(f"read JUnit of {SPECS} specs, against bare defusedxml", ours, library, 4.0)
    cpu, peak = in_own_process(path, required)
    yield Measured(
        what=f"read and judge JUnit of {SPECS} specs, whole process",
        value=f"{cpu:.2f} s CPU, {peak} MiB",
        promise="< 1.5 s, < 150 MiB",
        kept=cpu < 1.5 and peak < 150,
    )


def bench_subunit(folder: Path) -> Iterator[Measured]:
    path = folder / "stream"
    subunit(path)

    def bare() -> None:
        with path.open("rb") as stream:
            ByteStreamToStreamResult(stream).run(StreamResult())

    def to_junit() -> None:
        # What subunit2junitxml does with a stream, less the writing where junitxml is not there.
        try:
            from junitxml import JUnitXmlResult  # type: ignore[import-not-found]
        except ImportError:
            target = TestResult()
        else:
            target = JUnitXmlResult(io.StringIO())
        result = StreamToExtendedDecorator(target)
        with path.open("rb") as stream:
            result.startTestRun()
            ByteStreamToStreamResult(stream).run(result)
            result.stopTestRun()

    ours = best_cpu_s(lambda: load_results(path))
    yield ratio(f"read {EVENTS} subunit events, against the bare parser", ours, best_cpu_s(bare), 2)
    yield ratio(
        f"read {EVENTS} subunit events, against subunit2junitxml", ours, best_cpu_s(to_junit), 1
    )


def bench_documents(folder: Path) -> Iterator[Measured]:
    listed = folder / "checks.lst"
    listed.write_text(
        "".join(f"bench.checks.test_{one:02}\n" for one in range(60)), encoding="utf-8"
    )
    guideline = load_guideline(listed)
    program = next(iter(guideline.programs))

    def some(number: int) -> None:
        for one in range(number):
            judge(guideline, [load_results(document(folder, one))], program=program, at=AT)

    some(50)
    with traced() as size:
        some(100)
        before = size()
        started = time.process_time()
        some(DOCUMENTS)
        taken = time.process_time() - started
        grown = size() - before
    yield Measured(
        what=f"read and judge {DOCUMENTS} result documents",
        value=f"{taken:.1f} s CPU traced, {grown / 1024:+.0f} KiB",
        promise="< 100 KiB growth",
        kept=grown < 100 * 1024,
    )


@contextmanager
def traced() -> Iterator[Callable[[], int]]:
    def size() -> int:
        gc.collect()
        return tracemalloc.get_traced_memory()[0]

    tracemalloc.start()
    try:
        yield size
    finally:
        tracemalloc.stop()


def ratio(what: str, ours: float, theirs: float, at_most: float) -> Measured:
    return Measured(
        what=what,
        value=f"{ours:.2f} s against {theirs:.2f} s: {ours / theirs:.2f}",
        promise=f"<= {at_most:g}",
        kept=ours <= theirs * at_most,
    )


def main() -> int:
    table = Table("what", "measured", "promise", "kept")
    kept = True
    with tempfile.TemporaryDirectory() as name:
        for bench in (bench_junit, bench_subunit, bench_documents):
            for line in bench(Path(name)):
                table.add_row(line.what, line.value, line.promise, "yes" if line.kept else "NO")
                kept = kept and line.kept
    Console(width=140).print(table)
    return 0 if kept else 1


if __name__ == "__main__":
    sys.exit(main())
