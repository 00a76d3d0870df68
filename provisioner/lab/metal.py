"""The lab's bare metal: machines under QEMU, a controller on each, and their inventory."""

from __future__ import annotations

import secrets
import threading
import uuid
from typing import Any

import yaml

from provisioner.lab import accel, defects
from provisioner.lab.bmc.serve import Endpoints, Rack
from provisioner.lab.images import Images
from provisioner.lab.qemu import Disk, Hardware, QemuMachine
from provisioner.lab.small import ARGUMENTS
from provisioner.lab.space import ADDRESS, BRIDGE, Space
from provisioner.lab.state import State

MACHINES = 5  # four for the reference workload, and one to spare
FIRST_DISK_GIB, SPARE_DISK_GIB = 4, 1
MEMORY_MIB = 512
USER = "admin"
RANGE = ("10.77.0.50", "10.77.0.199")
NO_PLACE = uuid.UUID("6d2f0c10-3f2b-4a52-9d0e-0a3c6a3f7d10")  # namespace of our machines' UUIDs
DECLARED = {
    "time-source": "none",
    "dhcp": "boot-service",
    "firmware": "bios",
    "guest": "qemu",
    "sources": "one lab bridge per lab, no way out of it",
}


def hardware(lab: str, number: int, *, memory_mib: int = MEMORY_MIB) -> Hardware:
    """Machine *number* of a lab: the same label each time the lab is made."""
    identity = uuid.uuid5(NO_PLACE, f"{lab}/{number}")
    return Hardware(
        name=f"m{number}",
        number=number,
        uuid=str(identity),
        serial=f"LAB-{identity.hex[:8].upper()}",
        product="Lab Server",
        manufacturer="Interop",
        macs=(f"52:54:00:77:{identity.bytes[0]:02x}:{number:02x}",),
        cpu=1,
        memory_mib=memory_mib,
        disks=(
            Disk(serial=f"root-{identity.hex[:8]}", size_gib=FIRST_DISK_GIB),
            Disk(serial=f"spare-{identity.hex[:8]}", size_gib=SPARE_DISK_GIB),
        ),
    )


def run(space: Space, state: State, images: Images) -> None:
    """Serve until SIGTERM.

    Raises:
        BadRequest: an unknown defect was asked for.
        PlatformFault: an image, a machine or a controller could not be made.
    """
    of_machines, of_controllers = defects.split(state.defects("metal"))
    kernel, initrd = images.small()
    debian = images.disk("debian-12")
    state.progress("metal", "finding out whether guests run under KVM")
    verdict = accel.find(images.cache, kernel)
    state.progress("metal", f"racking {MACHINES} machines; {verdict.reason}")
    folder = state.folder("metal")
    password = secrets.token_urlsafe(12)[:16]  # IPMI 2.0 takes at most 20 bytes
    secret = folder / "bmc.password"
    secret.touch(0o600)
    secret.write_text(password + "\n", encoding="utf-8")
    machines: list[QemuMachine] = []
    rack = Rack()
    try:
        inventory = []
        for number in range(1, MACHINES + 1):
            label = hardware(space.name, number)
            machine = QemuMachine(label, state, verdict.accelerator, of_machines)
            machines.append(machine)
            served = _serve(rack, machine, number, password, of_controllers)
            inventory.append(_entry(label, served, str(secret)))
        inventory_file = folder / "inventory.yaml"
        text = yaml.safe_dump({"inventory": inventory}, sort_keys=False)
        inventory_file.write_text(text, encoding="utf-8")
        boot = {
            "interface": BRIDGE,
            "address": ADDRESS,
            "range": list(RANGE),
            "namespace": space.namespace,
            "http_port": 8080,
            "work": str(state.folder("metal-boot")),
            "kernel": str(kernel),
            "initrd": str(initrd),
            "arguments": ARGUMENTS,
            "images": {"debian-12": str(debian)},
        }
        entry: dict[str, Any] = {
            "kind": "metal",
            "emulator": True,
            "reach": {"broker": str(space.broker_socket)},
            "declared": {**DECLARED, "accelerator": verdict.accelerator.partition(",")[0]},
            "inventory": str(inventory_file),
            "boot": boot,
        }
        for_boot = state.defects("metal") & defects.BOOT
        if for_boot:
            entry["defects"] = sorted(for_boot)
        state.ready("metal", entry)
        threading.Event().wait()  # SIGTERM raises SystemExit here
    finally:
        rack.close()
        for machine in machines:
            machine.close()


def _serve(
    rack: Rack, machine: QemuMachine, number: int, password: str, faults: frozenset[str]
) -> Endpoints:
    """A controller on 127.0.77.N; labs side by side share the address, so its ports are free ones.

    IPMI gets 6230+N where nobody else has it.
    """
    host = f"127.0.77.{number}"
    users = [(USER, password, 4)]
    for port in (6230 + number, 0):
        try:
            return rack.serve(machine, host, port, users, redfish_port=0, defects=faults)
        except OSError:
            if port == 0:
                raise
    raise AssertionError("unreachable")


def _entry(label: Hardware, served: Endpoints, secret: str) -> dict[str, Any]:
    """One machine of the inventory, as an operator would write it."""
    return {
        "name": label.name,
        "bmc": {
            "address": served.host,
            "port": served.ipmi_port,
            "user": USER,
            "password": {"file": secret},
            "protocol": "ipmi",
            "redfish": f"https://{served.host}:{served.redfish_port}",
            "fingerprint": served.fingerprint,
        },
        "macs": list(label.macs),
        "cpu": label.cpu,
        "memory_mib": label.memory_mib,
        "disks": [{"serial": d.serial, "size_gib": d.size_gib} for d in label.disks],
        "serial": label.serial,
        "uuid": label.uuid,
        "product": label.product,
    }
