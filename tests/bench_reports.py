"""What comparing and exporting cost, each measured in a process of its own.

Run with ``python tests/bench_reports.py``. Exits 1 where a promise is broken. Each command is one
thread, so its promise is held against seconds of CPU: those of the clock depend on who else works.

* 50 platforms against 20 versions of a guideline: compared in under 10 s
* a page of 100,000 items (250 results of 400 checks): in under 20 s and 300 MB, Python included
* a signed bundle of a normal run (160 checks, 200 kB of evidence) verified in under 1 s
* exports of one result of 5,000 checks, for the record
"""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from guidelines.catalog import DATA

INTEROP = str(Path(sys.executable).with_name("interop"))
NOW = "2026-11-21T03:00:00.000+00:00"
OUTCOMES = ("passed",) * 97 + ("failed", "blocked", "skipped")
SEED = 7


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """One line of the table; times are of the whole process, with its start."""

    what: str
    wall_s: float
    cpu_s: float
    peak_mb: float
    size_mb: float
    promise: str
    kept: bool


def run(what: str, words: list[str], output: Path, *, cpu_s: float, peak_mb: float) -> Measured:
    """Run a command and hold it to its promise; 0 promises nothing."""
    start = time.monotonic()
    process = subprocess.Popen([INTEROP, *words], stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    wall = time.monotonic() - start
    process.returncode = os.waitstatus_to_exitcode(status)
    peak = usage.ru_maxrss / 1024
    cpu = usage.ru_utime + usage.ru_stime
    limits = [f"< {cpu_s:g} s" if cpu_s else "", f"< {peak_mb:g} MB" if peak_mb else ""]
    kept = (not cpu_s or cpu < cpu_s) and (not peak_mb or peak < peak_mb)
    files = output.rglob("*") if output.is_dir() else [output]
    size = sum(file.stat().st_size for file in files if file.is_file()) / 1e6
    print(f"{what}: {wall:.1f} s, {cpu:.1f} s CPU, {peak:.0f} MB", file=sys.stderr, flush=True)
    return Measured(
        what=what,
        wall_s=wall,
        cpu_s=cpu,
        peak_mb=peak,
        size_mb=size,
        promise=", ".join(limit for limit in limits if limit),
        kept=kept and process.returncode == 0,
    )


def ids(number: int) -> list[str]:
    """The ids of the guideline's checks, and as many more as are wanted."""
    chapters = ("net", "disk", "life", "meta", "time", "path")
    more = [f"{chapters[n % len(chapters)]}-{100 + n}" for n in range(number)]
    return [*(f"net-{n:02}" for n in range(1, 11)), *more][:number]


def check(id_: str, draw: random.Random, facts: int) -> dict[str, Any]:
    outcome = draw.choice(OUTCOMES)
    return {
        "id": id_,
        "title": f"The requirement of {id_} in one sentence, as long as such sentences are",
        "test": f"suites.bench::test_{id_}",
        "outcome": outcome,
        "reason": "" if outcome == "passed" else f"{id_}: expected one thing, actual another",
        "started": NOW,
        "seconds": 0.5,
        "facts": [
            {"name": f"fact-{n}", "value": draw.randrange(3), "source": "guest", "member": "m-1"}
            for n in range(facts)
        ],
        "evidence": [{"title": "$ observe", "text": "x" * 200}],
    }


def result(folder: Path, number: int, checks: int, facts: int) -> Path:
    """Write one result; every one is of another platform."""
    draw = random.Random(SEED + number)
    name = f"platform-{number:03}"
    document = {
        "schema": "interop.result/1",
        "id": f"run-{number}",
        "run": f"run-{number}",
        "platform": {"name": name, "kind": "fake", "features": ["machine", "volume"]},
        "started": NOW,
        "finished": NOW,
        "complete": True,
        "tool": {"version": "0.1.0"},
        "suite": {"digest": "sha256:" + "0" * 64, "seed": 1},
        "checks": [check(id_, draw, facts) for id_ in ids(checks)],
    }
    file = folder / name / "result.json"
    file.parent.mkdir(parents=True)
    file.write_text(json.dumps(document), encoding="utf-8")
    return file


def guideline(folder: Path, number: int) -> Path:
    """The shipped guideline under another id."""
    text = (DATA / "2026.11.yaml").read_text(encoding="utf-8")
    file = folder / f"g-{number}.yaml"
    file.write_text(text.replace('id: "2026.11"', f'id: "2027.{number:02}"'), encoding="utf-8")
    return file


def many_guidelines(folder: Path) -> Measured:
    results = [str(result(folder / "fifty", n, 100, 3)) for n in range(50)]
    versions = [w for n in range(20) for w in ("--guideline", str(guideline(folder, n)))]
    output = folder / "fifty.json"
    words = ["compare", *results, *versions, "--json", "--output", str(output)]
    what = "compare 50 platforms x 20 guidelines"
    return run(what, words, output, cpu_s=10, peak_mb=0)


def large_page(folder: Path) -> Measured:
    results = [str(result(folder / "many", n, 400, 0)) for n in range(250)]
    output = folder / "large.html"
    words = ["compare", *results, "--format", "html", "--output", str(output)]
    return run("page of 100,000 items", words, output, cpu_s=20, peak_mb=300)


def verified(folder: Path) -> Measured:
    """Sign a result and verify the bundle; it is true, so that the whole way is gone."""
    source = result(folder / "signed", 0, 160, 5)
    key, bundle = folder / "key", folder / "bundle"
    subprocess.run(
        ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "bench", "-f", str(key)], check=True
    )
    by = ["--guideline", "2026.11", "--program", "open-infrastructure-compute", "--at", NOW[:10]]
    words = ["sign", str(source), *by, "--key", str(key), "--to", str(bundle)]
    subprocess.run([INTEROP, *words], check=True, stdout=subprocess.DEVNULL)
    words = ["verify", str(bundle), "--key", f"{key}.pub", "--at", NOW[:10]]
    return run("verify a bundle of 160 checks", words, bundle, cpu_s=1, peak_mb=0)


def exports(folder: Path) -> list[Measured]:
    source = str(result(folder / "one", 0, 5_000, 0))
    found = []
    for form in ("junit", "ctrf", "sarif", "oscal", "allure"):
        output = folder / f"export.{form}"
        words = ["export", source, "--format", form, "--to", str(output)]
        found.append(run(f"export 5,000 checks as {form}", words, output, cpu_s=0, peak_mb=0))
    return found


def main() -> int:
    """Measure everything, print a table."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        lines = [many_guidelines(folder), large_page(folder), verified(folder), *exports(folder)]
    table = Table(title=f"load of this machine: {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
    for title in ("what", "wall", "CPU", "peak", "output", "promise", "kept"):
        table.add_column(title)
    for line in lines:
        table.add_row(
            line.what, f"{line.wall_s:.1f} s", f"{line.cpu_s:.1f} s", f"{line.peak_mb:.0f} MB",
            f"{line.size_mb:.1f} MB", line.promise, "yes" if line.kept else "NO",
        )  # fmt: skip
    Console(width=140).print(table)
    return int(not all(line.kept for line in lines))


if __name__ == "__main__":
    sys.exit(main())
