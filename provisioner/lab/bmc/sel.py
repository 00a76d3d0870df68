"""Commands on the system event log and on the controller's clock."""

from __future__ import annotations

import struct

from provisioner.lab.bmc.call import Call, Code, Table, refuse
from provisioner.lab.bmc.eventlog import CAPACITY

VERSION = 0x51
START, STATUS = 0xAA, 0x00
NO_OFFSET = 0x07FF  # the time zone is not said


def info(call: Call, data: bytes) -> bytes:
    """Get SEL Info; reserve and delete are supported."""
    call.controller.look()
    log = call.controller.log
    free = (CAPACITY - len(log)) * 16
    support = 0x0A | (0x80 if log.overflow else 0)
    body = struct.pack("<HHII", len(log), min(free, 0xFFFF), log.added_at, log.erased_at)
    return bytes([VERSION]) + body + bytes([support])


def reserve(call: Call, data: bytes) -> bytes:
    """Reserve SEL."""
    return struct.pack("<H", call.reserve("sel"))


def get(call: Call, data: bytes) -> bytes:
    """Get SEL Entry, whole or in part."""
    reservation, number, offset, count = struct.unpack("<HHBB", data[:6])
    if offset:
        call.reserved("sel", reservation)
    call.controller.look()
    found = call.controller.log.get(number)
    if found is None:
        refuse(Code.NOT_PRESENT)
    record, following = found
    return struct.pack("<H", following) + (
        record[offset:] if count == 0xFF else record[offset : offset + count]
    )


def add(call: Call, data: bytes) -> bytes:
    """Add SEL Entry; the controller gives the number, and the time of system events."""
    if len(data) < 16:
        refuse(Code.TOO_SHORT)
    body = data[2:16]
    if body[0] < 0xE0:  # records with a timestamp
        body = body[:1] + struct.pack("<I", int(call.controller.now())) + body[5:]
    number = call.controller.log.add(body)
    if not number:
        refuse(Code.CANNOT_RETURN)
    return struct.pack("<H", number)


def delete(call: Call, data: bytes) -> bytes:
    """Delete SEL Entry."""
    reservation, number = struct.unpack("<HH", data[:4])
    call.reserved("sel", reservation)
    if not call.controller.log.remove(number):
        refuse(Code.NOT_PRESENT)
    return struct.pack("<H", number)


def clear(call: Call, data: bytes) -> bytes:
    """Clear SEL: begin, or ask how far it is; done at once."""
    reservation = struct.unpack("<H", data[:2])[0]
    if data[2:5] != b"CLR" or data[5] not in (START, STATUS):
        refuse(Code.INVALID_FIELD)
    call.reserved("sel", reservation)
    if data[5] == START:
        call.controller.clear_log()
    return bytes([1])


def get_time(call: Call, data: bytes) -> bytes:
    """Get SEL Time."""
    return struct.pack("<I", int(call.controller.now()))


def set_time(call: Call, data: bytes) -> bytes:
    """Set SEL Time."""
    call.controller.set_now(struct.unpack("<I", data[:4])[0])
    return b""


def utc_offset(call: Call, data: bytes) -> bytes:
    """Get SEL Time UTC Offset."""
    return struct.pack("<H", NO_OFFSET)


COMMANDS: Table = {
    (0x0A, 0x40): (2, info),
    (0x0A, 0x42): (2, reserve),
    (0x0A, 0x43): (2, get),
    (0x0A, 0x44): (3, add),
    (0x0A, 0x46): (3, delete),
    (0x0A, 0x47): (3, clear),
    (0x0A, 0x48): (2, get_time),
    (0x0A, 0x49): (3, set_time),
    (0x0A, 0x5C): (2, utc_offset),
}
