"""IPMI 2.0 over UDP on one controller: RMCP, session layer and the table of commands."""

from __future__ import annotations

import asyncio
import logging
import struct

from provisioner.lab.bmc import app, chassis, fru, lan, sdr, sel, sol, users
from provisioner.lab.bmc.call import Call, Code, Handler, Refused, Table
from provisioner.lab.bmc.controller import Controller
from provisioner.lab.bmc.session import Session, Sessions

_log = logging.getLogger(__name__)

RMCP_IPMI = b"\x06\x00\xff\x07"
COMMANDS: Table = {
    **app.COMMANDS,
    **chassis.COMMANDS,
    **fru.COMMANDS,
    **lan.COMMANDS,
    **sdr.COMMANDS,
    **sel.COMMANDS,
    **sol.COMMANDS,
    **users.COMMANDS,
}
MESSAGE, SOL, OPEN, RAKP1, RAKP3 = 0x00, 0x01, 0x10, 0x12, 0x14
REPEAT_S = 5.0  # the same request again within this time gets the same answer, nothing is redone


class IpmiServer(asyncio.DatagramProtocol):
    """One controller's IPMI endpoint; hand it to ``create_datagram_endpoint``."""

    def __init__(self, controller: Controller) -> None:
        self.controller = controller
        self.sessions = Sessions(controller)
        self.serial = sol.SerialOverLan(controller, self._send_serial)
        self._reservations: dict[str, int] = {}
        self._transport: asyncio.DatagramTransport | None = None
        self._own = ("0.0.0.0", 623)  # noqa: S104 - replaced by the bound address
        self._loop: asyncio.AbstractEventLoop | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport  # type: ignore[assignment]  # asyncio's own looseness
        self._loop = asyncio.get_running_loop()
        host, port = transport.get_extra_info("sockname")[:2]
        self._own = (str(host), int(port))
        self.controller.on_reset.append(self._reset)

    def connection_lost(self, exc: Exception | None) -> None:
        self.serial.deactivate()
        self.sessions.clear()

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        if self.controller.away:
            return
        try:
            self._received(data, addr)
        except (IndexError, struct.error, UnicodeDecodeError):
            _log.debug("%s: malformed packet of %d bytes", self.controller.board.name, len(data))

    # -- layers --------------------------------------------------------------------------------

    def _received(self, data: bytes, addr: tuple[str, int]) -> None:
        if data[0] != 6:
            return
        if data[3] == 6 and data[8] == 0x80:  # ASF presence ping
            pong = b"\x06\0\xff\x06\0\0\x11\xbe\x40" + data[9:10] + b"\0\x10\0\0\x11\xbe"
            self._send(pong + bytes(4) + b"\x81" + bytes(7), addr)
        elif data[3] == 7 and data[4] == 6:
            self._plus(data, addr)
        elif data[3] == 7 and data[4] == 0:  # IPMI 1.5 outside a session: discovery only
            answer = self._answer(data[14 : 14 + data[13]], None)
            if answer:
                self._send(RMCP_IPMI + bytes(9) + bytes([len(answer)]) + answer, addr)

    def _plus(self, data: bytes, addr: tuple[str, int]) -> None:
        kind = data[5]
        number, sequence, size = struct.unpack("<IIH", data[6:16])
        payload = data[16 : 16 + size]
        if len(payload) != size:
            return
        if kind == OPEN:
            self._plain(OPEN + 1, self.sessions.open(payload, addr), addr)
        elif kind == RAKP1:
            self._plain(RAKP1 + 1, self.sessions.rakp1(payload), addr)
        elif kind == RAKP3:
            if (answer := self.sessions.rakp3(payload)) is not None:
                self._plain(RAKP3 + 1, answer, addr)
        elif kind == MESSAGE and number == 0:
            if (answer := self._answer(payload, None)) is not None:
                self._plain(MESSAGE, answer, addr)
        elif kind & 0xC0 == 0xC0:
            self._sealed(kind & 0x3F, number, sequence, data, payload, addr)

    def _sealed(
        self, kind: int, number: int, sequence: int, data: bytes, payload: bytes,
        addr: tuple[str, int],
    ) -> None:  # fmt: skip
        owner = self.serial.owner
        session = self.sessions.get(number)
        if owner is not None and self.sessions.get(owner.id) is None:
            self.serial.deactivate()
        if session is None or not session.active:
            return
        clear = session.unseal(data, payload)
        if clear is None or not session.fresh(sequence):
            return
        session.address = addr
        self.sessions.touch(session)
        if kind == SOL:
            self.serial.received(session, clear)
        elif kind == MESSAGE:
            now = self.controller.clock.monotonic()
            last = session.answered
            if last is not None and last[0] == clear and now - last[2] < REPEAT_S:
                answer: bytes | None = last[1]
            else:
                answer = self._answer(clear, session)
            if answer is not None:
                session.answered = (clear, answer, now)
                self._send(session.seal(MESSAGE, answer), addr)
            if session.closing:
                self._close(session)

    def _answer(self, message: bytes, session: Session | None) -> bytes | None:
        """The whole answer to an IPMI message, or None when it is damaged."""
        if len(message) < 7 or sum(message[:3]) & 0xFF or sum(message[3:]) & 0xFF:
            return None
        responder, function, _, requester, sequence, command = message[:6]
        body = self._execute(function >> 2, command, message[6:-1], session)
        head = bytes([requester, ((function >> 2 | 1) << 2) | (sequence & 3)])
        tail = bytes([responder, (sequence & 0xFC) | (function & 3), command]) + body
        return head + _checksum(head) + tail + _checksum(tail)

    def _execute(self, netfn: int, command: int, data: bytes, session: Session | None) -> bytes:
        """Completion code and data of one command."""
        entry = COMMANDS.get((netfn, command))
        call = Call(self.controller, session, self.serial, self._own, self._reservations)
        try:
            if session is None and (netfn, command) not in app.NO_SESSION:
                return bytes([Code.PRIVILEGE])
            if entry is None:
                return bytes([Code.UNKNOWN_COMMAND])
            needed, handler = entry
            if session is not None and session.privilege < needed:
                return bytes([Code.PRIVILEGE])
            return bytes([Code.OK]) + _run(handler, call, data)
        except Refused as refused:
            return bytes([refused.code])
        except (IndexError, struct.error):
            return bytes([Code.TOO_SHORT])

    # -- sending -------------------------------------------------------------------------------

    def _plain(self, kind: int, payload: bytes, addr: tuple[str, int]) -> None:
        head = RMCP_IPMI + bytes([6, kind]) + bytes(8)
        self._send(head + struct.pack("<H", len(payload)) + payload, addr)

    def _send_serial(self, session: Session, payload: bytes) -> None:
        self._send(session.seal(SOL, payload), session.address)

    def _send(self, packet: bytes, addr: tuple[str, int]) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.sendto(packet, addr)

    def _close(self, session: Session) -> None:
        if self.serial.owner is session:
            self.serial.deactivate()
        self.sessions.close(session)

    def _reset(self) -> None:
        """The controller restarts; may be called from the Redfish side, in another thread."""
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._forget)

    def _forget(self) -> None:
        self.serial.deactivate()
        self.sessions.clear()
        self._reservations.clear()


def _run(handler: Handler, call: Call, data: bytes) -> bytes:
    return handler(call, data)


def _checksum(data: bytes) -> bytes:
    return bytes([-sum(data) & 0xFF])
