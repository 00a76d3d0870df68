"""Addresses: who assigns them, where the public one lives, and the way out."""

from __future__ import annotations

import ipaddress

import pytest

from suites.claims import claim, observed_as_declared, same
from suites.seams import Evidence, Members, Observe, Subject
from suites.sight import Sight, holder_of


@pytest.mark.check("net-01", needs=("machine",))
@pytest.mark.cost("shared")
def test_who_assigned_the_address_is_known(
    subject: Subject, members: Members, sight: Sight, observe: Observe, evidence: Evidence
) -> None:
    """Each member holds the private address the API tells, and it shows who assigned it."""
    for member in members:
        seen = sight.of(member, "addressing", evidence)
        told = member.address("private")
        claim(
            holder_of(told, seen),
            f"{member.name} holds the private address the API tells",
            expected=told,
            actual=[a["address"] for i in seen["interfaces"] for a in i["addresses"]],
        )
        observed_as_declared(subject, observe, "address-source", seen["source"], member.name)
        observe("lease", seen["lease_s"], unit="s", member=member.name)
        claim(
            seen["source"] != "unknown",
            f"{member.name}: who assigned {told} can be seen",
            expected="dhcp, ra or static",
            actual=seen["source_seen_in"],
        )


@pytest.mark.check("net-02", needs=("machine", "address"))
@pytest.mark.cost("shared")
def test_where_the_public_address_lives_is_known(
    subject: Subject, members: Members, sight: Sight, observe: Observe, evidence: Evidence
) -> None:
    """A public address is on the interface or translated, and belongs to one member only."""
    holders: dict[str, list[str]] = {}
    for member in members:
        public = member.state.addresses.get("public", "")
        if not public:
            continue
        holders.setdefault(public, []).append(member.name)
        seen = sight.of(member, "addressing", evidence)
        at = "interface" if holder_of(public, seen) else "translated"
        observe("public-address", public, source="api", member=member.name)
        observed_as_declared(subject, observe, "public-address-at", at, member.name)
        if "metadata" in subject.description.features:
            inner = sight.of(member, "metadata", evidence)["public_ipv4"]
            if inner:
                observe("public-address", inner, source="guest", member=member.name)
                same(
                    f"{member.name}: public address by metadata and by API",
                    expected=public,
                    actual=inner,
                )
    observe("members-with-public-address", len(holders), source="api")
    for public, names in holders.items():
        same(f"{public} belongs to one member", expected=1, actual=len(names))


@pytest.mark.check("net-06", needs=("machine",))
@pytest.mark.cost("shared")
def test_prefix_and_gateway_are_sane(
    members: Members, sight: Sight, observe: Observe, evidence: Evidence
) -> None:
    """Each member has a way out through a gateway that is on its link."""
    for member in members:
        seen = sight.of(member, "addressing", evidence)
        route = seen["default"]
        held = holder_of(member.address("private"), seen)
        claim(held, f"{member.name} holds its address", expected="an interface", actual="none")
        assert held is not None
        mine = next(a for a in held["addresses"] if a["address"] == member.address("private"))
        observe("prefix-length", mine["prefix"], member=member.name)
        observe("gateway-answers-ping", seen["gateway_answers"], member=member.name)
        claim(route, f"{member.name} has a way out", expected="a default route", actual="none")
        observe("gateway", route["gateway"], member=member.name)
        net = ipaddress.ip_network(f"{mine['address']}/{mine['prefix']}", strict=False)
        gateway = ipaddress.ip_address(route["gateway"]) if route["gateway"] else None
        near = (
            gateway is None
            or gateway.is_link_local
            or route["onlink"]
            or (gateway.version == net.version and gateway in net)
            or net.prefixlen == net.max_prefixlen
        )
        claim(
            near,
            f"{member.name}: the gateway is on the link",
            expected=f"an address in {net}",
            actual=str(gateway),
        )
        claim(
            str(gateway) != mine["address"],
            f"{member.name}: the gateway is another machine",
            expected="another address",
            actual=str(gateway),
        )
