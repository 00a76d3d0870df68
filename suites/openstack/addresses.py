"""Network: floating addresses, ICMP rules, quotas, and what a network and its router hold fast.

Source: OpenStack Networking API v2 (floating IPs, security group rules, quotas details, networks,
routers, ports).
"""

from __future__ import annotations

import contextlib
import secrets
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from provisioner.driver import Handle
from provisioner.resources import AddressSpec, FirewallSpec, Kind, NetworkSpec
from suites.api.resources import generated
from suites.claims import claim, same
from suites.openstack.wire import Wire
from suites.seams import Bench, NotApplicable, Observe

GONE = "00000000-0000-4000-8000-0000000000ff"
EXAMPLES = 20
NAME_CHARS = 255
TRIES = 5  # of a count that neighbours in the same project may change, too


@pytest.fixture(scope="module")
def joined(bench: Bench) -> Iterator[Handle]:
    """A network with a subnet and, where there is a way out, a router."""
    spec = NetworkSpec(cidr="10.93.0.0/24")
    handle = bench.create(Kind.NETWORK, f"os-{secrets.token_hex(3)}", spec)
    yield handle
    bench.remove(handle)


@contextlib.contextmanager
def ports(wire: Wire, network: Handle, number: int) -> Iterator[list[dict[str, str]]]:
    """So many ports on a network: their ids and first addresses; gone at the end."""
    made: list[dict[str, str]] = []
    try:
        for _ in range(number):
            body = {"port": {"network_id": network.id}}
            port = wire.given(201, "a port", "network POST /ports", body=body)["port"]
            address = port["fixed_ips"][0]["ip_address"]
            made.append({"id": port["id"], "address": address, "mac": port["mac_address"]})
        yield made
    finally:
        for port in made:
            wire(f"network DELETE /ports/{port['id']}")


@pytest.mark.check("os-network-07", needs=("openstack-api", "address"))
@pytest.mark.cost("own")
def test_a_floating_address_moves(wire: Wire, bench: Bench, joined: Handle) -> None:
    """A floating address goes from port to port, to nothing, and is gone for good once released."""
    address = bench.create(Kind.ADDRESS, f"os-{secrets.token_hex(3)}", AddressSpec())
    path = f"/floatingips/{address.id}"

    def give(port: str | None) -> Any:
        body = {"floatingip": {"port_id": port}}
        wire.given(200, "giving it", f"network PUT {path}", body=body)
        shown = wire.given(200, "the address", f"network GET {path}")["floatingip"]
        same("its port", expected=port, actual=shown["port_id"])
        return shown["fixed_ip_address"]

    try:
        nobody = {"floatingip": {"port_id": GONE}}
        wire.refused((400, 404), "a port that is none", f"network PUT {path}", body=nobody)
        with ports(wire, joined, 2) as pair:
            for port in pair:
                same("where it leads", expected=port["address"], actual=give(port["id"]))
            same("where it leads", expected=None, actual=give(None))
    finally:
        bench.remove(address)
    wire.refused(404, "what was released", f"network GET {path}")
    wire.refused(404, "a second release", f"network DELETE {path}")


@pytest.mark.check("os-network-08", needs=("openstack-api",))
@pytest.mark.cost("api")
def test_rules_for_icmp_have_a_type(wire: Wire, bench: Bench) -> None:
    """A rule for ICMP keeps its type and code; a code alone, or over 255, is refused with 400."""
    group = bench.create(Kind.FIREWALL, f"os-{secrets.token_hex(3)}", FirewallSpec())
    operation = "network POST /security-group-rules"

    def rule(kind: int | None, code: int | None) -> dict[str, object]:
        return {
            "security_group_rule": {
                "security_group_id": group.id,
                "direction": "ingress",
                "ethertype": "IPv4",
                "protocol": "icmp",
                "port_range_min": kind,
                "port_range_max": code,
            }
        }

    try:
        for pair in ((8, 0), (3, 4), (11, None)):
            made = wire.given(201, f"type and code {pair}", operation, body=rule(*pair))
            kept = made["security_group_rule"]
            told = (kept["port_range_min"], kept["port_range_max"])
            same("type and code as kept", expected=pair, actual=told)
        for wrong in ((None, 0), (256, None), (8, 256)):
            wire.refused(400, f"type and code {wrong}", operation, body=rule(*wrong))
    finally:
        bench.remove(group)


@pytest.mark.check("os-network-09", needs=("openstack-api",))
@pytest.mark.cost("api")
def test_the_quota_counts(
    wire: Wire, bench: Bench, observe: Observe, not_applicable: NotApplicable
) -> None:
    """A security group more is one more in the quota's count, and one less when it is gone."""
    token = wire.given(200, "one's own token", "identity GET /auth/tokens", subject="own")["token"]
    operation = f"network GET /quotas/{token['project']['id']}/details.json"
    first = wire(operation)
    if first.status == 404:
        not_applicable("the network service does not tell what is used of a quota")
    same("quota", expected=200, actual=first.status)
    observe("security-groups-quota", first.body["quota"]["security_group"]["limit"], source="api")

    def used() -> int:
        return int(wire.given(200, "quota", operation)["quota"]["security_group"]["used"])

    seen: list[tuple[int, int]] = []
    for _ in range(TRIES):
        before = used()
        group = bench.create(Kind.FIREWALL, f"os-{secrets.token_hex(3)}", FirewallSpec())
        between = used()
        bench.remove(group)
        seen.append((between - before, used() - between))
        if seen[-1] == (1, -1):
            break
    same("what making and removing one added", expected=(1, -1), actual=seen[-1])


@pytest.mark.check("os-network-10", needs=("openstack-api",))
@pytest.mark.cost("own")
def test_a_network_is_found_by_its_name(
    wire: Wire, joined: Handle, seed: int, observe: Observe
) -> None:
    """A name of a network reads back and finds it and nothing else, or is refused with 400."""
    observe("seed", seed, source="observed")
    path = f"/networks/{joined.id}"
    before = wire.given(200, "network", f"network GET {path}")["network"]["name"]

    @generated(seed, EXAMPLES)
    @given(st.text(st.characters(codec="utf-8"), max_size=40))
    @example("x" * NAME_CHARS)
    @example("x" * (NAME_CHARS + 1))
    @example("höchste Ära ✓ 中文")
    def named(name: str) -> None:
        answer = wire(f"network PUT {path}", body={"network": {"name": name}})
        what = f"the name {name[:50]!r}"
        claim(answer.status in (200, 400), what, expected="200 or 400", actual=answer.status)
        if answer.status == 400:
            return
        same("the name answered", expected=name, actual=answer.body["network"]["name"])
        query = {"name": name, "id": joined.id}
        found = wire.given(200, "networks", "network GET /networks", query=query)["networks"]
        same(f"networks of {what}", expected=[name], actual=[one["name"] for one in found])
        claim(len(name) <= NAME_CHARS, what, expected="400: 255 characters at most", actual=200)

    try:
        named()
    finally:
        wire(f"network PUT {path}", body={"network": {"name": before}})


@pytest.mark.check("os-network-11", needs=("openstack-api",))
@pytest.mark.cost("own")
def test_a_router_in_use_stays(wire: Wire, joined: Handle, not_applicable: NotApplicable) -> None:
    """A router with an interface, and the subnet behind it, cannot be deleted, and stay."""
    query = {"network_id": joined.id}
    found = wire.given(200, "ports", "network GET /ports", query=query)["ports"]
    mine = [port for port in found if port["device_owner"].startswith("network:router_interface")]
    if not mine:
        not_applicable("there is no external network, so a network has no router")
    subnet = mine[0]["fixed_ips"][0]["subnet_id"]
    for path in (f"/routers/{mine[0]['device_id']}", f"/subnets/{subnet}"):
        wire.refused(409, "delete of what is in use", f"network DELETE {path}")
        wire.given(200, "what is in use", f"network GET {path}")


@pytest.mark.check("os-network-12", needs=("openstack-api",))
@pytest.mark.cost("own")
def test_a_mac_address_belongs_to_one_port(wire: Wire, joined: Handle) -> None:
    """A port gets no MAC address that another of its network has, and none that is no address."""
    with ports(wire, joined, 1) as (port,):
        body = {"port": {"network_id": joined.id, "mac_address": port["mac"]}}
        wire.refused(409, "a MAC address that is taken", "network POST /ports", body=body)
        body = {"port": {"network_id": joined.id, "mac_address": "no such address"}}
        wire.refused(400, "a MAC address that is none", "network POST /ports", body=body)
