"""Whether a lab's OpenStack works: something is written and something is booted, then removed."""

from __future__ import annotations

import time
from typing import Any

from provisioner.errors import PlatformFault, Timeout
from provisioner.lab.openstack import seed

BOOT_S = 120.0
NAME = "interop-health"


def examine(cloud: Any) -> float:
    """Make a key and a server as a member of a project; how long the server took, in seconds.

    Args:
        cloud: a connection of openstacksdk.

    Raises:
        PlatformFault: the server could not be started; what nova said.
        Timeout: it was not ACTIVE in time.
    """
    key = cloud.compute.create_keypair(name=NAME)
    image = cloud.image.find_image(seed.IMAGE, ignore_missing=False)
    flavor = cloud.compute.find_flavor(seed.SIZES[0].name, ignore_missing=False)
    begun = time.monotonic()
    server = cloud.compute.create_server(
        name=NAME, image_id=image.id, flavor_id=flavor.id, key_name=key.name, networks="none"
    )
    try:
        while (server := cloud.compute.get_server(server.id)).status != "ACTIVE":
            if server.status == "ERROR":
                why = (server.fault or {}).get("message", "without a reason")
                raise PlatformFault(f"nova cannot start a server: {why}")
            if time.monotonic() - begun > BOOT_S:
                raise Timeout(f"nova: a server is still {server.status} after {BOOT_S:.0f} s")
            time.sleep(0.1)
        took = time.monotonic() - begun
    finally:
        cloud.compute.delete_server(server.id)
        cloud.compute.wait_for_delete(server, interval=0.1, wait=60)
        cloud.compute.delete_keypair(key)
    return took
