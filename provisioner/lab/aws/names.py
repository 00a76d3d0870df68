"""Addresses and names inside a VPC: what its dnsmasq is told. Pure text.

Source: VPC user guide, "DHCP option sets" and "DNS attributes for your VPC": the resolver is at the
VPC's base address plus two, the router of a subnet at its base address plus one.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable
from pathlib import Path

from provisioner.lab.aws.rules import BRIDGE
from provisioner.lab.aws.world import Instance, Vpc, private_name, wrong_name

MTU = 9001  # Source: EC2 user guide, "Network MTU": jumbo frames inside a VPC
LEASE_S = 3600
NAME_TAGS = ("Name", "interop-name")
LABEL = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")


def resolver(vpc: Vpc) -> str:
    """The address of the VPC's resolver."""
    return str(ipaddress.ip_network(vpc.cidr).network_address + 2)


def router(cidr: str) -> str:
    """The address of a subnet's router."""
    return str(ipaddress.ip_network(cidr).network_address + 1)


def configuration(vpc: Vpc, region: str, folder: Path) -> str:
    """The configuration of dnsmasq; machines and names are files that it watches in *folder*."""
    zone = private_name("0", region).partition(".")[2]
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
        f"dhcp-leasefile={folder / 'leases'}",
        f"pid-file={folder / 'pid'}",
        f"dhcp-hostsdir={folder / 'machines'}",
        f"hostsdir={folder / 'names'}",
        "local-ttl=5",
        f"local=/{zone}/",
        f"dhcp-option=option:dns-server,{resolver(vpc)}",
        f"dhcp-option=option:domain-name,{zone}",
        f"dhcp-option=option:mtu,{MTU}",
    ]
    for subnet in vpc.subnets:
        net = ipaddress.ip_network(subnet.cidr)
        tag = re.sub(r"[^a-z0-9]", "", subnet.id)
        lines.append(f"dhcp-range=set:{tag},{net.network_address},static,{net.netmask},{LEASE_S}")
        lines.append(f"dhcp-option=tag:{tag},option:router,{router(subnet.cidr)}")
    return "\n".join([*lines, ""])


def machines(instances: Iterable[Instance]) -> dict[str, str]:
    """File name to content: which address goes to which hardware address."""
    return {instance.id: f"{instance.mac},{instance.private}\n" for instance in instances}


def names(instances: Iterable[Instance], region: str, *, wrong: bool = False) -> dict[str, str]:
    """File name to content: what the resolver answers, in both directions.

    The first name of a line is the one that an address is resolved to. Names from tags come after
    it, as a private hosted zone would have them. *wrong* gives names that the API does not tell.
    """
    found = {}
    for instance in instances:
        full = (wrong_name if wrong else private_name)(instance.private, region)
        zone = full.partition(".")[2]
        told = [full, full.partition(".")[0]]
        for tag in NAME_TAGS:
            label = instance.tags.get(tag, "").lower()
            if LABEL.fullmatch(label):
                told += [label, f"{label}.{zone}"]
        found[instance.id] = f"{instance.private} {' '.join(dict.fromkeys(told))}\n"
    return found
