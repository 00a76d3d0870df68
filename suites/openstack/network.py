"""Network: what overlaps, collides, is in use or was never allowed is refused.

Source: OpenStack Networking API v2 (networks, subnets, ports, security groups).
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator

import pytest

from provisioner.driver import Handle
from provisioner.resources import FirewallSpec, Kind, NetworkSpec
from suites.claims import claim, same
from suites.openstack.wire import Wire
from suites.seams import Bench

CIDR = "10.92.0.0/24"


@pytest.fixture(scope="module")
def wired(bench: Bench) -> Iterator[Handle]:
    """A network with a subnet, for all checks of this file."""
    handle = bench.create(Kind.NETWORK, f"os-{secrets.token_hex(3)}", NetworkSpec(cidr=CIDR))
    yield handle
    bench.remove(handle)


def subnet_of(wire: Wire, network: Handle) -> dict[str, object]:
    """The network's subnet."""
    query = {"network_id": network.id}
    found: list[dict[str, object]] = wire.given(
        200, "subnets", "network GET /subnets", query=query
    )["subnets"]
    same("subnets of the network", expected=1, actual=len(found))
    return found[0]


@pytest.mark.check("os-network-01", needs=("openstack-api",))
@pytest.mark.cost("own")
def test_subnets_of_a_network_do_not_overlap(wire: Wire, wired: Handle) -> None:
    """A subnet that overlaps another of its network, or has no range at all, is refused."""
    for what, cidr in (("an overlapping range", "10.92.0.128/25"), ("no range", "10.92.0.300/24")):
        body = {"subnet": {"network_id": wired.id, "ip_version": 4, "cidr": cidr}}
        wire.refused((400, 409), f"a subnet of {what}", "network POST /subnets", body=body)


@pytest.mark.check("os-network-02", needs=("openstack-api",))
@pytest.mark.cost("api")
def test_rules_of_a_security_group_are_checked(wire: Wire, bench: Bench) -> None:
    """A rule whose ports run backwards is refused, and so is the same rule twice."""
    group = bench.create(Kind.FIREWALL, f"os-{secrets.token_hex(3)}", FirewallSpec())
    try:
        rule = {
            "security_group_id": group.id,
            "direction": "ingress",
            "ethertype": "IPv4",
            "protocol": "tcp",
            "port_range_min": 8000,
            "port_range_max": 8010,
        }
        backwards = {"security_group_rule": {**rule, "port_range_max": 7000}}
        operation = "network POST /security-group-rules"
        wire.refused(400, "a rule whose ports run backwards", operation, body=backwards)
        made = wire.given(201, "a rule", operation, body={"security_group_rule": rule})
        wire.refused(409, "the same rule again", operation, body={"security_group_rule": rule})
        identity = made["security_group_rule"]["id"]
        gone = wire("network DELETE /security-group-rules/" + identity)
        same("delete of the rule", expected=204, actual=gone.status)
    finally:
        bench.remove(group)


@pytest.mark.check("os-network-03", needs=("openstack-api",))
@pytest.mark.cost("api")
def test_the_default_group_stays(wire: Wire) -> None:
    """The default security group of a project cannot be deleted."""
    query = {"name": "default"}
    groups = wire.given(200, "groups", "network GET /security-groups", query=query)
    claim(groups["security_groups"], "default group", expected="one", actual="none")
    identity = groups["security_groups"][0]["id"]
    operation = f"network DELETE /security-groups/{identity}"
    wire.refused(409, "delete of the default group", operation)
    wire.given(200, "the default group", f"network GET /security-groups/{identity}")


@pytest.mark.check("os-network-04", needs=("openstack-api",))
@pytest.mark.cost("own")
def test_an_address_belongs_to_one_port_of_its_subnet(wire: Wire, wired: Handle) -> None:
    """A port gets no address outside its subnet, and none that another port has."""
    subnet = subnet_of(wire, wired)

    def port(address: str) -> dict[str, object]:
        fixed = [{"subnet_id": subnet["id"], "ip_address": address}]
        return {"port": {"network_id": wired.id, "fixed_ips": fixed}}

    outside = port("10.93.0.9")
    wire.refused(400, "an address outside the subnet", "network POST /ports", body=outside)
    made = wire.given(201, "a port", "network POST /ports", body=port("10.92.0.77"))["port"]
    try:
        same("its address", expected="10.92.0.77", actual=made["fixed_ips"][0]["ip_address"])
        taken = port("10.92.0.77")
        wire.refused(409, "an address that is taken", "network POST /ports", body=taken)
    finally:
        wire(f"network DELETE /ports/{made['id']}")


@pytest.mark.check("os-network-05", needs=("openstack-api",))
@pytest.mark.cost("own")
def test_a_network_in_use_stays(wire: Wire, wired: Handle) -> None:
    """A network with a port on it cannot be deleted, and is still there afterwards."""
    body = {"port": {"network_id": wired.id}}
    made = wire.given(201, "a port", "network POST /ports", body=body)["port"]
    try:
        operation = f"network DELETE /networks/{wired.id}"
        wire.refused(409, "delete of a network in use", operation)
        wire.given(200, "the network", f"network GET /networks/{wired.id}")
    finally:
        wire(f"network DELETE /ports/{made['id']}")


@pytest.mark.check("os-network-06", needs=("openstack-api",))
@pytest.mark.cost("own")
def test_name_servers_keep_their_order(wire: Wire, wired: Handle) -> None:
    """The name servers of a subnet are kept in the order in which they were given."""
    subnet = subnet_of(wire, wired)
    for order in (["10.92.0.9", "10.92.0.8"], ["10.92.0.8", "10.92.0.9"]):
        body = {"subnet": {"dns_nameservers": order}}
        operation = f"network PUT /subnets/{subnet['id']}"
        wire.given(200, "name servers", operation, body=body)
        shown = subnet_of(wire, wired)
        same("name servers as told", expected=order, actual=list(shown["dns_nameservers"]))  # type: ignore[call-overload]
