"""Faults the lab's metal can be given, each to prove a check that must notice it.

Those of the machines are here; those of their controllers are in ``bmc.defects``. ``lab up
--defect lab-metal:NAME`` or ``INTEROP_LAB_DEFECTS`` asks for them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from provisioner.errors import BadRequest
from provisioner.lab.bmc.defects import DEFECTS as CONTROLLER

# name -> what is wrong and the check that must turn red
MACHINE: Mapping[str, str] = {
    "volume-loses-fsync": "a spare disk forgets at power loss what was flushed to it (disk-05)",
    "clock-skew": "the hardware clock is 600 s ahead (time-01)",
    "clocks-apart": "hardware clocks are 4 s ahead, or behind on every second one (time-05)",
    "mute-serial": "the serial port prints nothing (life-04)",
    "power-button-dead": "the power button does nothing (life-02)",
    "less-memory": "a quarter of the memory is missing (kern-01)",
    "serial-differs": "firmware tells another serial number than the controller (bmc-06)",
    "reset-powers-nothing": "the reset button does nothing (bmc-01)",
}


def split(asked: Iterable[str]) -> tuple[frozenset[str], frozenset[str]]:
    """The asked defects of machines, and those of controllers.

    Raises:
        BadRequest: a name is in neither table.
    """
    names = frozenset(asked)
    unknown = sorted(names - MACHINE.keys() - CONTROLLER.keys() - BOOT)
    if unknown:
        known = ", ".join(sorted((*MACHINE, *CONTROLLER, *BOOT)))
        raise BadRequest(f"defect {unknown[0]!r} of lab-metal: expected one of {known}")
    return names & MACHINE.keys(), names & CONTROLLER.keys()


# made by the boot service, which belongs to the driver; the lab only passes them on
BOOT: frozenset[str] = frozenset({"wrong-hostname"})
