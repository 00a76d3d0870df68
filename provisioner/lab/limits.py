"""The one limit of the host that many guests need raised, and its way back.

Every systemd watches files by some inotify instances, and the kernel lets one user have 128 of
them, all guests together: enough for about 25. The value before is kept beside the labs' folders,
so that the last ``lab down`` puts it back even after everything was killed.

Source: inotify(7), /proc/sys/fs/inotify/max_user_instances.
"""

from __future__ import annotations

import contextlib
from pathlib import Path

from provisioner.lab.space import RUN

LIMIT = Path("/proc/sys/fs/inotify/max_user_instances")
BEFORE = RUN / ".inotify-instances-before"
ENOUGH = 4096


def raise_limit(limit: Path = LIMIT, before: Path = BEFORE) -> None:
    """Let many guests watch files; a limit that is high enough is left alone.

    Raises:
        OSError: the limit cannot be written.
    """
    now = int(limit.read_text())
    if now >= ENOUGH:
        return
    if not before.exists():
        before.write_text(f"{now}\n")
    limit.write_text(f"{ENOUGH}\n")


def restore_limit(limit: Path = LIMIT, before: Path = BEFORE) -> None:
    """Put the limit back to what it was, unless somebody else has changed it since."""
    with contextlib.suppress(OSError, ValueError):
        was = int(before.read_text())
        if int(limit.read_text()) == ENOUGH:
            limit.write_text(f"{was}\n")
        before.unlink()
