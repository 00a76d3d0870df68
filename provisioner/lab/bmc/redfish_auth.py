"""Who may call the Redfish service: basic authentication, and sessions with tokens."""

from __future__ import annotations

import secrets
import threading
from dataclasses import dataclass

from werkzeug.wrappers import Request

from provisioner.lab.bmc.accounts import Account
from provisioner.lab.bmc.controller import Controller

IDLE_S = 300.0


@dataclass(slots=True, kw_only=True)
class Login:
    """One Redfish session."""

    id: str
    token: str
    name: str
    seen: float

    def __repr__(self) -> str:
        return f"Login({self.id!r}, {self.name!r})"


class Logins:
    """The Redfish sessions of one controller; thread-safe."""

    def __init__(self, controller: Controller) -> None:
        self._controller = controller
        self._lock = threading.Lock()
        self._all: dict[str, Login] = {}
        self._last = 0
        controller.on_reset.append(self.clear)

    def open(self, name: str, password: str) -> Login | None:
        """A new session, or None for a wrong name or password.

        Raises:
            OverflowError: as many sessions as allowed are open.
        """
        if self._controller.checked(name, password) is None:
            self._controller.refused(name)
            return None
        with self._lock:
            self._expire()
            if len(self._all) >= self._controller.sessions:
                raise OverflowError(len(self._all))
            self._last += 1
            now = self._controller.clock.monotonic()
            login = Login(id=str(self._last), token=secrets.token_hex(16), name=name, seen=now)
            self._all[login.id] = login
            return login

    def account(self, request: Request) -> Account | None:
        """The enabled account a request comes from."""
        token = request.headers.get("X-Auth-Token")
        if token:
            return self._by_token(token)
        given = request.authorization
        if given is None or given.type != "basic":
            return None
        account = self._controller.checked(given.username or "", given.password or "")
        if account is None:
            self._controller.refused(given.username or "")
        return account

    def all(self) -> list[Login]:
        """The sessions that are open."""
        with self._lock:
            self._expire()
            return list(self._all.values())

    def close(self, number: str) -> bool:
        """End one session; False when there is none of that number."""
        with self._lock:
            return self._all.pop(number, None) is not None

    def clear(self) -> None:
        """End every session."""
        with self._lock:
            self._all.clear()

    def _by_token(self, token: str) -> Account | None:
        with self._lock:
            self._expire()
            for login in self._all.values():
                if secrets.compare_digest(login.token.encode(), token.encode()):
                    login.seen = self._controller.clock.monotonic()
                    return self._controller.accounts.named(login.name)
        return None

    def _expire(self) -> None:
        now = self._controller.clock.monotonic()
        for login in [x for x in self._all.values() if now - x.seen > IDLE_S]:
            del self._all[login.id]
