"""Finds what ties a workload to a site: addresses, ids, users, device and interface names.

A workload with findings runs all the same; it is only *not site-unaware* (level 5).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from provisioner.workload import Workload

# what it is -> how it looks; the order decides which name a literal gets
PATTERNS: Mapping[str, re.Pattern[str]] = {
    "mac address": re.compile(r"\b(?:[0-9a-fA-F]{2}:){5}[0-9a-fA-F]{2}\b"),
    "uuid": re.compile(r"\b[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}\b"),
    "cloud id": re.compile(r"\b(?:ami|subnet|vpc|sg|vol|i|eni|snap|eipalloc)-[0-9a-f]{8,17}\b"),
    "metadata address": re.compile(r"\b169\.254\.169\.\d{1,3}\b|fd00:ec2::254"),
    "address": re.compile(
        r"(?<![\w.])(?!127\.|0\.0\.0\.0|255\.)(?:\d{1,3}\.){3}\d{1,3}(?:/\d{1,2})?(?![\w.])"
    ),
    "ipv6 address": re.compile(r"(?<![\w:])(?:[0-9a-fA-F]{1,4}:){3,7}[0-9a-fA-F]{1,4}(?![\w:])"),
    "device name": re.compile(r"/dev/(?:sd[a-z]|vd[a-z]|xvd[a-z]|hd[a-z]|nvme\d+n\d+)\w*"),
    "interface name": re.compile(r"\b(?:eth\d+|en[spo]\d+\w*|ens\d+\w*|bond\d+)\b"),
    "login user": re.compile(
        r"\b(?:ec2-user|cloud-user|centos|ubuntu|opensuse)@|/home/[a-z][\w-]*"
    ),
    "region": re.compile(
        r"\b(?:us|eu|ap|sa|ca|me|af)-(?:north|south|east|west|central)\w*-\d[a-z]?\b"
    ),
    "site name": re.compile(
        r"\b[\w-]+(?:\.[\w-]+)*\.(?:internal|novalocal|compute\.amazonaws\.com)\b"
    ),
}
WISHES = re.compile(r"^networks\.[^.]+\.cidr\?$")  # a wish is no assumption


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One literal. ``where`` is ``file:line`` and the key, or the line of a step."""

    where: str
    what: str
    literal: str

    def __str__(self) -> str:
        return f"{self.where}: {self.literal!r} looks like a {self.what}"


def site_literals(workload: Workload) -> list[Finding]:
    """Everything in the document and its steps that looks specific to a site."""
    found: list[Finding] = []
    for path, text in _texts(workload.document.value, ()):
        key = ".".join(path)
        if path[0] == "place":
            continue
        if not WISHES.match(key):
            found += _in_text(text, f"{workload.source(*path)}: {key}")
    for name, text in workload.texts.items():
        for number, line in enumerate(text.splitlines(), 1):
            found += _in_text(line, f"{workload.folder / name}:{number}")
    if workload.model.place:
        where = f"{workload.source('place')}: place"
        for group, names in workload.model.place.items():
            found.append(
                Finding(where=f"{where}.{group}", what="platform", literal=", ".join(names))
            )
    return found


def _in_text(text: str, where: str) -> list[Finding]:
    found = []
    for what, pattern in PATTERNS.items():
        for match in pattern.finditer(text):
            found.append(Finding(where=where, what=what, literal=match[0]))
            text = text.replace(match[0], " " * len(match[0]), 1)
    return found


def _texts(value: Any, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], str]]:
    """Every text of a document and its path."""
    if isinstance(value, str):
        yield path, value
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from _texts(item, (*path, str(key)))
    elif isinstance(value, list):
        for number, item in enumerate(value):
            yield from _texts(item, (*path, str(number)))
