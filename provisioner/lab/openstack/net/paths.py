"""Routers: a namespace each, linked to the bridges of its networks."""

from __future__ import annotations

from dataclasses import dataclass

from provisioner.lab.openstack.net import nat, rules, wires
from provisioner.lab.openstack.net.world import (
    GATEWAY,
    INTERFACE,
    Port,
    Router,
    Subnet,
    World,
    device_name,
)
from provisioner.lab.space import Space, quiet


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """One end of a router: *device* on a network."""

    device: str
    peer: str
    port: Port
    mtu: int
    addresses: tuple[str, ...]  # with prefix lengths


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """What a router shall be."""

    links: tuple[Link, ...]
    floating: tuple[tuple[str, str], ...]
    routes: tuple[tuple[str, str], ...]
    ruleset: str


class Paths:
    """The routers of one lab. Used by one thread.

    Args:
        space: the lab's namespace.
        defects: what they do wrong on purpose.
    """

    def __init__(self, space: Space, defects: frozenset[str] = frozenset()) -> None:
        self._space = space
        self._defects = defects
        self._done: dict[str, Shape] = {}

    def converge(self, router: Router, world: World) -> None:
        """Make a router what the world says.

        Raises:
            PlatformFault: a command failed; the next call does all of it again.
        """
        shape = plan(router, world, working="no-floating-nat" not in self._defects)
        name = wires.router_namespace(self._space, router.id)
        if wires.add_namespace(name):
            self._done.pop(router.id, None)
            wires.set_kernel(
                name, {"ipv4/ip_forward": 1, "ipv4/conf/all/send_redirects": 0,
                       "ipv4/conf/default/send_redirects": 0, "ipv4/conf/all/rp_filter": 0,
                       "ipv6/conf/all/disable_ipv6": 1, "ipv6/conf/default/disable_ipv6": 1},
            )  # fmt: skip
            wires.ip(name, [f"addr add {rules.METADATA}/32 dev lo"])
        before = self._done.get(router.id)
        if before == shape:
            return
        self._done.pop(router.id, None)
        there = wires.links(name)
        wanted = {link.device for link in shape.links}
        for device in sorted((there.starting("qr-") | there.starting("qg-")) - wanted):
            quiet("ip", "-n", name, "link", "del", device)
        wires.load(name, shape.ruleset)
        for link in shape.links:
            self._link(name, link, there)
        self._route(name, shape)
        if before is not None:
            self._drop_connections(name, before, shape)
        self._done[router.id] = shape

    def _link(self, name: str, link: Link, there: wires.Links) -> None:
        network = wires.network_namespace(self._space, link.port.network)
        if link.device not in there or link.peer not in wires.links(network):
            quiet("ip", "-n", name, "link", "del", link.device)
            wires.connect(network, link.peer, name, link.device, mac=link.port.mac, mtu=link.mtu)
            there = wires.Links()
        had = there.addresses.get(link.device, frozenset())
        fresh = [each for each in link.addresses if each not in had]
        wires.ip(network, [f"link set {link.peer} mtu {link.mtu}"])
        wires.ip(
            name,
            [
                f"link set {link.device} mtu {link.mtu} up",
                *(f"addr del {a} dev {link.device}" for a in sorted(had - set(link.addresses))),
                *(f"addr replace {each} dev {link.device}" for each in fresh),
            ],
        )
        if fresh:
            plain = [each.partition("/")[0] for each in fresh]
            wires.announce(name, link.device, link.port.mac, plain)

    def _route(self, name: str, shape: Shape) -> None:
        """The routes that users ask for, and the default one; the kernel's own stay."""
        wires.ip(name, ["route flush proto static"])
        wires.ip(name, [f"route replace {to} via {hop} proto static" for to, hop in shape.routes])

    def _drop_connections(self, name: str, before: Shape, now: Shape) -> None:
        """A connection through a floating address ends when that is taken away."""
        for outer, inner in set(before.floating) - set(now.floating):
            for argv in (["-d", outer], ["-q", outer], ["-s", inner], ["-r", inner]):
                quiet(*wires.within(name, ["conntrack", "-D", *argv]))

    def remove(self, router: str) -> None:
        """Delete a router; none there is fine."""
        self._done.pop(router, None)
        wires.remove_namespace(wires.router_namespace(self._space, router))


def plan(router: Router, world: World, *, working: bool = True) -> Shape:
    """What *router* shall be; pure. *working* False forgets floating addresses."""
    links, gateway, own, default = [], "", "", ""
    held = tuple(
        sorted(
            (f.address, f.inner)
            for f in world.floating.values()
            if f.router == router.id and f.inner
        )
    )
    for port in sorted(world.of(router.id), key=lambda port: port.id):
        network = world.networks.get(port.network)
        if network is None or port.owner not in (GATEWAY, INTERFACE) or not port.up:
            continue
        length = {subnet.id: subnet.length for subnet in network.subnets}
        addresses = [f"{a}/{length[s]}" for s, a in port.addresses if s in length]
        device = device_name("qr-", port.id)
        if port.owner == GATEWAY:
            device = gateway = device_name("qg-", port.id)
            own = port.addresses[0][1] if port.addresses else ""
            hops = [s.gateway for s, _ in _on(port, world) if s.gateway]
            default = hops[0] if hops else ""
            addresses += [f"{outer}/32" for outer, _ in held]
        links.append(
            Link(
                device=device,
                peer=device_name("r-", port.id),
                port=port,
                mtu=network.mtu,
                addresses=tuple(addresses),
            )
        )
    routes = ((("default", default),) if default else ()) + router.routes
    return Shape(
        links=tuple(links),
        floating=held if gateway else (),
        routes=routes,
        ruleset=nat.render(gateway, own, dict(held), snat=router.snat, working=working),
    )


def _on(port: Port, world: World) -> list[tuple[Subnet, str]]:
    """The subnets a port is on, and its address there."""
    found = [(world.subnet(port, subnet), address) for subnet, address in port.addresses]
    return [(subnet, address) for subnet, address in found if subnet is not None]
