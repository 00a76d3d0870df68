"""The seam between a cloud and its guests, and what guests are made of."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

REBOOTED = 133  # how systemd-nspawn says that the guest asked for a reboot; ours do, too
CONSOLE_KEPT = 64 * 1024  # Source: EC2 API, GetConsoleOutput: the most recent 64 KB
CONSOLE_MAX = 8 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """What guests of one cloud are made of.

    Attributes:
        layers: a container's root: read-only folders, the upper one first.
        disk: the same root as one file system, for virtual machines; read-only.
        kernel, initrd: what boots it; the initrd carries the upper layers.
        accelerator: QEMU's ``-accel``.
    """

    layers: tuple[Path, ...]
    disk: Path
    kernel: Path
    initrd: Path
    accelerator: str

    @property
    def lower(self) -> str:
        """As overlayfs wants it."""
        return ":".join(str(layer) for layer in self.layers)

    def write(self, path: Path) -> None:
        """Keep it in a file, for another process."""
        plain = {
            "layers": [str(layer) for layer in self.layers],
            "disk": str(self.disk),
            "kernel": str(self.kernel),
            "initrd": str(self.initrd),
            "accelerator": self.accelerator,
        }
        path.write_text(json.dumps(plain), encoding="utf-8")

    @classmethod
    def read(cls, path: Path) -> Image:
        """What ``write`` kept."""
        plain: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        return cls(
            layers=tuple(map(Path, plain["layers"])),
            disk=Path(plain["disk"]),
            kernel=Path(plain["kernel"]),
            initrd=Path(plain["initrd"]),
            accelerator=plain["accelerator"],
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Firmware:
    """What the machine's firmware tells: SMBIOS type 1, by which guests know their cloud."""

    uuid: str
    manufacturer: str
    product: str
    serial: str = ""

    def values(self) -> Mapping[str, str]:
        """By the keywords of dmidecode(8)."""
        return {
            "system-uuid": self.uuid,
            "system-manufacturer": self.manufacturer,
            "system-product-name": self.product,
            "system-serial-number": self.serial or self.uuid,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Drive:
    """A block device of a guest.

    Attributes:
        serial: tells it from the others; at most 20 characters reach a guest.
        file: its content, raw.
        node: its name below /dev in a container; in a virtual machine the kernel chooses.
        links: names below /dev/disk in a container; elsewhere udev makes them.
        bus: how a virtual machine sees it: ``nvme``, ``virtio`` or ``cdrom``.
        read_only: nobody may write.
    """

    serial: str
    file: Path
    node: str
    links: tuple[str, ...] = ()
    bus: str = "virtio"
    read_only: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Port:
    """A network port of a virtual machine: its tap, which is there already, and its address.

    ``slot`` is the PCI slot, from which the guest names it: 5 is ``ens5``.
    """

    tap: str
    mac: str
    slot: int
    mtu: int = 1500


@dataclass(frozen=True, slots=True, kw_only=True)
class Wiring:
    """Where a guest meets its network.

    A container lives in the namespace and finds its interfaces there; a virtual machine's process
    runs there and opens the taps of *ports*.
    """

    namespace: str
    ports: tuple[Port, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Build:
    """What one guest is.

    Attributes:
        name: told to nobody inside; at most 64 characters of host names.
        image: what its root comes from.
        firmware: what it may know of its cloud.
        root_gib: size of its root file system.
        root_serial, root_bus: of a virtual machine's root disk.
        root: a raw file that is the root, instead of one that is made; not removed with the guest.
        cpu, memory_mib: of a virtual machine; a container has the host's memory.
        alone: whether a container sees no more than a machine of its own would: as many processors
            as *cpu*, and its own disks.
        machine_id: 32 hex digits.
    """

    name: str
    image: Image
    firmware: Firmware
    root_gib: int
    machine_id: str
    root_serial: str = "root"
    root_bus: str = "virtio"
    root: Path | None = None
    cpu: int = 1
    alone: bool = False
    memory_mib: int = 384


class Guest(Protocol):
    """A guest that may be started and ended many times; its root stays."""

    def start(self, wiring: Wiring, drives: Sequence[Drive]) -> None:
        """Power on. *drives* are there from the first moment.

        Raises:
            PlatformFault, OSError: it could not be started.
        """

    def ask_to_halt(self) -> None:
        """Press the power button: the guest ends its services and powers off."""

    def ask_to_reboot(self) -> bool:
        """Have the guest end with ``REBOOTED``; False if there is nothing that could."""

    def pull_plug(self) -> None:
        """Power off without telling the guest; returns when it is off."""

    def ended(self) -> int | None:
        """How it ended: 0 powered off, ``REBOOTED``, another number; None while it runs.

        None as well before it was ever started and after ``forget``.
        """

    @property
    def on(self) -> bool:
        """Whether it runs."""

    def forget(self) -> None:
        """Drop an ended process."""

    def console(self) -> tuple[bytes, float]:
        """The last words on the console, and when they were written."""

    def attach(self, drive: Drive) -> None:
        """Let a device appear in the running guest; one that is there already is fine.

        Raises:
            OSError, PlatformError: the guest went away, or will not have it.
        """

    def grow(self, drive: Drive) -> None:
        """Show a device as large as its file has become; the guest is running.

        Raises:
            OSError, PlatformError: the guest went away, or will not have it.
        """

    def detach(self, drive: Drive) -> bool:
        """Take a device away; False while the guest still holds it: ask again later."""

    def erase(self) -> None:
        """Remove its disk and console; it must be off."""
