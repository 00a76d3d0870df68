"""Security groups and public addresses as an nftables ruleset, one per VPC. Pure text.

Everything between two guests crosses the VPC's router, so the forward chain sees all of it.
Established connections stay when their rule is removed, as on AWS.

Sources: EC2 user guide, "Security group connection tracking"; VPC user guide, "Internet gateways".
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from provisioner.lab.aws.world import Group, Instance, Permission

BRIDGE = "br0"
UPLINK = "uplink"
METADATA = "169.254.169.254"

NAMED = {"1": "icmp", "6": "tcp", "17": "udp"}


def render(
    instances: Iterable[Instance], groups: Mapping[str, Group], *, filtering: bool = True
) -> str:
    """The whole ruleset; loading it replaces the one before at once.

    Args:
        instances: those of the VPC that have a network interface.
        groups: the security groups by id.
        filtering: False lets everything pass (a defect on purpose).
    """
    mine = sorted(instances, key=lambda instance: instance.id)
    pairs = [f"{instance.mac} . {instance.private}" for instance in mine]
    public = {instance.public: instance.private for instance in mine if instance.public}
    lines = [
        "table inet vpc",
        "delete table inet vpc",
        "table inet vpc {",
        *_set("guests", "ether_addr . ipv4_addr", pairs),
        *_set("published", "ipv4_addr", [instance.private for instance in mine if instance.public]),
        *_members(mine, groups),
        *_arrivals(public),
        *_router(),
        *_forward(mine, filtering=filtering),
    ]
    for number, chosen in enumerate(_selections(mine)):
        lines += _chain(f"out_{number}", _permitted(chosen, groups, "egress"), "return")
        lines += _chain(f"in_{number}", _permitted(chosen, groups, "ingress"), "accept")
    return "\n".join([*lines, "}", ""])


def _set(name: str, kind: str, elements: Sequence[str]) -> list[str]:
    held = f"elements = {{ {', '.join(elements)} }}" if elements else ""
    return [f"set {name} {{ type {kind}; {held} }}"]


def _members(instances: Sequence[Instance], groups: Mapping[str, Group]) -> list[str]:
    """One set of private addresses per group, for rules that name a group."""
    lines = []
    for group in sorted(groups):
        held = [instance.private for instance in instances if group in instance.groups]
        lines += _set(_group_set(group), "ipv4_addr", held)
    return lines


def _group_set(group: str) -> str:
    return "members_" + "".join(c if c.isalnum() else "_" for c in group)


def _arrivals(public: Mapping[str, str]) -> list[str]:
    """No guest may speak with another's address; public addresses are translated one to one."""
    there = ", ".join(f"{outer} : {inner}" for outer, inner in sorted(public.items()))
    back = ", ".join(f"{inner} : {outer}" for outer, inner in sorted(public.items()))
    return [
        "chain genuine { type filter hook prerouting priority raw; policy accept;",
        f'iifname "{BRIDGE}" udp sport 68 udp dport 67 accept',
        f'iifname "{BRIDGE}" meta nfproto ipv6 drop',
        f'iifname "{BRIDGE}" ether saddr . ip saddr != @guests drop',
        "}",
        "chain outside_in { type nat hook prerouting priority dstnat; policy accept;",
        *([f'iifname "{UPLINK}" dnat ip to ip daddr map {{ {there} }}'] if public else []),
        "}",
        "chain inside_out { type nat hook postrouting priority srcnat; policy accept;",
        *([f'oifname "{UPLINK}" snat ip to ip saddr map {{ {back} }}'] if public else []),
        "}",
    ]


def _router() -> list[str]:
    """What the VPC's own services answer; they are outside of security groups, as on AWS."""
    return [
        "chain services { type filter hook input priority filter; policy drop;",
        "ct state established,related accept",
        'iifname "lo" accept',
        f'iifname "{BRIDGE}" udp dport {{ 53, 67, 123 }} accept',
        f'iifname "{BRIDGE}" tcp dport 53 accept',
        f'iifname "{BRIDGE}" ip daddr {METADATA} tcp dport 80 accept',
        "}",
    ]


def _forward(instances: Sequence[Instance], *, filtering: bool) -> list[str]:
    lines = [
        "chain between { type filter hook forward priority filter; policy drop;",
        "ct state established,related accept",
        f'oifname "{UPLINK}" ip saddr != @published drop',
    ]
    if not filtering:
        return [*lines, "accept", "}"]
    number = {chosen: n for n, chosen in enumerate(_selections(instances))}
    leave = [f"{i.private} : jump out_{number[_selection(i)]}" for i in instances]
    enter = [f"{i.private} : goto in_{number[_selection(i)]}" for i in instances]
    if instances:
        lines.append(f'iifname "{BRIDGE}" ip saddr vmap {{ {", ".join(leave)} }}')
        lines.append(f'oifname "{BRIDGE}" ip daddr vmap {{ {", ".join(enter)} }}')
    lines.append(f'iifname "{BRIDGE}" oifname "{UPLINK}" accept')
    return [*lines, "}"]


def _selection(instance: Instance) -> tuple[str, ...]:
    return tuple(sorted(instance.groups))


def _selections(instances: Sequence[Instance]) -> list[tuple[str, ...]]:
    """The different choices of groups; instances with the same one share their chains."""
    return sorted({_selection(instance) for instance in instances})


def _permitted(
    chosen: Iterable[str], groups: Mapping[str, Group], direction: str
) -> list[Permission]:
    found: list[Permission] = []
    for name in chosen:
        if name in groups:
            found += getattr(groups[name], direction)
    return found


def _chain(name: str, permissions: Iterable[Permission], verdict: str) -> list[str]:
    """What is permitted gets *verdict*, the rest is dropped in silence."""
    side = "saddr" if name.startswith("in_") else "daddr"
    matches: dict[str, None] = {}
    for permission in permissions:
        what = _what(permission)
        if what is None:
            continue
        for cidr in permission.cidrs:
            where = "" if cidr == "0.0.0.0/0" else f"ip {side} {cidr} "
            matches[f"{where}{what}"] = None
        for group in permission.groups:
            matches[f"ip {side} @{_group_set(group)} {what}"] = None
    body = [f"{match}{verdict}" for match in matches]
    return [f"chain {name} {{", *body, "drop", "}"]


def _what(permission: Permission) -> str | None:
    """The traffic a permission names; empty text for all, None for what an IPv4 lab has not."""
    protocol = NAMED.get(permission.protocol, permission.protocol).lower()
    first, last = permission.first, permission.last
    if protocol in ("-1", "all"):
        return ""
    if protocol in ("icmpv6", "58"):
        return None
    if protocol == "icmp":
        if first < 0:
            return "meta l4proto icmp "
        code = "" if last < 0 else f" icmp code {last}"
        return f"icmp type {first}{code} "
    if protocol in ("tcp", "udp"):
        if first < 0 or (first, last) == (0, 65535):
            return f"meta l4proto {protocol} "
        ports = str(first) if first == last else f"{first}-{last}"
        return f"{protocol} dport {ports} "
    return f"meta l4proto {protocol} "
