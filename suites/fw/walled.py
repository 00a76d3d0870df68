"""A machine behind a firewall of its own, seen from outside while its rules change."""

from __future__ import annotations

import socket
from collections.abc import Callable
from dataclasses import dataclass

from provisioner.deployment import Member
from provisioner.driver import Handle
from provisioner.errors import Lost, PlatformError, Unsupported
from provisioner.features import Rules
from provisioner.resources import FirewallSpec, Kind, MachineSpec, Ref, Rule
from suites.fw.flow import still_flows
from suites.seams import Bench, Inside, Members, Patience, Subject
from suites.waits import Stopwatch, until

NAME = "walled"
HARNESS = "the harness"
KNOCK_S = 3.0  # a machine that lets us in answers at once; as the probe's own limit
PORT = 22
LET_IN = Rule(source="any", protocol="tcp", first_port=PORT, last_port=PORT)
OPEN = ("open", "refused")  # a refusal came from the machine, so the packet got in


def answers(seen_from: str) -> tuple[str, ...]:
    """What a machine says that was let in; a pod has no server there and can only refuse."""
    return ("open",) if seen_from == HARNESS else OPEN


@dataclass(slots=True, kw_only=True)
class Walled:
    """What the machine let in: with no rule, and after each change; times in seconds."""

    address: str
    seen_from: str
    with_no_rule: str = ""
    changeable: str = ""  # why its rules cannot be changed; empty when they can
    first_open: str = ""  # after the first rule, however long the machine took to boot
    closed: str = ""
    closed_after: float = 0.0
    flow: str = ""  # what a connection made before does then; empty where none could be held
    opened: str = ""
    opened_after: float = 0.0


class Wall:
    """Makes the machine when the first check asks, and records once what it lets in."""

    def __init__(
        self,
        bench: Bench,
        inside: Inside,
        subject: Subject,
        members: Members,
        patience: Patience,
    ) -> None:
        self._bench = bench
        self._inside = inside
        self._subject = subject
        self._members = members
        self._patience = patience
        self._walled: Walled | PlatformError | None = None

    def record(self) -> Walled:
        """What was seen. Raises PlatformError as often as asked, if it went wrong."""
        if self._walled is None:
            try:
                self._walled = self._record()
            except PlatformError as error:
                self._walled = error
        if isinstance(self._walled, PlatformError):
            raise self._walled
        return self._walled

    def _record(self) -> Walled:
        firewall = self._bench.create(Kind.FIREWALL, NAME, FirewallSpec())
        spec = MachineSpec(firewalls=(Ref(Kind.FIREWALL, NAME),))
        machine = self._bench.create(Kind.MACHINE, NAME, spec)
        try:
            return self._try(firewall, machine)
        finally:
            self._subject.driver.delete(machine)  # the bench proves later that it is gone

    def _try(self, firewall: Handle, machine: Handle) -> Walled:
        state = self._subject.driver.read(machine)
        if state is None or not state.addresses:
            raise Lost(f"{machine} has no address")
        address, seen_from, knock = self._knocker(dict(state.addresses))
        walled = Walled(address=address, seen_from=seen_from, with_no_rule=knock())
        try:
            rules = self._subject.driver.feature(Rules, firewall)  # type: ignore[type-abstract]
        except Unsupported as reason:
            walled.changeable = reason.message
            return walled
        rules.allow(LET_IN)
        up = answers(seen_from)
        walled.first_open = until(knock, lambda seen: seen in up, self._patience("boot"))
        held = self._hold(address) if seen_from == HARNESS else None
        rules.revoke(LET_IN)
        clock = Stopwatch()
        walled.closed = until(knock, lambda seen: seen not in OPEN, self._patience("rule"))
        walled.closed_after = clock.seconds
        if held is not None:
            with held:
                walled.flow = still_flows(held)
        rules.allow(LET_IN)
        clock = Stopwatch()
        walled.opened = until(knock, lambda seen: seen in OPEN, self._patience("rule"))
        walled.opened_after = clock.seconds
        return walled

    def _knocker(self, addresses: dict[str, str]) -> tuple[str, str, Callable[[], str]]:
        """Where to knock, from where, and how."""
        near = self._members[0]
        if near.state.access is not None and near.state.access.how == "ssh":
            address = addresses.get("public") or addresses["private"]
            return address, HARNESS, lambda: self._dial(address)
        address = addresses.get("private") or addresses["public"]
        return address, near.name, lambda: self._from(near, address)

    def _hold(self, address: str) -> socket.socket | None:
        """A connection to the machine, if it lets us in."""
        try:
            return self._subject.dial(address, PORT, KNOCK_S)
        except OSError:
            return None

    def _dial(self, address: str) -> str:
        try:
            self._subject.dial(address, PORT, KNOCK_S).close()
        except ConnectionRefusedError:
            return "refused"
        except OSError:
            return "silent"  # no answer, or a router's word that there is no way
        return "open"

    def _from(self, member: Member, address: str) -> str:
        seen = self._inside(member).observe("tcp", targets=[[address, PORT]])
        return str(seen["results"][0]["state"])
