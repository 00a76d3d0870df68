"""The texts that the lab's OpenStack gives nft and dnsmasq, and what they are made of."""

from __future__ import annotations

import ipaddress
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from provisioner.lab.openstack import wanting
from provisioner.lab.openstack.net import dhcp, leases, nat, paths, rules
from provisioner.lab.openstack.net.fabric import needed
from provisioner.lab.openstack.net.metadata import find
from provisioner.lab.openstack.net.world import (
    DHCP,
    GATEWAY,
    INTERFACE,
    Floating,
    Network,
    Port,
    Router,
    Rule,
    Subnet,
    World,
    mac,
)

SUBNET = Subnet(id="s", network="n", cidr="10.5.0.0/24", gateway="10.5.0.1")
NETWORK = Network(id="n", subnets=(SUBNET,))


def port(number: int, *groups: str, **more: object) -> Port:
    made = Port(
        id=f"port-{number:06d}-id",
        network="n",
        mac=f"fa:16:3e:00:00:{number:02x}",
        addresses=(("s", f"10.5.0.{number}"),),
        device=f"server-{number}",
        owner="compute:nova",
        host="lab",
        groups=groups,
    )
    return replace(made, **more)  # type: ignore[arg-type]


def world(*ports: Port, **more: object) -> World:
    made = World(networks={"n": NETWORK}, ports={each.id: each for each in ports})
    return replace(made, **more)  # type: ignore[arg-type]


def text(made: World, **more: bool) -> str:
    numbers = {p: n for n, p in enumerate(sorted(made.ports), start=rules.FIRST)}
    return rules.render("n", made, numbers, ["r-router"], **more)


def ingress(**more: object) -> Rule:
    return replace(Rule(direction="ingress"), **more)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("rule", "match"),
    [
        (ingress(), "meta nfproto ipv4 "),
        (ingress(protocol="tcp"), "ip protocol 6 "),
        (ingress(protocol="tcp", first=22, last=22), "ip protocol 6 th dport 22 "),
        (ingress(protocol="udp", first=1, last=9), "ip protocol 17 th dport 1-9 "),
        (ingress(protocol="6", first=0, last=65535), "ip protocol 6 th dport 0-65535 "),
        (ingress(protocol="icmp"), "ip protocol 1 "),
        (ingress(protocol="icmp", first=8), "icmp type 8 "),
        (ingress(protocol="icmp", first=3, last=4), "icmp type 3 icmp code 4 "),
        (ingress(protocol="vrrp"), "ip protocol 112 "),
        (ingress(protocol="47", first=1, last=2), "ip protocol 47 "),
        (ingress(protocol="sctp", first=5, last=5), "ip protocol 132 th dport 5 "),
        (ingress(cidr="10.0.0.0/8", protocol="tcp"), "ip saddr 10.0.0.0/8 ip protocol 6 "),
        (ingress(group="a-b"), "ip saddr @g_a_b meta nfproto ipv4 "),
        (ingress(addresses="c"), "ip saddr @g_c meta nfproto ipv4 "),
    ],
)
def test_a_rule_is_one_match(rule: Rule, match: str) -> None:
    made = world(groups={"g": (rule,)})

    assert rules.permitted(["g"], made, "ingress") == [match]
    assert rules.permitted(["g"], made, "egress") == []


@pytest.mark.parametrize(
    "rule", [ingress(version=6), ingress(protocol="icmpv6"), ingress(protocol="no-such; flush")]
)
def test_what_the_lab_has_not_is_no_match(rule: Rule) -> None:
    assert rules.permitted(["g"], world(groups={"g": (rule,)}), "ingress") == []


def test_egress_looks_at_the_destination() -> None:
    rule = Rule(direction="egress", cidr="10.0.0.0/8")

    assert rules.permitted(["g"], world(groups={"g": (rule,)}), "egress") == [
        "ip daddr 10.0.0.0/8 meta nfproto ipv4 "
    ]


def test_members_are_those_of_all_networks_with_their_pairs() -> None:
    far = port(9, "g", network="elsewhere", addresses=(("t", "10.9.0.9"),))
    pair = port(10, "g", pairs=(("fa:16:3e:00:00:0a", "10.5.1.0/24"),))

    found = rules.members("g", world(far, pair, port(11, "other")))

    assert found == ["10.5.0.10", "10.5.1.0/24", "10.9.0.9"]


def test_ports_with_the_same_groups_share_their_chains() -> None:
    made = world(port(10, "a", "b"), port(11, "b", "a"), port(12, "a"),
                 groups={"a": (ingress(),), "b": ()})  # fmt: skip

    assert text(made).count("chain in_") == 2


def test_the_defect_lets_everything_pass_and_still_knows_who_speaks() -> None:
    made = world(port(10, "a"), groups={"a": ()})

    open_text = text(made, filtering=False)

    assert "chain in_" not in open_text
    assert "10.5.0.10" in open_text


def test_reach_shrinks_with_a_rule_and_with_a_member() -> None:
    groups = {"g": (ingress(group="g"), ingress(protocol="tcp"))}
    one, two = port(10, "g"), port(11, "g")
    all_of_it = rules.reach(one, world(one, two, groups=groups))

    assert all_of_it - rules.reach(one, world(one, groups=groups)) == {"g 10.5.0.11"}
    assert all_of_it - rules.reach(one, world(one, two, groups={"g": groups["g"][:1]}))
    assert not all_of_it - rules.reach(one, world(one, two, port(12, "g"), groups=groups))


def in_order(rule: Rule) -> Rule:
    """As neutron would have it: the first port is not after the last."""
    if rule.first is None or rule.last is None or rule.first <= rule.last:
        return rule
    return replace(rule, first=rule.last, last=rule.first)


addresses = st.integers(0, 2**32 - 1).map(lambda n: str(ipaddress.IPv4Address(n)))
ranges = st.tuples(addresses, st.integers(0, 32)).map(
    lambda pair: str(ipaddress.IPv4Network(pair, strict=False))
)
protocols = st.sampled_from(["", "tcp", "udp", "icmp", "0", "6", "132", "255", "vrrp", "icmpv6"])
some_rules = st.builds(
    Rule,
    direction=st.sampled_from(["ingress", "egress"]),
    protocol=protocols,
    first=st.none() | st.integers(0, 255),
    last=st.none() | st.integers(0, 255),
    cidr=st.just("") | ranges,
    version=st.sampled_from([4, 6]),
).map(in_order)
group_rules = some_rules | st.sampled_from(["a", "b"]).map(lambda g: ingress(group=g))
some_ports = st.lists(
    st.tuples(
        st.sets(st.sampled_from(["a", "b"])), st.booleans(),
        st.lists(st.tuples(st.just("02:00:00:00:00:01"), ranges), max_size=3, unique=True),
    ),
    max_size=5,
)  # fmt: skip


@pytest.mark.skipif(shutil.which("nft") is None, reason="nft is not installed")
@settings(max_examples=60, deadline=None)
@given(st.fixed_dictionaries({g: st.lists(group_rules, max_size=5) for g in "ab"}), some_ports)
def test_nft_understands_every_ruleset(
    groups: dict[str, list[Rule]],
    members: list[tuple[set[str], bool, list[tuple[str, str]]]],
) -> None:
    made = world(
        *(
            port(number, *sorted(chosen), secured=secured, pairs=tuple(pairs))
            for number, (chosen, secured, pairs) in enumerate(members, start=10)
        ),
        groups={name: tuple(found) for name, found in groups.items()},
    )

    done = subprocess.run(
        ["unshare", "--net", "nft", "--check", "-f", "-"],
        input=text(made), capture_output=True, text=True, check=False,
    )  # fmt: skip

    if "unshare" in done.stderr or "Operation not permitted" in done.stderr:
        pytest.skip("namespaces need root")
    assert done.returncode == 0, done.stderr


# -- routers ---------------------------------------------------------------------------------------

OUTER = Subnet(id="e", network="x", cidr="198.19.0.0/20", gateway="198.19.0.1", dhcp=False)
LINKS = (
    port(1, owner=INTERFACE, device="r", host=""),
    Port(id="gate-000000-id", network="x", mac="fa:16:3e:00:01:01",
         addresses=(("e", "198.19.1.5"),), owner=GATEWAY, device="r"),
)  # fmt: skip
FLOATING = Floating(id="f", address="198.19.2.1", router="r", inner="10.5.0.10", port="p")


def routed(*ports: Port, **more: object) -> World:
    made = world(*ports, **more)
    return replace(
        made,
        networks={"n": NETWORK, "x": Network(id="x", mtu=1500, external=True, subnets=(OUTER,))},
    )


def test_a_router_has_a_link_per_network_and_the_floating_addresses_outside() -> None:
    shape = paths.plan(Router(id="r"), routed(*LINKS, floating={"f": FLOATING}))

    assert [(link.device, link.mtu, link.addresses) for link in shape.links] == [
        ("qg-gate-000000", 1500, ("198.19.1.5/20", "198.19.2.1/32")),
        ("qr-port-000001", 1450, ("10.5.0.1/24",)),
    ]
    assert shape.routes == (("default", "198.19.0.1"),)
    assert "dnat to ip daddr map { 198.19.2.1 : 10.5.0.10 }" in shape.ruleset
    assert 'oifname "qg-gate-000000" snat to 198.19.1.5' in shape.ruleset


def test_a_router_without_translation_or_gateway() -> None:
    closed = paths.plan(Router(id="r", snat=False), routed(*LINKS))
    inner = paths.plan(Router(id="r"), routed(LINKS[0]))
    down = paths.plan(Router(id="r"), routed(replace(LINKS[0], up=False)))

    assert 'oifname "qg-gate-000000" snat' not in closed.ruleset
    assert "nat hook" not in inner.ruleset
    assert inner.routes == ()
    assert down.links == ()


@pytest.mark.skipif(shutil.which("nft") is None, reason="nft is not installed")
@pytest.mark.parametrize("floating", [{}, {"198.19.2.1": "10.5.0.10", "198.19.2.2": "10.5.0.11"}])
@pytest.mark.parametrize("gateway", ["", "qg-1"])
def test_nft_understands_every_translation(floating: dict[str, str], gateway: str) -> None:
    made = nat.render(gateway, "198.19.1.5" if gateway else "", floating)

    done = subprocess.run(
        ["unshare", "--net", "nft", "--check", "-f", "-"],
        input=made, capture_output=True, text=True, check=False,
    )  # fmt: skip

    if "unshare" in done.stderr or "Operation not permitted" in done.stderr:
        pytest.skip("namespaces need root")
    assert done.returncode == 0, done.stderr


def test_a_network_is_needed_for_guests_routers_and_its_dhcp_server() -> None:
    elsewhere = port(5, network="y", host="")
    made = routed(elsewhere)

    assert needed(made) == {"x"}
    assert needed(routed(port(5))) == {"n", "x"}
    assert needed(routed(port(5, owner=DHCP, host=""))) == {"n", "x"}
    assert needed(routed(LINKS[0])) == {"n", "x"}


# -- addresses and names ---------------------------------------------------------------------------

SERVER = port(2, owner=DHCP, device="dhcp")


def option_lines(subnet: Subnet, *ports: Port, mtu: int = 1450) -> list[str]:
    network = replace(NETWORK, subnets=(subnet,))
    made = world(SERVER, *ports, networks={"n": network})
    return leases.options(network, made, mtu=mtu).splitlines()


def test_a_subnet_that_no_router_serves_leads_to_the_metadata_itself() -> None:
    assert option_lines(SUBNET) == [
        "tag:s" + "s,option:mtu,1450",
        "tag:ss,option:router,10.5.0.1",
        "tag:ss,option:dns-server,10.5.0.2",
        "tag:ss,option:classless-static-route,169.254.169.254/32,10.5.0.2,0.0.0.0/0,10.5.0.1",
    ]


def test_what_the_subnet_says_is_told() -> None:
    said = replace(
        SUBNET, nameservers=("9.9.9.9", "8.8.8.8"), routes=(("10.6.0.0/16", "10.5.0.3"),)
    )

    told = option_lines(said, LINKS[0])

    assert "tag:ss,option:dns-server,9.9.9.9,8.8.8.8" in told
    assert "tag:ss,option:classless-static-route,10.6.0.0/16,10.5.0.3,0.0.0.0/0,10.5.0.1" in told


def test_a_subnet_without_gateway_tells_none() -> None:
    told = option_lines(replace(SUBNET, gateway=""))

    assert "tag:ss,option:router" in told
    assert "tag:ss,option:classless-static-route,169.254.169.254/32,10.5.0.2" in told


def test_a_port_has_options_of_its_own() -> None:
    own = port(10, options=(("tftp-server", "10.5.0.9"), ("67", "boot.ipxe")), name="web")
    network = replace(NETWORK, subnets=(SUBNET,))
    made = world(SERVER, own)

    assert "tag:pport000010id,option:tftp-server,10.5.0.9" in option_lines(SUBNET, own)
    assert "tag:pport000010id,67,boot.ipxe" in option_lines(SUBNET, own)
    assert leases.hosts(network, made, "lab") == (
        "fa:16:3e:00:00:0a,set:pport000010id,10.5.0.10,web.lab\n"
    )


def test_names_are_the_servers_or_made_of_the_address() -> None:
    made = world(SERVER, port(10, name="web"), port(11))

    assert leases.names(NETWORK, made, "lab").splitlines() == [
        "10.5.0.10 web.lab web",
        "10.5.0.11 host-10-5-0-11.lab host-10-5-0-11",
    ]
    assert "web" not in leases.names(NETWORK, made, "lab", wrong=True)


def test_a_subnet_without_dhcp_has_no_leases() -> None:
    network = replace(NETWORK, subnets=(replace(SUBNET, dhcp=False),))

    assert "dhcp-range" not in leases.configuration(network, Path("/f"), "lab")
    assert leases.hosts(network, world(port(10)), "lab") == ""


def test_leases_name_the_files_that_dnsmasq_reads_again() -> None:
    told = leases.configuration(NETWORK, Path("/folder"), "lab")

    for name in (leases.HOSTS, leases.NAMES, leases.OPTIONS):
        assert f"=/folder/{name}\n" in told


def test_a_machine_of_a_hosts_file_is_its_hardware_and_its_address() -> None:
    assert dhcp.machines("aa,10.0.0.1,web.lab\nbb,set:p,10.0.0.2,db.lab\n\n") == {
        ("aa", "10.0.0.1"), ("bb", "10.0.0.2"),
    }  # fmt: skip


# -- who asks for metadata -------------------------------------------------------------------------


def test_metadata_knows_a_server_by_network_or_router_and_address() -> None:
    one = port(10)
    twin = replace(port(10), id="twin", network="y", device="other")
    made = routed(one, twin, *LINKS, routers={"r": Router(id="r")})

    assert find(made, "n", "10.5.0.10") == one
    assert find(made, "y", "10.5.0.10") == twin
    assert find(made, "r", "10.5.0.10") == one
    assert find(made, "r", "10.5.0.99") is None
    assert find(made, "n", "10.5.0.1") is None, "a router is no server"


@pytest.mark.parametrize(
    "given", ["", "fa:16:3e:00:00", "fa:16:3e:00:00:0g", "fa:16:3e:00:00:00\n"]
)
def test_a_hardware_address_is_looked_at(given: str) -> None:
    with pytest.raises(ValueError, match="hardware address"):
        mac(given)


def test_what_the_host_lacks_is_said_in_one_line(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(wanting, "PROGRAMS", {"no-such-program": "its-package"})
    assert wanting.lacking().endswith("its-package")

    monkeypatch.setattr(wanting, "PROGRAMS", {})
    monkeypatch.setattr(wanting, "CALL_IPTABLES", tmp_path / "not-there")
    assert "br_netfilter" in wanting.lacking()

    monkeypatch.setattr(wanting, "CALL_IPTABLES", tmp_path)
    assert not wanting.lacking()
