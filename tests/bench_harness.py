"""What the harness costs: start of the command, and 1,000 trivial checks beside bare pytest.

Ratios come from one run on one machine; `python tests/bench_harness.py` prints the table.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from harness.keys import run_key
from harness.session import Session

CHECKS = 1_000
ROUNDS = 3
BARE = "\n".join(f"def test_{n}():\n    assert {n} + 1 > {n}\n" for n in range(CHECKS))
MARKED = "import pytest\n" + "\n".join(
    f"@pytest.mark.check('x-{n:04}')\ndef test_{n}():\n    assert {n} + 1 > {n}\n"
    for n in range(CHECKS)
)


def seconds(command: list[str], folder: Path) -> float:
    """The best of some rounds; the others had company on the machine."""
    best = float("inf")
    for _ in range(ROUNDS):
        for old in folder.glob("*.jsonl"):
            old.unlink()
        begun = time.perf_counter()
        subprocess.run(command, cwd=folder, check=True, capture_output=True)
        best = min(best, time.perf_counter() - begun)
    return best


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
    ).save(file)
    return file


def main() -> None:
    """Measure and print."""
    interop = str(Path(sys.executable).with_name("interop"))
    pytest = [sys.executable, "-P", "-m", "pytest", "-q", "-p", "no:cacheprovider"]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "pytest.ini").write_text("[pytest]\n")
        (folder / "test_bare.py").write_text(BARE)
        (folder / "test_marked.py").write_text(MARKED)
        bare = seconds([*pytest, "test_bare.py"], folder)
        none = seconds(
            [*pytest, "--collect-only", "-k", "nothing or test_0", "test_bare.py"], folder
        )
        option = f"--interop-session={session(folder)}"
        ours = seconds([*pytest, option, "test_marked.py"], folder)
        start = seconds([*pytest, option, "-k", "test_0", "test_marked.py"], folder)
        help_ = seconds([interop, "--help"], folder)
        python = seconds([sys.executable, "-c", "pass"], folder)
    rows = [
        ("interop --help", f"{help_:.2f} s", "0.3 s", f"{help_ / python:.1f} x bare python"),
        (f"{CHECKS} checks, bare pytest", f"{bare:.2f} s", "", f"start alone {none:.2f} s"),
        (f"{CHECKS} checks, harness", f"{ours:.2f} s", "", f"start alone {start:.2f} s"),
        ("overhead, whole process", f"{ours / bare - 1:+.0%}", "15 %", ""),
        ("overhead a check", f"{((ours - start) - (bare - none)) / CHECKS * 1e6:.0f} us", "", ""),
    ]
    for what, measured, target, note in rows:
        print(f"{what:<28} {measured:>10}  target {target or '-':<6} {note}")


if __name__ == "__main__":
    main()
