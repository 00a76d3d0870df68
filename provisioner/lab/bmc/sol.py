"""Serial over LAN: the payload's commands, and the transport with its acknowledgements.

Source: IPMI 2.0 revision 1.1, section 15 and 24.
"""

from __future__ import annotations

import asyncio
import struct
from collections.abc import Callable

from provisioner.lab.bmc.call import Call, Code, Table, refuse
from provisioner.lab.bmc.controller import Controller
from provisioner.lab.bmc.session import Session

PAYLOAD = 1
CHUNK = 200
RETRY_S, RETRIES = 0.5, 20
KEPT = 256 * 1024  # what waits for a slow client; older output is dropped beyond that
NACK, UNAVAILABLE = 0x40, 0x20


class SerialOverLan:
    """The one instance of the SOL payload. *send* gives a payload to a session's client."""

    def __init__(self, controller: Controller, send: Callable[[Session, bytes], None]) -> None:
        self._controller = controller
        self._send = send
        self._owner: Session | None = None
        self._detach: Callable[[], None] | None = None
        self._waiting = bytearray()
        self._flight: tuple[int, bytes] | None = None  # sequence number and data not yet acked
        self._sequence = 0
        self._heard = 0  # the client's last sequence number
        self._tries = 0
        self._timer: asyncio.TimerHandle | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    @property
    def owner(self) -> Session | None:
        return self._owner

    def activate(self, session: Session) -> None:
        """Connect a session to the console."""
        self._owner, self._sequence, self._heard = session, 0, 0
        self._loop = asyncio.get_running_loop()
        if "mute-console" not in self._controller.defects:
            self._detach = self._controller.board.console_attach(self._printed)

    def deactivate(self) -> None:
        """Disconnect whoever is connected."""
        if self._detach is not None:
            self._detach()
        if self._timer is not None:
            self._timer.cancel()
        self._owner = self._detach = self._timer = self._flight = None
        self._waiting.clear()

    def received(self, session: Session, data: bytes) -> None:
        """A SOL packet of a client: keys it typed, or an acknowledgement, or both."""
        if session is not self._owner or len(data) < 4:
            return
        sequence, acked, count, _ = data[:4]
        if acked & 0x0F and self._flight is not None and acked & 0x0F == self._flight[0]:
            rest = self._flight[1][count:]
            self._flight, self._tries = None, 0
            if self._timer is not None:
                self._timer.cancel()
            if rest:
                self._waiting[:0] = rest
            self._next()
        typed = data[4:]
        if sequence & 0x0F:
            if sequence & 0x0F != self._heard and typed:
                self._write(typed)
            self._heard = sequence & 0x0F
            self._send(session, bytes([0, sequence & 0x0F, len(typed), 0]))

    def _write(self, typed: bytes) -> None:
        if "mute-console" not in self._controller.defects:
            self._controller.board.console_write(typed)

    def _printed(self, data: bytes) -> None:
        """From any thread: the console printed something."""
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._queue, data)

    def _queue(self, data: bytes) -> None:
        self._waiting += data
        del self._waiting[: max(0, len(self._waiting) - KEPT)]
        self._next()

    def _next(self) -> None:
        if self._owner is None or self._flight is not None or not self._waiting:
            return
        chunk = bytes(self._waiting[:CHUNK])
        del self._waiting[:CHUNK]
        self._sequence = self._sequence % 15 + 1
        self._flight, self._tries = (self._sequence, chunk), 0
        self._transmit()

    def _transmit(self) -> None:
        if self._owner is None or self._flight is None or self._loop is None:
            return
        if self._tries >= RETRIES:
            self.deactivate()
            return
        self._tries += 1
        self._send(self._owner, bytes([self._flight[0], 0, 0, 0]) + self._flight[1])
        self._timer = self._loop.call_later(RETRY_S, self._transmit)


def activate(call: Call, data: bytes) -> bytes:
    """Activate Payload."""
    if data[0] & 0x3F != PAYLOAD or data[1] & 0x0F != 1:
        refuse(Code.INVALID_FIELD)
    session = call.session
    if session is None:
        refuse(Code.WRONG_STATE)
    if call.serial.owner is not None:
        refuse(0x80)
    call.serial.activate(session)
    size = CHUNK + 4
    return bytes(4) + struct.pack("<HHHH", size, size, call.address[1], 0xFFFF)


def deactivate(call: Call, data: bytes) -> bytes:
    """Deactivate Payload; administrators may end somebody else's."""
    owner = call.serial.owner
    if data[0] & 0x3F != PAYLOAD:
        refuse(Code.INVALID_FIELD)
    if owner is None:
        refuse(0x80)
    if owner is not call.session and (call.session is None or call.session.privilege < 4):
        refuse(Code.PRIVILEGE)
    call.serial.deactivate()
    return b""


def activation(call: Call, data: bytes) -> bytes:
    """Get Payload Activation Status: one instance."""
    return bytes([1, 1 if call.serial.owner is not None else 0, 0])


def instance(call: Call, data: bytes) -> bytes:
    """Get Payload Instance Info: which session owns it."""
    owner = call.serial.owner
    return struct.pack("<I", 0 if owner is None else owner.id) + bytes([1]) + bytes(7)


def support(call: Call, data: bytes) -> bytes:
    """Get Channel Payload Support: IPMI messages, SOL and the session setup payloads."""
    return bytes([0x03, 0x00, 0x3F, 0x00, 0, 0, 0, 0])


COMMANDS: Table = {
    (0x06, 0x48): (2, activate),
    (0x06, 0x49): (2, deactivate),
    (0x06, 0x4A): (2, activation),
    (0x06, 0x4B): (2, instance),
    (0x06, 0x4E): (2, support),
}
