"""The FRU inventory area of a controller (chassis, board, product), and the commands on it."""

from __future__ import annotations

import struct
from collections.abc import Sequence

from provisioner.lab.bmc.call import Call, Code, Table, refuse

ENGLISH = 25
RACK_MOUNT = 0x17


def fru_area(*, manufacturer: str, product: str, serial: str) -> bytes:
    """A FRU storage of 1 KiB. Source: IPMI Platform Management FRU Information Storage 1.0."""
    chassis = _area(bytes([RACK_MOUNT]), ["LAB-CHASSIS", serial])
    board = _area(bytes([ENGLISH, 0, 0, 0]), [manufacturer, f"{product} board", serial, "LB-1", ""])
    sold = _area(bytes([ENGLISH]), [manufacturer, product, "LS-1", "1.0", serial, "", ""])
    starts = (1, 1 + len(chassis) // 8, 1 + (len(chassis) + len(board)) // 8)
    head = bytes([1, 0, *starts, 0, 0])
    return (head + _checksum(head) + chassis + board + sold).ljust(1024, b"\0")


def _area(head: bytes, fields: Sequence[str]) -> bytes:
    body = bytearray(b"\x01\x00" + head)
    for field in fields:
        text = field.encode("latin-1", "replace")[:62]
        text = text + b" " if len(text) == 1 else text  # a length of one means end of fields
        body += bytes([0xC0 | len(text)]) + text
    body += b"\xc1"
    body += bytes(-(len(body) + 1) % 8)
    body[1] = (len(body) + 1) // 8
    return bytes(body) + _checksum(body)


def _checksum(data: bytes | bytearray) -> bytes:
    return bytes([-sum(data) & 0xFF])


def area_info(call: Call, data: bytes) -> bytes:
    """Get FRU Inventory Area Info."""
    _only(data[0])
    return struct.pack("<HB", len(call.controller.fru), 0)


def read(call: Call, data: bytes) -> bytes:
    """Read FRU Data."""
    device, offset, count = struct.unpack("<BHB", data[:4])
    _only(device)
    if offset >= len(call.controller.fru):
        refuse(Code.OUT_OF_RANGE)
    part = bytes(call.controller.fru[offset : offset + min(count, 64)])
    return bytes([len(part)]) + part


def write(call: Call, data: bytes) -> bytes:
    """Write FRU Data."""
    device, offset = struct.unpack("<BH", data[:3])
    _only(device)
    part = data[3:]
    if offset + len(part) > len(call.controller.fru):
        refuse(Code.OUT_OF_RANGE)
    call.controller.fru[offset : offset + len(part)] = part
    return bytes([len(part)])


def _only(device: int) -> None:
    if device != 0:
        refuse(Code.NOT_PRESENT)


COMMANDS: Table = {
    (0x0A, 0x10): (2, area_info),
    (0x0A, 0x11): (2, read),
    (0x0A, 0x12): (3, write),
}
