"""Reads which ports a workload opens, and to whom."""

from __future__ import annotations

import re
from collections.abc import Sequence

from provisioner.resources import Rule
from provisioner.spec import FirewallModel

PORT = re.compile(r"(\d{1,5})(?:-(\d{1,5}))?/(tcp|udp)(?:,(tcp|udp))?")


def rules_of(entries: Sequence[FirewallModel]) -> tuple[tuple[Rule, ...], list[str]]:
    """The rules of a workload's ``firewall``, and every port that is none."""
    rules: list[Rule] = []
    wrong: list[str] = []
    for number, entry in enumerate(entries):
        for port in entry.ports:
            if port == "icmp":
                rules.append(Rule(source=entry.source, protocol="icmp"))
                continue
            match = PORT.fullmatch(port)
            low = int(match[1]) if match else 0
            high = int(match[2] or low) if match else 0
            if not match or not 1 <= low <= high <= 65_535:
                where = f"firewall.{number}.ports"
                wrong.append(f"{where}: {port!r}, expected such as 22/tcp, 80-90/udp or icmp")
                continue
            rules += [
                Rule(source=entry.source, protocol=protocol, first_port=low, last_port=high)
                for protocol in (match[3], match[4])
                if protocol
            ]
    return tuple(rules), wrong
