"""Where one lab's OpenStack is: folders, ports, names. Read by the daemon and by its services.

Everything that runs inside a service's process (``runner``, ``virt``, ``net``) finds its lab with
``here()``. Only the standard library, ``provisioner.errors`` and ``provisioner.lab.space`` may be
imported there beside the services themselves: they have a virtual environment of their own.
"""

from __future__ import annotations

import functools
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from provisioner.lab.space import Space

VARIABLE = "INTEROP_OPENSTACK_PLACE"  # in the environment of every service: the folder
HOST = "127.0.0.1"  # on the host and inside the lab's namespace, the same port on both
SERVICES = ("keystone", "placement", "glance", "neutron", "nova", "metadata", "cinder")
REGION = "lab"
NODE = "lab-node"  # what nova, neutron and cinder call the one host
OUTSIDE = "198.19.0.0/20"  # the external network; RFC 2544, never routed; AWS has 198.18/16
OUTSIDE_GATEWAY = "198.19.0.1"  # the lab's namespace itself: there the harness is
FLOATING = ("198.19.1.0", "198.19.15.254")  # what addresses are allocated from
PHYSICAL = "outside"  # the provider's network, in neutron's words


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """One lab's OpenStack.

    Args:
        lab: the lab's name.
        folder: configuration and what is true only while it runs; only its owner may look in.
        disks: databases, images, volumes, instances; large.
        venv: the services' virtual environment.
        root: the lab's Debian root file system, read-only.
        ports: service -> TCP port on ``HOST``.
        defects: the faults it is asked to have.
    """

    lab: str
    folder: Path
    disks: Path
    venv: Path
    root: Path
    ports: Mapping[str, int]
    defects: frozenset[str] = frozenset()

    @property
    def space(self) -> Space:
        """The lab's network namespace."""
        return Space(name=self.lab)

    @property
    def instances(self) -> Path:
        """Where each server has a folder."""
        return self.disks / "instances"

    @property
    def volumes(self) -> Path:
        """Where each volume is a sparse file."""
        return self.disks / "volumes"

    @property
    def databases(self) -> Path:
        """Where each service has its sqlite file."""
        return self.disks / "databases"

    @property
    def images(self) -> Path:
        """Glance's store."""
        return self.disks / "images"

    def url(self, service: str) -> str:
        """Where *service* answers, on the host and inside the lab alike."""
        return f"http://{HOST}:{self.ports[service]}"

    def secret(self, name: str) -> str:
        """A password of the lab, such as ``metadata``, ``nova`` or ``member``."""
        said = json.loads((self.folder / "secrets.json").read_text(encoding="utf-8"))
        return str(said[name])

    def write(self) -> None:
        """Leave it for the services."""
        document = {
            "lab": self.lab,
            "folder": str(self.folder),
            "disks": str(self.disks),
            "venv": str(self.venv),
            "root": str(self.root),
            "ports": dict(self.ports),
            "defects": sorted(self.defects),
        }
        path = self.folder / "place.json"
        path.write_text(json.dumps(document, indent=1), encoding="utf-8")


def read(folder: Path) -> Place:
    """The place that was written to *folder*."""
    said = json.loads((folder / "place.json").read_text(encoding="utf-8"))
    return Place(
        lab=said["lab"],
        folder=Path(said["folder"]),
        disks=Path(said["disks"]),
        venv=Path(said["venv"]),
        root=Path(said["root"]),
        ports=said["ports"],
        defects=frozenset(said["defects"]),
    )


@functools.cache
def here() -> Place:
    """The place of the service that asks."""
    return read(Path(os.environ[VARIABLE]))
