"""A lock on a file that is gone once nobody holds it."""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path

from provisioner.errors import Conflict


@contextlib.contextmanager
def locked(path: Path, busy: str) -> Iterator[None]:
    """Hold the lock on the file that *path* names; its folder is made, the file removed at the end.

    The holder removes the file before it lets go. Who opened it before that gets a lock on a file
    that nobody else will ever see: the lock counts only if *path* still names what was locked.

    Raises:
        Conflict: somebody else holds it; says *busy*.
    """
    while True:
        path.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
        try:
            file = path.open("a")
        except FileNotFoundError:
            continue  # the folder has just gone
        with file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise Conflict(busy) from error
            if not _names(path, file.fileno()):
                continue
            try:
                yield
            finally:
                path.unlink()
            return


def _names(path: Path, descriptor: int) -> bool:
    """Whether *path* is the name of the open file."""
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except FileNotFoundError:
        return False
