"""What the lab's AWS offers: one image, a few sizes; and how moto is told before it is loaded."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

REGION = "us-east-1"
ROOT_GIB = 8  # what moto gives an instance that asks for nothing
ROOT_DEVICE = "/dev/sda1"
DEBIAN = "136693071363"  # Source: Debian wiki, "Cloud/AmazonEC2Image/Bookworm"
IMAGE = "ami-0deb1200000000001"
CONTAINERS = {"t3.nano", "t3.micro", "t3.small", "t3.medium", "t3.large", "t3.xlarge"}
# With a kernel, processors and memory of their own; the names' order makes them nobody's choice by
# chance: of two that fit equally well a selector takes t3.
VIRTUAL = {"t3a.nano": (2, 512), "t3a.micro": (2, 1024), "t3a.small": (2, 2048)}  # cpu, MiB
SIZES = frozenset(CONTAINERS | VIRTUAL.keys())

USERS = ("harness", "fabric")  # the one for platforms.yaml, and the lab's own
FREE_ACTIONS = 3 * len(USERS)  # what it takes to make them: user, policy, key

IMAGES: list[dict[str, Any]] = [
    {
        "ami_id": IMAGE,
        "state": "available",
        "public": True,
        "owner_id": DEBIAN,
        "image_location": "lab/debian-12",
        "sriov": "simple",
        "root_device_type": "ebs",
        "root_device_name": ROOT_DEVICE,
        "description": "Debian 12 of the lab; t3: a container of the host, t3a: a QEMU machine",
        "image_type": "machine",
        "platform": None,
        "architecture": "x86_64",
        "name": "debian-12-amd64-20261101-0000",
        "virtualization_type": "hvm",
        "hypervisor": "xen",
    }
]


def is_virtual(size: str) -> bool:
    """Whether instances of a type are virtual machines."""
    return size in VIRTUAL


def environment(folder: Path) -> Mapping[str, str]:
    """The environment moto reads when it is imported; writes the image list to *folder*."""
    path = folder / "images.json"
    path.write_text(json.dumps(IMAGES), encoding="utf-8")
    return {
        "MOTO_AMIS_PATH": str(path),
        "MOTO_EC2_LOAD_DEFAULT_AMIS": "true",
        "MOTO_ENABLE_AMI_VALIDATION": "true",
        "MOTO_EC2_ENABLE_INSTANCE_TYPE_VALIDATION": "true",
        "MOTO_ENABLE_KEYPAIR_VALIDATION": "true",
        "INITIAL_NO_AUTH_ACTION_COUNT": str(FREE_ACTIONS),
    }


def prepare(folder: Path) -> None:
    """Set that environment; must run before anything imports moto."""
    os.environ.update(environment(folder))


def fewer_sizes() -> int:
    """Keep only our sizes among moto's 1,400, whose description takes seconds; how many are left.

    They are data of a module of moto's. Where they have moved to in a later release all stay.
    """
    from moto.ec2.models import instance_types

    backend = getattr(instance_types, "InstanceTypeBackend", None)
    known: list[Any] = getattr(backend, "instance_types", [])
    known[:] = [size for size in known if size["InstanceType"] in SIZES]
    return len(known)
