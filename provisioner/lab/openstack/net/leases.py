"""What a network's dnsmasq is told: addresses, options and names. Pure text.

Source: neutron's DHCP agent for which options a port gets; dnsmasq(8) for the form.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from pathlib import Path

from provisioner.lab.openstack.net.rules import BRIDGE, METADATA
from provisioner.lab.openstack.net.world import DHCP, Network, Port, Subnet, World

LEASE_S = 86400  # neutron's dhcp_lease_duration
HOSTS, NAMES, OPTIONS = "machines", "names", "options"


def configuration(network: Network, folder: Path, domain: str) -> str:
    """The configuration of dnsmasq; what changes often is in files that it reads again on SIGHUP.

    Args:
        network: with its subnets; those without DHCP are left out.
        folder: where the other files are.
        domain: of all names, such as ``novalocal``.
    """
    lines = [
        "port=53",
        "user=root",
        f"interface={BRIDGE}",
        "bind-dynamic",
        "except-interface=lo",
        "no-resolv",
        "no-hosts",
        "no-ping",
        "dhcp-authoritative",
        "quiet-dhcp",
        f"dhcp-leasefile={folder / 'leases'}",
        f"pid-file={folder / 'pid'}",
        f"dhcp-hostsfile={folder / HOSTS}",
        f"dhcp-optsfile={folder / OPTIONS}",
        f"addn-hosts={folder / NAMES}",
        "local-ttl=1",
        f"domain={domain}",
        f"local=/{domain}/",
    ]
    for subnet in served(network):
        net = ipaddress.ip_network(subnet.cidr)
        lines.append(
            f"dhcp-range=set:{tag(subnet)},{net.network_address},static,{net.netmask},{LEASE_S}"
        )
    return "\n".join([*lines, ""])


def served(network: Network) -> list[Subnet]:
    """The subnets that have DHCP."""
    return [subnet for subnet in network.subnets if subnet.dhcp]


def tag(subnet: Subnet) -> str:
    """How dnsmasq calls a subnet."""
    return "s" + subnet.id.replace("-", "")


def options(network: Network, world: World, *, mtu: int) -> str:
    """The options of each subnet, and those of ports that have some of their own."""
    own = server(network, world)
    lines = []
    for subnet in served(network):
        name, here = tag(subnet), own.get(subnet.id, "")
        routes = [(where, hop) for where, hop in subnet.routes]
        if here and world.isolated(subnet):
            routes.append((f"{METADATA}/32", here))
        if routes and subnet.gateway:
            # a client that gets option 121 has to ignore option 3 (RFC 3442)
            routes.append(("0.0.0.0/0", subnet.gateway))
        servers = subnet.nameservers or ((here,) if here else ())
        lines.append(f"tag:{name},option:mtu,{mtu}")
        lines.append(f"tag:{name},option:router" + (f",{subnet.gateway}" if subnet.gateway else ""))
        if servers:
            lines.append(f"tag:{name},option:dns-server,{','.join(servers)}")
        if routes:
            flat = ",".join(f"{where},{hop}" for where, hop in routes)
            lines.append(f"tag:{name},option:classless-static-route,{flat}")
    for port in _machines(network, world):
        for key, value in port.options:
            number = key if key.isdecimal() else f"option:{key}"
            lines.append(f"tag:{_own_tag(port)},{number},{value}")
    return "\n".join([*lines, ""])


def hosts(network: Network, world: World, domain: str, *, wrong: bool = False) -> str:
    """Which address goes to which hardware address, and the name it is told."""
    dhcp = {subnet.id for subnet in served(network)}
    lines = []
    for port in _machines(network, world):
        for subnet, address in port.addresses:
            if subnet in dhcp:
                name = f"{label(port, address, wrong=wrong)}.{domain}"
                extra = f",set:{_own_tag(port)}" if port.options else ""
                lines.append(f"{port.mac}{extra},{address},{name}")
    return "\n".join([*lines, ""])


def names(network: Network, world: World, domain: str, *, wrong: bool = False) -> str:
    """What the resolver answers, in both directions; the first name is an address's own."""
    lines = []
    for port in _machines(network, world):
        for _, address in port.addresses:
            name = label(port, address, wrong=wrong)
            lines.append(f"{address} {name}.{domain} {name}")
    return "\n".join([*lines, ""])


def label(port: Port, address: str, *, wrong: bool = False) -> str:
    """The name of a port: its server's, or one made of its address."""
    made = f"host-{address.replace('.', '-')}"
    if wrong:
        return f"not-{made}"
    return port.name or made


def server(network: Network, world: World) -> dict[str, str]:
    """Subnet to the address of its DHCP server."""
    found: dict[str, str] = {}
    for port in world.on(network.id):
        if port.owner == DHCP:
            found |= dict(port.addresses)
    return found


def _machines(network: Network, world: World) -> Iterable[Port]:
    return sorted(
        (port for port in world.on(network.id) if port.owner != DHCP and port.addresses),
        key=lambda port: port.id,
    )


def _own_tag(port: Port) -> str:
    return "p" + port.id.replace("-", "")
