"""A metal machine played by QEMU: real firmware, network boot, disks, a serial line, an RTC."""

from __future__ import annotations

import contextlib
import logging
import subprocess
import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from provisioner.errors import Lost, PlatformFault
from provisioner.features import BootChoice
from provisioner.lab.console import SerialLine
from provisioner.lab.qmp import execute
from provisioner.lab.space import run
from provisioner.lab.state import State

_log = logging.getLogger(__name__)

# MiB of translated code: unbounded, it outgrows the guest's memory; too little, and a large guest
# such as Debian is translated again and again. The small guest takes what it needs, about 60.
TCG = "tcg,thread=multi,tb-size=256"
# Emulated machines need most of the processor and are what a run waits for, so they go before
# containers; where that is not allowed, `nice` says so in the log and goes on without.
NICE = -5
SKEW_S, APART_S = 600, 4  # by the defects clock-skew and clocks-apart
GIB = 1 << 30


@dataclass(frozen=True, slots=True, kw_only=True)
class Disk:
    """A disk of a machine; the first one of a machine is the one it boots from."""

    serial: str  # at most 20 characters, or virtio cuts it
    size_gib: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Hardware:
    """What a machine is, as on its label."""

    name: str
    number: int
    uuid: str
    serial: str
    product: str
    manufacturer: str
    macs: tuple[str, ...]
    cpu: int
    memory_mib: int
    disks: tuple[Disk, ...]


class QemuMachine:
    """A ``LabMachine``; see the methods there.

    Args:
        hardware: what it is.
        state: the lab it belongs to.
        accelerator: QEMU's ``-accel``.
        defects: names of ``defects.MACHINE``.
    """

    def __init__(
        self, hardware: Hardware, state: State, accelerator: str, defects: frozenset[str]
    ) -> None:
        self.hardware = hardware
        self._state = state
        self._accelerator = accelerator
        self._defects = defects
        self._folder = state.folder(hardware.name)
        self._disks = state.bulk(hardware.name)
        self._lock = threading.RLock()
        self._process: subprocess.Popen[bytes] | None = None
        self._pulled = False
        self._last: BootChoice | None = None
        self._serial = SerialLine(self._folder / "serial.sock", hardware.name)
        self._qmp = self._folder / "qmp.sock"
        for index, disk in enumerate(hardware.disks):
            with self._disk(index).open("ab") as out:
                out.truncate(int(disk.size_gib * GIB))

    name = property(lambda self: self.hardware.name)
    uuid = property(lambda self: self.hardware.uuid)
    serial = property(lambda self: self.hardware.serial)
    product = property(lambda self: self.hardware.product)
    manufacturer = property(lambda self: self.hardware.manufacturer)
    macs = property(lambda self: self.hardware.macs)
    cpu = property(lambda self: self.hardware.cpu)
    memory_mib = property(lambda self: self.hardware.memory_mib)

    # -- power ---------------------------------------------------------------------------------

    def power(self) -> bool:
        process = self._process
        return process is not None and process.poll() is None

    def power_on(self, boot: BootChoice) -> None:
        with self._lock:
            if self.power():
                return
            self._settle()
            self._last = boot
            self._serial.clear()
            self._prepare_spares()
            self._qmp.unlink(missing_ok=True)
            self._pulled = False
            command = ["nice", "-n", str(NICE), *self.command(boot)]
            self._process = self._state.start(self.name, command, inside=True)
            _log.info("%s: on, boots from %s", self.name, boot.device)
            with contextlib.suppress(subprocess.TimeoutExpired):
                code = self._process.wait(0.3)
                raise PlatformFault(f"{self.name}: qemu ended with {code}: {self._complaint()}")

    def power_off(self) -> None:
        with self._lock:
            if self.power():
                assert self._process is not None  # noqa: S101 - power() says so
                self._pulled = True
                self._process.kill()
                self._process.wait(10)
                _log.info("%s: off, plug pulled", self.name)
            self._settle()

    def shutdown(self) -> None:
        if self.power() and "power-button-dead" not in self._defects:
            with contextlib.suppress(Lost):
                execute(self._qmp, ("system_powerdown", {}))

    def reset(self, boot: BootChoice) -> None:
        with self._lock:
            if not self.power() or "reset-powers-nothing" in self._defects:
                return
            self._last = boot
            order = {
                f"/machine/peripheral/{device}": index
                for device, index in self._boot_order(boot).items()
            }
            away = [
                ("qom-set", {"path": path, "property": "bootindex", "value": -1}) for path in order
            ]
            back = [
                ("qom-set", {"path": path, "property": "bootindex", "value": index})
                for path, index in order.items()
            ]
            execute(self._qmp, *away, *back, ("system_reset", {}))
            _log.info("%s: reset, boots from %s", self.name, boot.device)

    def nmi(self) -> None:
        if self.power():
            with contextlib.suppress(Lost):
                execute(self._qmp, ("inject-nmi", {}))

    def booted_from(self) -> BootChoice | None:
        return self._last

    # -- console -------------------------------------------------------------------------------

    def console(self) -> bytes:
        return self._serial.kept()

    def console_attach(self, listener: Callable[[bytes], None]) -> Callable[[], None]:
        return self._serial.attach(listener)

    def console_write(self, data: bytes) -> None:
        self._serial.write(data)

    def close(self) -> None:
        """Off, and nothing of it stays but its disks."""
        self.power_off()
        self._serial.close()

    # -- how it is built -----------------------------------------------------------------------

    def command(self, boot: BootChoice) -> list[str]:
        """QEMU's command line for one power-on."""
        it = self.hardware
        memory = it.memory_mib * 3 // 4 if "less-memory" in self._defects else it.memory_mib
        serial = "DEFECT-0000" if "serial-differs" in self._defects else it.serial
        mute = "mute-serial" in self._defects
        chardev = "null,id=s0" if mute else f"socket,id=s0,path={self._folder / 'serial.sock'}"
        order = self._boot_order(boot)
        argv = [
            "qemu-system-x86_64", "-name", f"{self._state.space.namespace}-{it.name}",
            "-accel", self._accelerator, "-machine", "pc,graphics=off", "-cpu", "max",
            "-smp", str(it.cpu), "-m", str(memory), "-uuid", it.uuid,
            "-smbios", f"type=1,manufacturer={it.manufacturer},product={it.product},"
                       f"serial={serial},uuid={it.uuid}",
            "-rtc", f"base={self._rtc()}",
            "-nodefaults", "-no-user-config", "-display", "none",
            "-chardev", chardev, "-serial", "chardev:s0",
            "-qmp", f"unix:{self._qmp},server=on,wait=off",
            "-device", "virtio-rng-pci",
        ]  # fmt: skip
        for index, mac in enumerate(it.macs):
            tap, device = self.tap(index), f"net{index}"
            self._state.space.add_tap(tap)
            argv += ["-netdev", f"tap,id=n{index},ifname={tap},script=no,downscript=no"]
            first = f",bootindex={order[device]}" if device in order else ",romfile="
            argv += ["-device", f"virtio-net-pci,id={device},netdev=n{index},mac={mac}{first}"]
        for index, disk in enumerate(it.disks):
            # cache=unsafe: a plug that is pulled ends QEMU, not the host, whose page cache keeps
            # every write; so a flush has nothing left to do, and nothing acknowledged is lost
            path, kind = self._drive(index)
            argv += ["-drive", f"if=none,id=d{index},file={path},format={kind},cache=unsafe,"
                               "discard=unmap,detect-zeroes=unmap"]  # fmt: skip
            first = f",bootindex={order['disk0']}" if index == 0 else ""
            argv += ["-device", f"virtio-blk-pci,id=disk{index},drive=d{index},"
                                f"serial={disk.serial}{first}"]  # fmt: skip
        return argv

    def tap(self, index: int) -> str:
        """Name of the tap of a port."""
        return f"tap{self.hardware.number}-{index}"

    def _boot_order(self, boot: BootChoice) -> dict[str, int]:
        """What firmware tries first and second: a server, too, goes on when the first fails."""
        devices = ("net0", "disk0") if boot.device == "network" else ("disk0", "net0")
        return {device: index + 1 for index, device in enumerate(devices)}

    def _rtc(self) -> str:
        skew = SKEW_S if "clock-skew" in self._defects else 0
        if "clocks-apart" in self._defects:
            skew += APART_S if self.hardware.number % 2 == 0 else -APART_S
        if not skew:
            return "utc"
        return (datetime.now(UTC) + timedelta(seconds=skew)).strftime("%Y-%m-%dT%H:%M:%S")

    def _complaint(self) -> str:
        text = self._state.log(self.name).read_text(errors="replace").strip().splitlines()
        return text[-1] if text else "without a word"

    # -- disks ---------------------------------------------------------------------------------

    def _disk(self, index: int) -> Path:
        return self._disks / f"disk{index}.raw"

    def _loose(self, index: int) -> Path:
        return self._disks / f"disk{index}.loose.qcow2"

    def _drive(self, index: int) -> tuple[Path, str]:
        loose = self._loose(index)
        return (loose, "qcow2") if loose.exists() else (self._disk(index), "raw")

    def _prepare_spares(self) -> None:
        """With the defect, what is written to a spare disk goes to a layer of its own first."""
        if "volume-loses-fsync" not in self._defects:
            return
        for index in range(1, len(self.hardware.disks)):
            run("qemu-img", "create", "-q", "-f", "qcow2", "-F", "raw",
                "-b", str(self._disk(index)), str(self._loose(index)))  # fmt: skip

    def _settle(self) -> None:
        """After the end: the layer is kept when the guest went by itself, lost with the plug."""
        if self._process is not None:
            self._state.forget(self.name)
            self._process = None
        for index in range(1, len(self.hardware.disks)):
            loose = self._loose(index)
            if loose.exists():
                if not self._pulled:
                    run("qemu-img", "commit", "-q", str(loose))
                loose.unlink()
