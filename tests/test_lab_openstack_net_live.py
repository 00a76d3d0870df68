"""The network of the lab's OpenStack in the kernel; plain namespaces stand for guests."""

from __future__ import annotations

import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TypeVar

import pytest

from provisioner.errors import PlatformError
from provisioner.lab import doctor
from provisioner.lab.aws.namespaces import inside
from provisioner.lab.openstack.net import ports, wires
from provisioner.lab.openstack.net.fabric import Fabric
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
)
from provisioner.lab.space import NETNS, Space
from provisioner.lab.state import State

pytestmark = [
    pytest.mark.lab,
    pytest.mark.skipif(bool(doctor.lacking()), reason=doctor.lacking() or "-"),
    pytest.mark.skipif(not wires.CALL_IPTABLES.exists(), reason="the kernel has no br_netfilter"),
]

PATIENCE_S = 5.0  # for what must come; a first packet may be lost while ARP asks
SILENCE_S = 0.6  # for what must not
EGRESS = Rule(direction="egress")
T = TypeVar("T")


def network(name: str, cidr: str = "10.5.0.0/24", **more: object) -> Network:
    gateway = cidr.replace("0/24", "1")
    subnet = Subnet(id=f"s-{name}", network=name, cidr=cidr, gateway=gateway)
    return replace(Network(id=name, subnets=(subnet,)), **more)  # type: ignore[arg-type]


OUTSIDE = Network(
    id="e0000000000",
    external=True,
    mtu=1500,
    subnets=(
        Subnet(id="s-e", network="e0000000000", cidr="198.19.0.0/20", gateway="198.19.0.1",
               dhcp=False),
    ),
)  # fmt: skip


def guest(number: int, net: Network, *groups: str, **more: object) -> Port:
    """Port *number* on *net*, its address ends with the number."""
    address = net.subnets[0].cidr.replace("0/24", str(number))
    port = Port(
        id=f"{net.id[:4]}{number:07d}-port",
        network=net.id,
        mac=f"fa:16:3e:00:{int(net.id[-1], 36):02x}:{number:02x}",
        addresses=((net.subnets[0].id, address),),
        device=f"{net.id[:4]}-{number}",
        owner="compute:nova",
        host="lab",
        name=f"web-{number}",
        groups=groups,
    )
    return replace(port, **more)  # type: ignore[arg-type]


def server(net: Network) -> Port:
    """The DHCP server of *net*."""
    return guest(2, net, owner=DHCP, device=f"dhcp-{net.id}", name="")


def router(name: str, net: Network, outer: str) -> dict[str, Port]:
    """The ports of a router between *net* and the outside, where it has *outer*."""
    inner = guest(1, net, owner=INTERFACE, device=name, host="", name="")
    uplink = Port(
        id=f"g{name[:4]}000000-port",
        network=OUTSIDE.id,
        mac=f"fa:16:3f:00:00:{int(net.id[-1], 36):02x}",
        addresses=(("s-e", outer),),
        owner=GATEWAY,
        device=name,
    )
    return {inner.id: inner, uplink.id: uplink}


def world(*members: Port, **more: object) -> World:
    """A world of networks that the ports are on."""
    groups: dict[str, tuple[Rule, ...]] = {
        "default": (EGRESS, Rule(direction="ingress", group="default")),
        "web": (EGRESS, Rule(direction="ingress", protocol="tcp", first=80, last=80)),
        "ping": (EGRESS, Rule(direction="ingress", protocol="icmp", first=8)),
        "closed": (EGRESS,),
        "silent": (),
    }
    made = World(ports={port.id: port for port in members}, groups=groups)
    return replace(made, **more)  # type: ignore[arg-type]


@dataclass
class Bench:
    """A lab's namespace with a fabric and guests."""

    space: Space
    fabric: Fabric
    lines: list[socket.socket] = field(default_factory=list)

    def show(self, world: World) -> None:
        assert self.fabric.converge(world) == []

    def power_on(self, *members: Port) -> None:
        """Guests with their addresses; the gateway is the first address of the subnet."""
        for port in members:
            plugged = ports.plug(self.space, plug_of(port))
            address = port.addresses[0][1]
            gateway = f"{address.rpartition('.')[0]}.1"
            wires.ip(
                plugged.namespace,
                [f"addr replace {address}/24 dev ens3", "link set ens3 up",
                 f"route replace default via {gateway}"],
            )  # fmt: skip

    def within(self, port: Port, call: Callable[[], T]) -> T:
        return inside(wires.guest_namespace(self.space, port.device), call)

    def serve(self, port: Port, number: int = 80) -> None:
        """Echo whatever a guest is sent over TCP on *number*."""
        listener = self.within(port, lambda: socket.create_server(("", number)))
        self.lines.append(listener)

        def work() -> None:
            with suppress(OSError):
                while True:
                    line, _ = listener.accept()
                    self.lines.append(line)
                    threading.Thread(target=echo, args=(line,), daemon=True).start()

        threading.Thread(target=work, daemon=True).start()

    def connect(
        self, port: Port | None, address: str, number: int = 80, patience_s: float = PATIENCE_S
    ) -> socket.socket:
        """A connection from a guest, or from the lab's namespace."""
        call = lambda: socket.create_connection((address, number), patience_s)  # noqa: E731
        line = inside(self.space.namespace, call) if port is None else self.within(port, call)
        self.lines.append(line)
        return line

    def reaches(self, port: Port | None, address: str, number: int = 80) -> bool:
        return talks(self.connect(port, address, number))

    def shut(self, port: Port | None, address: str, number: int = 80) -> bool:
        """Whether nobody answers."""
        try:
            self.connect(port, address, number, SILENCE_S)
        except OSError:
            return True
        return False

    def pings(self, port: Port, address: str, *more: str) -> bool:
        end = time.monotonic() + PATIENCE_S
        while not (answered := self._ping(port, address, "-W1", *more)):
            if time.monotonic() > end:
                break
        return answered

    def silent(self, port: Port, address: str, *more: str) -> bool:
        return not self._ping(port, address, f"-W{SILENCE_S}", *more)

    def _ping(self, port: Port, address: str, *more: str) -> bool:
        argv = ["ping", "-n", "-c1", *more, address]
        where = wires.guest_namespace(self.space, port.device)
        return not subprocess.run(wires.within(where, argv), capture_output=True).returncode

    def asks_dhcp(self, port: Port, folder: Path) -> dict[str, str]:
        """What a DHCP client on the guest's interface is told, by busybox's names of it."""
        script = folder / "told"
        script.write_text('#!/bin/sh\n[ "$1" = bound ] && env\nexit 0\n')
        script.chmod(0o755)
        argv = ["busybox", "udhcpc", "-i", "ens3", "-n", "-q", "-f", "-t", "4", "-T", "1",
                "-s", str(script), "-O", "mtu", "-O", "staticroutes", "-O", "hostname",
                "-O", "dns", "-O", "domain"]  # fmt: skip
        where = wires.guest_namespace(self.space, port.device)
        done = subprocess.run(wires.within(where, argv), capture_output=True, text=True)
        pairs = (line.partition("=") for line in done.stdout.splitlines())
        return {name: value for name, _, value in pairs}


def echo(line: socket.socket) -> None:
    with suppress(OSError), closing(line):
        while data := line.recv(4096):
            line.sendall(data)


def talks(line: socket.socket) -> bool:
    """Whether a connection still carries something."""
    try:
        line.settimeout(SILENCE_S)
        line.sendall(b"?")
        return line.recv(1) == b"?"
    except OSError:
        return False


def plug_of(port: Port, kind: ports.Kind = "veth") -> ports.Plug:
    return ports.Plug(
        server=port.device, port=port.id, network=port.network, mac=port.mac, mtu=1450, kind=kind
    )


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Callable[..., Bench]]:
    space = Space(name="test-osnet")
    space.create()
    made: list[Bench] = []

    def bench(*defects: str) -> Bench:
        made.append(Bench(space, Fabric(space, tmp_path / "dhcp", frozenset(defects))))
        return made[-1]

    yield bench
    for each in made:
        for line in each.lines:
            line.close()
        each.fabric.close()
    State(space).end_processes()
    space.remove()
    shutil.rmtree(space.state_dir, ignore_errors=True)


NET = network("n0000000000")
OTHER = network("m0000000001")  # the same range: somebody else's
BOTH = {each.id: each for each in (NET, OTHER, OUTSIDE)}


# -- security groups -------------------------------------------------------------------------------


def test_a_group_lets_in_what_it_says_and_nothing_else(make: Callable[..., Bench]) -> None:
    bench = make()
    web, other = guest(10, NET, "web"), guest(11, NET, "closed")
    bench.show(world(web, other, networks=BOTH))
    bench.power_on(web, other)
    bench.serve(web, 80)
    bench.serve(web, 81)
    bench.serve(other, 80)

    assert bench.reaches(other, "10.5.0.10", 80)
    assert bench.shut(other, "10.5.0.10", 81)
    assert bench.shut(web, "10.5.0.11", 80)
    assert bench.silent(other, "10.5.0.10")


def test_the_default_group_is_open_for_its_members_alone(make: Callable[..., Bench]) -> None:
    bench = make()
    one, two, stranger = (guest(10, NET, "default"), guest(11, NET, "default"),
                          guest(12, NET, "closed"))  # fmt: skip
    bench.show(world(one, two, stranger, networks=BOTH))
    bench.power_on(one, two, stranger)

    assert bench.pings(one, "10.5.0.11")
    assert bench.silent(stranger, "10.5.0.11")
    assert bench.pings(one, "10.5.0.11", "-s", "4000"), "fragments are put together"


def test_without_a_rule_nothing_leaves(make: Callable[..., Bench]) -> None:
    bench = make()
    mute, one = guest(10, NET, "silent"), guest(11, NET, "ping")
    bench.show(world(mute, one, server(NET), networks=BOTH))
    bench.power_on(mute, one)

    assert bench.silent(mute, "10.5.0.11")
    assert bench.silent(mute, "10.5.0.2"), "the network's own services are no way around it"
    assert bench.pings(one, "10.5.0.2")


def test_a_new_rule_holds_at_once_and_a_removed_one_ends_connections(
    make: Callable[..., Bench],
) -> None:
    bench = make()
    web, other = guest(10, NET, "closed"), guest(11, NET, "closed")
    bench.show(world(web, other, networks=BOTH))
    bench.power_on(web, other)
    bench.serve(web)
    assert bench.shut(other, "10.5.0.10")

    opened = world(replace(web, groups=("web",)), other, networks=BOTH)
    bench.show(opened)
    line = bench.connect(other, "10.5.0.10")
    assert talks(line)

    bench.show(world(web, other, networks=BOTH))
    assert not talks(line)


def test_a_port_that_may_do_more_keeps_its_connections(make: Callable[..., Bench]) -> None:
    bench = make()
    web, other = guest(10, NET, "web"), guest(11, NET, "closed")
    bench.show(world(web, other, networks=BOTH))
    bench.power_on(web, other)
    bench.serve(web)
    line = bench.connect(other, "10.5.0.10")

    bench.show(world(replace(web, groups=("ping", "web")), other, networks=BOTH))

    assert talks(line)


@pytest.mark.parametrize("kind", ["address", "hardware"])
def test_nobody_speaks_with_another_ones_address(make: Callable[..., Bench], kind: str) -> None:
    bench = make()
    liar, one = guest(10, NET, "ping"), guest(11, NET, "ping")
    bench.show(world(liar, one, networks=BOTH))
    bench.power_on(liar, one)
    assert bench.pings(liar, "10.5.0.11")

    name = wires.guest_namespace(bench.space, liar.device)
    false = {
        "address": ["addr flush dev ens3", "addr add 10.5.0.77/24 dev ens3"],
        "hardware": ["link set ens3 address 02:00:00:00:00:77"],
    }[kind]
    wires.ip(name, false)
    assert bench.silent(liar, "10.5.0.11")

    free = {
        "address": replace(liar, pairs=((liar.mac, "10.5.0.64/26"),)),
        "hardware": replace(liar, pairs=(("02:00:00:00:00:77", "10.5.0.10/32"),)),
    }[kind]
    bench.show(world(free, one, networks=BOTH))
    assert bench.pings(liar, "10.5.0.11"), "an allowed address pair lets it"


def test_a_port_without_port_security_is_not_filtered(make: Callable[..., Bench]) -> None:
    bench = make()
    free, one = guest(10, NET, secured=False), guest(11, NET, "closed")
    bench.show(world(free, one, networks=BOTH))
    bench.power_on(free, one)

    assert bench.pings(one, "10.5.0.10")
    assert bench.silent(free, "10.5.0.11")


def test_a_port_that_nobody_knows_or_that_is_down_passes_nothing(
    make: Callable[..., Bench],
) -> None:
    bench = make()
    one, unknown = guest(10, NET, "ping"), guest(11, NET, "ping")
    bench.power_on(one, unknown)  # nova was faster than neutron
    assert bench.silent(unknown, "10.5.0.10")

    bench.show(world(one, networks=BOTH))
    assert bench.silent(unknown, "10.5.0.10")

    bench.show(world(one, replace(unknown, up=False), networks=BOTH))
    assert bench.silent(unknown, "10.5.0.10")

    bench.show(world(one, unknown, networks=BOTH))
    assert bench.pings(unknown, "10.5.0.10")


def test_defect_firewall_filters_nothing(make: Callable[..., Bench]) -> None:
    bench = make("firewall-filters-nothing")
    one, two = guest(10, NET, "closed"), guest(11, NET, "closed")
    bench.show(world(one, two, networks=BOTH))
    bench.power_on(one, two)

    assert bench.pings(one, "10.5.0.11")


# -- addresses and names ---------------------------------------------------------------------------


def test_dhcp_tells_address_name_routes_and_width(
    make: Callable[..., Bench], tmp_path: Path
) -> None:
    bench = make()
    one = guest(10, NET, "default")
    bench.show(world(one, server(NET), networks=BOTH))
    ports.plug(bench.space, plug_of(one))
    wires.ip(wires.guest_namespace(bench.space, one.device), ["link set ens3 up"])

    told = bench.asks_dhcp(one, tmp_path)

    assert told["ip"] == "10.5.0.10"
    assert told["mask"] == "24"
    assert told["mtu"] == "1450"
    assert told["dns"] == "10.5.0.2"
    assert told["hostname"] == "web-10"
    assert told["domain"] == "novalocal"
    assert told["router"] == "10.5.0.1"
    assert told["staticroutes"] == "169.254.169.254/32 10.5.0.2 0.0.0.0/0 10.5.0.1"


def test_with_a_router_its_gateway_leads_to_the_metadata(
    make: Callable[..., Bench], tmp_path: Path
) -> None:
    bench = make()
    one = guest(10, NET, "default")
    members = {p.id: p for p in (one, server(NET))} | router("r-one", NET, "198.19.1.5")
    bench.show(world(*members.values(), networks=BOTH, routers={"r-one": Router(id="r-one")}))
    bench.power_on(one)

    told = bench.asks_dhcp(one, tmp_path)

    assert "staticroutes" not in told
    assert told["router"] == "10.5.0.1"


def test_defects_of_dhcp(make: Callable[..., Bench], tmp_path: Path) -> None:
    bench = make("dhcp-wrong-mtu", "wrong-hostname")
    one = guest(10, NET, "default")
    bench.show(world(one, server(NET), networks=BOTH))
    bench.power_on(one)

    told = bench.asks_dhcp(one, tmp_path)

    assert told["mtu"] != "1450"
    assert told["hostname"] != "web-10"


def test_an_address_that_is_given_again_goes_to_the_new_owner(
    make: Callable[..., Bench], tmp_path: Path
) -> None:
    bench = make()
    one = guest(10, NET, "default")
    bench.show(world(one, server(NET), networks=BOTH))
    bench.power_on(one)
    assert bench.asks_dhcp(one, tmp_path)["ip"] == "10.5.0.10"
    ports.unplug(bench.space, server=one.device, port=one.id, network=NET.id)
    ports.remove(bench.space, one.device)

    heir = replace(guest(20, NET, "default"), addresses=one.addresses)
    bench.show(world(heir, server(NET), networks=BOTH))
    ports.plug(bench.space, plug_of(heir))
    wires.ip(wires.guest_namespace(bench.space, heir.device), ["link set ens3 up"])

    assert bench.asks_dhcp(heir, tmp_path)["ip"] == "10.5.0.10"


def resolve(bench: Bench, port: Port, name: str) -> str:
    """What the network's resolver answers to *name*, an address for a name or the other way."""
    argv = ["busybox", "nslookup", name, "10.5.0.2"]
    where = wires.guest_namespace(bench.space, port.device)
    end = time.monotonic() + PATIENCE_S
    while True:
        done = subprocess.run(wires.within(where, argv), capture_output=True, text=True)
        said = done.stdout + done.stderr
        if ("timed out" not in said and "refused" not in said) or time.monotonic() > end:
            return said.split("\n\n", 1)[-1]


def test_members_find_each_other_by_name(make: Callable[..., Bench]) -> None:
    bench = make()
    one, two = guest(10, NET, "default"), guest(11, NET, "default")
    bench.show(world(one, two, server(NET), networks=BOTH))
    bench.power_on(one)

    assert "10.5.0.11" in resolve(bench, one, "web-11.novalocal")
    assert "web-11.novalocal" in resolve(bench, one, "10.5.0.11")
    bench.show(world(one, server(NET), networks=BOTH))
    assert "10.5.0.11" not in resolve(bench, one, "web-11.novalocal")


# -- routers ---------------------------------------------------------------------------------------


def two_tenants() -> tuple[Port, Port, World]:
    """Two networks of the same range, each with a router and a floating address."""
    one, two = guest(10, NET, "ping", "web"), guest(10, OTHER, "ping", "web")
    members = {p.id: p for p in (one, two)}
    members |= router("r-one", NET, "198.19.1.5") | router("r-two", OTHER, "198.19.1.6")
    made = world(
        *members.values(),
        networks=BOTH,
        routers={name: Router(id=name) for name in ("r-one", "r-two")},
        floating={
            "f1": Floating(id="f1", address="198.19.2.1", router="r-one", inner="10.5.0.10",
                           port=one.id),
            "f2": Floating(id="f2", address="198.19.2.2", router="r-two", inner="10.5.0.10",
                           port=two.id),
        },
    )  # fmt: skip
    return one, two, made


def test_two_tenants_of_one_range_are_reached_by_their_floating_addresses(
    make: Callable[..., Bench],
) -> None:
    bench = make()
    one, two, made = two_tenants()
    bench.show(made)
    bench.power_on(one, two)
    bench.serve(one)

    assert bench.reaches(None, "198.19.2.1")
    assert bench.shut(None, "198.19.2.2"), "there nobody listens"
    assert bench.reaches(two, "198.19.2.1"), "from the other tenant's, too"
    assert bench.shut(None, "198.19.2.1", 81), "security groups hold for it"
    assert bench.reaches(one, "198.19.2.1"), "its own one"


def test_a_floating_address_that_moves_is_there_at_once(make: Callable[..., Bench]) -> None:
    bench = make()
    one, two, made = two_tenants()
    bench.show(made)
    bench.power_on(one, two)
    bench.serve(one)
    bench.serve(two)
    line = bench.connect(None, "198.19.2.1")
    assert talks(line)

    bench.show(replace(made, floating={}))
    assert bench.shut(None, "198.19.2.1")
    assert not talks(line)

    moved = replace(made.floating["f1"], router="r-two", port=two.id)
    bench.show(replace(made, floating={"f1": moved}))
    assert bench.reaches(None, "198.19.2.1")


def test_guests_get_as_far_as_the_harness_and_no_further(make: Callable[..., Bench]) -> None:
    bench = make()
    one, _, made = two_tenants()
    bench.show(replace(made, floating={}))
    bench.power_on(one)
    listener = inside(bench.space.namespace, lambda: socket.create_server(("198.19.0.1", 8080)))
    everywhere = inside(bench.space.namespace, lambda: socket.create_server(("10.77.0.1", 8081)))
    bench.lines += [listener, everywhere]

    line = bench.connect(one, "198.19.0.1", 8080)
    assert line.getsockname()[0] == "10.5.0.10"
    taken, caller = listener.accept()
    bench.lines.append(taken)
    assert caller[0] == "198.19.1.5", "as the router's address"
    assert bench.shut(one, "10.77.0.1", 8081)


def test_defect_no_floating_nat(make: Callable[..., Bench]) -> None:
    bench = make("no-floating-nat")
    one, _, made = two_tenants()
    bench.show(made)
    bench.power_on(one)
    bench.serve(one)

    assert bench.shut(None, "198.19.2.1")


# -- coming and going ------------------------------------------------------------------------------


def test_a_second_worker_finds_and_mends_what_is_there(
    make: Callable[..., Bench], tmp_path: Path
) -> None:
    first = make()
    one, two, made = two_tenants()
    members = {**made.ports, server(NET).id: server(NET)}
    made = replace(made, ports=members)
    first.show(made)
    first.power_on(one, two)
    first.serve(one)
    lab = first.space
    wires.remove_namespace(wires.router_namespace(lab, "r-two"))
    wires.add_namespace(wires.router_namespace(lab, "r-stray"))
    wires.ensure_network(lab, "stray", 1500)

    second = make()  # the first one was killed: its DHCP servers go on
    second.show(made)

    assert first.reaches(None, "198.19.2.1")
    assert first.pings(two, "198.19.0.1")
    assert first.asks_dhcp(one, tmp_path)["ip"] == "10.5.0.10"
    assert {*wires.existing(lab, "router")} == {"r-one", "r-two"}
    assert {*wires.existing(lab, "net")} == {NET.id, OTHER.id, OUTSIDE.id}


def test_what_is_deleted_leaves_nothing(make: Callable[..., Bench]) -> None:
    bench = make()
    one, two, made = two_tenants()
    made = replace(made, ports={**made.ports, server(NET).id: server(NET)})
    bench.show(made)
    bench.power_on(one, two)
    for port in (one, two):
        ports.unplug(bench.space, server=port.device, port=port.id, network=port.network)
        ports.remove(bench.space, port.device)

    bench.show(World())

    assert bench.space.namespaces() == [bench.space.namespace]
    assert not wires.links(bench.space.namespace).starting("os-")
    assert "dnsmasq" not in {p.name for p in State(bench.space).running()}


def test_a_dead_dhcp_server_is_started_again(make: Callable[..., Bench], tmp_path: Path) -> None:
    bench = make()
    one = guest(10, NET, "default")
    made = world(one, server(NET), networks=BOTH)
    bench.show(made)
    bench.power_on(one)
    pid = int((tmp_path / "dhcp" / NET.id / "pid").read_text())
    subprocess.run(["kill", "-9", str(pid)], check=True)
    while Path(f"/proc/{pid}/exe").exists():
        continue

    bench.show(made)

    assert bench.asks_dhcp(one, tmp_path)["ip"] == "10.5.0.10"


def test_the_width_is_true_on_the_wire(make: Callable[..., Bench]) -> None:
    bench = make()
    one, two = guest(10, NET, "default"), guest(11, NET, "default")
    bench.show(world(one, two, networks=BOTH))
    bench.power_on(one, two)

    assert bench.pings(one, "10.5.0.11", "-M", "do", "-s", "1422")
    assert bench.silent(one, "10.5.0.11", "-M", "do", "-s", "1423")


def test_a_tap_is_on_the_network_and_goes_with_the_port(make: Callable[..., Bench]) -> None:
    bench = make()
    one = guest(10, NET, "default")
    bench.show(world(one, networks=BOTH))

    plugged = ports.plug(bench.space, plug_of(one, "tap"))
    again = ports.plug(bench.space, plug_of(one, "tap"))

    assert plugged == again
    assert plugged.device in wires.links(plugged.namespace)
    assert one.tap in wires.links(wires.network_namespace(bench.space, NET.id))
    ports.unplug(bench.space, server=one.device, port=one.id, network=NET.id)
    assert set(wires.links(plugged.namespace).addresses) == {"lo"}
    assert one.tap not in wires.links(wires.network_namespace(bench.space, NET.id))
    ports.unplug(bench.space, server=one.device, port=one.id, network=NET.id)


def test_one_network_that_fails_does_not_stop_the_others(make: Callable[..., Bench]) -> None:
    bench = make()
    one, two = guest(10, NET, "ping"), guest(10, OTHER, "ping")
    broken = replace(one, mac="no address")
    failed = bench.fabric.converge(world(broken, two, networks=BOTH))

    assert failed == [NET.id]
    assert (NETNS / wires.network_namespace(bench.space, OTHER.id)).exists()
    with suppress(PlatformError):
        bench.show(world(one, two, networks=BOTH))
