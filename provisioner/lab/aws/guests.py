"""Makes the guest of an instance: a container or a virtual machine, as its type says."""

from __future__ import annotations

import uuid
from pathlib import Path

from provisioner.lab.aws.catalog import VIRTUAL
from provisioner.lab.aws.volumes import serial_of
from provisioner.lab.aws.world import Instance
from provisioner.lab.guests.container import Container
from provisioner.lab.guests.guest import Build, Firmware, Guest, Image
from provisioner.lab.guests.virtual import VirtualMachine

NAMES = uuid.UUID("6f1c31c2-6f0b-4c8e-9a59-0b3c4f1f7d10")  # machine ids are made from it
MAKER = "Amazon EC2"  # Source: EC2 user guide, "Detect whether a host is an EC2 instance"


class Maker:
    """Call it with an instance.

    Args:
        folder: where each guest gets a folder.
        image: what guests are made of.
        defects: faults on purpose.
    """

    def __init__(self, folder: Path, image: Image, defects: frozenset[str] = frozenset()) -> None:
        self._folder = folder
        self._image = image
        self._defects = defects

    def __call__(self, instance: Instance) -> Guest:
        alike = "duplicate-machine-id" in self._defects
        identity = uuid.uuid5(NAMES, "i-0" if alike else instance.id)
        known_by = "ec2" + str(uuid.uuid5(NAMES, instance.id))[3:]
        cpu, memory_mib = VIRTUAL.get(instance.size, (1, 0))
        build = Build(
            name=instance.id,
            image=self._image,
            firmware=Firmware(uuid=known_by, manufacturer=MAKER, product=instance.size),
            root_gib=instance.root_gib,
            machine_id=identity.hex,
            root_serial=serial_of(instance.root_volume or f"root-{instance.id[2:]}"),
            root_bus="nvme",
            cpu=cpu,
            memory_mib=memory_mib,
        )
        make = VirtualMachine if memory_mib else Container
        return make(self._folder / instance.id, build)
