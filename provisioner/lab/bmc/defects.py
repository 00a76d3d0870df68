"""Faults a controller of the lab can be given, each to prove what must notice it.

That is the check named, or, where it says so, only tests of ours: no check looks there yet.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

DEFECTS: Mapping[str, str] = {
    "one-shot-boot-persists": "a boot device set for one boot is kept for all (bmc-02)",
    "persistent-boot-forgotten": "a persistent boot device lasts for one boot only (bmc-02)",
    "boot-lost-on-reset": "a cold reset of the controller loses the boot device (no check)",
    "power-lies": "power status says on for ever, once the machine was on (bmc-01)",
    "dead-sensor": "every sensor has a reading that never changes, outside its range (bmc-04)",
    "silent-event-log": "power events leave no entry in the event log (no check)",
    "event-log-never-clears": "clearing the event log is confirmed but not done (no check)",
    "wrong-serial": "the inventory carries another machine's serial number (bmc-06)",
    "mute-console": "serial over LAN is accepted but transfers nothing (bmc-07)",
    "sessions-unlimited": "no session is ever refused (no check)",
    "any-password": "Redfish accepts any password of a known user (bmc-09)",
    "clock-off": "the controller's clock is one hour behind (no check)",
}


def known(names: Iterable[str]) -> frozenset[str]:
    """The same names as a set.

    Raises:
        ValueError: a name is not in ``DEFECTS``.
    """
    wanted = frozenset(names)
    if unknown := sorted(wanted - DEFECTS.keys()):
        raise ValueError(f"unknown defect of a controller: {', '.join(unknown)}")
    return wanted
