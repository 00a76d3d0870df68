"""Commands on the users of a controller."""

from __future__ import annotations

import hmac

from provisioner.lab.bmc.accounts import NAME_BYTES, NO_ACCESS, PASSWORD_BYTES, SLOTS, Account
from provisioner.lab.bmc.call import Call, Code, Table, refuse

DISABLE, ENABLE, SET, TEST = 0, 1, 2, 3


def set_access(call: Call, data: bytes) -> bytes:
    """Set User Access: the privilege limit."""
    account = _slot(call, data[1] & 0x3F)
    level = data[2] & 0x0F
    if level not in (1, 2, 3, 4, NO_ACCESS):
        refuse(Code.INVALID_FIELD)
    account.privilege = level
    return b""


def get_access(call: Call, data: bytes) -> bytes:
    """Get User Access."""
    account = _slot(call, data[1] & 0x3F)
    enabled = call.controller.accounts.enabled()
    return bytes(
        [
            SLOTS,
            enabled | (0x40 if account.enabled else 0x80),
            0x01,
            (0x30 if account.enabled else 0) | account.privilege,
        ]
    )


def set_name(call: Call, data: bytes) -> bytes:
    """Set User Name; an empty one frees the slot."""
    account = _slot(call, data[0] & 0x3F)
    name = data[1 : 1 + NAME_BYTES].rstrip(b"\0\xff").decode("latin-1")
    if name and any(a.name == name and a is not account for _, a in _named(call)):
        refuse(Code.INVALID_FIELD)
    account.name = name
    if not name:
        account.enabled, account.password, account.privilege = False, b"", NO_ACCESS
    return b""


def get_name(call: Call, data: bytes) -> bytes:
    """Get User Name."""
    account = _slot(call, data[0] & 0x3F)
    if not account.name:
        refuse(Code.INVALID_FIELD)
    return account.name.encode("latin-1").ljust(NAME_BYTES, b"\0")


def set_password(call: Call, data: bytes) -> bytes:
    """Set User Password: disable, enable, set or test."""
    account, operation = _slot(call, data[0] & 0x3F), data[1] & 0x03
    given = data[2 : 2 + PASSWORD_BYTES].rstrip(b"\0")
    if operation == DISABLE:
        account.enabled = False
    elif operation == ENABLE:
        account.enabled = True
    elif operation == SET:
        account.password = given
    elif not hmac.compare_digest(given, account.password):
        refuse(0x80)
    return b""


def _slot(call: Call, number: int) -> Account:
    try:
        return call.controller.accounts.slot(number)
    except KeyError:
        refuse(Code.INVALID_FIELD)


def _named(call: Call) -> list[tuple[int, Account]]:
    return call.controller.accounts.numbered()


COMMANDS: Table = {
    (0x06, 0x43): (4, set_access),
    (0x06, 0x44): (3, get_access),
    (0x06, 0x45): (4, set_name),
    (0x06, 0x46): (3, get_name),
    (0x06, 0x47): (4, set_password),
}
