"""RMCP+ sessions: opening, the RAKP handshake, integrity, replay window, expiry and their limit.

Source: IPMI 2.0 revision 1.1, sections 13.17 to 13.24.
"""

from __future__ import annotations

import hmac
import os
import struct
from dataclasses import dataclass, field

from provisioner.lab.bmc.accounts import ADMINISTRATOR, Account
from provisioner.lab.bmc.controller import Controller
from provisioner.lab.bmc.crypto import Suite, decrypt, encrypt, suite_for

IDLE_S = 60.0  # 60 s +/- 3 s of silence end a session
HANDSHAKE_S = 10.0
HALF_OPEN = 32
WINDOW = 16  # how far behind the highest sequence number a message may be

OK, NO_RESOURCES, BAD_SESSION, BAD_ROLE, BAD_NAME, BAD_CHECK, NO_SUITE = 0, 1, 2, 9, 13, 15, 17


@dataclass(slots=True, kw_only=True, eq=False)
class Session:
    """One session; ``active`` once both sides have proved that they know the password."""

    id: int
    client_id: int
    suite: Suite
    seen: float
    address: tuple[str, int]
    client_random: bytes = b""
    own_random: bytes = b""
    role: int = 0
    account: Account | None = None
    name: bytes = b""
    integrity_key: bytes = b""
    cipher_key: bytes = b""
    active: bool = False
    closing: bool = False
    privilege: int = 2
    sent: int = 0
    highest: int = 0
    window: set[int] = field(default_factory=set)
    answered: tuple[bytes, bytes, float] | None = None  # last request, answer, time

    @property
    def allowed(self) -> int:
        """The highest privilege this session may take."""
        wanted = self.role & 0x0F or ADMINISTRATOR
        return min(wanted, self.account.privilege if self.account else 0)

    def fresh(self, sequence: int) -> bool:
        """Whether a message of that number is new; it is remembered."""
        if sequence == 0 or sequence <= self.highest - WINDOW or sequence in self.window:
            return False
        self.window.add(sequence)
        self.highest = max(self.highest, sequence)
        self.window = {n for n in self.window if n > self.highest - WINDOW}
        return True

    def seal(self, kind: int, payload: bytes) -> bytes:
        """A whole encrypted and authenticated packet."""
        secret = encrypt(self.cipher_key, payload)
        self.sent += 1
        packet = bytes([6, kind | 0xC0]) + struct.pack(
            "<IIH", self.client_id, self.sent, len(secret)
        )
        packet += secret
        pad = -(len(packet) + 2) % 4
        packet += b"\xff" * pad + bytes([pad, 7])
        return b"\x06\0\xff\x07" + packet + self.suite.tag(self.integrity_key, packet)

    def unseal(self, packet: bytes, payload: bytes) -> bytes | None:
        """The payload in the clear, or None when the packet is not the client's."""
        size = self.suite.tag_bytes
        want = self.suite.tag(self.integrity_key, packet[4:-size])
        if not hmac.compare_digest(want, packet[-size:]):
            return None
        try:
            return decrypt(self.cipher_key, payload)
        except ValueError:
            return None


class Sessions:
    """All sessions of one controller."""

    def __init__(self, controller: Controller) -> None:
        self._controller = controller
        self._all: dict[int, Session] = {}
        self._last = 0

    def expire(self) -> list[Session]:
        """Drop sessions that were silent too long; returns them."""
        now = self._controller.clock.monotonic()
        gone = [
            s
            for s in self._all.values()
            if now - s.seen > (IDLE_S if s.active else HANDSHAKE_S) or not self._valid(s)
        ]
        for session in gone:
            del self._all[session.id]
        return gone

    def active(self) -> int:
        """How many sessions are open now."""
        self.expire()
        return sum(s.active for s in self._all.values())

    def get(self, number: int) -> Session | None:
        """The session of that number, if it is alive."""
        self.expire()
        return self._all.get(number)

    def touch(self, session: Session) -> None:
        """The client was heard."""
        session.seen = self._controller.clock.monotonic()

    def close(self, session: Session) -> None:
        """End one session."""
        self._all.pop(session.id, None)

    def clear(self) -> None:
        """End every session."""
        self._all.clear()

    def open(self, data: bytes, address: tuple[str, int]) -> bytes:
        """Answer an Open Session Request."""
        tag, client = data[0], data[4:8]
        suite = suite_for(data[12], data[20], data[28])
        if suite is None:
            return bytes([tag, NO_SUITE, 0, 0]) + client
        if self.active() >= self._controller.sessions:
            return bytes([tag, NO_RESOURCES, 0, 0]) + client
        waiting = [s for s in self._all.values() if not s.active]
        for oldest in sorted(waiting, key=lambda s: s.seen)[: max(0, len(waiting) - HALF_OPEN)]:
            del self._all[oldest.id]
        number = 0
        while number == 0 or number in self._all:
            self._last = self._last % 0xFFFF + 1
            number = self._last | int.from_bytes(os.urandom(2), "big") << 16
        self._all[number] = Session(
            id=number,
            client_id=struct.unpack("<I", client)[0],
            suite=suite,
            seen=self._controller.clock.monotonic(),
            address=address,
        )
        chosen = b"".join(
            bytes([kind, 0, 0, 8, algorithm, 0, 0, 0])
            for kind, algorithm in enumerate(
                (suite.authentication, suite.integrity, suite.confidentiality)
            )
        )
        head = bytes([tag, OK, data[1] & 0x0F or ADMINISTRATOR, 0])
        return head + client + struct.pack("<I", number) + chosen

    def rakp1(self, data: bytes) -> bytes:
        """Answer RAKP message 1 (who the client is) with RAKP message 2."""
        tag = data[0]
        session = self.get(struct.unpack("<I", data[4:8])[0])
        if session is None or session.active:
            return bytes([tag, BAD_SESSION, 0, 0]) + bytes(4)
        client = struct.pack("<I", session.client_id)
        role, name = data[24], data[28 : 28 + data[27]]
        account = self._controller.accounts.named(name.decode("latin-1"))
        if account is None:
            self._controller.refused(name.decode("latin-1"))
            self.close(session)
            return bytes([tag, BAD_NAME, 0, 0]) + client
        if role & 0x0F > account.privilege:
            self.close(session)
            return bytes([tag, BAD_ROLE, 0, 0]) + client
        if session.client_random != data[8:24]:  # a repeated message gets the same answer
            session.client_random, session.own_random = data[8:24], os.urandom(16)
        session.role, session.account, session.name = role, account, name
        numbers = client + struct.pack("<I", session.id)
        proof = session.suite.mac(
            account.password.ljust(20, b"\0"),
            numbers
            + session.client_random
            + session.own_random
            + self._controller.guid
            + bytes([role, len(name)])
            + name,
        )
        return bytes([tag, OK, 0, 0]) + client + session.own_random + self._controller.guid + proof

    def rakp3(self, data: bytes) -> bytes | None:
        """Answer RAKP message 3 (the client's proof) with RAKP message 4."""
        tag, status = data[0], data[1]
        session = self.get(struct.unpack("<I", data[4:8])[0])
        if session is None:
            return bytes([tag, BAD_SESSION, 0, 0]) + bytes(4)
        if session.account is None:
            return None
        client = struct.pack("<I", session.client_id)
        who = bytes([session.role, len(session.name)]) + session.name
        if status != OK:  # the client found our proof wrong: it has another password
            self._controller.refused(session.name.decode("latin-1"))
            self.close(session)
            return None
        suite, key = session.suite, session.account.password.ljust(20, b"\0")
        want = suite.mac(key, session.own_random + client + who)
        given = data[8 : 8 + len(want)]
        if not hmac.compare_digest(want, given):
            self._controller.refused(session.name.decode("latin-1"))
            self.close(session)
            return bytes([tag, BAD_CHECK, 0, 0]) + client
        if not session.active and self.active() >= self._controller.sessions:
            self.close(session)
            return bytes([tag, NO_RESOURCES, 0, 0]) + client
        secret = suite.mac(key, session.client_random + session.own_random + who)
        session.integrity_key = suite.mac(secret, b"\x01" * 20)
        session.cipher_key = suite.mac(secret, b"\x02" * 20)[:16]
        session.active = True
        session.privilege = min(2, session.allowed)
        self.touch(session)
        code = suite.tag(
            secret, session.client_random + struct.pack("<I", session.id) + self._controller.guid
        )
        return bytes([tag, OK, 0, 0]) + client + code

    @staticmethod
    def _valid(session: Session) -> bool:
        account = session.account
        return account is None or (
            account.enabled and account.name.encode("latin-1", "replace") == session.name
        )
