"""What guests leave in the kernel when nobody ends them in order: mounts and loop devices."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Sequence
from pathlib import Path

from provisioner.lab.space import quiet

RELEASE_S = 30.0  # the kernel writes what a file system still holds after its last mount is gone


def mounts(folders: Sequence[Path]) -> list[Path]:
    """What is mounted within *folders*, the innermost first."""
    found = []
    with Path("/proc/self/mountinfo").open(encoding="utf-8") as lines:
        for line in lines:
            path = Path(line.split()[4].encode().decode("unicode_escape"))
            if any(path.is_relative_to(top) for top in folders):
                found.append(path)
    return found[::-1]


def loops(folders: Sequence[Path]) -> list[str]:
    """The loop devices whose file is in *folders*."""
    found = []
    for backing in sorted(Path("/sys/block").glob("loop*/loop/backing_file")):
        with contextlib.suppress(OSError):
            file = Path(backing.read_text(encoding="utf-8").strip().removesuffix(" (deleted)"))
            if any(file.is_relative_to(top) for top in folders):
                found.append(f"/dev/{backing.parts[3]}")
    return found


def clear(folders: Sequence[Path]) -> None:
    """Remove both, as far as the kernel lets them go within ``RELEASE_S``.

    The mounts of a container end with its last process, behind that process's back, and a loop
    device that is in use goes only with the last of them.
    """
    for path in mounts(folders):
        if not quiet("umount", str(path)):
            quiet("umount", "--lazy", str(path))
    for device in loops(folders):
        quiet("losetup", "-d", device)
    deadline = time.monotonic() + RELEASE_S
    while loops(folders) and time.monotonic() < deadline:
        time.sleep(0.05)
