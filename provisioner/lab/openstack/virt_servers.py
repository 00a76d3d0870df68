"""The servers of the lab's nova: what each is, on disk, so that a new nova finds them as they were.

Knows nothing of nova. A folder per server: ``server.json``, the guest's own folder, and what was
made for it, such as a configuration drive.
"""

from __future__ import annotations

import json
import shutil
import threading
import uuid
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from provisioner.lab.guests.container import Container
from provisioner.lab.guests.guest import Build, Drive, Firmware, Image, Port, Wiring
from provisioner.lab.guests.virtual import VirtualMachine
from provisioner.lab.openstack.net import ports, wires
from provisioner.lab.space import Space

CONTAINER, VIRTUAL = "container", "qemu"
FIRST_SLOT = 3  # of network ports: a guest of libvirt's calls its first one ens3, too
CONFIG_LINK = "by-label/config-2"
MACHINES = uuid.UUID("0c5f4a8e-7a2e-4c3e-9d6b-7d1c5b1e9a10")  # machine ids are made from it
MAKER, PRODUCT = "OpenStack Foundation", "OpenStack Nova"  # Source: nova, virt/libvirt/driver.py


@dataclass(frozen=True, slots=True, kw_only=True)
class Nic:
    """A network port of a server."""

    id: str
    network: str
    mac: str
    mtu: int
    slot: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """What one server is, and whether it is meant to run."""

    id: str
    name: str
    kind: str
    cpu: int
    memory_mib: int
    root_gib: int
    on: bool = False
    root: str = ""  # a volume that is its root
    config: bool = False  # it has a configuration drive
    nics: tuple[Nic, ...] = ()
    volumes: tuple[tuple[str, str, str], ...] = ()  # id, file, node


def drive_of(volume: str, file: str, node: str) -> Drive:
    """A volume in a guest; udev's link has what of its id reaches a virtio disk."""
    return Drive(
        serial=volume,
        file=Path(file),
        node=node,
        links=(f"by-id/virtio-{volume[:20]}",),
    )


class Servers:
    """All of them. Each has a lock for whoever changes it.

    Args:
        space: the lab's namespaces.
        folder: where each has a folder.
        image: what guests are made of.
        defects: faults on purpose.
    """

    def __init__(
        self, space: Space, folder: Path, image: Image, defects: frozenset[str] = frozenset()
    ) -> None:
        self.image = image
        self._space = space
        self._folder = folder
        self._defects = defects
        self._lock = threading.Lock()
        self._locks: dict[str, threading.RLock] = {}
        self._guests: dict[str, Container | VirtualMachine] = {}
        folder.mkdir(parents=True, exist_ok=True)

    def lock(self, server: str) -> threading.RLock:
        """Held by who changes a server."""
        with self._lock:
            return self._locks.setdefault(server, threading.RLock())

    def folder(self, server: str) -> Path:
        """Its folder, there or not."""
        return self._folder / server

    def ids(self) -> list[str]:
        """Those that are there."""
        return sorted(path.parent.name for path in self._folder.glob("*-*-*-*-*/server.json"))

    def read(self, server: str) -> Server | None:
        """What it is; None if it is not there."""
        try:
            said: dict[str, Any] = json.loads((self.folder(server) / "server.json").read_text())
        except FileNotFoundError:
            return None
        said["nics"] = tuple(Nic(**nic) for nic in said["nics"])
        said["volumes"] = tuple((a, b, c) for a, b, c in said["volumes"])
        return Server(**said)

    def write(self, server: Server) -> None:
        """Keep what it is."""
        folder = self.folder(server.id)
        folder.mkdir(parents=True, exist_ok=True)
        fresh = folder / ".server.json"
        fresh.write_text(json.dumps(asdict(server)))
        fresh.replace(folder / "server.json")

    def change(self, server: str, **what: Any) -> Server:
        """Keep something else of a server; it must be there.

        Raises:
            FileNotFoundError: it is not.
        """
        with self.lock(server):
            known = self.read(server)
            if known is None:
                raise FileNotFoundError(server)
            known = replace(known, **what)
            self.write(known)
            return known

    # -- guests --------------------------------------------------------------------------------

    def guest(self, server: Server) -> Container | VirtualMachine:
        """Its guest, found again if another process started it."""
        with self.lock(server.id):
            if server.id not in self._guests:
                alike = "duplicate-machine-id" in self._defects
                build = Build(
                    name=server.name,
                    image=self.image,
                    firmware=Firmware(uuid=server.id, manufacturer=MAKER, product=PRODUCT),
                    root_gib=server.root_gib,
                    machine_id=uuid.uuid5(MACHINES, "" if alike else server.id).hex,
                    root_serial=f"root-{server.id[:8]}",
                    root=Path(server.root) if server.root else None,
                    cpu=server.cpu,
                    alone=True,
                    memory_mib=server.memory_mib,
                )
                make = VirtualMachine if server.kind == VIRTUAL else Container
                self._guests[server.id] = make(self.folder(server.id) / "guest", build)
            return self._guests[server.id]

    def forget_guest(self, server: str) -> None:
        """It was changed from the ground, or is gone: look anew."""
        guest = self._guests.pop(server, None)
        if isinstance(guest, Container):
            guest.release()

    def drives(self, server: Server) -> list[Drive]:
        """What is attached to it; its configuration drive is the last one."""
        found = [drive_of(*volume) for volume in server.volumes if volume[1] != server.root]
        if server.config:
            file = self.folder(server.id) / "config"
            links = (CONFIG_LINK,)
            found.append(
                Drive(
                    serial="config-2",
                    file=file,
                    node="sr0",
                    links=links,
                    bus="cdrom",
                    read_only=True,
                )
            )
        return found

    def start(self, server: Server) -> None:
        """Plug it in and switch it on.

        Raises:
            PlatformError, OSError: that did not work.
        """
        guest = self.guest(server)
        guest.forget()
        cards = tuple(self.plug(server, nic) for nic in server.nics)
        namespace = wires.guest_namespace(self._space, server.id)
        if not cards:
            wires.add_namespace(namespace)
        guest.start(Wiring(namespace=namespace, ports=cards), self.drives(server))

    def plug(self, server: Server, nic: Nic) -> Port:
        """Connect a port to its network, and what a virtual machine knows of it."""
        plugged = ports.plug(
            self._space,
            ports.Plug(
                server=server.id, port=nic.id, network=nic.network, mac=nic.mac, mtu=nic.mtu,
                kind="tap" if server.kind == VIRTUAL else "veth", name=f"ens{nic.slot}",
            ),
        )  # fmt: skip
        return Port(tap=plugged.device, mac=nic.mac, slot=nic.slot, mtu=nic.mtu)

    def unplug(self, server: str, nic: Nic) -> None:
        """Disconnect a port."""
        ports.unplug(self._space, server=server, port=nic.id, network=nic.network)

    def unplug_all(self, server: Server) -> None:
        """Disconnect all of them; its namespace goes, too."""
        for nic in server.nics:
            self.unplug(server.id, nic)
        ports.remove(self._space, server.id)

    def remove(self, server: str) -> None:
        """Nothing of it stays; it must be off."""
        known = self.read(server)
        if known is not None:
            self.guest(known).erase()
        self.forget_guest(server)
        shutil.rmtree(self.folder(server), ignore_errors=True)

    def running(self) -> Iterator[Server]:
        """Those that are meant to run."""
        for each in self.ids():
            server = self.read(each)
            if server is not None and server.on:
                yield server


def free_slot(nics: tuple[Nic, ...]) -> int:
    """The first slot for another port."""
    taken = {nic.slot for nic in nics}
    return next(slot for slot in range(FIRST_SLOT, FIRST_SLOT + 7) if slot not in taken)
