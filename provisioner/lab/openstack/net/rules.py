"""Security groups as nftables rulesets, one per network. Pure text.

A frame is marked with the number of the port it comes from, in the bridge's hook; what it carries
is then judged by connection tracking in the IP hooks, which ``br_netfilter`` has bridged frames
pass: the sender's rules in forward, and the receiver's in postrouting, where the mark is the number
of the port it goes to. So one ruleset serves bridged and local traffic, broadcast too.

Sources: Networking API v2, "Security group rules"; neutron, "Open vSwitch Firewall Driver" for what
is let through beside the rules (DHCP) and what never is (another's address, a DHCP server).
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Mapping, Sequence

from provisioner.lab.openstack.net.world import Port, Rule, World

BRIDGE = "br0"
METADATA = "169.254.169.254"
OUTSIDE = "outside"  # the external network's port that leads to the lab's namespace
TRUSTED = 1  # the mark of routers' ports, of the outside, and of ports without port security
FIRST = 2  # the first mark of a guest's port

# Source: neutron_lib.constants.IP_PROTOCOL_MAP; IANA protocol numbers
PROTOCOLS = {
    "ah": 51, "dccp": 33, "egp": 8, "esp": 50, "gre": 47, "icmp": 1, "igmp": 2, "ipip": 4,
    "ospf": 89, "pgm": 113, "rsvp": 46, "sctp": 132, "tcp": 6, "udp": 17, "udplite": 136,
    "vrrp": 112,
}  # fmt: skip
WITH_PORTS = frozenset({6, 17, 33, 132, 136})
ICMP = 1

CLOSED = """table bridge ports
delete table bridge ports
table bridge ports {
  chain arrivals { type filter hook prerouting priority -300; policy drop;
  }
}
"""  # a network begins with it: nothing passes before its rules are there

Numbers = Mapping[str, int]


def render(
    network: str, world: World, numbers: Numbers, routers: Iterable[str], *, filtering: bool = True
) -> str:
    """The whole ruleset of *network*; loading it replaces the one before at once.

    Args:
        network: its id.
        world: where its ports and their groups are.
        numbers: a mark for each guest's port on it, at least ``FIRST``.
        routers: the bridge's ports that lead to routers or outside.
        filtering: False lets security groups pass everything (a defect on purpose).
    """
    ports = sorted((p for p in world.on(network) if p.id in numbers), key=lambda p: p.id)
    secured = [port for port in ports if port.secured]
    origin = {port.tap: numbers[port.id] if port.secured else TRUSTED for port in ports}
    origin |= dict.fromkeys(routers, TRUSTED)
    lines = [
        *_frames(secured, numbers, origin),
        "table inet ports",
        "delete table inet ports",
        "table inet ports {",
    ]
    selections = sorted({_selection(port) for port in secured}) if filtering else []
    for name in sorted(_named(selections, world)):
        lines += _set(f"g_{_plain(name)}", "ipv4_addr", members(name, world), interval=True)
    for number, chosen in enumerate(selections):
        lines += _chain(f"out_{number}", permitted(chosen, world, "egress"), "return")
        lines += _chain(f"in_{number}", permitted(chosen, world, "ingress"), "accept")
    lines += _judge(secured, numbers, selections)
    return "\n".join([*lines, "}", ""])


def _frames(secured: Sequence[Port], numbers: Numbers, origin: Mapping[str, int]) -> list[str]:
    """Who may speak at all, and the marks."""
    senders, genuine = [], []
    for port in secured:
        number = numbers[port.id]
        for hardware, ranges in sorted(_allowed(port).items()):
            senders.append(f"{number} . {hardware}")
            genuine += [f"{number} . {hardware} . {each}" for each in ranges]
    marks = [f'"{name}" : {number}' for name, number in sorted(origin.items())]
    return [
        "table bridge ports",
        "delete table bridge ports",
        "table bridge ports {",
        *_map("origin", "ifname : mark", marks),
        *_set("senders", "mark . ether_addr", senders),
        *_set("genuine", "mark . ether_addr . ipv4_addr", genuine, interval=True),
        "chain arrivals { type filter hook prerouting priority -300; policy drop;",
        "meta mark set 0",
        "meta mark set iifname map @origin",
        f"meta mark {TRUSTED} accept",
        "meta mark . ether saddr != @senders drop",
        "ip saddr 0.0.0.0 udp sport 68 udp dport 67 accept",
        "udp sport 67 udp dport 68 drop",
        "meta mark . ether saddr . ip saddr @genuine accept",
        "arp saddr ip 0.0.0.0 meta mark . arp saddr ether @senders accept",
        "meta mark . arp saddr ether . arp saddr ip @genuine accept",
        "}",
        # a frame made here, by the DHCP server or the metadata service, has passed no port
        "chain departures { type filter hook output priority -300; policy accept;",
        "meta mark set 0",
        "}",
        "chain deliveries { type filter hook postrouting priority -300; policy accept;",
        "meta mark 0 accept",
        "meta mark set 0",
        "meta mark set oifname map @origin",
        "meta mark 0 drop",
        "}",
        "}",
    ]


def _judge(
    secured: Sequence[Port], numbers: Numbers, selections: Sequence[tuple[str, ...]]
) -> list[str]:
    order = {chosen: number for number, chosen in enumerate(selections)}
    leave = [f"{TRUSTED} : accept"]
    enter = [f"{TRUSTED} : accept"]
    ask = []
    for port in secured:
        mark = numbers[port.id]
        if not selections:
            leave.append(f"{mark} : accept")
            enter.append(f"{mark} : accept")
            continue
        number = order[_selection(port)]
        leave.append(f"{mark} : jump out_{number}")
        ask.append(f"{mark} : jump out_{number}")
        enter.append(f"{mark} : goto in_{number}")
    return [
        "chain leaving { type filter hook forward priority filter; policy drop;",
        f'iifname != "{BRIDGE}" drop',
        f'oifname != "{BRIDGE}" drop',
        "ct state established,related accept",
        "ct state invalid drop",
        f"meta mark vmap {{ {', '.join(leave)} }}",
        f"meta mark >= {FIRST} accept",
        "}",
        "chain entering { type filter hook postrouting priority filter; policy accept;",
        "meta mark 0 accept",
        "ct state established,related accept",
        f"meta mark vmap {{ {', '.join(enter)} }}",
        "drop",
        "}",
        # the network's own services: what is asked of them is judged by the sender's rules
        "chain services { type filter hook input priority filter; policy drop;",
        "ct state established,related accept",
        'iifname "lo" accept',
        "udp sport 68 udp dport 67 accept",
        *([f"meta mark vmap {{ {', '.join(ask)} }}"] if ask else []),
        "udp dport 53 accept",
        "tcp dport 53 accept",
        f"ip daddr {METADATA} tcp dport 80 accept",
        "icmp type echo-request accept",
        "}",
    ]


def members(group: str, world: World) -> list[str]:
    """The addresses a rule means that names *group* as the other end, as ranges."""
    return _collapsed(_held(group, world))


def _held(group: str, world: World) -> list[str]:
    """The same, one by one."""
    found = [*world.address_groups.get(group, ())]
    for port in world.ports.values():
        if group in port.groups:
            found += [address for _, address in (*port.addresses, *port.pairs)]
    return found


def permitted(chosen: Iterable[str], world: World, direction: str) -> list[str]:
    """What the groups let pass in one direction, as matches."""
    side = "saddr" if direction == "ingress" else "daddr"
    found: dict[str, None] = {}
    for group in chosen:
        for rule in world.groups.get(group, ()):
            what = _what(rule) if rule.direction == direction else None
            if what is not None:
                found[_where(rule, side) + what] = None
    return list(found)


def reach(port: Port, world: World) -> frozenset[str]:
    """Everything the port may do; when some of it is gone, its connections are looked at anew."""
    if not port.secured:
        return frozenset({"all"})
    found = {f"{way} {match}" for way in ("ingress", "egress")
             for match in permitted(port.groups, world, way)}  # fmt: skip
    for name in _named([port.groups], world):
        found |= {f"{name} {each}" for each in _held(name, world)}
    return frozenset(found)


def _where(rule: Rule, side: str) -> str:
    if rule.cidr:
        return f"ip {side} {rule.cidr} "
    if rule.group or rule.addresses:
        return f"ip {side} @g_{_plain(rule.group or rule.addresses)} "
    return ""


def _what(rule: Rule) -> str | None:
    """The traffic of a rule; empty text for all of IPv4, None for what this lab has not."""
    if rule.version != 4:
        return None
    text = rule.protocol
    if text in ("", "any", "0"):
        return "meta nfproto ipv4 "
    number = PROTOCOLS.get(text, int(text) if text.isdecimal() else -1)
    if not 0 < number < 256:
        return None
    if number == ICMP and rule.first is not None:
        code = "" if rule.last is None else f" icmp code {rule.last}"
        return f"icmp type {rule.first}{code} "
    if number not in WITH_PORTS or (rule.first is None and rule.last is None):
        return f"ip protocol {number} "
    first = rule.first if rule.first is not None else 0
    last = rule.last if rule.last is not None else 65535
    ports = str(first) if first == last else f"{first}-{last}"
    return f"ip protocol {number} th dport {ports} "


def _named(selections: Iterable[Iterable[str]], world: World) -> set[str]:
    """The groups that rules name as the other end."""
    rules = [r for chosen in selections for g in chosen for r in world.groups.get(g, ())]
    return {r.group or r.addresses for r in rules if r.version == 4} - {""}


def _allowed(port: Port) -> dict[str, list[str]]:
    """Hardware address to the addresses it may speak with."""
    found: dict[str, list[str]] = {port.mac: [address for _, address in port.addresses]}
    for hardware, address in port.pairs:
        found.setdefault(hardware, []).append(address)
    return {hardware: _collapsed(held) for hardware, held in found.items()}


def _collapsed(addresses: Iterable[str]) -> list[str]:
    """Without overlaps, which a set of ranges may not have."""
    ranges = ipaddress.collapse_addresses(ipaddress.IPv4Network(each) for each in addresses)
    return [str(each).removesuffix("/32") for each in ranges]


def _selection(port: Port) -> tuple[str, ...]:
    return tuple(sorted(port.groups))


def _plain(name: str) -> str:
    return "".join(c if c.isalnum() else "_" for c in name)


def _set(name: str, kind: str, held: Sequence[str], *, interval: bool = False) -> list[str]:
    flags = "flags interval; " if interval else ""
    elements = f"elements = {{ {', '.join(held)} }}" if held else ""
    return [f"set {name} {{ type {kind}; {flags}{elements} }}"]


def _map(name: str, kind: str, held: Sequence[str]) -> list[str]:
    elements = f"elements = {{ {', '.join(held)} }}" if held else ""
    return [f"map {name} {{ type {kind}; {elements} }}"]


def _chain(name: str, matches: Iterable[str], verdict: str) -> list[str]:
    """What is permitted gets *verdict*, the rest is dropped in silence."""
    return [f"chain {name} {{", *(f"{match}{verdict}" for match in matches), "drop", "}"]
