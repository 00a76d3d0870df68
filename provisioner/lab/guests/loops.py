"""Files as block devices. A device lives as long as somebody holds it, and clears itself then.

Who shows a device to a guest holds it open. When that process dies, whatever way, and no guest has
it mounted, the kernel lets it go; nothing stays behind.
"""

from __future__ import annotations

import errno
import fcntl
import os
import stat
import struct
from dataclasses import dataclass
from pathlib import Path

CTL_GET_FREE = 0x4C82  # linux/loop.h
CONFIGURE = 0x4C0A
SET_CAPACITY = 0x4C07
READ_ONLY = 1
AUTOCLEAR = 4
CONFIG = struct.Struct("=II QQQQQ IIII 64s 64s 32s 2Q 8Q")  # struct loop_config
TRIES = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Loop:
    """A device that is held open by us."""

    path: Path
    number: int  # device number, as in st_rdev
    descriptor: int

    def measure(self) -> None:
        """Take the size that its file has now."""
        fcntl.ioctl(self.descriptor, SET_CAPACITY)

    def close(self) -> None:
        """Let go; the device clears itself once nobody else has it."""
        os.close(self.descriptor)


def attach(file: Path, *, read_only: bool = False) -> Loop:
    """A block device whose content is *file*: the one that has it already, or a new one.

    Raises:
        OSError: the kernel has no loop devices, or no more of them.
    """
    found = loop_of(file)
    if found is not None:
        held = os.open(found, os.O_RDONLY | os.O_CLOEXEC)
        if loop_of(file) == found:  # it did not go away before we had it
            return Loop(path=found, number=os.fstat(held).st_rdev, descriptor=held)
        os.close(held)
    mode = os.O_RDONLY if read_only else os.O_RDWR
    backing = os.open(file, mode | os.O_CLOEXEC)
    try:
        for _ in range(TRIES):
            path = _free()
            held = os.open(path, mode | os.O_CLOEXEC | os.O_EXCL)
            try:
                fcntl.ioctl(held, CONFIGURE, _config(backing, read_only=read_only))
            except OSError as error:
                os.close(held)
                if error.errno != errno.EBUSY:
                    raise
                continue  # somebody else was faster
            return Loop(path=path, number=os.fstat(held).st_rdev, descriptor=_plain(path, held))
    finally:
        os.close(backing)
    raise OSError(errno.EBUSY, "no free loop device", str(file))


def loop_of(file: Path) -> Path | None:
    """The loop device that has *file*, whoever made it."""
    for path in Path("/sys/block").glob("loop*/loop/backing_file"):
        try:
            if path.read_text().strip() == str(file):
                return Path("/dev") / path.parts[3]
        except OSError:
            continue  # it went away while we looked
    return None


def _plain(path: Path, exclusive: int) -> int:
    """The same device opened in a way that lets a guest mount it."""
    held = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    os.close(exclusive)
    return held


def _free() -> Path:
    control = os.open("/dev/loop-control", os.O_RDWR | os.O_CLOEXEC)
    try:
        number = fcntl.ioctl(control, CTL_GET_FREE)
    finally:
        os.close(control)
    path = Path(f"/dev/loop{number}")
    if not path.exists():  # no devtmpfs
        os.mknod(path, stat.S_IFBLK | 0o660, os.makedev(7, number))
    return path


def _config(backing: int, *, read_only: bool) -> bytes:
    flags = AUTOCLEAR | (READ_ONLY if read_only else 0)
    info = [0] * 5 + [0, 0, 0, flags]
    return CONFIG.pack(backing, 0, *info, b"", b"", b"", 0, 0, *[0] * 8)
