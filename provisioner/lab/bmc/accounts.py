"""The users of a controller: fifteen slots with name, password and highest privilege."""

from __future__ import annotations

import hmac
from collections.abc import Iterable
from dataclasses import dataclass

CALLBACK, USER, OPERATOR, ADMINISTRATOR, NO_ACCESS = 1, 2, 3, 4, 15
SLOTS = 15
NAME_BYTES, PASSWORD_BYTES = 16, 20


@dataclass(slots=True, kw_only=True)
class Account:
    """One slot. An empty name means that the slot is free."""

    name: str = ""
    password: bytes = b""
    privilege: int = NO_ACCESS
    enabled: bool = False

    def __repr__(self) -> str:
        return f"Account({self.name!r}, privilege={self.privilege}, enabled={self.enabled})"


class Accounts:
    """Slots 1 to 15. Slot 1 is the nameless user and stays disabled."""

    def __init__(self, users: Iterable[tuple[str, str, int]]) -> None:
        self._slots = [Account() for _ in range(SLOTS)]
        for number, (name, password, privilege) in enumerate(users, start=2):
            slot = self.slot(number)
            slot.name, slot.password = name, password.encode()
            slot.privilege, slot.enabled = privilege, True

    def slot(self, number: int) -> Account:
        """The slot of that number. Raises KeyError when there is none."""
        if not 1 <= number <= SLOTS:
            raise KeyError(number)
        return self._slots[number - 1]

    def named(self, name: str) -> Account | None:
        """The enabled account of that name."""
        for slot in self._slots:
            if name and slot.enabled and slot.name == name:
                return slot
        return None

    def numbered(self) -> list[tuple[int, Account]]:
        """Every slot that has a name."""
        return [(n, slot) for n, slot in enumerate(self._slots, start=1) if slot.name]

    def enabled(self) -> int:
        """How many slots are enabled."""
        return sum(slot.enabled for slot in self._slots)

    def checked(self, name: str, password: str) -> Account | None:
        """The account when the password is right."""
        account = self.named(name)
        if account is None or not hmac.compare_digest(account.password, password.encode()):
            return None
        return account
