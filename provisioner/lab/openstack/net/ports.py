"""Plugs a guest's ports into their networks; nova's process calls it.

A guest has a namespace. For a container the port's interface is in there, with its name and
hardware address. For a virtual machine there is a tap, on a small bridge with the link to the
network, so that one process within one namespace has ports on many networks.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from provisioner.lab.openstack.net import wires
from provisioner.lab.openstack.net.world import device_name
from provisioner.lab.space import Space, quiet

Kind = Literal["veth", "tap"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Plug:
    """One port of one server, as nova's ``network_info`` tells it.

    Args:
        server: the server's id.
        port: the port's id.
        network: the network's id.
        mac: the port's hardware address.
        mtu: the network's, in bytes.
        kind: ``veth`` for a container, ``tap`` for a virtual machine.
        name: what a container calls the interface, such as ``ens3``.
    """

    server: str
    port: str
    network: str
    mac: str
    mtu: int
    kind: Kind = "veth"
    name: str = "ens3"


@dataclass(frozen=True, slots=True, kw_only=True)
class Plugged:
    """Where the guest finds it: *device* in *namespace*."""

    namespace: str
    device: str


def plug(space: Space, want: Plug) -> Plugged:
    """Connect a port; one that is connected is kept as it is.

    Nothing passes until neutron's worker has loaded the rules of the network.

    Raises:
        PlatformFault: a command failed.
    """
    network = wires.ensure_network(space, want.network, want.mtu)
    guest = wires.guest_namespace(space, want.server)
    wires.add_namespace(guest)
    tap = device_name("tap", want.port)
    device = want.name if want.kind == "veth" else device_name("vm", want.port)
    there = wires.links(guest)
    if device in there and tap in wires.links(network):
        return Plugged(namespace=guest, device=device)
    _clear(guest, want.port, device)
    if want.kind == "veth":
        wires.connect(network, tap, guest, device, mac=want.mac, mtu=want.mtu)
        return Plugged(namespace=guest, device=device)
    inner, bridge = device_name("qv", want.port), device_name("qb", want.port)
    wires.connect(network, tap, guest, inner, mac="", mtu=want.mtu)
    wires.set_kernel(guest, {"bridge/bridge-nf-call-iptables": 0, "ipv6/conf/all/disable_ipv6": 1})
    wires.ip(
        guest,
        [
            f"link add {bridge} type bridge stp_state 0 forward_delay 0 mcast_snooping 0",
            f"tuntap add dev {device} mode tap",
            f"link set {device} mtu {want.mtu} master {bridge}",
            f"link set {inner} master {bridge}",
            f"link set {bridge} mtu {want.mtu}",
            *(f"link set {each} up" for each in (bridge, inner, device)),
        ],
    )
    return Plugged(namespace=guest, device=device)


def unplug(space: Space, *, server: str, port: str, network: str) -> None:
    """Disconnect a port; one that is not connected is fine."""
    tap = device_name("tap", port)
    quiet("ip", "-n", wires.network_namespace(space, network), "link", "del", tap)
    _clear(wires.guest_namespace(space, server), port)


def remove(space: Space, server: str) -> None:
    """Remove a guest's namespace with all its ends of ports; none there is fine."""
    wires.remove_namespace(wires.guest_namespace(space, server))


def _clear(guest: str, port: str, *more: str) -> None:
    there = wires.links(guest)
    for name in (*more, *(device_name(prefix, port) for prefix in ("vm", "qv", "qb"))):
        if name in there:
            quiet("ip", "-n", guest, "link", "del", name)
