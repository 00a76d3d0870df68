"""Chassis commands: power, boot options, identify light."""

from __future__ import annotations

import struct

from provisioner.lab.bmc.boot import Override
from provisioner.lab.bmc.call import Call, Code, Table, refuse

BOOT_FLAGS, CLEARING, INFO, PROGRESS = 5, 3, 4, 0
LIGHT_S = 15


def capabilities(call: Call, data: bytes) -> bytes:
    """Get Chassis Capabilities."""
    return bytes([0x00, 0x20, 0x20, 0x20, 0x20])


def status(call: Call, data: bytes) -> bytes:
    """Get Chassis Status; stays off when mains comes back."""
    lit = call.controller.identify_until > call.controller.clock.monotonic()
    return bytes([0x01 if call.controller.power() else 0x00, 0x00, 0x40 | (0x10 if lit else 0)])


def control(call: Call, data: bytes) -> bytes:
    """Chassis Control: accepted at once, done in the background."""
    controller, wanted = call.controller, data[0] & 0x0F
    actions = {
        0: controller.off,
        1: controller.on,
        2: controller.cycle,
        3: controller.reset,
        4: controller.diag,
        5: controller.soft_off,
    }
    if wanted not in actions:
        refuse(Code.INVALID_FIELD)
    if wanted in (2, 3, 4) and not controller.board.power():
        refuse(Code.WRONG_STATE)
    actions[wanted]()
    return b""


def identify(call: Call, data: bytes) -> bytes:
    """Chassis Identify: for so many seconds, or for good."""
    seconds = float(data[0]) if data else LIGHT_S
    if len(data) > 1 and data[1] & 1:
        seconds = 1e9
    call.controller.identify_until = call.controller.clock.monotonic() + seconds
    return b""


def set_boot(call: Call, data: bytes) -> bytes:
    """Set System Boot Options."""
    boot, parameter = call.controller.boot, data[0] & 0x7F
    if parameter == BOOT_FLAGS:
        if len(data) < 6:
            refuse(Code.TOO_SHORT)
        boot.set(Override(flags=data[1:6]))
    elif parameter == CLEARING:
        boot.clearing = data[1] & 0x1F
    elif parameter == INFO:
        boot.info = data[1:3].ljust(2, b"\0")
    elif parameter != PROGRESS:
        refuse(0x80)
    return b""


def get_boot(call: Call, data: bytes) -> bytes:
    """Get System Boot Options."""
    boot, parameter = call.controller.boot, data[0] & 0x7F
    values = {
        PROGRESS: b"\0",
        1: b"\0",
        2: b"\0",
        CLEARING: bytes([boot.clearing]),
        INFO: boot.info,
        BOOT_FLAGS: boot.override.flags,
    }
    if parameter not in values:
        refuse(0x80)
    return bytes([1, parameter]) + values[parameter]


def restart_cause(call: Call, data: bytes) -> bytes:
    """Get System Restart Cause: by a chassis command."""
    return bytes([0x01, 0x01])


def power_on_hours(call: Call, data: bytes) -> bytes:
    """Get POH Counter, counted in hours."""
    hours = int((call.controller.clock.monotonic() - call.controller.started) / 3600)
    return struct.pack("<BI", 60, hours)


def power_policy(call: Call, data: bytes) -> bytes:
    """Set Power Restore Policy: only *always off* is there."""
    if data[0] & 0x07 not in (0, 3):
        refuse(Code.INVALID_FIELD)
    return bytes([0x01])


COMMANDS: Table = {
    (0x00, 0x00): (2, capabilities),
    (0x00, 0x01): (2, status),
    (0x00, 0x02): (3, control),
    (0x00, 0x04): (3, identify),
    (0x00, 0x06): (3, power_policy),
    (0x00, 0x07): (2, restart_cause),
    (0x00, 0x08): (3, set_boot),
    (0x00, 0x09): (3, get_boot),
    (0x00, 0x0F): (2, power_on_hours),
}
