"""Commands of the controller itself: identity, resets, channels and sessions."""

from __future__ import annotations

import struct

from provisioner.lab.bmc.accounts import ADMINISTRATOR
from provisioner.lab.bmc.call import Call, Code, Table, refuse
from provisioner.lab.bmc.crypto import SUITES

LAN_CHANNEL, THIS_CHANNEL = 1, 0x0E
MANUFACTURER = 0x5A5A  # of no real vendor, so that no client applies a vendor's quirks
PRODUCT = 1


def device_id(call: Call, data: bytes) -> bytes:
    """Get Device ID: IPMI 2.0, firmware 1.23; SDR, SEL, FRU and sensors are there."""
    return bytes([0x20, 0x01, 0x01, 0x23, 0x02, 0x8F]) + (
        MANUFACTURER.to_bytes(3, "little") + struct.pack("<H", PRODUCT) + bytes(4)
    )


def cold_reset(call: Call, data: bytes) -> bytes:
    """Cold Reset and Warm Reset; the answer goes out first."""
    if call.session is not None:
        call.session.closing = True
    call.controller.cold_reset()
    return b""


def self_test(call: Call, data: bytes) -> bytes:
    """Get Self Test Results: no error."""
    return b"\x55\x00"


def guid(call: Call, data: bytes) -> bytes:
    """Get Device GUID and Get System GUID."""
    return call.controller.guid


def capabilities(call: Call, data: bytes) -> bytes:
    """Get Channel Authentication Capabilities: RMCP+ only, named users only."""
    _channel(data[0])
    return bytes([LAN_CHANNEL, 0x80, 0x04, 0x02, 0, 0, 0, 0])


def cipher_suites(call: Call, data: bytes) -> bytes:
    """Get Channel Cipher Suites, in pieces of 16 bytes."""
    records = b"".join(
        bytes([0xC0, s.id, s.authentication, 0x40 | s.integrity, 0x80 | s.confidentiality])
        for s in SUITES
    )
    piece = data[2] & 0x3F
    return bytes([LAN_CHANNEL]) + records[16 * piece : 16 * piece + 16]


def set_privilege(call: Call, data: bytes) -> bytes:
    """Set Session Privilege Level; 0 asks for the present one."""
    session = call.session
    if session is None:
        refuse(Code.WRONG_STATE)
    level = data[0] & 0x0F
    if level > session.allowed or level == 1 or level > ADMINISTRATOR:
        refuse(0x81)
    if level:
        session.privilege = level
    return bytes([session.privilege])


def close_session(call: Call, data: bytes) -> bytes:
    """Close Session; only one's own."""
    number = struct.unpack("<I", data[:4])[0]
    if call.session is None or number not in (0, call.session.id):
        refuse(0x87)
    call.session.closing = True
    return b""


def channel_access(call: Call, data: bytes) -> bytes:
    """Get Channel Access: always available, administrators allowed."""
    _channel(data[0])
    return bytes([0x02, ADMINISTRATOR])


def channel_info(call: Call, data: bytes) -> bytes:
    """Get Channel Info: an 802.3 LAN, sessions supported."""
    number = data[0] & 0x0F
    if number not in (LAN_CHANNEL, THIS_CHANNEL):
        refuse(Code.INVALID_FIELD)
    return bytes([LAN_CHANNEL, 0x04, 0x01, 0x80, 0xF2, 0x1B, 0x00, 0x00, 0x00])


def _channel(number: int) -> None:
    if number & 0x0F not in (LAN_CHANNEL, THIS_CHANNEL):
        refuse(Code.INVALID_FIELD)


NO_SESSION: Table = {
    (0x06, 0x38): (0, capabilities),
    (0x06, 0x54): (0, cipher_suites),
    (0x06, 0x37): (0, guid),
    (0x06, 0x08): (0, guid),
}
COMMANDS: Table = {
    **NO_SESSION,
    (0x06, 0x01): (2, device_id),
    (0x06, 0x02): (4, cold_reset),
    (0x06, 0x03): (4, cold_reset),
    (0x06, 0x04): (2, self_test),
    (0x06, 0x3B): (0, set_privilege),
    (0x06, 0x3C): (0, close_session),
    (0x06, 0x41): (2, channel_access),
    (0x06, 0x42): (2, channel_info),
}
