"""What the members look like from inside, seen once a session and shared by the cheap checks.

Starting Python is what an observation costs on a slow guest, so one look takes everything.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from provisioner.deployment import Member
from provisioner.errors import Lost, PlatformError
from suites.seams import Evidence, Inside, Patience

T = TypeVar("T")
PARALLEL = 4  # small guests on a small host


class Sight:
    """Looks at members; what was seen is kept, what went wrong is raised again.

    Args:
        inside: the way in.
        patience: how long a look may take.
        members: all of them; the first question looks at each, a few at the same time.
    """

    def __init__(self, inside: Inside, patience: Patience, members: Sequence[Member]) -> None:
        self._inside = inside
        self._patience = patience
        self._members = members
        self._seen: dict[str, Mapping[str, Any] | PlatformError] = {}

    def of(self, member: Member, part: str, evidence: Evidence) -> Mapping[str, Any]:
        """One part of what *member* sees: ``identity``, ``addressing``, ``access`` ...

        Raises:
            Lost: the probe could not tell.
        """
        if member.name not in self._seen:
            at_once(self._members, self._look)
        seen = self._seen[member.name]
        if isinstance(seen, PlatformError):
            raise seen
        found: Mapping[str, Any] = seen[part]
        if "error" in found and len(found) == 1:
            raise Lost(f"{member.name}: {part} could not be observed: {found['error']}")
        evidence(f"{member.name}: {part}", json.dumps(found, indent=1, sort_keys=True))
        return found

    def all(
        self, members: Sequence[Member], part: str, evidence: Evidence
    ) -> dict[str, Mapping[str, Any]]:
        """The same part of each member, by name."""
        return {member.name: self.of(member, part, evidence) for member in members}

    def _look(self, member: Member) -> None:
        try:
            self._seen[member.name] = self._inside(member).observe(
                "facts", timeout_s=self._patience("command")
            )
        except PlatformError as error:
            self._seen[member.name] = error


def at_once(items: Sequence[Member], act: Callable[[Member], T]) -> list[T]:
    """*act* on each, a few at the same time; the results in order."""
    with ThreadPoolExecutor(PARALLEL) as pool:
        return list(pool.map(act, items))


def peers_of(member: Member, members: Sequence[Member]) -> list[dict[str, str]]:
    """The other members as the probe wants them: name and private address."""
    return [
        {"name": other.name, "address": other.address("private")}
        for other in members
        if other.name != member.name
    ]


def address_of(interface: Mapping[str, Any]) -> list[str]:
    """The usable addresses of an interface."""
    return [a["address"] for a in interface["addresses"] if a["scope"] == "global"]


def holder_of(address: str, addressing: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """The interface that holds *address*."""
    for interface in addressing["interfaces"]:
        if address in address_of(interface):
            found: Mapping[str, Any] = interface
            return found
    return None
