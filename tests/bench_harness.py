"""What the harness costs: start of the command, and 1,000 trivial checks beside bare pytest.

Every pytest loads no plugin but what is named, as `interop run` has it, and finds its bytecode.
Opening the platform (its entry, its driver, its SDK) is no overhead: nothing is checked without.
Ratios come from one run on one machine; `python tests/bench_harness.py` prints the table.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from harness.keys import run_key
from harness.session import Session

CHECKS = 1_000
ROUNDS = 5
ENVIRONMENT = {
    **{name: value for name, value in os.environ.items() if not name.startswith("PYTHON")},
    "PYTHONPATH": ".",  # where the opener is
    "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
}
TESTS = "import pytest\n" + "\n".join(
    f"@pytest.mark.check('x-{n:04}')\ndef test_{n}():\n    assert {n} + 1 > {n}\n"
    for n in range(CHECKS)
)
# what a suite without the harness does too before it can check a platform
OPENER = """
from pathlib import Path
from harness.config import read_platforms
from provisioner.platform import open_driver

def pytest_sessionstart(session):
    open_driver(read_platforms([Path("platforms.yaml")]).get("f")).describe()
"""


@dataclass(frozen=True, slots=True)
class Cost:
    """Seconds of the wall, and of the processor in user mode: the second is hardly disturbed."""

    wall: float
    user: float


def measure(commands: dict[str, list[str]], folder: Path) -> dict[str, Cost]:
    """The least cost of each command over some rounds, taken in turns; a first round warms up."""
    found: dict[str, list[Cost]] = {name: [] for name in commands}
    for number in range(ROUNDS + 1):
        for name, command in commands.items():
            for old in folder.glob("*.jsonl"):
                old.unlink()
            begun = time.perf_counter()
            before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime
            subprocess.run(command, cwd=folder, check=True, capture_output=True, env=ENVIRONMENT)
            user = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime - before
            if number:
                found[name].append(Cost(time.perf_counter() - begun, user))
    return {
        name: Cost(min(cost.wall for cost in costs), min(cost.user for cost in costs))
        for name, costs in found.items()
    }


def session(folder: Path) -> Path:
    """A session on the fake platform, as `interop run` writes it."""
    platforms = folder / "platforms.yaml"
    platforms.write_text(json.dumps({"platforms": {"f": {"kind": "fake", "memory": True}}}))
    file = folder / "session.json"
    Session(
        run="bench",
        expires="2030-01-01T00:00:00Z",
        platform="f",
        platforms=[platforms],
        lease=None,
        ledger=folder / "ledger-checks.jsonl",
        checks=folder / "checks.jsonl",
        select=[],
        seed=1,
        key=run_key(folder),
        probe=folder / "probe.py",
        lane="looking",
    ).save(file)
    return file


def main() -> None:
    """Measure and print."""
    interop = str(Path(sys.executable).with_name("interop"))
    pytest = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "pytest.ini").write_text("[pytest]\nmarkers = check: id\n")
        (folder / "test_trivial.py").write_text(TESTS)
        (folder / "opener.py").write_text(OPENER)
        ours = ["-p", "harness.plugin", f"--interop-session={session(folder)}"]
        run, one = [*pytest, "test_trivial.py"], [*pytest, "test_trivial.py", "-k", "test_0"]
        cost = measure(
            {
                "bare": run,
                "open": [*run, "-p", "opener"],
                "harness": [*run, *ours],
                "open, start": [*one, "-p", "opener"],
                "harness, start": [*one, *ours],
                "help": [interop, "--help"],
                "python": [sys.executable, "-c", "pass"],
            },
            folder,
        )
    bare, opened, ours_ = cost["bare"], cost["open"], cost["harness"]
    start, ours_start = cost["open, start"], cost["harness, start"]
    each = ((ours_.user - ours_start.user) - (opened.user - start.user)) / CHECKS * 1e6
    print(f"{'':<28} {'wall':>8} {'user':>8}  target")
    for what, found, target in [
        ("bare python", cost["python"], ""),
        ("interop --help", cost["help"], "0.3 s"),
        (f"{CHECKS} checks, bare pytest", bare, ""),
        ("... that opens the platform", opened, ""),
        (f"{CHECKS} checks, harness", ours_, ""),
    ]:
        print(f"{what:<28} {found.wall:6.2f} s {found.user:6.2f} s  {target}")
    for what, base, target in [
        ("overhead over bare pytest", bare, ""),
        ("... that opens the platform", opened, "15 %"),
    ]:
        wall, user = ours_.wall / base.wall - 1, ours_.user / base.user - 1
        print(f"{what:<28} {wall:>+8.0%} {user:>+8.0%}  {target}")
    print(f"{'overhead a check':<28} {'':>8} {each:5.0f} us")


if __name__ == "__main__":
    main()
