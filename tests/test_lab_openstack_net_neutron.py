"""What neutron's API promises is so in the kernel; a plain namespace stands for the guest."""

from __future__ import annotations

import os
import signal
import subprocess
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from provisioner.lab import doctor
from provisioner.lab.openstack import clouds, founding, wanting
from provisioner.lab.openstack.net import ports, wires
from provisioner.lab.openstack.place import NODE, read
from provisioner.lab.openstack.seed import EXTERNAL
from provisioner.lab.space import Space
from provisioner.lab.state import State

WHY = doctor.lacking() or wanting.lacking()
pytestmark = [
    pytest.mark.lab,
    pytest.mark.skipif(bool(WHY), reason=WHY or "-"),
    pytest.mark.filterwarnings("ignore::PendingDeprecationWarning"),
]

PATIENCE_S = 120.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """One server's port on a network with a router, made through the API."""

    space: Space
    api: Any
    network: Any
    router: Any
    group: Any
    port: Any
    outside: Any

    @property
    def guest(self) -> str:
        """Its namespace."""
        return wires.guest_namespace(self.space, self.port.device_id)

    def status(self) -> str:
        return str(self.api.get_port(self.port.id).status)

    def answers(self, address: str) -> bool:
        argv = self.space.inside(["ping", "-n", "-c1", "-W1", address])
        return not subprocess.run(argv, capture_output=True, check=False).returncode


def until(condition: Callable[[], bool], patience_s: float = PATIENCE_S) -> float:
    """Ask again and again until it is so; how long it took, in seconds."""
    started = time.monotonic()
    while not condition():
        assert time.monotonic() - started < patience_s, "not in time"
        time.sleep(0.05)
    return time.monotonic() - started


@pytest.fixture
def site(openstack_space: Space) -> Iterator[Site]:
    """A network with a router and a port, made by an administrator; gone at the end."""
    place = read(openstack_space.state_dir / "openstack")
    with founding.connect(place, "admin-clouds.yaml", clouds.ADMIN_CLOUD) as cloud:
        made = furnished(openstack_space, cloud.network)
        yield made
        clear(made)


def furnished(space: Space, api: Any) -> Site:
    outside = api.find_network(EXTERNAL)
    network = api.create_network(name="site")
    subnet = api.create_subnet(network_id=network.id, ip_version=4, cidr="10.5.0.0/24")
    router = api.create_router(name="site", external_gateway_info={"network_id": outside.id})
    api.add_interface_to_router(router, subnet_id=subnet.id)
    group = api.create_security_group(name="site")
    port = api.create_port(
        network_id=network.id, device_owner="compute:nova", device_id=str(uuid.uuid4()),
        binding_host_id=NODE, security_group_ids=[group.id], dns_name="site-1",
    )  # fmt: skip
    made = Site(space=space, api=api, network=network, router=router, group=group, port=port,
                outside=outside)  # fmt: skip
    plugged = ports.plug(
        space,
        ports.Plug(server=port.device_id, port=port.id, network=network.id,
                   mac=port.mac_address, mtu=network.mtu),
    )  # fmt: skip
    address = port.fixed_ips[0]["ip_address"]
    wires.ip(
        plugged.namespace,
        [f"addr add {address}/24 dev ens3", "link set ens3 up", "route add default via 10.5.0.1"],
    )
    return made


def clear(site: Site) -> None:
    """Delete all of it; what is gone already is fine."""
    ports.unplug(site.space, server=site.port.device_id, port=site.port.id, network=site.network.id)
    ports.remove(site.space, site.port.device_id)
    site.api.delete_port(site.port)
    if site.api.find_router(site.router.id) is not None:
        mine = {"device_id": site.router.id, "device_owner": "network:router_interface"}
        for port in site.api.ports(**mine):
            site.api.remove_interface_from_router(site.router, port_id=port.id)
        site.api.delete_router(site.router)
    site.api.delete_network(site.network)
    site.api.delete_security_group(site.group)


def test_a_port_is_active_once_its_rules_hold_and_dhcp_has_one(site: Site) -> None:
    until(lambda: site.status() == "ACTIVE")

    ruleset = subprocess.run(
        wires.within(wires.network_namespace(site.space, site.network.id),
                     ["nft", "list", "table", "bridge", "ports"]),
        capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    assert site.port.mac_address in ruleset
    assert site.network.mtu == 1450

    def served() -> bool:
        found = site.api.ports(network_id=site.network.id, device_owner="network:dhcp")
        return [port.status for port in found] == ["ACTIVE"]

    until(served)


def test_rules_and_floating_addresses_hold_soon(site: Site) -> None:
    floating = site.api.create_ip(floating_network_id=site.outside.id, port_id=site.port.id)
    address = floating.floating_ip_address
    until(lambda: site.api.get_ip(floating.id).status == "ACTIVE")
    assert not site.answers(address)

    rule = site.api.create_security_group_rule(
        security_group_id=site.group.id, direction="ingress", protocol="icmp", ether_type="IPv4"
    )
    until(lambda: site.answers(address))
    site.api.delete_security_group_rule(rule)
    until(lambda: not site.answers(address))

    site.api.update_ip(floating, port_id=None)
    until(lambda: site.api.get_ip(floating.id).status == "DOWN")
    site.api.delete_ip(floating)


def test_after_neutron_was_killed_the_network_is_mended(site: Site) -> None:
    site.api.create_security_group_rule(
        security_group_id=site.group.id, direction="ingress", protocol="icmp", ether_type="IPv4"
    )
    floating = site.api.create_ip(floating_network_id=site.outside.id, port_id=site.port.id)
    address = floating.floating_ip_address
    until(lambda: site.answers(address))
    neutron = next(p for p in State(site.space).processes() if p.name == "openstack-neutron")

    os.kill(neutron.pid, signal.SIGKILL)
    assert site.answers(address), "what stands goes on without neutron"
    wires.remove_namespace(wires.router_namespace(site.space, site.router.id))

    until(lambda: site.answers(address))
    site.api.delete_ip(floating)


def test_what_is_deleted_leaves_no_namespace(site: Site) -> None:
    until(lambda: site.status() == "ACTIVE")
    assert len(site.space.namespaces()) > 2

    clear(site)

    left = {site.space.namespace, wires.network_namespace(site.space, site.outside.id)}
    until(lambda: set(site.space.namespaces()) == left)
