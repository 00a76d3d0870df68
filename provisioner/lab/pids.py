"""Processes told from later ones of the same number."""

from __future__ import annotations

from pathlib import Path


def start_time(pid: int) -> int | None:
    """Start time of a process in clock ticks after boot; None if it is gone or a zombie.

    Source: proc(5), /proc/PID/stat; the command in field 2 may hold spaces and parentheses.
    """
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()
    except OSError:
        return None
    return None if fields[0] in "ZX" else int(fields[19])


def children(pid: int) -> list[int]:
    """Its child processes, the eldest first; none of a process that is gone."""
    try:
        text = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii")
    except OSError:
        return []
    return [int(child) for child in text.split()]
