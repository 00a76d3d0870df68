"""Names: a member knows its own, and those of the others."""

from __future__ import annotations

import pytest

from provisioner.deployment import Member
from suites.claims import claim, observed_as_declared, same
from suites.seams import Evidence, Inside, Members, Observe, Subject
from suites.sight import Sight, at_once


@pytest.mark.check("net-09", needs=("machine",))
@pytest.mark.cost("shared")
def test_the_host_name_is_set_and_resolves(
    subject: Subject, members: Members, sight: Sight, observe: Observe, evidence: Evidence
) -> None:
    """Each member has the host name the API tells, and it resolves to an own address."""
    for member in members:
        seen = sight.of(member, "names", evidence)
        host = seen["hostname"]
        observe("hostname", host, member=member.name)
        observe("fqdn", seen["fqdn"], member=member.name)
        claim(
            host not in ("", "localhost", "(none)"),
            f"{member.name} has a host name",
            expected="a name of its own",
            actual=host,
        )
        told = str(member.state.facts.get("hostname") or "")
        if told:
            observe("hostname", told, source="api", member=member.name)
            same(
                f"{member.name}: host name",
                expected=told.split(".")[0].lower(),
                actual=host.split(".")[0].lower(),
            )
        found = seen["resolve"].get(host, [])
        own = set(seen["own"]) & set(found)
        observed_as_declared(subject, observe, "hostname-resolves", bool(own), member.name)
        claim(
            own,
            f"{member.name}: {host} resolves to an own address that is no loopback",
            expected=seen["own"],
            actual=found,
        )
    names = [sight.of(member, "names", evidence)["hostname"] for member in members]
    same("host names differ", expected=len(names), actual=len(set(names)))


@pytest.mark.check("net-10", needs=("machine",))
@pytest.mark.cost("shared")
def test_members_resolve_each_other(
    members: Members, sight: Sight, inside: Inside, observe: Observe, evidence: Evidence
) -> None:
    """From each member, the name of every other resolves to its address, and back."""
    hosts = {m.name: sight.of(m, "identity", evidence)["hostname"] for m in members}

    def look(member: Member) -> dict[str, dict[str, list[str]]]:
        others = [host for name, host in hosts.items() if name != member.name]
        return inside(member).observe("names", names=others)

    for member, seen in zip(members, at_once(members, look), strict=True):
        for other in members:
            if other.name == member.name:
                continue
            host, address = hosts[other.name], other.address("private")
            found = seen["resolve"].get(host, [])
            claim(
                address in found,
                f"{member.name} resolves {host}",
                expected=address,
                actual=found or "nothing",
            )
            names = seen["reverse"].get(address, [])
            claim(
                host.split(".")[0] in [name.split(".")[0] for name in names],
                f"{member.name} resolves {address} back to its name",
                expected=host,
                actual=names or "nothing",
            )
        observe("resolvers", seen["servers"], member=member.name)
        observe("search-domains", seen["search"], member=member.name)
