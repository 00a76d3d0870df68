"""What some platforms can do with a resource beyond the six verbs.

A driver's ``feature(Power, handle)`` returns an object that fulfils the protocol, or raises
``Unsupported`` with a reason. Each protocol is small on purpose: a feature is there or not.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

from provisioner.resources import Rule


@dataclass(frozen=True, slots=True, kw_only=True)
class Completed:
    """A finished command in a machine. ``seconds`` is its duration seen from the harness."""

    command: str
    code: int
    stdout: bytes
    stderr: bytes
    seconds: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class BootChoice:
    """A boot device: ``network``, ``disk`` or ``default``; for the next boot only, or for good."""

    device: str
    persistent: bool = False
    uefi: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """One sensor. ``value`` is None when the sensor says it has no reading."""

    name: str
    value: float | None
    unit: str
    state: str = "ok"
    thresholds: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class LogEntry:
    """One entry of a hardware event log. ``at`` is RFC 3339 or empty."""

    id: str
    at: str
    text: str


@runtime_checkable
class Power(Protocol):
    """Power of a machine. Setting the state it is in already succeeds and does nothing."""

    def status(self) -> str:
        """``on`` or ``off``."""

    def on(self) -> None: ...
    def off(self) -> None:
        """Hard: as pulling the plug."""

    def cycle(self) -> None:
        """Hard off, then on."""

    def soft_off(self) -> None:
        """Ask the guest to shut down."""

    def reboot(self) -> None:
        """Ask the platform to reboot the guest the way its users do (EC2 RebootInstances)."""


@runtime_checkable
class Console(Protocol):
    """What the machine printed on its console."""

    def read(self) -> str:
        """Everything kept, oldest first."""


@runtime_checkable
class BootDevice(Protocol):
    """Where a machine boots from."""

    def get(self) -> BootChoice: ...
    def set(self, choice: BootChoice) -> None: ...


@runtime_checkable
class Sensors(Protocol):
    """Hardware sensors."""

    def read(self) -> Sequence[Reading]: ...


@runtime_checkable
class EventLog(Protocol):
    """The hardware event log."""

    def read(self) -> Sequence[LogEntry]: ...
    def clear(self) -> None: ...


@runtime_checkable
class Inventory(Protocol):
    """Hardware inventory (FRU): serial, product, manufacturer, uuid, mac ..."""

    def read(self) -> Mapping[str, str]: ...


@runtime_checkable
class Controller(Protocol):
    """The management controller itself (BMC)."""

    def clock(self) -> float:
        """The controller's clock, seconds since the epoch (event-log time)."""

    def login(self, user: str, password: str) -> str:
        """Try credentials; returns ``ok``, ``refused`` or ``no-answer``. Bounded in time."""

    def protocols(self) -> Sequence[str]:
        """What it speaks: ``ipmi``, ``redfish``."""


@runtime_checkable
class Metadata(Protocol):
    """Tags of a resource that exists already."""

    def update_tags(self, tags: Mapping[str, str]) -> None: ...


@runtime_checkable
class Rules(Protocol):
    """The rules of a firewall that exists; a change works on every machine that has it."""

    def allow(self, rule: Rule) -> None:
        """Let something in. Allowing what is allowed already is no error."""

    def revoke(self, rule: Rule) -> None:
        """Let it in no more. Revoking what is not there is no error."""


@runtime_checkable
class Snapshot(Protocol):
    """A copy of a volume or machine."""

    def create(self, name: str) -> str: ...


@runtime_checkable
class Resize(Protocol):
    """Another size for a machine that exists."""

    def to(self, size: str) -> None: ...


@runtime_checkable
class Exec(Protocol):
    """Run a command inside a machine without SSH (kubectl exec, fake)."""

    def run(
        self, argv: Sequence[str], stdin: bytes = b"", timeout_s: float = 60.0
    ) -> Completed: ...


@runtime_checkable
class Objects(Protocol):
    """The content of a bucket."""

    def put(self, key: str, data: bytes) -> None: ...
    def get(self, key: str) -> bytes: ...
    def keys(self, page_size: int = 0) -> Sequence[str]: ...
    def delete(self, key: str) -> None: ...


@runtime_checkable
class Listing(Protocol):
    """The platform's own list call for a kind, page by page, for API properties P2 and P3."""

    def page(
        self, kind: str, size: int, marker: str = "", filters: Mapping[str, str] | None = None
    ) -> tuple[Sequence[str], str]:
        """Ids of one page and the marker of the next ('' when it was the last).

        A *size* of 0 leaves the size of the page to the platform.
        """


@runtime_checkable
class RawCall(Protocol):
    """One call of the platform's own API, for properties of errors (P5, P9): nothing is hidden."""

    def call(self, operation: str, parameters: Mapping[str, Any]) -> Mapping[str, Any]:
        """Answers ``{"status", "code", "message", "request_id", "body"}``; never raises for 4xx."""
