"""Control groups of a lab's containers: made with their limits, removed with the lab.

Both layouts of the kernel are known: one tree per controller (v1) and the single tree (v2).
"""

from __future__ import annotations

import contextlib
from pathlib import Path

from provisioner.lab.space import Space

TOP = Path("/sys/fs/cgroup")
COPIED = ("cpuset.cpus", "cpuset.mems")  # empty in a new group of v1, and nothing runs then


def trees(top: Path = TOP) -> list[Path]:
    """The roots of all hierarchies."""
    if (top / "cgroup.controllers").exists():
        return [top]
    if not top.is_dir():
        return []
    return sorted(path for path in top.iterdir() if path.is_dir() and not path.is_symlink())


def make(name: str, top: Path = TOP) -> None:
    """Make the group *name* in every hierarchy; one that is there is kept.

    Raises:
        OSError: the kernel refused.
    """
    for tree in trees(top):
        if (tree / "cgroup.controllers").exists():
            offered = (tree / "cgroup.controllers").read_text(encoding="utf-8").split()
            for controller in offered:
                with contextlib.suppress(OSError):  # some are bound to processes of the root
                    (tree / "cgroup.subtree_control").write_text(f"+{controller}")
        group = tree / name
        group.mkdir(exist_ok=True)
        for file in COPIED:
            if (group / file).exists() and not (group / file).read_text().strip():
                (group / file).write_text((tree / file).read_text())


def of(space: Space, top: Path = TOP) -> list[Path]:
    """The groups of a lab that exist, in all hierarchies."""
    return sorted(path for tree in trees(top) for path in tree.glob(f"{space.namespace}--*"))


def remove(space: Space, top: Path = TOP) -> None:
    """Remove the lab's groups, the innermost first; one with a process in it stays."""
    for group in of(space, top):
        inner = sorted((path for path in group.rglob("*") if path.is_dir()), reverse=True)
        for path in (*inner, group):
            with contextlib.suppress(OSError):
                path.rmdir()
