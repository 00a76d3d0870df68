"""The one thread that makes the network be what neutron's database says.

It is woken by every change, waits a moment for the next ones, reads everything and converges. What
was changed while it worked wakes it again. Without any change it looks every few seconds, so that
what broke is mended.
"""

from __future__ import annotations

import functools
import logging
import threading
import time
from typing import Any

from neutron_lib import constants, context
from neutron_lib import exceptions as neutron_errors
from neutron_lib.api.definitions import portbindings
from neutron_lib.plugins import constants as plugins
from neutron_lib.plugins import directory
from neutron_lib.plugins import utils as plugin_utils

from provisioner.lab.openstack.net import leases
from provisioner.lab.openstack.net.fabric import LINKED, Fabric, needed
from provisioner.lab.openstack.net.metadata import Metadata
from provisioner.lab.openstack.net.reading import read
from provisioner.lab.openstack.net.world import DHCP, Network, Port, World
from provisioner.lab.openstack.place import NODE, Place, here

LOG = logging.getLogger(__name__)
GATHER_S = 0.03
IDLE_S = 4.0
RETRY_S = 1.0
ACTIVE: str = constants.PORT_STATUS_ACTIVE
DOWN: str = constants.PORT_STATUS_DOWN


@functools.cache
def worker() -> Worker:
    """The worker of this process."""
    return Worker(here())


class Worker:
    """Keeps one lab's networks as neutron's database says."""

    def __init__(self, place: Place) -> None:
        self._fabric = Fabric(place.space, place.folder / "dhcp", place.defects)
        self._metadata = Metadata(place)
        self._changed = threading.Event()
        self._thread = threading.Thread(target=self._run, name="interop-net", daemon=True)

    def start(self) -> None:
        """Begin; neutron's plugins need not be there yet."""
        self._thread.start()

    def wake(self) -> None:
        """Something changed."""
        self._changed.set()

    def _run(self) -> None:
        while directory.get_plugin() is None or directory.get_plugin(plugins.L3) is None:
            time.sleep(0.1)
        while True:
            well = False
            try:
                well = self._pass()
            except Exception:  # whatever it is, the next pass may do better
                LOG.exception("a pass over the network failed")
            if self._changed.wait(IDLE_S if well else RETRY_S):
                time.sleep(GATHER_S)
                self._changed.clear()

    def _pass(self) -> bool:
        """Look once at everything; whether all of it could be done."""
        admin = context.get_admin_context()
        world = read(admin)
        if _servers(admin, world):
            world = read(admin)
        failed = set(self._fabric.converge(world))
        self._metadata.converge(world, failed)
        _tell(admin, world, failed)
        return not failed


def _servers(admin: Any, world: World) -> bool:
    """Make, change and delete the ports of DHCP servers; whether there was anything to do."""
    core, done = directory.get_plugin(), False
    for network in (world.networks[each] for each in sorted(needed(world))):
        wanted = sorted(subnet.id for subnet in leases.served(network))
        held = [port for port in world.on(network.id) if port.owner == DHCP]
        fixed = [{"subnet_id": subnet} for subnet in wanted]
        try:
            if wanted and not held:
                plugin_utils.create_port(core, admin, {"port": _server(network, fixed)})
                done = True
            elif held and not wanted:
                core.delete_port(admin, held[0].id)
                done = True
            elif held and sorted(subnet for subnet, _ in held[0].addresses) != wanted:
                kept = [{"subnet_id": s, "ip_address": a} for s, a in held[0].addresses
                        if s in wanted]  # fmt: skip
                there = {each["subnet_id"] for each in kept}
                kept += [each for each in fixed if each["subnet_id"] not in there]
                core.update_port(admin, held[0].id, {"port": {"fixed_ips": kept}})
                done = True
        except neutron_errors.NeutronException as error:
            LOG.info("DHCP port of network %s: %s", network.id, error)  # deleted, or full
    return done


def _server(network: Network, fixed: list[dict[str, str]]) -> dict[str, Any]:
    return {
        "network_id": network.id,
        "project_id": network.project,
        "tenant_id": network.project,
        "name": "",
        "admin_state_up": True,
        "device_id": f"dhcp-{NODE}-{network.id}",
        "device_owner": DHCP,
        "mac_address": constants.ATTR_NOT_SPECIFIED,
        "fixed_ips": fixed,
        portbindings.HOST_ID: NODE,
    }


def _tell(admin: Any, world: World, failed: set[str]) -> None:
    """Say in neutron's database what is in force now."""
    core, routers = directory.get_plugin(), directory.get_plugin(plugins.L3)
    for port in world.ports.values():
        status = _status(port, world, failed)
        if status not in ("", port.status):
            try:
                core.update_port_status(admin, port.id, status, port.host or None)
            except neutron_errors.NeutronException as error:
                LOG.info("status of port %s: %s", port.id, error)
    for floating in world.floating.values():
        router = world.routers.get(floating.router)
        works = bool(floating.inner and router and router.up and floating.router not in failed)
        status = constants.FLOATINGIP_STATUS_ACTIVE if works else constants.FLOATINGIP_STATUS_DOWN
        if status != floating.status:
            routers.update_floatingip_status(admin, floating.id, status)


def _status(port: Port, world: World, failed: set[str]) -> str:
    """What a port's status should be; empty if that is not ours to say."""
    if port.guest or port.owner == DHCP:
        well = port.network not in failed
    elif port.owner in LINKED:
        router = world.routers.get(port.device)
        well = bool(router and router.up) and not {port.network, port.device} & failed
    else:
        return ""
    network = world.networks.get(port.network)
    return ACTIVE if well and port.up and network is not None and network.up else DOWN
