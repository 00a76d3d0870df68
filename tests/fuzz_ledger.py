"""Ten thousand schedules of crashes and faults; `make fuzz` or `python tests/fuzz_ledger.py`.

Options: ``--schedules N``, ``--first SEED``. Prints what was run; a failing seed is printed and can
be run alone with ``--first SEED --schedules 1``. Ledgers go to memory where there is /dev/shm: what
is tried is the order of events, not the disk.
"""

from __future__ import annotations

import argparse
import importlib.util
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import pytest

SCHEDULES = 10_000


def schedule() -> Callable[[int, Path], None]:
    """``run_schedule`` of the test file beside this one."""
    file = Path(__file__).with_name("test_provisioner_crashes.py")
    spec = importlib.util.spec_from_file_location("fuzzed_crashes", file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    run: Callable[[int, Path], None] = module.run_schedule
    return run


def fuzz(first: int, count: int) -> tuple[list[str], float]:
    """Run *count* schedules. Returns what failed, and the seconds it took."""
    run = schedule()
    shm = Path("/dev/shm")  # noqa: S108 - a fresh folder below it is made
    base = Path(tempfile.mkdtemp(prefix="fuzz-", dir=shm if shm.is_dir() else None))
    failed: list[str] = []
    begun = time.monotonic()
    try:
        for seed in range(first, first + count):
            folder = base / str(seed)
            try:
                run(seed, folder)
            except Exception as error:
                failed.append(f"seed {seed}: {' '.join(str(error).split())[:300]}")
            shutil.rmtree(folder, ignore_errors=True)
    finally:
        shutil.rmtree(base, ignore_errors=True)
    return failed, time.monotonic() - begun


@pytest.mark.fuzz
def test_ten_thousand_schedules() -> None:
    failed, _ = fuzz(0, SCHEDULES)

    assert failed == []


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--schedules", type=int, default=SCHEDULES)
    parser.add_argument("--first", type=int, default=0)
    chosen = parser.parse_args()
    wrong, seconds = fuzz(chosen.first, chosen.schedules)
    print(f"{chosen.schedules} schedules in {seconds:.0f} s, {len(wrong)} failed")  # noqa: T201
    for line in wrong[:20]:
        print(line)  # noqa: T201
    sys.exit(1 if wrong else 0)
