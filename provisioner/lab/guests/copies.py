"""A guest's root as one file, and such a file as a guest's root.

What is made is a whole file system that both kinds of guests can start from.
"""

from __future__ import annotations

import contextlib
import shutil
import subprocess
from pathlib import Path

from provisioner.errors import PlatformError, PlatformFault
from provisioner.lab.guests.container import MAKE_EXT4, Container
from provisioner.lab.guests.virtual import VirtualMachine
from provisioner.lab.space import run

MAGIC_AT, MAGIC = 0x438, b"\x53\xef"  # Source: ext4's disk layout, s_magic of the superblock
GIB = 1 << 30
# whether a root is whole or differs from the layers only, as the guest's own start decides it;
# $1 a copy of its file, $2 an empty folder, $3 lower layers, $4 the new file
MERGE = """
mount -t tmpfs none "$2"
cd "$2"
mkdir disk root
mount -t ext4 -o loop,noatime "$1" disk
if [ -d disk/etc ]; then echo whole; exit; fi
mkdir -p disk/upper disk/work
mount -t overlay -o "lowerdir=$3,upperdir=disk/upper,workdir=disk/work" overlay root
blocks=$(du -sk root | cut -f 1)
files=$(find root -xdev | wc -l)
shift 3
out=$1
truncate -s "$((blocks * 115 / 100 / 4 * 4 + 65536))K" "$out"
shift
"$@" -N "$((files * 2 + 4096))" -d root "$out"
echo merged
"""


def check_root(file: Path) -> None:
    """See that a raw file holds a file system with an operating system in it.

    Raises:
        PlatformFault: it does not.
    """
    with file.open("rb") as data:
        data.seek(MAGIC_AT)
        if data.read(len(MAGIC)) != MAGIC:
            raise PlatformFault("not the lab's image, and no ext4 file system without partitions")
    said = subprocess.run(
        ["debugfs", "-R", "stat /sbin/init", str(file)], capture_output=True, check=False
    )
    overlaid = subprocess.run(
        ["debugfs", "-R", "stat /upper", str(file)], capture_output=True, check=False
    )
    if b"Inode:" not in said.stdout and b"Inode:" not in overlaid.stdout:
        raise PlatformFault("a file system without /sbin/init")


def enlarge(guest: Container | VirtualMachine, size_gib: int) -> None:
    """Let the root of a guest that is off have so much room; one that has more keeps it.

    Raises:
        PlatformFault: a command failed.
    """
    if isinstance(guest, VirtualMachine) and guest.root_kind == "qcow2":
        run("qemu-img", "resize", "-q", "-f", "qcow2", str(guest.root), f"{size_gib}G")
    else:
        grow(guest.root, size_gib)


def grow(file: Path, size_gib: int) -> None:
    """Let a raw file and the file system in it have at least so much room; nobody may use it.

    Raises:
        PlatformFault: the file system is damaged.
    """
    if file.stat().st_size < size_gib * GIB:
        with file.open("ab") as data:
            data.truncate(size_gib * GIB)
    # e2fsck(8): 1 and 2 mean that something was mended
    done = subprocess.run(["e2fsck", "-fp", str(file)], capture_output=True, check=False)
    if done.returncode > 2:
        raise PlatformFault(f"{file.name}: {done.stdout.decode(errors='replace').strip()[:300]}")
    run("resize2fs", str(file))


def copy_of(guest: Container | VirtualMachine, lower: str, target: Path) -> None:
    """Write *guest*'s root as it is at one moment to *target*, a qcow2 file.

    Raises:
        PlatformFault: a command failed.
    """
    if isinstance(guest, VirtualMachine):
        _of_virtual(guest, target)
    else:
        _of_container(guest, lower, target)


def _of_virtual(guest: VirtualMachine, target: Path) -> None:
    """It stands still while it is copied; what it has not synced is lost, as at a crash."""
    if guest.on:
        guest.execute(("stop", {}))
    try:
        run("qemu-img", "convert", "-U", "-f", guest.root_kind, "-O", "qcow2", str(guest.root),
            str(target))  # fmt: skip
    finally:
        with contextlib.suppress(PlatformError):
            guest.execute(("cont", {}))


def _of_container(guest: Container, lower: str, target: Path) -> None:
    """Its file system is frozen for the moment that a sparse copy takes."""
    copy, raw = target.with_suffix(".copy"), target.with_suffix(".raw")
    folder = target.with_suffix(".mount")
    try:
        with guest.frozen():
            run("cp", "--sparse=always", "--reflink=auto", str(guest.root), str(copy))
        folder.mkdir()
        said = run(
            "unshare", "--mount", "--propagation", "private", "sh", "-ec", MERGE, "sh",
            str(copy), str(folder), lower, str(raw), *MAKE_EXT4,
        )  # fmt: skip
        whole = copy if said.split()[-1] == "whole" else raw
        run("qemu-img", "convert", "-f", "raw", "-O", "qcow2", str(whole), str(target))
    finally:
        for left in (copy, raw):
            left.unlink(missing_ok=True)
        shutil.rmtree(folder, ignore_errors=True)
