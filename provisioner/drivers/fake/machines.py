"""Machines of the fake cloud: addresses, power, boot devices, console and hardware event log."""

from __future__ import annotations

import hashlib
from typing import Any

from provisioner.clock import rfc3339
from provisioner.drivers.fake.cloud import Cloud
from provisioner.drivers.fake.rules import ApiError
from provisioner.drivers.fake.things import Thing, World

ACTIONS = ("on", "off", "cycle", "soft_off", "reboot")


def prepare_machine(cloud: Cloud, world: World, machine: Thing) -> None:
    """Give a new machine what the platform gives: addresses, a MAC, a name, its first boot."""
    network = str(machine.spec.get("network") or "")
    machine.addresses = new_addresses(machine.serial, network)
    if "alloc-04" in cloud.defects and not network:
        del machine.addresses["private"]
    digest = hashlib.sha256(f"{cloud.name}/{machine.id}".encode()).digest()
    machine.mac = "02:" + ":".join(f"{byte:02x}" for byte in digest[:5])
    machine.hostname = str(machine.spec.get("hostname") or machine.name)
    machine.booted_at = machine.ready_at
    machine.console.append(f"[boot 1] {machine.hostname} from disk")
    note(cloud, machine, "power on")
    if cloud.settings.root_volumes:
        world.serial += 1
        root = Thing(
            id=f"vol-{world.serial:08x}",
            kind="volume",
            name=f"{machine.name}-root",
            serial=world.serial,
            tags=dict(machine.tags),
            spec={"size_gib": machine.size_gib or 8},
            parent=machine.id,
            created_at=machine.created_at,
            visible_at=machine.visible_at,
            listed_at=machine.listed_at,
            ready_at=machine.ready_at,
        )
        world.things[root.id] = root


def new_addresses(serial: int, network: str, generation: int = 0) -> dict[str, str]:
    """A private address in the network's own /24 and a public one of TEST-NET-3."""
    net = int(network.rpartition("-")[2] or "0", 16) % 250
    host = (serial + 97 * generation) % 250 + 2
    return {
        "private": f"10.66.{net}.{host}",
        "public": f"203.0.113.{(serial + 131 * generation) % 250 + 2}",
    }


def note(cloud: Cloud, machine: Thing, text: str) -> None:
    """Add an entry to the hardware event log."""
    number = str(len(machine.log) + 1)
    machine.log.append({"id": number, "at": rfc3339(cloud.told_time()), "text": text})


def power(cloud: Cloud, machine_id: str, action: str) -> None:
    """Change a machine's power. Setting the state it is in already does nothing.

    Raises:
        ApiError: 404 no such machine, 400 no such action, 409 it is still being built.
    """
    cloud.enter()
    cloud.faults.reach("power", "machine", "before")
    if action not in ACTIONS:
        raise ApiError(400, "InvalidParameter", f"{action!r} is no power action")
    with cloud.store.session() as world:
        machine = cloud.require(world, "machine", machine_id)
        if machine.deleting_at is not None or machine.status(cloud.now()) in ("building", "error"):
            raise ApiError(409, "IncorrectState", f"{machine_id} is not up")
        on = machine.power == "on"
        if action in ("off", "soft_off") and on:
            _down(cloud, machine, "hard" if action == "off" else "soft")
        elif action == "on" and not on:
            _boot(cloud, machine)
        elif action == "cycle":
            if on:
                _down(cloud, machine, "hard")
            _boot(cloud, machine)
        elif action == "reboot":
            if not on:
                raise ApiError(409, "IncorrectState", f"{machine_id} is off")
            machine.last_stop = "reboot"
            _boot(cloud, machine)
        world.changed = True
    cloud.faults.reach("power", "machine", "after")


def status(cloud: Cloud, machine_id: str) -> str:
    """``on`` or ``off``, as the machine's controller says."""
    cloud.enter()
    with cloud.store.session() as world:
        machine = cloud.require(world, "machine", machine_id)
        lie = "bmc-01" in cloud.defects and machine.last_stop in ("hard", "soft")
        return "on" if lie else machine.power


def _down(cloud: Cloud, machine: Thing, how: str) -> None:
    machine.power = "off"
    machine.last_stop = how
    machine.version += 1
    machine.console.append(f"[boot {machine.boots}] stopped: {how}")
    note(cloud, machine, f"power off ({how})")


def _boot(cloud: Cloud, machine: Thing) -> None:
    """Start, from where the boot override says; one that is for once is used up."""
    was_off = machine.power == "off"
    machine.power = "on"
    machine.boots += 1
    machine.version += 1
    machine.ready_at = machine.booted_at = cloud.now() + cloud.settings.boot_s
    machine.booted_from = str(machine.boot.get("device") or "disk").replace("default", "disk")
    if machine.boot and not machine.boot.get("persistent") and "bmc-02" not in cloud.defects:
        machine.boot = {}
    if was_off or "net-04" in cloud.defects:
        generation = machine.boots if "net-04" in cloud.defects else 0
        fresh = new_addresses(machine.serial, str(machine.spec.get("network") or ""), generation)
        machine.addresses = {**machine.addresses, **fresh}
    if was_off:
        note(cloud, machine, "power on")
    text = f"[boot {machine.boots}] {machine.hostname} from {machine.booted_from}"
    machine.console.append(text)


def boot_choice(machine: Thing) -> dict[str, Any]:
    """The boot override as it reads back."""
    return {"device": "default", "persistent": False, "uefi": False, **machine.boot}
