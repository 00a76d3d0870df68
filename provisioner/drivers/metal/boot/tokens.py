"""Tokens of the boot service: one that may only register, once; one that reads its own seed.

They live in memory; of a member's token a digest is kept, so that a later process knows it again.
"""

from __future__ import annotations

import hashlib
import secrets
import threading
from dataclasses import dataclass, field

from provisioner.clock import Clock


class Refusal(Exception):
    """A token is not accepted; the text says why."""


@dataclass(slots=True)
class _Ticket:
    machine: str  # whom the script was served to; empty for a machine that nobody knows
    until: float
    spent: bytes = b""  # digest of the request that used it
    answer: bytes = field(default=b"", repr=False)


class Tickets:
    """Registration tokens. Thread-safe."""

    def __init__(self, clock: Clock, ttl_s: float) -> None:
        self._clock, self._ttl_s = clock, ttl_s
        self._lock = threading.Lock()
        self._all: dict[str, _Ticket] = {}

    def issue(self, machine: str) -> str:
        """A token for the script of *machine*."""
        token = secrets.token_urlsafe(24)
        now = self._clock.monotonic()
        with self._lock:
            self._all = {t: ticket for t, ticket in self._all.items() if ticket.until > now}
            self._all[token] = _Ticket(machine=machine, until=now + self._ttl_s)
        return token

    def spend(self, token: str, request: bytes) -> tuple[str, bytes]:
        """Use a token for a request: the machine it was made for, and b"".

        A request that is repeated byte for byte, because its answer was lost, gets the same
        answer again instead.

        Raises:
            Refusal: unknown, too old, or used by another request.
        """
        digest = hashlib.sha256(request).digest()
        with self._lock:
            ticket = self._all.get(token)
            if ticket is None or ticket.until <= self._clock.monotonic():
                raise Refusal("unknown or expired registration token")
            if ticket.spent and (ticket.spent != digest or not ticket.answer):
                raise Refusal("registration token was used already")
            ticket.spent = digest
            return ticket.machine, ticket.answer

    def answered(self, token: str, answer: bytes) -> None:
        """Keep the answer for a repeated request."""
        with self._lock:
            if token in self._all:
                self._all[token].answer = answer


def new_member_token() -> str:
    """A machine's own token."""
    return secrets.token_urlsafe(32)


def digest_of(token: str) -> str:
    """What may be kept of a token."""
    return hashlib.sha256(token.encode()).hexdigest()
