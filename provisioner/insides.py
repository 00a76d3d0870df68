"""The way into members that stand, what templates see of them, and what roles share."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from provisioner.clock import Clock
from provisioner.driver import State
from provisioner.errors import Lost, PlatformFault, Timeout, Unauthorized
from provisioner.features import Completed
from provisioner.plan import PlannedMember
from provisioner.waiting import Cancel, wait

KEY_S = 30.0  # from the first answer until our key has to be there


class Shell(Protocol):
    """What running a role needs of ``provisioner.remote.Remote``."""

    def run(
        self, command: str, *, stdin: bytes = b"", timeout_s: float = 60.0, sudo: bool = False
    ) -> Completed: ...

    def put(self, data: bytes, path: str, mode: int = 0o644, sudo: bool = False) -> None: ...

    def close(self) -> None: ...


class Shared:
    """What roles have provided so far; the first to publish a name wins."""

    def __init__(self) -> None:
        self._values: dict[str, Any] = {}
        self._lock = threading.Lock()

    def publish(self, name: str, value: object) -> bool:
        """Set a value that nobody has set. Returns whether this one, or an equal one, is it."""
        with self._lock:
            return bool(self._values.setdefault(name, value) == value)

    def values(self) -> dict[str, Any]:
        """All values now, by dotted name."""
        with self._lock:
            return dict(self._values)


@dataclass(frozen=True, slots=True, kw_only=True)
class Inside:
    """A member that stands, and the way into it."""

    member: PlannedMember
    state: State
    volumes: Mapping[str, Mapping[str, Any]]
    shell: Shell
    reboot: Callable[[], None]  # by the platform, where it can


def facts_of(
    member: PlannedMember, state: State, volumes: Mapping[str, Mapping[str, Any]]
) -> dict[str, Any]:
    """What templates see as a member."""
    addresses = dict(state.addresses)
    private = addresses.get("private") or next(iter(addresses.values()), "")
    return {
        "name": member.name,
        "group": member.group,
        "index": member.index,
        "platform": member.platform,
        "address": {**dict.fromkeys(member.networks, private), **addresses},
        "volumes": dict(volumes),
        "facts": dict(state.facts),
    }


def reachable(shell: Shell, clock: Clock, cancel: Cancel, why: str, timeout_s: float) -> None:
    """Wait until a command runs in the machine.

    Many a machine answers before its initialisation has put our key there.

    Raises:
        Timeout: none did in time.
        Unauthorized: it has answered for half a minute, and does not let us in.
    """
    refused_since: list[float] = []

    def look() -> str:
        try:
            return "in" if shell.run("true", timeout_s=20).code == 0 else "refusing"
        except (Lost, PlatformFault, Timeout):
            return "no answer"
        except Unauthorized:
            refused_since.append(clock.monotonic())
            if refused_since[-1] - refused_since[0] > KEY_S:
                raise
            return "refusing our key"

    wait(
        look,
        target=["in"],
        timeout_s=timeout_s,
        clock=clock,
        why=f"{why} to let us in",
        interval=(0.25, 3.0),
        cancel=cancel,
    )
