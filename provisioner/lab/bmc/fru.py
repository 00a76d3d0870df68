"""The commands on a controller's FRU inventory area."""

from __future__ import annotations

import struct

from provisioner.lab.bmc.call import Call, Code, Table, refuse


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
