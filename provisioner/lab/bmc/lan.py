"""LAN and serial-over-LAN configuration parameters; they can be read, not changed."""

from __future__ import annotations

import ipaddress
import struct

from provisioner.lab.bmc.call import Call, Table, refuse
from provisioner.lab.bmc.crypto import SUITES

REVISION = 0x11
READ_ONLY, NO_PARAMETER = 0x82, 0x80


def get_lan(call: Call, data: bytes) -> bytes:
    """Get LAN Configuration Parameters."""
    if data[0] & 0x80:
        return bytes([REVISION])
    host = call.address[0]
    mac = bytes.fromhex(call.controller.guid[-5:].hex())
    suites = bytes(suite.id for suite in SUITES)
    values: dict[int, bytes] = {
        0: b"\0",
        1: b"\0",  # no authentication types of IPMI 1.5
        2: bytes(5),
        3: ipaddress.IPv4Address(host).packed,
        4: b"\x01",  # a static address
        5: b"\x02" + mac,
        6: b"\xff\0\0\0",
        7: b"\x40\x40\x10",
        8: b"\x6f\x02",
        9: b"\x70\x02",
        10: b"\0",
        11: b"\0",
        12: bytes(4),
        13: bytes(6),
        14: bytes(4),
        15: bytes(6),
        16: bytes(18),
        17: b"\0",
        18: bytes(5),
        19: bytes(13),
        20: b"\0\0",
        21: b"\0",
        22: bytes([len(suites)]),
        23: b"\0" + suites,
        24: b"\0" + b"\x44" * 8,
        25: bytes(9),
    }
    if data[1] not in values:
        refuse(NO_PARAMETER)
    return bytes([REVISION]) + values[data[1]]


def set_lan(call: Call, data: bytes) -> bytes:
    """Set LAN Configuration Parameters; only *set in progress* may be written."""
    if data[1] != 0:
        refuse(READ_ONLY)
    return b""


def get_serial(call: Call, data: bytes) -> bytes:
    """Get SOL Configuration Parameters."""
    if data[0] & 0x80:
        return bytes([REVISION])
    values = {
        0: b"\0",
        1: b"\x01",  # enabled
        2: b"\xc2",  # encrypted and authenticated, user level
        3: b"\x0c\x60",
        4: b"\x07\x32",
        5: b"\x0a",
        6: b"\x0a",
        7: b"\x01",
        8: struct.pack("<H", 623),
    }
    if data[1] not in values:
        refuse(NO_PARAMETER)
    return bytes([REVISION]) + values[data[1]]


def set_serial(call: Call, data: bytes) -> bytes:
    """Set SOL Configuration Parameters; only *set in progress* may be written."""
    if data[1] != 0:
        refuse(READ_ONLY)
    return b""


COMMANDS: Table = {
    (0x0C, 0x01): (4, set_lan),
    (0x0C, 0x02): (3, get_lan),
    (0x0C, 0x21): (4, set_serial),
    (0x0C, 0x22): (2, get_serial),
}
