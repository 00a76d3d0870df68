"""The metal driver passes the driver contract: real IPMI and HTTP, machines in memory."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("pyghmi", reason="pyghmi is not installed (extra metal)")

from provisioner.contract import ContractSubject, DriverContract
from provisioner.drivers.metal import open_driver
from provisioner.lab.bmc.serve import Rack
from provisioner.lab.memory import MemoryMachine
from provisioner.lab.memory_guest import MemoryGuest
from provisioner.platform import PlatformConfig
from provisioner.resources import AttachmentSpec, KeySpec, Kind, MachineSpec, Ref, VolumeSpec

PUBLIC_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIKJbjmMr2HLvgGr6cHsJZEkN2ovJY5Gq8EvWpSF5Yccz"
HOST, PORT = "127.0.79.1", 8179


@pytest.fixture(scope="module")
def contract(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ContractSubject]:
    state = tmp_path_factory.mktemp("state")
    (state / "kernel").write_bytes(b"kernel")
    guests, inventory = [], []
    with Rack() as rack:
        for n in range(1, 4):
            machine = MemoryMachine(
                name=f"m{n}", serial=f"SN-{n}", uuid=f"0000-{n}", macs=(f"52:54:00:79:00:0{n}",)
            )
            guest = MemoryGuest(
                machine=machine, url=f"http://{HOST}:{PORT}", address=f"127.0.79.{9 + n}"
            )
            machine.booted, machine.stopped = guest.boot, guest.off
            where = rack.serve(machine, f"127.0.77.{20 + n}", 0, [("admin", "s3cret", 4)])
            guests.append(guest)
            inventory.append(
                {
                    "name": machine.name,
                    "bmc": {"address": where.host, "port": where.ipmi_port, "user": "admin",
                            "password": "s3cret"},
                    "macs": list(machine.macs),
                    "serial": machine.serial,
                    "cpu": 1,
                    "memory_mib": 512,
                    "disks": [{"serial": f"d{n}a", "size_gib": 4},
                              {"serial": f"d{n}b", "size_gib": 2},
                              {"serial": f"d{n}c", "size_gib": 2}],
                }
            )  # fmt: skip
        settings = {
            "inventory": inventory,
            "boot": {
                "interface": "lo", "address": f"{HOST}/24", "dhcp": False, "http_port": PORT,
                "range": ["127.0.79.10", "127.0.79.20"],
                "kernel": str(state / "kernel"), "initrd": str(state / "kernel"),
            },
        }  # fmt: skip
        driver = open_driver(
            PlatformConfig(name="metal", kind="metal", settings=settings, state=state)
        )
        machine_ref, volume = Ref(Kind.MACHINE, "m-1"), Ref(Kind.VOLUME, "data")
        yield ContractSubject(
            driver=driver,
            specs={
                Kind.KEY: KeySpec(public_key=PUBLIC_KEY),
                Kind.MACHINE: MachineSpec(key=Ref(Kind.KEY, "key"), user_data=b"#!/bin/sh\n"),
                Kind.VOLUME: VolumeSpec(size_gib=1, machine=machine_ref),
                Kind.ATTACHMENT: AttachmentSpec(machine=machine_ref, what=volume),
            },
            timeout_s=30,
        )
        driver.close()
        for guest in guests:
            guest.off()


class TestMetal(DriverContract):
    pass


def test_the_subject_is_complete(contract: ContractSubject, tmp_path: Path) -> None:
    """Every kind that bare metal manages is under contract."""
    managed = {k for k, s in contract.driver.describe().kinds.items() if s == "managed"}

    assert managed == set(contract.specs)
