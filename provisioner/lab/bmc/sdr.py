"""Sensor data records, and the commands on them and on sensors."""

from __future__ import annotations

import struct
from functools import cache

from provisioner.lab.bmc.call import Call, Code, Table, refuse
from provisioner.lab.bmc.sensors import BY_NUMBER, LIMITS, SENSORS, Sensor

VERSION = 0x51
FULL, FRU_LOCATOR, CONTROLLER_LOCATOR = 0x01, 0x11, 0x12
PIECE = 32  # more than that does not fit in an answer
UNAVAILABLE = 0x20


def _record(number: int, kind: int, body: bytes) -> bytes:
    return struct.pack("<HBBB", number, VERSION, kind, len(body)) + body


def _text(name: str) -> bytes:
    data = name.encode("ascii")[:16]
    return bytes([0xC0 | len(data)]) + data


def full(number: int, sensor: Sensor) -> bytes:
    """A full sensor record. Source: IPMI 2.0, table 43-1; the name starts at byte 49."""
    mask = sensor.mask()
    body = bytes([0x20, 0, sensor.number, sensor.entity, 1, 0x7F, 0x68, sensor.type, 1])
    body += struct.pack("<HH", 0x7A95, 0x7A95) + bytes([mask, 0])
    body += bytes([0, sensor.unit, 0, 0, sensor.factor, 0, 0, 0, 0, (sensor.exponent & 0x0F) << 4])
    nominal = sensor.raw_on or 0
    body += bytes([0x01, nominal, 0, 0, 255, 0])
    for limit in ("unr", "uc", "unc", "lnr", "lc", "lnc"):
        body += bytes([sensor.raw_limit(limit)])
    return _record(number, FULL, body + bytes([2, 2, 0, 0, 0]) + _text(sensor.name))


@cache
def repository() -> dict[int, bytes]:
    """Every record by its number."""
    located = bytes([0x20, 0, 0, 0xBF, 0, 0, 0, 6, 1, 0]) + _text("Lab BMC")
    inventory = bytes([0x20, 0, 0x80, 0, 0, 0x10, 0, 7, 1, 0]) + _text("Builtin FRU")
    records = [_record(1, CONTROLLER_LOCATOR, located), _record(2, FRU_LOCATOR, inventory)]
    records += [full(number, sensor) for number, sensor in enumerate(SENSORS, start=3)]
    return dict(enumerate(records, start=1))


def repository_info(call: Call, data: bytes) -> bytes:
    """Get SDR Repository Info; records never change."""
    return bytes([VERSION]) + struct.pack("<HHII", len(repository()), 0, 1, 1) + bytes([0x22])


def device_info(call: Call, data: bytes) -> bytes:
    """Get Device SDR Info."""
    return bytes([len(SENSORS), 0x01])


def reserve(call: Call, data: bytes) -> bytes:
    """Reserve SDR Repository."""
    return struct.pack("<H", call.reserve("sdr"))


def get(call: Call, data: bytes) -> bytes:
    """Get SDR, whole or in part."""
    reservation, number, offset, count = struct.unpack("<HHBB", data[:6])
    if offset:
        call.reserved("sdr", reservation)
    records = repository()
    numbers = list(records)
    wanted = {0: numbers[0], 0xFFFF: numbers[-1]}.get(number, number)
    if wanted not in records:
        refuse(Code.NOT_PRESENT)
    record = records[wanted]
    size = len(record) - offset if count == 0xFF else count
    if size > PIECE:
        refuse(Code.CANNOT_RETURN)
    following = wanted + 1 if wanted + 1 in records else 0xFFFF
    return struct.pack("<H", following) + record[offset : offset + size]


def reading(call: Call, data: bytes) -> bytes:
    """Get Sensor Reading, with the limits it has crossed."""
    if data[0] not in BY_NUMBER:
        refuse(Code.NOT_PRESENT)
    raw = call.controller.sensor(data[0])
    if raw is None:
        return bytes([0, 0xC0 | UNAVAILABLE, 0xC0])
    return bytes([raw, 0xC0, 0xC0 | BY_NUMBER[data[0]].crossed(raw)])


def thresholds(call: Call, data: bytes) -> bytes:
    """Get Sensor Thresholds."""
    if data[0] not in BY_NUMBER:
        refuse(Code.NOT_PRESENT)
    sensor = BY_NUMBER[data[0]]
    return bytes([sensor.mask(), *(sensor.raw_limit(limit) for limit in LIMITS)])


def kind(call: Call, data: bytes) -> bytes:
    """Get Sensor Type: a threshold sensor."""
    if data[0] not in BY_NUMBER:
        refuse(Code.NOT_PRESENT)
    return bytes([BY_NUMBER[data[0]].type, 1])


COMMANDS: Table = {
    (0x0A, 0x20): (2, repository_info),
    (0x0A, 0x22): (2, reserve),
    (0x0A, 0x23): (2, get),
    (0x04, 0x20): (2, device_info),
    (0x04, 0x21): (2, get),
    (0x04, 0x22): (2, reserve),
    (0x04, 0x27): (2, thresholds),
    (0x04, 0x2D): (2, reading),
    (0x04, 0x2F): (2, kind),
}
