"""The shapes of what checks get from the harness; its plugin has the fixtures."""

from __future__ import annotations

import socket
from collections.abc import Callable, Mapping
from typing import Any, NoReturn, Protocol

from provisioner.deployment import Member
from provisioner.driver import Description, Driver, Handle, Owner
from provisioner.features import Completed
from provisioner.resources import Kind, Spec


class Config(Protocol):
    """A platform as configured."""

    @property
    def settings(self) -> Mapping[str, Any]:
        """The driver's own keys."""


class Subject(Protocol):
    """The platform under test."""

    @property
    def name(self) -> str:
        """What the user calls it."""

    @property
    def kind(self) -> str:
        """The driver's kind."""

    @property
    def driver(self) -> Driver:
        """The opened driver."""

    @property
    def description(self) -> Description:
        """What it says it is."""

    @property
    def declared(self) -> Mapping[str, Any]:
        """What its owner declares of it."""

    @property
    def config(self) -> Config:
        """Its entry in platforms.yaml."""

    @property
    def owner(self) -> Owner:
        """Who owns what the checks make."""

    def dial(self, host: str, port: int, timeout_s: float) -> socket.socket:
        """Connect the way the platform is reached. Raises OSError as the network said it."""


class Machine(Protocol):
    """The inside of one member."""

    def observe(
        self, name: str, *, timeout_s: float | None = None, sudo: bool = False, **args: object
    ) -> dict[str, Any]:
        """One of the probe's observations. Raises Lost, Timeout, Unauthorized."""

    def run(
        self,
        command: str,
        timeout_s: float | None = None,
        sudo: bool = False,
        *,
        stdin: bytes = b"",
    ) -> Completed:
        """A command for ``sh -c``. Raises Lost, Timeout, Unauthorized."""


class Bench(Protocol):
    """Makes machines and other resources, and removes them all at the end."""

    def machine(
        self,
        name: str,
        *,
        volume_gib: int = 0,
        with_key: bool = True,
        **fields: Any,
    ) -> Member:
        """A machine one can get into, with the probe in it."""

    def create(self, kind: Kind, name: str, spec: Spec) -> Handle:
        """Any resource, waited for until it is ready."""

    def refresh(self, member: Member) -> Member:
        """The member with its state as it is now."""

    def reconnect(self, member: Member, timeout_s: float) -> Member:
        """Wait until one can get in again."""

    def remove(self, what: Member | Handle) -> None:
        """Delete and wait until it is gone."""


class Observe(Protocol):
    """Records a fact of the check that runs now."""

    def __call__(
        self,
        name: str,
        value: Any,
        *,
        unit: str | None = None,
        source: str = "guest",
        member: str | None = None,
    ) -> None: ...


class NotApplicable(Protocol):
    """Ends the check: it says nothing about this platform, for this reason."""

    def __call__(self, reason: str) -> NoReturn: ...


Inside = Callable[[Member], Machine]
Evidence = Callable[[str, str], None]
Patience = Callable[[str], float]
Members = tuple[Member, ...]
