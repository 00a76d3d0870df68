"""What a lab's OpenStack holds from the start: users, endpoints, sizes, images, the way out.

It is made through the APIs by the first user, as an administrator of a new cloud would, and in two
parts: nova and cinder wait for the first, the second needs all services.
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from provisioner.lab.openstack.clouds import MEMBERS
from provisioner.lab.openstack.config import USERS
from provisioner.lab.openstack.place import (
    FLOATING,
    OUTSIDE,
    OUTSIDE_GATEWAY,
    PHYSICAL,
    REGION,
    Place,
)

IMAGE = "debian-12"
SECOND = "another"  # the same, but does not say what it is: some tests want two images
EXTERNAL = "public"
POOL = "10.128.0.0/12"  # what networks that are made on demand get their addresses from
GUEST = "interop:guest"  # extra spec of a flavor: what a guest is made of

# service in the catalogue -> its type, and the path of its API
CATALOGUE = {
    "placement": ("placement", ""),
    "glance": ("image", ""),
    "neutron": ("network", ""),
    "nova": ("compute", "/v2.1"),
    "cinder": ("block-storage", "/v3"),
}

IMAGE_PROPERTIES = {
    "os_type": "linux",
    "os_distro": "debian",
    "os_version": "12",
    "os_admin_user": "debian",
    "architecture": "x86_64",
    "hw_disk_bus": "virtio",
    "hw_vif_model": "virtio",
    "interop_root": IMAGE,  # nova's driver starts the lab's root file system for it
    "description": "stands for the lab's Debian 12 root file system; its data is this notice",
}
IMAGE_DATA = (
    b"This image stands for the root file system that the lab keeps on its host. The lab's nova "
    b"driver recognises it and starts that; no other cloud can boot it.\n"
).ljust(1 << 16, b"\0")


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """A flavor; disk in GiB, memory in MiB."""

    name: str
    vcpus: int
    ram: int
    disk: int
    extra: Mapping[str, str] = field(default_factory=dict)


SIZES = (
    Size(name="m1.tiny", vcpus=1, ram=256, disk=2),
    Size(name="m1.small", vcpus=1, ram=512, disk=4),
    Size(name="m1.medium", vcpus=2, ram=1024, disk=8),
    Size(name="q1.tiny", vcpus=1, ram=320, disk=4, extra={GUEST: "qemu"}),
    Size(name="q1.small", vcpus=1, ram=512, disk=8, extra={GUEST: "qemu"}),
)


def identity(cloud: Any, place: Place, secrets: Mapping[str, str]) -> None:
    """Users, projects, roles and the catalogue. *cloud* is a connection of openstacksdk.

    Raises:
        openstack.exceptions.SDKException: keystone refused something.
    """
    keystone = cloud.identity
    domain = "default"
    roles = {role.name: role for role in keystone.roles()}
    if "service" not in roles:
        roles["service"] = keystone.create_role(name="service")
    services = keystone.create_project(name="service", domain_id=domain)
    for name in USERS:
        user = keystone.create_user(name=name, password=secrets[name], domain_id=domain)
        for role in ("admin", "service"):
            keystone.assign_project_role_to_user(services, user, roles[role])
    for name in MEMBERS:
        project = keystone.create_project(
            name=name, domain_id=domain, description="an ordinary one, without an administrator"
        )
        user = keystone.create_user(name=name, password=secrets[name], domain_id=domain)
        keystone.assign_project_role_to_user(project, user, roles["member"])
    for name, (kind, path) in CATALOGUE.items():
        service = keystone.create_service(name=name, type=kind)
        keystone.create_endpoint(
            service_id=service.id,
            interface="public",
            url=f"{place.url(name)}{path}",
            region_id=REGION,
        )


def contents(cloud: Any) -> None:
    """Flavors, the images, the external network and the pool of addresses.

    Raises:
        openstack.exceptions.SDKException: a service refused something.
    """
    for size in SIZES:
        flavor = cloud.compute.create_flavor(
            name=size.name, vcpus=size.vcpus, ram=size.ram, disk=size.disk
        )
        if size.extra:
            cloud.compute.create_flavor_extra_specs(flavor, dict(size.extra))
    for name in (IMAGE, SECOND):
        told = dict(IMAGE_PROPERTIES)
        if name == SECOND:  # so that a wish for Debian finds the one
            del told["os_distro"], told["os_version"]
        cloud.image.create_image(
            name=name,
            disk_format="raw",
            container_format="bare",
            visibility="public",
            min_disk=1,
            min_ram=128,
            data=io.BytesIO(IMAGE_DATA),
            validate_checksum=False,
            allow_duplicates=True,
            **told,
        )
    network = cloud.network.create_network(
        name=EXTERNAL,
        provider_network_type="flat",
        provider_physical_network=PHYSICAL,
        is_router_external=True,
        is_default=True,
    )
    cloud.network.create_subnet(
        name=EXTERNAL,
        network_id=network.id,
        ip_version=4,
        cidr=OUTSIDE,
        gateway_ip=OUTSIDE_GATEWAY,
        allocation_pools=[{"start": FLOATING[0], "end": FLOATING[1]}],
        is_dhcp_enabled=False,
    )
    cloud.network.create_subnet_pool(
        name="lab", prefixes=[POOL], default_prefix_length=24, is_shared=True, is_default=True
    )
