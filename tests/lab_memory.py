"""The memory of a lab, for benches."""

from __future__ import annotations

import re
from pathlib import Path

from provisioner.lab.pids import children
from provisioner.lab.space import Space
from provisioner.lab.state import State, marked


def memory_mb(space: Space) -> float:
    """What all processes of the lab and its guests hold, in MB; shared pages are divided."""
    found = list(marked(State(space).path))
    for pid in found:  # and what they started, in trees of their own
        found += [child for child in children(pid) if child not in found]
    held = 0
    for pid in found:
        try:
            told = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii")
        except OSError:
            continue  # it has ended
        kilobytes = re.search(r"^Pss:\s+(\d+) kB", told, re.MULTILINE)
        held += int(kilobytes[1]) if kilobytes else 0
    return held * 1024 / 1e6
