"""Namespaces, bridges and links, made and read; each call may be repeated.

Neutron's process and nova's both use it, so making a network is done under a lock.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import socket
import struct
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from provisioner.errors import PlatformFault
from provisioner.lab.aws.namespaces import inside
from provisioner.lab.openstack.net.rules import BRIDGE, CLOSED
from provisioner.lab.space import NETNS, Space, quiet, run

CALL_IPTABLES = Path("/proc/sys/net/bridge/bridge-nf-call-iptables")
ETHERNET_ARP = 0x0806


@dataclass(frozen=True, slots=True)
class Links:
    """The links of a namespace and their IPv4 addresses (``10.0.0.1/24``)."""

    addresses: Mapping[str, frozenset[str]] = field(default_factory=dict)

    def __contains__(self, name: object) -> bool:
        return name in self.addresses

    def starting(self, prefix: str) -> set[str]:
        """Those whose name begins so."""
        return {name for name in self.addresses if name.startswith(prefix)}


def network_namespace(space: Space, network: str) -> str:
    """Where a network's bridge is."""
    return f"{space.namespace}--net-{network}"


def router_namespace(space: Space, router: str) -> str:
    """Where a router is."""
    return f"{space.namespace}--router-{router}"


def guest_namespace(space: Space, server: str) -> str:
    """Where a guest's ends of its ports are."""
    return f"{space.namespace}--vm-{server}"


def existing(space: Space, kind: str) -> set[str]:
    """The ids of what has a namespace; *kind* is ``net``, ``router`` or ``vm``."""
    prefix = f"{space.namespace}--{kind}-"
    return {n.removeprefix(prefix) for n in space.namespaces() if n.startswith(prefix)}


@contextlib.contextmanager
def alone(space: Space) -> Iterator[None]:
    """Keep other processes of the lab from making networks meanwhile."""
    space.state_dir.mkdir(parents=True, mode=0o700, exist_ok=True)
    with (space.state_dir / "openstack-net.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def feed(argv: Sequence[str], text: str) -> None:
    """Run a command that reads *text*.

    Raises:
        PlatformFault: it did not succeed.
    """
    done = subprocess.run(argv, input=text, capture_output=True, text=True, check=False)
    if done.returncode:
        said = " ".join(done.stderr.split())[:500]
        raise PlatformFault(f"{' '.join(argv)}: {said or done.returncode}")


def within(namespace: str, argv: Sequence[str]) -> list[str]:
    """The command that runs *argv* in a namespace."""
    return ["nsenter", f"--net={NETNS / namespace}", "--", *argv]


def ip(namespace: str, lines: Sequence[str]) -> None:
    """Have ``ip`` do *lines*, in one process.

    Raises:
        PlatformFault: one of them did not succeed.
    """
    if lines:
        feed(["ip", "-n", namespace, "-batch", "-"], "\n".join([*lines, ""]))


def load(namespace: str, ruleset: str) -> None:
    """Put *ruleset* in force at once.

    Raises:
        PlatformFault: nft does not understand it, or the kernel has not what it needs.
    """
    feed(within(namespace, ["nft", "-f", "-"]), ruleset)


def set_kernel(namespace: str, values: Mapping[str, int]) -> None:
    """Set values below ``/proc/sys/net`` of a namespace."""
    script = "; ".join(f"echo {value} > /proc/sys/net/{key}" for key, value in values.items())
    feed(within(namespace, ["sh", "-ec", script]), "")


def links(namespace: str) -> Links:
    """What is there; nothing if the namespace is not."""
    if not (NETNS / namespace).exists():
        return Links()
    held = {}
    for link in json.loads(run("ip", "-n", namespace, "-j", "addr", "show") or "[]"):
        told = (each for each in link.get("addr_info", ()) if each.get("family") == "inet")
        held[str(link["ifname"])] = frozenset(f"{a['local']}/{a['prefixlen']}" for a in told)
    return Links(held)


def add_namespace(name: str) -> bool:
    """Make a namespace; False if it was there."""
    if (NETNS / name).exists():
        return False
    run("ip", "netns", "add", name)
    ip(name, ["link set lo up"])
    return True


def remove_namespace(name: str) -> None:
    """Delete a namespace; none there is fine.

    The kernel takes its interfaces away only some time later, so they are deleted first: names are
    used again.
    """
    if not (NETNS / name).exists():
        return
    for link in sorted(links(name).addresses):
        if link != "lo":
            quiet("ip", "-n", name, "link", "del", link)
    run("ip", "netns", "del", name)


def ensure_network(space: Space, network: str, mtu: int) -> str:
    """The namespace and the bridge of a network; a new one lets nothing pass yet.

    Raises:
        PlatformFault: the kernel cannot have bridged frames pass the IP hooks.
    """
    name = network_namespace(space, network)
    with alone(space):
        if BRIDGE in links(name):
            return name
        if not CALL_IPTABLES.exists():
            raise PlatformFault("security groups need the kernel's br_netfilter: modprobe it")
        add_namespace(name)
        load(name, CLOSED)
        set_kernel(
            name, {"ipv4/ip_forward": 0, "bridge/bridge-nf-call-iptables": 1,
                   "bridge/bridge-nf-call-ip6tables": 1, "bridge/bridge-nf-call-arptables": 0},
        )  # fmt: skip
        ip(
            name,
            [
                f"link add {BRIDGE} type bridge stp_state 0 forward_delay 0 mcast_snooping 0",
                f"link set {BRIDGE} mtu {mtu}",
                f"link set {BRIDGE} up",
            ],
        )
    return name


def connect(network: str, port: str, other: str, device: str, *, mac: str, mtu: int) -> None:
    """A link from a network's bridge (as *port*) to *device* in the namespace *other*.

    Raises:
        PlatformFault: a namespace is not there, or a name is in use.
    """
    quiet("ip", "-n", network, "link", "del", port)
    hardware = f" address {mac}" if mac else ""
    ip(
        network,
        [
            f"link add {port} mtu {mtu} type veth peer name {device} mtu {mtu}{hardware}"
            f" netns {other}",
            f"link set {port} master {BRIDGE}",
            f"link set {port} up",
        ],
    )


def announce(namespace: str, device: str, mac: str, addresses: Sequence[str]) -> None:
    """Tell everybody on the link who has *addresses* now (RFC 5227, 2.3), so nobody goes wrong."""
    hardware = bytes.fromhex(mac.replace(":", ""))
    everybody = b"\xff" * 6

    def send() -> None:
        kind = socket.htons(ETHERNET_ARP)
        with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, kind) as line:
            line.bind((device, ETHERNET_ARP))
            for address in addresses:
                own = socket.inet_aton(address)
                head = everybody + hardware + struct.pack("!H", ETHERNET_ARP)
                body = struct.pack("!HHBBH", 1, 0x0800, 6, 4, 1) + hardware + own + bytes(6) + own
                line.send(head + body)

    with contextlib.suppress(OSError):  # the device may be gone again
        inside(namespace, send)
