"""How long a site takes: 1,000 results of 400 checks, one result more, and the size of its pages.

Prints a table. ``python -P tests/bench_site.py [RESULTS [CHECKS]]``; the wanted numbers are 60 s
for the whole site and a second for each page. The largest page of each kind is opened from its
file in Debian's chromium, if that and playwright are there, until its ``load`` event.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import sys
import tempfile
import time
from datetime import UTC, date, datetime, timedelta
from importlib.util import find_spec
from multiprocessing import get_context
from pathlib import Path
from resource import RUSAGE_CHILDREN, RUSAGE_SELF, getrusage
from typing import Any

import yaml

from guidelines.catalog import load_guideline
from harness.publication import Publication
from harness.publishing import Published, publish

CHAPTERS = ("alloc", "meta", "net", "path", "fw", "time", "disk", "life", "bmc", "kern")
PLATFORMS = 20


def guideline(file: Path, checks: int) -> None:
    """A guideline of *checks* checks in capabilities of eight."""
    ids = [f"{CHAPTERS[n % len(CHAPTERS)]}-{n:03d}" for n in range(checks)]
    groups = {f"cap-{n // 8}": ids[n : n + 8] for n in range(0, checks, 8)}
    document = {
        "schema": "interop.guideline/1",
        "id": "bench",
        "title": "A large guideline",
        "status": "draft",
        "programs": {"all": {"title": "All", "components": ["c"], "holds": "P180D"}},
        "components": {"c": {"title": "C", "capabilities": {"required": list(groups)}}},
        "capabilities": {n: {"title": n, "level": 1, "checks": c} for n, c in groups.items()},
        "checks": {i: {"title": f"The machine keeps promise {i}", "level": 1} for i in ids},
    }
    file.write_text(yaml.safe_dump(document), encoding="utf-8")


def result(number: int, checks: int, draw: random.Random) -> dict[str, Any]:
    """A result document with three facts and a piece of evidence a check."""
    platform = f"platform-{number % PLATFORMS:02d}"
    start = datetime(2024, 1, 1, tzinfo=UTC) + timedelta(days=number // PLATFORMS * 14)
    day = start.isoformat()

    def check(n: int) -> dict[str, Any]:
        bad = draw.random() < 0.02
        return {
            "id": f"{CHAPTERS[n % len(CHAPTERS)]}-{n:03d}",
            "title": f"The machine keeps promise {n}",
            "test": f"suites.x::test_{n}",
            "outcome": "failed" if bad else "passed",
            "reason": "expected: this and that\nactual: something else" if bad else "",
            "started": day,
            "seconds": round(draw.random() * 3, 3),
            "facts": [
                {"name": "source", "value": "dhcp", "source": "guest", "member": "m1"},
                {"name": "lag", "value": draw.random(), "unit": "s", "source": "observed"},
                {"name": "address", "value": f"10.0.{n % 250}.7", "source": "api"},
            ],
            "evidence": [{"title": "m1 $ ip -j address", "text": "x" * 160}],
        }

    return {
        "schema": "interop.result/1",
        "id": f"run-{number:05d}-{platform}",
        "run": f"run-{number // PLATFORMS:05d}",
        "platform": {"name": platform, "kind": "fake"},
        "started": day,
        "finished": (start + timedelta(minutes=9)).isoformat(),
        "complete": True,
        "tool": {"version": "0.1.0"},
        "suite": {"digest": "sha256:" + "0" * 64, "seed": 1},
        "timings": [
            {"step": f"machine/m{n}", "kind": "machine", "started": 0.1 * n, "seconds": 9.5}
            | {"outcome": "ready"}
            for n in range(8)
        ],
        "checks": [check(n) for n in range(checks)],
    }


def main(count: int, checks: int) -> None:
    """Make results, publish them, publish one more, and print what it cost."""
    draw = random.Random(7)
    with tempfile.TemporaryDirectory() as place:
        root = Path(place)
        guideline(root / "guideline.yaml", checks)
        paths = []
        for number in range(count + 1):
            path = root / f"{number:05d}.json"
            path.write_text(json.dumps(result(number, checks, draw)), encoding="utf-8")
            paths.append(path)
        publication = Publication(
            guidelines=[load_guideline(root / "guideline.yaml")],
            day=date(2026, 11, 21),
            salt=b"bench",
        )
        measured("whole site", publication, paths[:-1], root / "site")
        measured("the same again", publication, paths[:-1], root / "site")
        measured("one result more", publication, paths, root / "site")
        sizes = [(f.stat().st_size, f) for f in (root / "site").rglob("*.html")]
        largest, file = max(sizes)
        all_ = sum(f.stat().st_size for f in (root / "site").rglob("*") if f.is_file())
        print(f"{len(sizes)} pages, largest {largest / 1e3:.0f} kB ({file.relative_to(root)})")
        print(f"{all_ / 1e6:.0f} MB in all; load {os.getloadavg()[0]:.1f}")
        opened(root / "site")


def opened(site: Path) -> None:
    """Open the largest page of each kind three times and print the median."""
    chromium = shutil.which("chromium")
    if chromium is None or find_spec("playwright") is None:
        print("no browser: pages were not opened")
        return
    from playwright.sync_api import sync_playwright

    kinds = ("*.html", "platforms/*.html", "checks/*.html", "guidelines/*.html", "runs/*/*.html")
    with sync_playwright() as running:
        browser = running.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        page = browser.new_page()
        page.goto("about:blank")
        for kind in kinds:
            file = max(site.glob(kind), key=lambda file: file.stat().st_size)
            spent = []
            for _ in range(3):
                page.goto("about:blank")
                start = time.perf_counter()
                page.goto(file.as_uri())
                spent.append(time.perf_counter() - start)
            print(f"opened {file.relative_to(site)!s:34} {sorted(spent)[1]:6.2f} s")
        browser.close()


def measured(name: str, publication: Publication, paths: list[Path], folder: Path) -> None:
    """Publish in a process of its own, as a command does, and print one line."""

    def work() -> None:
        wall, cpu = time.perf_counter(), sum(os.times()[:4])
        done: Published = publish(publication, paths, folder)
        seconds, cpu = time.perf_counter() - wall, sum(os.times()[:4]) - cpu
        peak = max(getrusage(whose).ru_maxrss for whose in (RUSAGE_SELF, RUSAGE_CHILDREN)) / 1e3
        spent = f"{seconds:7.1f} s  {cpu:7.1f} s of processor  {peak:6.0f} MB at most"
        print(f"{name:18} {spent}  {done.read:5} read {len(done.written):6} files written")

    process = get_context("fork").Process(target=work)
    process.start()
    process.join()


if __name__ == "__main__":
    given = [int(word) for word in sys.argv[1:]]
    main(*(given + [1000, 400][len(given) :]))
