"""A guest that is a container with its own systemd on a copy-on-write root.

Everything it needs of the host is made inside a mount namespace of its own, so that nothing is
left when its processes end, whoever ends them.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import stat
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from provisioner.lab.guests.body import Body
from provisioner.lab.guests.guest import Build, Drive, Wiring
from provisioner.lab.guests.loops import Loop, attach
from provisioner.lab.pids import children
from provisioner.lab.space import NETNS, run

DISK_OF = "/run/interop-firmware"  # what stands for firmware's tables inside
LINK_FOLDERS = ("by-id", "by-label")
ROOT_NODE = "vda"  # of a container that sees its own disks
# how a file system for a guest's root is made: nothing that costs time at the first mount
MAKE_EXT4 = (
    "mkfs.ext4", "-q", "-F", "-O", "^has_journal", "-i", "65536", "-m", "0",
    "-E", "lazy_itable_init=1,nodiscard,root_owner=0:0",
)  # fmt: skip

# $1 folder of the guest, $2 its root, $3 lower layers; the rest is the command. A root that came
# whole, from a snapshot, has /etc; else the disk holds what differs from the layers.
SCRIPT = """
umask 022
mkdir -p /run/systemd/nspawn
mount -t tmpfs -o mode=755 nspawn /run/systemd/nspawn
cd "$1"
[ -b "$2" ] || how=,loop
mount -t ext4 -o "noatime$how" "$2" disk
if [ -d disk/etc ]; then
  mount --bind disk root
else
  mkdir -p disk/upper disk/work
  mount -t overlay -o "lowerdir=$3,upperdir=disk/upper,workdir=disk/work" overlay root
fi
shift 3
exec "$@"
"""


class Container:
    """A ``Guest``; see the methods there.

    Args:
        folder: where its disk and console are kept.
        build: what it is.
    """

    def __init__(self, folder: Path, build: Build) -> None:
        self.folder = folder
        self._build = build
        self._loops: dict[str, Loop] = {}
        for part in ("disk", "root", "firmware/block", *(f"links/{name}" for name in LINK_FOLDERS)):
            (folder / part).mkdir(parents=True, exist_ok=True)
        for key, value in build.firmware.values().items():
            (folder / "firmware" / key).write_text(f"{value}\n", encoding="ascii")
        self.root = build.root or folder / "root.img"
        if not self.root.exists():
            _empty_disk(self.root, build.root_gib)
        self._body = Body(folder)

    # -- power ---------------------------------------------------------------------------------

    def start(self, wiring: Wiring, drives: Sequence[Drive]) -> None:
        for name in LINK_FOLDERS:
            for old in (self.folder / "links" / name).iterdir():
                old.unlink()
        for old in (self.folder / "firmware" / "block").iterdir():
            old.unlink()
        for drive in drives:
            self._hold(drive)
            self._link(drive)
        own = attach(self.root) if self._build.alone else None
        root = own.path if own else self.root
        if own:
            self._show(ROOT_NODE, own)
        machine_id = self._build.machine_id
        command = [
            "systemd-nspawn", "--quiet", "--directory=root", "--register=no", "--keep-unit",
            f"--network-namespace-path={NETNS / wiring.namespace}",
            f"--machine={self._build.name}", "--hostname=localhost", f"--uuid={machine_id}",
            "--capability=CAP_NET_ADMIN", "--drop-capability=CAP_MKNOD",
            "--console=read-only", "--link-journal=no",
            "--resolv-conf=off", "--timezone=off", *self._processors(),
            f"--bind-ro={self.folder / 'firmware'}:{DISK_OF}",
            f"--bind-ro={self.folder / 'links'}:/dev/disk",
            *(f"--bind={self._loops[d.serial].path}:/dev/{d.node}" for d in drives),
            "--boot",
        ]  # fmt: skip
        # the guest alone holds its root's device: its file may have another size at the next start
        self._body.start(
            ["unshare", "--mount", "--propagation", "private", *_own_clocks(), "sh", "-ec", SCRIPT,
             "sh", str(self.folder), str(root), self._build.image.lower, *command],
            held=[own.descriptor] if own else [],
        )  # fmt: skip
        if own:
            own.close()

    def _show(self, node: str, loop: Loop) -> None:
        """Have it among its disks: the layer lays this folder over /sys/block."""
        place = self.folder / "firmware" / "block" / node
        place.unlink(missing_ok=True)
        if self._build.alone:
            place.symlink_to(f"../devices/virtual/block/{loop.path.name}")

    def _processors(self) -> list[str]:
        """Words that keep it to its processors; the layer lays what is written over /proc/cpuinfo.

        Which ones it has depends on its machine id, so that guests share them.
        """
        shown = self.folder / "firmware" / "cpuinfo"
        shown.unlink(missing_ok=True)
        have = sorted(os.sched_getaffinity(0))
        if not self._build.alone or self._build.cpu >= len(have):
            return []
        first = int(self._build.machine_id, 16) % len(have)
        chosen = [have[(first + n) % len(have)] for n in range(self._build.cpu)]
        told = Path("/proc/cpuinfo").read_text(encoding="ascii", errors="replace")
        blocks = told.strip().split("\n\n")[: self._build.cpu]
        told = "\n\n".join(blocks) + "\n\n"
        shown.write_text(told, encoding="ascii", errors="replace")
        return [f"--cpu-affinity={','.join(map(str, chosen))}"]

    def ask_to_halt(self) -> None:
        self._body.signal(signal.SIGTERM)

    def ask_to_reboot(self) -> bool:
        first = self.first_process()
        if first is None:
            return False
        with contextlib.suppress(ProcessLookupError):
            os.kill(first, signal.SIGRTMIN + 5)  # systemd(1): reboot.target
            return True
        return False

    def pull_plug(self) -> None:
        first = self.first_process()
        if first is not None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(first, signal.SIGKILL)  # the kernel ends all others with it
            self._body.wait(2.0)
        self._body.kill()

    def ended(self) -> int | None:
        return self._body.ended()

    @property
    def on(self) -> bool:
        return self._body.on

    def forget(self) -> None:
        self._body.forget()

    def first_process(self) -> int | None:
        """The guest's process 1, as the host numbers it; None before it is there."""
        outer = self._body.inner
        if outer is None:
            return None
        with contextlib.suppress(OSError, StopIteration):
            for child in children(outer):
                status = Path(f"/proc/{child}/status").read_text()
                numbers = next(x for x in status.splitlines() if x.startswith("NSpid:")).split()
                if numbers[-1] == "1" and len(numbers) > 2:
                    return child
        return None

    @contextlib.contextmanager
    def frozen(self) -> Iterator[None]:
        """Its root's file holds one moment's state until the block ends; the guest waits."""
        outer = self._body.inner
        if outer is None:
            yield
            return
        disk = f"/proc/{outer}/root{self.folder / 'disk'}"
        run("fsfreeze", "--freeze", disk)
        try:
            yield
        finally:
            run("fsfreeze", "--unfreeze", disk)

    # -- what it says and sees -----------------------------------------------------------------

    def console(self) -> tuple[bytes, float]:
        return self._body.words()

    def attach(self, drive: Drive) -> None:
        loop = self._hold(drive)
        self._link(drive)
        with self._dev() as folder:
            try:
                os.mknod(drive.node, stat.S_IFBLK | 0o660, loop.number, dir_fd=folder)
            except FileExistsError:
                there = os.stat(drive.node, dir_fd=folder, follow_symlinks=False)
                if there.st_rdev != loop.number:  # of a device that died with who held it
                    os.unlink(drive.node, dir_fd=folder)
                    os.mknod(drive.node, stat.S_IFBLK | 0o660, loop.number, dir_fd=folder)

    def grow(self, drive: Drive) -> None:
        self._hold(drive).measure()

    def detach(self, drive: Drive) -> bool:
        """Take the node away; a mount that has the device keeps it until it is unmounted."""
        for link in drive.links:
            (self.folder / "links" / link).unlink(missing_ok=True)
        (self.folder / "firmware" / "block" / drive.node).unlink(missing_ok=True)
        with contextlib.suppress(OSError), self._dev() as folder:
            os.unlink(drive.node, dir_fd=folder)
        loop = self._loops.pop(drive.serial, None)
        if loop is not None:
            loop.close()
        return True

    def _hold(self, drive: Drive) -> Loop:
        if drive.serial not in self._loops:
            self._loops[drive.serial] = attach(drive.file, read_only=drive.read_only)
        self._show(drive.node, self._loops[drive.serial])
        return self._loops[drive.serial]

    def _link(self, drive: Drive) -> None:
        for link in drive.links:
            place = self.folder / "links" / link
            place.unlink(missing_ok=True)
            place.symlink_to(f"../../{drive.node}")

    @contextlib.contextmanager
    def _dev(self) -> Iterator[int]:
        """The guest's /dev, held open; what a guest may have made of it is not followed."""
        first = self.first_process()
        if first is None:
            raise ProcessLookupError(f"{self._build.name} is off")
        root = os.open(f"/proc/{first}/root", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            flags = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC | os.O_NOFOLLOW
            folder = os.open("dev", flags, dir_fd=root)
            try:
                yield folder
            finally:
                os.close(folder)
        finally:
            os.close(root)

    def release(self) -> None:
        """Let go of the devices it was shown; it is off."""
        for loop in self._loops.values():
            loop.close()
        self._loops.clear()

    def erase(self) -> None:
        self.release()
        shutil.rmtree(self.folder, ignore_errors=True)


def _own_clocks() -> list[str]:
    """Words for unshare: what runs below it was booted just now, as far as it can see.

    Source: time_namespaces(7). The time of day is the host's.
    """
    if not Path("/proc/self/ns/time").exists():  # before Linux 5.6
        return []
    booted, up = int(time.clock_gettime(time.CLOCK_BOOTTIME)), int(time.monotonic())
    return ["--time", f"--boottime=-{booted}", f"--monotonic=-{up}"]


def _empty_disk(path: Path, root_gib: int) -> None:
    fresh = path.with_suffix(".part")
    with fresh.open("wb") as file:
        file.truncate(root_gib << 30)
    run(*MAKE_EXT4, str(fresh))
    fresh.replace(path)
