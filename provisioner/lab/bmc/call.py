"""What an IPMI command is given, and how it refuses."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import IntEnum
from typing import NoReturn, Protocol

from provisioner.lab.bmc.controller import Controller
from provisioner.lab.bmc.session import Session


class Code(IntEnum):
    """Completion codes of IPMI 2.0, table 5-2."""

    OK = 0x00
    BUSY = 0xC0
    UNKNOWN_COMMAND = 0xC1
    RESERVATION_LOST = 0xC5
    TOO_SHORT = 0xC7
    OUT_OF_RANGE = 0xC9
    CANNOT_RETURN = 0xCA
    NOT_PRESENT = 0xCB
    INVALID_FIELD = 0xCC
    PRIVILEGE = 0xD4
    WRONG_STATE = 0xD5


class Refused(Exception):
    """A command ends with this completion code."""

    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code


def refuse(code: int) -> NoReturn:
    """End the command with a completion code."""
    raise Refused(code)


class Serial(Protocol):
    """Serial over LAN of one controller, as the payload commands see it."""

    @property
    def owner(self) -> Session | None: ...
    def activate(self, session: Session) -> None: ...
    def deactivate(self) -> None: ...


class Call:
    """One command in progress.

    ``session`` is None for a command outside any session. ``reservations`` are the current
    reservation numbers by what they reserve (``sdr``, ``sel``).
    """

    def __init__(
        self,
        controller: Controller,
        session: Session | None,
        serial: Serial,
        address: tuple[str, int],
        reservations: dict[str, int],
    ) -> None:
        self.controller = controller
        self.session = session
        self.serial = serial
        self.address = address
        self.reservations = reservations

    def reserve(self, what: str) -> int:
        """A new reservation; the one before is lost."""
        number = self.reservations.get(what, 0) % 0xFFFF + 1
        self.reservations[what] = number
        return number

    def reserved(self, what: str, number: int) -> None:
        """Refuse unless *number* is the current reservation."""
        if number != self.reservations.get(what, 0) or number == 0:
            refuse(Code.RESERVATION_LOST)


Handler = Callable[[Call, bytes], bytes]
Table = Mapping[tuple[int, int], tuple[int, Handler]]  # (netfn, command) -> (privilege, handler)
