"""The command that does a run's checks again: what an engineer types after a failure."""

from __future__ import annotations

import shlex
from collections.abc import Sequence

MOST = 20  # checks in one command; beyond that all of the run is done again
USUAL = "reference"  # the workload that stands if none is named


def reproduce(
    platform: str, checks: Sequence[str] = (), *, seed: int | None = None, workload: str = ""
) -> str:
    """One line for a shell; empty if a name cannot be typed on one.

    Args:
        platform: its name in the platforms file.
        checks: ids of the checks to repeat; all of them if none or very many are given.
        seed: of the examples that the run generated, so that the same ones come again.
        workload: name of what stood.
    """
    words = ["interop", "run", "-p", platform]
    if 0 < len(checks) <= MOST:
        words += ["--select", ",".join(checks)]
    if workload and workload != USUAL:
        words += ["--workload", workload]
    if seed is not None:
        words += ["--seed", str(seed)]
    line = shlex.join(words)
    return line if line.isprintable() else ""
