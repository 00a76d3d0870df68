"""The main job from nothing: lab up, run against the guideline, lab down (`make certify`)."""

from __future__ import annotations

import argparse
import signal
import subprocess
import sys
from pathlib import Path

from harness.config import read_platforms
from reports.read import read_result


def main() -> int:
    """Run it; the exit code is that of ``interop run``."""
    parser = argparse.ArgumentParser(prog="python -m harness.certify", description=__doc__)
    parser.add_argument("--lab", default="default")
    parser.add_argument("--guideline", default="2026.11")
    parser.add_argument("--only", default="", help="platforms of the lab, such as metal,aws")
    parser.add_argument("--platform", action="append", default=[], dest="platforms")
    parser.add_argument("--select", action="append", default=[])
    parser.add_argument("--results", default="results")
    options = parser.parse_args()
    signal.signal(signal.SIGINT, lambda *_: None)  # the terminal tells the command at work itself
    interop = str(Path(sys.executable).with_name("interop"))
    lab = ["--lab", options.lab]
    try:
        only = ["--only", options.only] if options.only else []
        up = _done([interop, "lab", "up", *lab, *only])
        if up != 0:
            return up
        where = Path("/run/interop") / options.lab / "platforms.yaml"
        platforms = options.platforms or list(read_platforms([where]).configs)
        argv = [interop, "run", "--platforms", str(where), "--guideline", options.guideline]
        for name in platforms:
            argv += ["-p", name]
        for check in options.select:
            argv += ["--select", check]
        code = _done([*argv, "--results", options.results])
        return _selection(Path(options.results), platforms, code) if options.select else code
    finally:
        _done([interop, "lab", "down", *lab])


def _done(argv: list[str]) -> int:
    """The exit code of a command. What ends us ends it first, so that it leaves in order."""
    process = subprocess.Popen(argv)
    before = signal.signal(signal.SIGTERM, lambda *_: process.terminate())
    try:
        return process.wait()
    finally:
        signal.signal(signal.SIGTERM, before)


def _selection(results: Path, platforms: list[str], code: int) -> int:
    """The exit code of a run of selected checks: never a verdict, so 0 only if all of them passed.

    A part of the checks is inconclusive by definition (3); here it is asked whether the part held.
    """
    run = max(results.glob("run-*"), key=lambda folder: folder.stat().st_mtime)
    checks = [check for name in platforms for check in read_result(run / name).checks]
    bad = [check.id for check in checks if check.outcome not in ("passed", "not-applicable")]
    passed = sum(check.outcome == "passed" for check in checks)
    print(f"selected checks: {passed} passed, {len(bad)} did not {' '.join(bad)}")  # noqa: T201
    return 0 if code == 3 and passed and not bad else code or 1


if __name__ == "__main__":
    sys.exit(main())
