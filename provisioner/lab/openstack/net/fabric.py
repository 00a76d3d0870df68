"""Makes the kernel be what the world says: networks, their servers and rules, routers.

Everything is compared with what was done before, or found, so a pass over an unchanged world costs
nothing and may be made at any time. Used by one thread.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Hashable, Iterable
from functools import partial
from pathlib import Path

from provisioner.errors import PlatformError
from provisioner.lab.openstack.net import leases, rules, wires
from provisioner.lab.openstack.net.dhcp import Servers
from provisioner.lab.openstack.net.outside import Outside
from provisioner.lab.openstack.net.paths import Paths
from provisioner.lab.openstack.net.world import (
    DHCP,
    GATEWAY,
    INTERFACE,
    Network,
    Port,
    World,
    device_name,
)
from provisioner.lab.space import NETNS, Space, quiet

LOG = logging.getLogger(__name__)
DOMAIN = "novalocal"
LINKED = (GATEWAY, INTERFACE)


class Fabric:
    """The networks of one lab.

    Args:
        space: the lab's namespace.
        folder: where the DHCP servers' files are.
        defects: what it does wrong on purpose.
    """

    def __init__(self, space: Space, folder: Path, defects: frozenset[str] = frozenset()) -> None:
        self._space = space
        self._defects = defects
        self._servers = Servers(folder)
        self._outside = Outside(space)
        self._paths = Paths(space, defects)
        self._done: dict[tuple[str, str], Hashable] = {}
        self._numbers: dict[str, dict[str, int]] = {}
        self._reach: dict[str, tuple[frozenset[str], tuple[str, ...]]] = {}

    def converge(self, world: World) -> list[str]:
        """Make everything fit; returns the networks and routers where that failed."""
        failed = []
        wanted = needed(world)
        routers = {router.id for router in world.routers.values() if router.up}
        for network in sorted(wires.existing(self._space, "net") - wanted):
            if network not in world.networks or not self._plugged(network):
                failed += self._tried(network, partial(self._remove, network))
        for router in sorted(wires.existing(self._space, "router") - routers):
            failed += self._tried(router, partial(self._paths.remove, router))
        for network in sorted(self._servers.known() - wanted):
            self._servers.forget(network)
        for network in sorted(wanted):
            work = partial(self._network, world.networks[network], world)
            failed += self._tried(network, work)
        for router in sorted(routers):
            work = partial(self._paths.converge, world.routers[router], world)
            failed += self._tried(router, work)
        return failed

    def _tried(self, what: str, work: Callable[[], None]) -> list[str]:
        """One that does not work must not stop the others."""
        try:
            work()
        except (PlatformError, OSError) as error:
            LOG.warning("%s: %s", what, error)
            self._forget(what)
            return [what]
        return []

    def _plugged(self, network: str) -> bool:
        namespace = wires.network_namespace(self._space, network)
        return bool(wires.links(namespace).starting("tap"))

    def _remove(self, network: str) -> None:
        self._servers.forget(network)
        self._outside.remove(network)
        wires.remove_namespace(wires.network_namespace(self._space, network))
        self._forget(network)
        self._numbers.pop(network, None)

    def _forget(self, what: str) -> None:
        for key in [key for key in self._done if key[0] == what]:
            del self._done[key]

    def _once(self, what: str, part: str, state: Hashable, work: Callable[[], None]) -> None:
        if self._done.get((what, part)) != state:
            work()
            self._done[what, part] = state

    # -- one network ---------------------------------------------------------------------------

    def _network(self, network: Network, world: World) -> None:
        namespace = wires.network_namespace(self._space, network.id)
        if not (NETNS / namespace).exists():
            self._forget(network.id)
            wires.ensure_network(self._space, network.id, network.mtu)
        self._once(network.id, "mtu", network.mtu, lambda: self._width(namespace, network.mtu))
        servers = [port for port in world.on(network.id) if port.owner == DHCP and port.addresses]
        own = self._own(network, servers)
        mac = servers[0].mac if servers else _mac(network.id)
        self._once(network.id, "own", (mac, tuple(own)), lambda: self._address(namespace, mac, own))
        if network.external:
            state = tuple((s.gateway, s.length) for s in network.subnets if s.gateway)
            self._once(
                network.id, "outside", (network.mtu, state), lambda: self._outside.connect(network)
            )
        self._filter(network, world)
        if servers and leases.served(network):
            self._serve(network, namespace, world)
        elif network.id in self._servers.known():
            self._servers.forget(network.id)

    def _width(self, namespace: str, mtu: int) -> None:
        """Every link of the bridge as wide as the network; else it would get narrow with one."""
        there = wires.links(namespace).addresses
        ports = sorted(name for name in there if name not in ("lo", rules.BRIDGE))
        wires.ip(namespace, [f"link set {name} mtu {mtu}" for name in (*ports, rules.BRIDGE)])

    def _own(self, network: Network, servers: Iterable[Port]) -> list[str]:
        length = {subnet.id: subnet.length for subnet in network.subnets}
        found = [f"{a}/{length[s]}" for port in servers for s, a in port.addresses if s in length]
        return [*sorted(found), f"{rules.METADATA}/32"] if found else []

    def _address(self, namespace: str, mac: str, own: list[str]) -> None:
        there = wires.links(namespace).addresses.get(rules.BRIDGE, frozenset())
        wires.ip(
            namespace,
            [
                f"link set {rules.BRIDGE} address {mac}",
                *(f"addr del {each} dev {rules.BRIDGE}" for each in sorted(there - set(own))),
                *(f"addr replace {each} dev {rules.BRIDGE}" for each in own),
            ],
        )

    def _serve(self, network: Network, namespace: str, world: World) -> None:
        wrong = "wrong-hostname" in self._defects
        mtu = network.mtu + 50 if "dhcp-wrong-mtu" in self._defects else network.mtu
        files = {
            "dnsmasq.conf": leases.configuration(network, self._servers.folder(network.id), DOMAIN),
            leases.HOSTS: leases.hosts(network, world, DOMAIN, wrong=wrong),
            leases.NAMES: leases.names(network, world, DOMAIN, wrong=wrong),
            leases.OPTIONS: leases.options(network, world, mtu=mtu),
        }
        self._servers.serve(network.id, namespace, files)

    # -- security groups -----------------------------------------------------------------------

    def _filter(self, network: Network, world: World) -> None:
        namespace = wires.network_namespace(self._space, network.id)
        here = [port for port in world.on(network.id) if port.guest and port.up and network.up]
        numbers = self._number(network.id, here)
        linked = [port for port in world.on(network.id) if port.owner in LINKED]
        routers = [device_name("r-", port.id) for port in linked]
        ruleset = rules.render(
            network.id,
            world,
            numbers,
            [*routers, rules.OUTSIDE],
            filtering="firewall-filters-nothing" not in self._defects,
        )
        self._once(network.id, "rules", ruleset, lambda: wires.load(namespace, ruleset))
        for port in here:
            self._reconsider(namespace, port, world)
        for gone in [each for each in self._reach if each not in world.ports]:
            del self._reach[gone]

    def _number(self, network: str, ports: Iterable[Port]) -> dict[str, int]:
        """A mark for each port; it keeps it as long as it is there."""
        ids = {port.id for port in ports}
        held = {p: n for p, n in self._numbers.get(network, {}).items() if p in ids}
        free = (n for n in range(rules.FIRST, 1 << 16) if n not in held.values())
        for port in sorted(ids - held.keys()):
            held[port] = next(free)
        self._numbers[network] = held
        return held

    def _reconsider(self, namespace: str, port: Port, world: World) -> None:
        """End the connections of a port that may do less than before, as neutron's agents do."""
        now = rules.reach(port, world)
        addresses = tuple(address for _, address in port.addresses)
        before, held = self._reach.get(port.id, (frozenset(), ()))
        self._reach[port.id] = now, addresses
        if before - now or set(held) - set(addresses):
            for address in {*held, *addresses}:
                for side in ("-s", "-d", "-r", "-q"):
                    quiet(*wires.within(namespace, ["conntrack", "-D", side, address]))

    def close(self) -> None:
        """End the DHCP servers; namespaces are the lab's to remove."""
        self._servers.close()


def needed(world: World) -> set[str]:
    """The networks that must be there: outside ones, and those with a guest or a router.

    One that had a guest once keeps its DHCP server's port, and is kept for it.
    """
    found = {network.id for network in world.networks.values() if network.external}
    found |= {p.network for p in world.ports.values() if p.guest or p.owner in (*LINKED, DHCP)}
    return found & world.networks.keys()


def _mac(network: str) -> str:
    digest = hashlib.sha256(network.encode()).hexdigest()
    return ":".join(["fa", "16", "3e", *(digest[n : n + 2] for n in range(0, 6, 2))])
