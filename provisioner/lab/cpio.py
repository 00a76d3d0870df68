"""Write the archive a Linux kernel unpacks as its first root file system.

Source: Documentation/driver-api/early-userspace/buffer-format.rst of Linux, format "newc".
"""

from __future__ import annotations

import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

BLOCK = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One file of the archive. *data* is the content, or a link's target; devices have numbers."""

    name: str
    mode: int
    data: bytes = b""
    mtime: int = 0
    device: tuple[int, int] = (0, 0)


def archive(entries: Iterator[Entry]) -> Iterator[bytes]:
    """The archive's bytes in pieces; everything belongs to root.

    A folder is added before what is in it, once, if the entries do not have it themselves.
    """
    seen: set[str] = set()
    number = 0
    for entry in entries:
        for parent in reversed(Path(entry.name).parents):
            if str(parent) != "." and str(parent) not in seen:
                seen.add(str(parent))
                number += 1
                yield _record(Entry(name=str(parent), mode=stat.S_IFDIR | 0o755), number)
        if entry.name in seen:
            continue
        seen.add(entry.name)
        number += 1
        yield _record(entry, number)
    yield _record(Entry(name="TRAILER!!!", mode=0), 0)


def _record(entry: Entry, number: int) -> bytes:
    name = entry.name.encode() + b"\0"
    links = 2 if stat.S_ISDIR(entry.mode) else 1
    fields = (
        number, entry.mode, 0, 0, links, entry.mtime, len(entry.data), 0, 0,
        *entry.device, len(name), 0,
    )  # fmt: skip
    head = b"070701" + b"".join(b"%08X" % field for field in fields)
    return _padded(head + name) + _padded(entry.data)


def _padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % BLOCK)


def entry_of(path: Path, name: str) -> Entry:
    """The entry that stands for *path* under another *name*; a link stays a link."""
    status = path.lstat()
    mtime = int(status.st_mtime)
    if stat.S_ISLNK(status.st_mode):
        data = str(path.readlink()).encode()
    elif stat.S_ISREG(status.st_mode):
        data = path.read_bytes()
    else:
        data = b""
    return Entry(name=name, mode=status.st_mode, data=data, mtime=mtime)
