"""The FRU inventory area of a controller: chassis, board, product."""

from __future__ import annotations

from collections.abc import Sequence

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
