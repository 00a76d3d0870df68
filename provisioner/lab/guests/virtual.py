"""A guest that is a virtual machine under QEMU: with a kernel, clock and disks of its own."""

from __future__ import annotations

import contextlib
import json
import shutil
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from provisioner.errors import Lost, PlatformError, PlatformFault
from provisioner.lab.guests.body import Body
from provisioner.lab.guests.guest import REBOOTED, Build, Drive, Port, Wiring
from provisioner.lab.qmp import execute
from provisioner.lab.space import NETNS, run

# mitigations and self-tests cost seconds where the processor is emulated, and protect nobody here
ARGUMENTS = (
    "console=ttyS0", "loglevel=6", "mitigations=off", "audit=0", "no_timer_check", "edd=off",
    "random.trust_cpu=on", "8250.nr_uarts=1", "rcupdate.rcu_expedited=1", "systemd.show_status=no",
)  # fmt: skip
FIRST_SLOT = 10  # PCI slot of the root disk; drives that are there from the start follow
LET_GO_S = 3.0  # a guest is given so long to let a device go, each time it is asked


class VirtualMachine:
    """A ``Guest``; see the methods there.

    Args:
        folder: where its disk and console are kept.
        build: what it is.
    """

    def __init__(self, folder: Path, build: Build) -> None:
        self.folder = folder
        self._build = build
        self._qmp = folder / "qmp.sock"
        self._restart = False
        self._lock = threading.Lock()
        folder.mkdir(parents=True, exist_ok=True)
        self.root, self.root_kind = folder / "root.qcow2", "qcow2"
        for raw in (build.root, folder / "root.raw"):
            if raw is not None and raw.exists():
                self.root, self.root_kind = raw, "raw"
                break
        else:
            if not self.root.exists():
                overlay(build.image.disk, self.root, build.root_gib)
        self._body = Body(folder)

    # -- power ---------------------------------------------------------------------------------

    def start(self, wiring: Wiring, drives: Sequence[Drive]) -> None:
        self._restart = False
        self._qmp.unlink(missing_ok=True)
        self._body.start(
            ["nsenter", f"--net={NETNS / wiring.namespace}", "--", *self.command(wiring, drives)]
        )

    def ask_to_halt(self) -> None:
        with contextlib.suppress(Lost):
            self.execute(("system_powerdown", {}))

    def ask_to_reboot(self) -> bool:
        """Press the power button and call what then ends a reboot: there is no reboot button."""
        try:
            self.execute(("system_powerdown", {}))
        except PlatformError:
            return False
        self._restart = True
        return True

    def pull_plug(self) -> None:
        self._body.kill()

    def ended(self) -> int | None:
        code = self._body.ended()
        return REBOOTED if code == 0 and self._restart else code

    @property
    def on(self) -> bool:
        return self._body.on

    def forget(self) -> None:
        self._restart = False
        self._body.forget()

    def paused(self) -> bool:
        """Whether its processors stand still."""
        try:
            return bool(self.execute(("query-status", {}))[0]["status"] == "paused")
        except PlatformError:
            return False

    def execute(self, *commands: tuple[str, dict[str, Any]]) -> list[Any]:
        """Talk to QEMU.

        Raises:
            Lost: it is off.
            PlatformFault: a command was refused.
        """
        with self._lock:
            return execute(self._qmp, *commands)

    # -- what it says and sees -----------------------------------------------------------------

    def console(self) -> tuple[bytes, float]:
        return self._body.words()

    def attach(self, drive: Drive) -> None:
        name = _name(drive.serial)
        if name in self._devices():
            return
        self.execute(
            ("blockdev-add", _block(f"b-{name}", drive.file, "raw", read_only=drive.read_only)),
            ("device_add", _device(drive, name)),
        )

    def grow(self, drive: Drive) -> None:
        size = drive.file.stat().st_size
        node = f"b-{_name(drive.serial)}"
        self.execute(("block_resize", {"node-name": node, "size": size}))

    def detach(self, drive: Drive) -> bool:
        if not self.on:
            return True
        name = _name(drive.serial)
        try:
            return self._remove(name, ("blockdev-del", {"node-name": f"b-{name}"}))
        except Lost:
            return True  # switched off meanwhile: QEMU is gone, and with it the device

    def plug(self, port: Port) -> None:
        """Let a network interface appear in the running guest.

        Raises:
            PlatformError: it is off, or will not have it.
        """
        if port.tap not in self._devices():
            self.execute(("netdev_add", _netdev(port)), ("device_add", _card(port)))

    def unplug(self, port: Port) -> bool:
        """Take an interface away; False while the guest still holds it: ask again later."""
        if not self.on:
            return True
        try:
            return self._remove(port.tap, ("netdev_del", {"id": f"n-{port.tap}"}))
        except Lost:
            return True

    def _remove(self, name: str, back_end: tuple[str, dict[str, Any]]) -> bool:
        """Ask the guest to let a device go, and drop what is behind it once it has."""
        if name in self._devices():
            with contextlib.suppress(PlatformFault):  # asked before, and not answered yet
                self.execute(("device_del", {"id": name}))
            deadline = time.monotonic() + LET_GO_S
            while name in self._devices():
                if time.monotonic() > deadline:
                    return False
                time.sleep(0.05)
        with contextlib.suppress(PlatformFault):  # it was dropped before
            self.execute(back_end)
        return True

    def _devices(self) -> set[str]:
        """The names of the devices that were given one."""
        listed = self.execute(("qom-list", {"path": "/machine/peripheral"}))[0]
        return {item["name"] for item in listed if item["type"].startswith("child<")}

    def erase(self) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)

    # -- how it is built -----------------------------------------------------------------------

    def command(self, wiring: Wiring, drives: Sequence[Drive]) -> list[str]:
        """QEMU's command line for one power-on."""
        it = self._build
        words = it.firmware
        append = [*ARGUMENTS, f"interop.root={it.root_serial[:20]}"]
        append.append(f"systemd.machine_id={it.machine_id}")
        argv = [
            "qemu-system-x86_64", "-name", it.name, "-accel", it.image.accelerator,
            "-machine", "pc,graphics=off,usb=off", "-cpu", "max",
            "-smp", str(it.cpu), "-m", str(it.memory_mib), "-uuid", words.uuid,
            "-smbios", f"type=1,manufacturer={words.manufacturer},product={words.product},"
                       f"serial={words.serial or words.uuid},uuid={words.uuid}",
            "-rtc", "base=utc", "-nodefaults", "-no-user-config", "-display", "none",
            "-chardev", f"file,id=s0,path={self.folder / 'console.log'},append=on",
            "-serial", "chardev:s0", "-qmp", f"unix:{self._qmp},server=on,wait=off",
            "-device", "virtio-rng-pci",  # the first, so it takes slot 2, which no port has
            "-kernel", str(it.image.kernel), "-initrd", str(it.image.initrd),
            "-append", " ".join(append),
        ]  # fmt: skip
        for port in wiring.ports:
            back = ",".join(f"{k}={v}" for k, v in _netdev(port).items() if k != "type")
            argv += ["-netdev", f"tap,{back}", "-device", json.dumps(_card(port))]
        root = Drive(serial=it.root_serial, file=self.root, node="", bus=it.root_bus)
        for slot, (drive, kind) in enumerate(
            [(root, self.root_kind), *((drive, "raw") for drive in drives)], FIRST_SLOT
        ):
            name = _name(drive.serial)
            block = _block(f"b-{name}", drive.file, kind, read_only=drive.read_only)
            argv += ["-blockdev", json.dumps(block)]
            argv += ["-device", json.dumps(_device(drive, name, slot))]
        return argv


def overlay(base: Path, target: Path, size_gib: int) -> None:
    """A disk of its own that begins with the content of the raw file *base*."""
    fresh = target.with_suffix(".part")
    run("qemu-img", "create", "-q", "-f", "qcow2", "-F", "raw", "-b", str(base), str(fresh),
        f"{size_gib}G")  # fmt: skip
    fresh.replace(target)


def _name(serial: str) -> str:
    """The name of a drive's device: it begins with a letter, and is not too long for QEMU."""
    return f"d-{serial[:20]}"


def _block(node: str, file: Path, kind: str, *, read_only: bool) -> dict[str, Any]:
    """A back end. Writes stay in the host's page cache, which outlives a pulled plug."""
    return {
        "node-name": node,
        "driver": kind,
        "read-only": read_only,
        "discard": "unmap",
        "cache": {"no-flush": True},
        "file": {"driver": "file", "filename": str(file)},
    }


def _device(drive: Drive, name: str, slot: int = 0) -> dict[str, Any]:
    """The device of a drive on the guest's bus, with the number that tells it from others."""
    device = {"id": name, "drive": f"b-{name}", "serial": drive.serial[:20]}
    if drive.bus == "cdrom":
        return {"driver": "ide-cd", **device}
    if slot:
        device["addr"] = f"0x{slot:x}"
    return {"driver": "nvme" if drive.bus == "nvme" else "virtio-blk-pci", **device}


def _netdev(port: Port) -> dict[str, Any]:
    return {
        "type": "tap", "id": f"n-{port.tap}", "ifname": port.tap, "script": "no",
        "downscript": "no",
    }  # fmt: skip


def _card(port: Port) -> dict[str, Any]:
    return {
        "driver": "virtio-net-pci", "id": port.tap, "netdev": f"n-{port.tap}", "mac": port.mac,
        "addr": f"0x{port.slot:x}", "host_mtu": port.mtu, "romfile": "",
    }  # fmt: skip
