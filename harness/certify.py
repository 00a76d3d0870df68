"""The main job from nothing: lab up, run against the guideline, lab down (`make certify`)."""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path


def main() -> int:
    """Run it; the exit code is that of ``interop run``."""
    parser = argparse.ArgumentParser(prog="python -m harness.certify", description=__doc__)
    parser.add_argument("--lab", default="default")
    parser.add_argument("--guideline", default="2026.11")
    parser.add_argument("--platform", action="append", default=[], dest="platforms")
    parser.add_argument("--select", action="append", default=[])
    parser.add_argument("--results", default="results")
    options = parser.parse_args()
    platforms = options.platforms or ["lab-metal", "lab-aws"]
    interop = str(Path(sys.executable).with_name("interop"))
    lab = ["--lab", options.lab]
    up = subprocess.run([interop, "lab", "up", *lab], check=False)
    try:
        if up.returncode != 0:
            return up.returncode
        where = Path("/run/interop") / options.lab / "platforms.yaml"
        argv = [interop, "run", "--platforms", str(where), "--guideline", options.guideline]
        for name in platforms:
            argv += ["-p", name]
        for check in options.select:
            argv += ["--select", check]
        return subprocess.run([*argv, "--results", options.results], check=False).returncode
    finally:
        subprocess.run([interop, "lab", "down", *lab], check=False)


if __name__ == "__main__":
    sys.exit(main())
