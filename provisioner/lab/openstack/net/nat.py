"""Translation of addresses in a router's namespace, as an nftables ruleset. Pure text.

Source: Networking API v2, "Floating IPs" and "external_gateway_info"; neutron's own agent for what
happens when a guest calls the floating address of another one behind the same router.
"""

from __future__ import annotations

from collections.abc import Mapping

from provisioner.lab.openstack.net.rules import METADATA

FROM_OUTSIDE = 2  # mark of what came in through the gateway


def render(
    gateway: str, own: str, floating: Mapping[str, str], *, snat: bool = True, working: bool = True
) -> str:
    """The whole ruleset.

    Args:
        gateway: the device that leads to the external network; empty if there is none.
        own: the router's address there; empty if there is none.
        floating: floating address to fixed address.
        snat: whether guests without a floating address get out, as *own*.
        working: False forgets floating addresses (a defect on purpose).
    """
    pairs = sorted(floating.items()) if working else []
    there = ", ".join(f"{outer} : {inner}" for outer, inner in pairs)
    back = ", ".join(f"{inner} : {outer}" for outer, inner in pairs)
    lines = [
        "table ip router",
        "delete table ip router",
        "table ip router {",
        "chain services { type filter hook input priority filter; policy drop;",
        "ct state established,related accept",
        'iifname "lo" accept',
        "icmp type echo-request accept",
        f'iifname "qr-*" ip daddr {METADATA} tcp dport 80 accept',
        "}",
        "chain transit { type filter hook forward priority filter; policy accept;",
        f"ip daddr {METADATA} drop",
        "}",
    ]
    if gateway:
        lines += [
            "chain before { type filter hook prerouting priority mangle; policy accept;",
            f'iifname "{gateway}" meta mark set {FROM_OUTSIDE}',
            "}",
            "chain there { type nat hook prerouting priority dstnat; policy accept;",
            *([f"dnat to ip daddr map {{ {there} }}"] if pairs else []),
            "}",
            "chain back { type nat hook postrouting priority srcnat; policy accept;",
            f'oifname != "{gateway}" ct status & dnat == 0 accept',
            f'oifname != "{gateway}" meta mark {FROM_OUTSIDE} accept',
            *([f"snat to ip saddr map {{ {back} }}"] if pairs else []),
            *([f'oifname "{gateway}" snat to {own}'] if own and snat else []),
            *([f"ct status & dnat != 0 snat to {own}"] if own else []),
            "}",
        ]
    return "\n".join([*lines, "}", ""])
