"""One instance's guest: a container with its own systemd on a copy-on-write root.

Everything it needs of the host is made inside a mount namespace of its own, so that nothing is
left when its processes end, whoever ends them.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import stat
import subprocess
import time
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from provisioner.lab.aws.loops import Loop
from provisioner.lab.space import NETNS, run

# node in the guest -> (its names below /dev/disk/by-id, the device)
Devices = Mapping[str, tuple[tuple[str, ...], Loop]]

REBOOTED = 133  # how systemd-nspawn says that the guest asked for a reboot
CONSOLE_KEPT = 64 * 1024  # Source: EC2 API, GetConsoleOutput: the most recent 64 KB
CONSOLE_MAX = 8 << 20
NAMES = uuid.UUID("6f1c31c2-6f0b-4c8e-9a59-0b3c4f1f7d10")  # machine ids are made from it

# $1 folder of the instance, $2 lower layers; the rest is the command
SCRIPT = """
umask 022
mkdir -p /run/systemd/nspawn
mount -t tmpfs -o mode=755 nspawn /run/systemd/nspawn
cd "$1"
mount -t ext4 -o loop,noatime root.img disk
mkdir -p disk/upper disk/work disk/root
mount -t overlay -o "lowerdir=$2,upperdir=disk/upper,workdir=disk/work" overlay disk/root
shift 2
exec "$@"
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """What guests are made of: read-only layers, the upper one first."""

    layers: tuple[Path, ...]

    @property
    def lower(self) -> str:
        """As overlayfs wants it."""
        return ":".join(str(layer) for layer in self.layers)


class Guest:
    """A guest that may be started and ended many times; its root stays.

    Args:
        instance: the instance's id.
        folder: where its disk and console are kept.
        image: what its root is laid over.
        root_gib: size of its root file system.
    """

    def __init__(
        self,
        instance: str,
        folder: Path,
        image: Image,
        root_gib: int,
        defects: frozenset[str] = frozenset(),
    ) -> None:
        self.instance = instance
        self.folder = folder
        self._image = image
        self._defects = defects
        self._process: subprocess.Popen[bytes] | None = None
        for part in ("disk", "links/by-id", "firmware"):
            (folder / part).mkdir(parents=True, exist_ok=True)
        serial = "ec2" + str(uuid.uuid5(NAMES, instance))[3:]
        (folder / "firmware/uuid").write_text(f"{serial}\n", encoding="ascii")
        self._disk(root_gib)

    def _disk(self, root_gib: int) -> None:
        path = self.folder / "root.img"
        if path.exists():
            return
        with path.open("wb") as file:
            file.truncate(root_gib << 30)
        run(
            "mkfs.ext4", "-q", "-F", "-O", "^has_journal", "-i", "65536", "-m", "0",
            "-E", "lazy_itable_init=1,nodiscard,root_owner=0:0", str(path),
        )  # fmt: skip

    # -- power ---------------------------------------------------------------------------------

    def start(self, namespace: str, devices: Devices) -> None:
        """Power on. *devices* are there from the first moment."""
        number = self.instance if "duplicate-machine-id" not in self._defects else "i-0"
        command = [
            "systemd-nspawn", "--quiet", "--directory=disk/root", "--register=no", "--keep-unit",
            f"--network-namespace-path={NETNS / namespace}", f"--machine={self.instance}",
            "--hostname=localhost", f"--uuid={uuid.uuid5(NAMES, number)}",
            "--capability=CAP_NET_ADMIN", "--drop-capability=CAP_MKNOD",
            "--console=read-only", "--link-journal=no",
            "--resolv-conf=off", "--timezone=off",
            f"--bind-ro={self.folder / 'firmware'}:/run/interop-firmware",
            f"--bind-ro={self.folder / 'links'}:/dev/disk",
            *(f"--bind={loop.path}:/dev/{name}" for name, (_, loop) in devices.items()),
            "--boot",
        ]  # fmt: skip
        for old in (self.folder / "links/by-id").iterdir():
            old.unlink()
        for name, (links, _) in devices.items():
            self._link(name, links)
        with self._console() as console:
            self._process = subprocess.Popen(
                ["unshare", "--mount", "--propagation", "private", "sh", "-ec", SCRIPT, "sh",
                 str(self.folder), self._image.lower, *command],
                stdin=subprocess.DEVNULL, stdout=console, stderr=console, start_new_session=True,
            )  # fmt: skip

    def _console(self) -> BinaryIO:
        path = self.folder / "console.log"
        if path.exists() and path.stat().st_size > CONSOLE_MAX:
            path.write_bytes(path.read_bytes()[-CONSOLE_KEPT:])
        return path.open("ab")

    def ask_to_halt(self) -> None:
        """Press the power button: the guest ends its services and powers off."""
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                self._process.send_signal(signal.SIGTERM)

    def ask_to_reboot(self) -> bool:
        """Have the guest's own systemd reboot; False if there is none that could."""
        first = self.first_process()
        if first is None:
            return False
        with contextlib.suppress(ProcessLookupError):
            os.kill(first, signal.SIGRTMIN + 5)  # systemd(1): reboot.target
            return True
        return False

    def pull_plug(self) -> None:
        """Power off without telling the guest; returns when it is off."""
        if self._process is not None:
            first = self.first_process()
            if first is not None:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(first, signal.SIGKILL)  # the kernel ends all others with it
            with contextlib.suppress(ProcessLookupError, subprocess.TimeoutExpired):
                self._process.wait(2.0)
            with contextlib.suppress(ProcessLookupError):
                self._process.kill()
            self._process.wait()

    def ended(self) -> int | None:
        """How the guest ended: 0 powered off, ``REBOOTED``, another number; None while it runs."""
        return None if self._process is None else self._process.poll()

    @property
    def on(self) -> bool:
        """Whether it runs."""
        return self._process is not None and self._process.poll() is None

    def forget(self) -> None:
        """Drop an ended process."""
        if not self.on:
            self._process = None

    def first_process(self) -> int | None:
        """The guest's process 1, as the host numbers it; None before it is there."""
        if not self.on or self._process is None:
            return None
        outer = self._process.pid
        try:
            children = Path(f"/proc/{outer}/task/{outer}/children").read_text().split()
            for child in map(int, children):
                status = Path(f"/proc/{child}/status").read_text()
                numbers = next(x for x in status.splitlines() if x.startswith("NSpid:")).split()
                if numbers[-1] == "1" and len(numbers) > 2:
                    return child
        except (OSError, StopIteration):
            return None
        return None

    # -- what it says and sees -----------------------------------------------------------------

    def console(self) -> tuple[bytes, float]:
        """The last words on the console, and when they were written."""
        path = self.folder / "console.log"
        try:
            with path.open("rb") as file:
                file.seek(max(0, path.stat().st_size - CONSOLE_KEPT))
                return file.read(), path.stat().st_mtime
        except OSError:
            return b"", time.time()

    def show(self, name: str, links: tuple[str, ...], loop: Loop) -> None:
        """Let a device appear in the running guest.

        Raises:
            OSError: the guest went away.
        """
        self._link(name, links)
        with self._dev() as folder, contextlib.suppress(FileExistsError):
            os.mknod(name, stat.S_IFBLK | 0o660, loop.number, dir_fd=folder)

    def _link(self, name: str, links: tuple[str, ...]) -> None:
        for link in links:
            place = self.folder / "links/by-id" / link
            place.unlink(missing_ok=True)
            place.symlink_to(f"../../{name}")

    def hide(self, name: str, links: tuple[str, ...]) -> None:
        """Take a device's node away; a mount that has it keeps it until it is unmounted."""
        for link in links:
            (self.folder / "links/by-id" / link).unlink(missing_ok=True)
        with contextlib.suppress(OSError), self._dev() as folder:
            os.unlink(name, dir_fd=folder)

    @contextlib.contextmanager
    def _dev(self) -> Iterator[int]:
        """The guest's /dev, held open; what a guest may have made of it is not followed."""
        first = self.first_process()
        if first is None:
            raise ProcessLookupError(f"{self.instance} is off")
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

    def erase(self) -> None:
        """Remove its disk and console; it must be off."""
        shutil.rmtree(self.folder, ignore_errors=True)
