"""What neutron's database says of networks, as values; text from users is checked on the way in."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

GUEST = "compute:"  # device owners of servers begin with it
DHCP = "network:dhcp"
GATEWAY = "network:router_gateway"
INTERFACE = "network:router_interface"
FLOATING = "network:floatingip"
LABEL = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?", re.IGNORECASE)
PLAIN_NAME = re.compile(r"[a-z0-9-]{1,64}")  # of a DHCP option, as dnsmasq takes it
PLAIN_VALUE = re.compile(r"[ -~]{1,255}")  # no line ends: it goes into a file of dnsmasq's


@dataclass(frozen=True, slots=True, kw_only=True)
class Subnet:
    """An IPv4 subnet; *routes* are (destination, next hop)."""

    id: str
    network: str
    cidr: str
    gateway: str = ""
    dhcp: bool = True
    nameservers: tuple[str, ...] = ()
    routes: tuple[tuple[str, str], ...] = ()

    @property
    def length(self) -> int:
        """Of its prefix."""
        return ipaddress.ip_network(self.cidr).prefixlen


@dataclass(frozen=True, slots=True, kw_only=True)
class Network:
    """A network and its IPv4 subnets; *mtu* in bytes."""

    id: str
    project: str = ""
    mtu: int = 1450
    external: bool = False
    up: bool = True
    subnets: tuple[Subnet, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Port:
    """A port.

    Args:
        addresses: (subnet, IPv4 address).
        device: the server or router it belongs to.
        host: where it is bound; empty while it is not.
        pairs: further (hardware address, address or range) it may speak with.
        options: DHCP options of its own.
    """

    id: str
    network: str
    mac: str
    addresses: tuple[tuple[str, str], ...] = ()
    device: str = ""
    owner: str = ""
    project: str = ""
    host: str = ""
    status: str = ""
    name: str = ""
    up: bool = True
    secured: bool = True
    groups: tuple[str, ...] = ()
    pairs: tuple[tuple[str, str], ...] = ()
    options: tuple[tuple[str, str], ...] = ()

    @property
    def guest(self) -> bool:
        """Whether it is a server's, bound to the lab's host."""
        return self.owner.startswith(GUEST) and bool(self.host)

    @property
    def tap(self) -> str:
        """Its end on the network's bridge."""
        return device_name("tap", self.id)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """A rule of a security group; empty and None mean any."""

    direction: str
    protocol: str = ""
    first: int | None = None
    last: int | None = None
    cidr: str = ""
    group: str = ""
    addresses: str = ""  # an address group
    version: int = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Router:
    """A router; *routes* are (destination, next hop)."""

    id: str
    up: bool = True
    snat: bool = True
    status: str = ""
    routes: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Floating:
    """A floating address; *router*, *inner* and *port* are empty unless it is associated."""

    id: str
    address: str
    router: str = ""
    inner: str = ""
    port: str = ""
    status: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """All of it, by id."""

    networks: Mapping[str, Network] = field(default_factory=dict)
    ports: Mapping[str, Port] = field(default_factory=dict)
    groups: Mapping[str, tuple[Rule, ...]] = field(default_factory=dict)
    address_groups: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    routers: Mapping[str, Router] = field(default_factory=dict)
    floating: Mapping[str, Floating] = field(default_factory=dict)

    def on(self, network: str) -> list[Port]:
        """The ports of a network."""
        return [port for port in self.ports.values() if port.network == network]

    def of(self, device: str) -> list[Port]:
        """The ports of a server or router."""
        return [port for port in self.ports.values() if port.device == device]

    def subnet(self, port: Port, subnet: str) -> Subnet | None:
        """One of the subnets of a port's network."""
        network = self.networks.get(port.network)
        return next((s for s in network.subnets if s.id == subnet), None) if network else None

    def isolated(self, subnet: Subnet) -> bool:
        """Whether no router has the subnet's gateway address."""
        return not any(
            port.owner == INTERFACE and (subnet.id, subnet.gateway) in port.addresses
            for port in self.on(subnet.network)
        )


def device_name(prefix: str, port: str) -> str:
    """The name of a network device made from a port's id; at most 15 characters."""
    return f"{prefix}{port[:11]}"


def address(text: str) -> str:
    """An IPv4 address as the kernel writes it.

    Raises:
        ValueError: it is none.
    """
    return str(ipaddress.IPv4Address(text))


def cidr(text: str) -> str:
    """An IPv4 range as the kernel writes it.

    Raises:
        ValueError: it is none.
    """
    return str(ipaddress.IPv4Network(text, strict=False))


def mac(text: str) -> str:
    """A hardware address in lower case with colons.

    Raises:
        ValueError: it is none.
    """
    if not re.fullmatch(r"[0-9a-f]{2}(:[0-9a-f]{2}){5}", text.lower()):
        raise ValueError(f"hardware address {text!r}")
    return text.lower()
