"""Feature objects of a machine: thin words over its BMC."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from provisioner.drivers.metal.bmc import Bmc, SerialLog
from provisioner.errors import BadRequest, Conflict, PlatformError
from provisioner.features import BootChoice, LogEntry, Reading


@dataclass(frozen=True, slots=True)
class MetalPower:
    """Power. *before_boot* is called before anything that may boot the machine."""

    bmc: Bmc
    before_boot: Callable[[], None]

    def status(self) -> str:
        return str(self.bmc.call("power"))

    def on(self) -> None:
        self.before_boot()
        self.bmc.call("set_power", state="on")

    def off(self) -> None:
        self.bmc.call("set_power", state="off")

    def cycle(self) -> None:
        self.before_boot()
        self.bmc.call("set_power", state="cycle")

    def soft_off(self) -> None:
        if self.status() == "on":
            self.bmc.call("set_power", state="shutdown")

    def reboot(self) -> None:
        """A hard reset: what the users of a BMC have."""
        if self.status() == "off":
            raise Conflict("a machine that is off cannot be reset")
        self.before_boot()
        self.bmc.call("set_power", state="reset")


@dataclass(frozen=True, slots=True)
class MetalBootDevice:
    """The boot override."""

    bmc: Bmc

    def get(self) -> BootChoice:
        found = self.bmc.call("get_boot")
        return BootChoice(
            device=found["device"], persistent=found["persistent"], uefi=found["uefi"]
        )

    def set(self, choice: BootChoice) -> None:
        if choice.device not in ("network", "disk", "default"):
            raise BadRequest(f"boot device {choice.device!r}: expected network, disk or default")
        self.bmc.call(
            "set_boot", device=choice.device, persistent=choice.persistent, uefi=choice.uefi
        )


@dataclass(frozen=True, slots=True)
class MetalSensors:
    """Sensors with their limits."""

    bmc: Bmc

    def read(self) -> Sequence[Reading]:
        return [Reading(**found) for found in self.bmc.call("sensors", 60.0)]


@dataclass(frozen=True, slots=True)
class MetalEventLog:
    """The system event log."""

    bmc: Bmc

    def read(self) -> Sequence[LogEntry]:
        return [
            LogEntry(id=e["id"], at=_instant(e["at"]), text=e["text"])
            for e in self.bmc.call("events", 60.0)
        ]

    def clear(self) -> None:
        self.bmc.call("clear_events")


@dataclass(frozen=True, slots=True)
class MetalInventory:
    """What the FRU says."""

    bmc: Bmc

    def read(self) -> Mapping[str, str]:
        return dict(self.bmc.call("inventory", 60.0))


@dataclass(frozen=True, slots=True)
class MetalConsole:
    """The serial console, gathered since the machine was installed."""

    log: SerialLog

    def read(self) -> str:
        self.log.start()
        return self.log.read()


@dataclass(frozen=True, slots=True)
class MetalController:
    """The BMC itself."""

    bmc: Bmc

    def clock(self) -> float:
        return float(self.bmc.call("clock"))

    def login(self, user: str, password: str) -> str:
        return self.bmc.login(user, password)

    def protocols(self) -> Sequence[str]:
        return self.bmc.protocols()


@dataclass(frozen=True, slots=True)
class MetalRawCall:
    """IPMI as it is: operation ``ipmi`` with netfn, command and data (numbers)."""

    bmc: Bmc

    def call(self, operation: str, parameters: Mapping[str, Any]) -> Mapping[str, Any]:
        if operation != "ipmi":
            raise BadRequest(f"operation {operation!r}: expected ipmi")
        begun = time.monotonic()
        try:
            found = self.bmc.call("raw", 30.0, **parameters)
        except PlatformError as error:
            return {
                "status": -1,
                "code": type(error).__name__,
                "message": error.message,
                "request_id": "",
                "body": {},
            }
        return {
            "status": found["code"],
            "code": f"{found['code']:#04x}",
            "message": "",
            "request_id": "",
            "body": {"data": found["data"], "seconds": time.monotonic() - begun},
        }


def _instant(text: str) -> str:
    """RFC 3339 where it can be made of what the log says; clients give local time without zone."""
    try:
        return datetime.fromisoformat(text).astimezone().isoformat()
    except ValueError:
        return ""
