"""Calls of one BMC over Redfish with pyghmi: the same as over IPMI."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from pyghmi.exceptions import UnsupportedFunctionality
from pyghmi.redfish.command import Command

from provisioner.drivers.metal.ipmi_link import FROM_PYGHMI, POWER_S, TO_PYGHMI, UNITS

LIMITS = {
    "LowerThresholdNonCritical": "lower_warning",
    "LowerThresholdCritical": "lower_critical",
    "UpperThresholdNonCritical": "upper_warning",
    "UpperThresholdCritical": "upper_critical",
}


class RedfishLink:
    """One session. Each ``do_`` method is a call of the worker."""

    def __init__(self, about: Mapping[str, Any]) -> None:
        place = urlsplit(about["redfish"])
        pinned = str(about["fingerprint"])

        def known(certificate: bytes) -> bool:
            return hashlib.sha256(certificate).hexdigest() == pinned

        self._client = Command(
            place.hostname,
            about["user"],
            about["password"],
            verifycallback=known if pinned else None,
            port=place.port or 443,
        )

    def do_login(self) -> bool:
        """Having a session is all."""
        self.do_power()
        return True

    def do_power(self) -> str:
        """``on`` or ``off``."""
        return str(self._client.get_power()["powerstate"])

    def do_set_power(self, state: str) -> str:
        """Switch; on and off are waited for."""
        if state == "cycle":
            if self.do_power() == "off":
                return self.do_set_power("on")
            self._reset("PowerCycle")
            return "on"
        self._client.set_power(state, wait=False)
        if state not in ("on", "off"):
            return state
        end = time.monotonic() + POWER_S
        while (now := self.do_power()) != state and time.monotonic() < end:
            time.sleep(0.1)
        return now

    def do_get_boot(self) -> Mapping[str, Any]:
        """Device, persistent, uefi."""
        self._forget()
        found = self._client.get_bootdev()
        name = str(found["bootdev"])
        return {
            "device": FROM_PYGHMI.get(name, name),
            "persistent": bool(found.get("persistent")) and name != "default",
            "uefi": bool(found.get("uefimode")),
        }

    def do_set_boot(self, device: str, persistent: bool, uefi: bool) -> None:
        """Choose where to boot from."""
        self._forget()
        self._client.set_bootdev(TO_PYGHMI[device], persist=persistent, uefiboot=uefi)
        self._forget()

    def do_sensors(self) -> list[dict[str, Any]]:
        """Every sensor with its limits."""
        self._forget()
        limits = self._limits()
        return [
            {
                "name": str(r.name),
                "value": r.value if not r.unavailable else None,
                "unit": UNITS.get(str(r.units or ""), str(r.units or "")),
                "state": "unavailable" if r.unavailable else "ok",
                "thresholds": limits.get(str(r.name), {}),
            }
            for r in self._client.get_sensor_data()
        ]

    def do_events(self, clear: bool = False) -> list[dict[str, str]]:
        """The event log, oldest first."""
        self._forget()
        return [
            {
                "id": str(event.get("record_id", number)),
                "at": str(event.get("timestamp") or ""),
                "text": str(event.get("message") or ""),
            }
            for number, event in enumerate(self._client.get_event_log(clear=clear), start=1)
        ]

    def do_clear_events(self) -> None:
        """Clear the event log."""
        self.do_events(clear=True)

    def do_inventory(self) -> Mapping[str, str]:
        """Names as in our facts."""
        system = self._client.sysinfo
        words = {
            "serial": "SerialNumber",
            "product": "Model",
            "manufacturer": "Manufacturer",
            "uuid": "UUID",
        }
        return {ours: str(system[theirs]) for ours, theirs in words.items() if system.get(theirs)}

    def do_clock(self) -> float:
        """The manager's time."""
        self._forget()
        return datetime.fromisoformat(str(self._client.bmcinfo["DateTime"])).timestamp()

    def do_raw(self, netfn: int, command: int, data: Sequence[int]) -> Mapping[str, Any]:
        """There is no such thing."""
        raise UnsupportedFunctionality("raw commands are not supported over redfish")

    def _forget(self) -> None:
        """Pyghmi answers reads from a cache of 30 s; checks need what is true now."""
        self._client._urlcache.clear()

    def _reset(self, kind: str) -> None:
        self._client._do_web_request(self._client.powerurl, {"ResetType": kind})

    def _limits(self) -> dict[str, dict[str, float]]:
        found: dict[str, dict[str, float]] = {}
        for chassis in self._client.sysinfo.get("Links", {}).get("Chassis", []):
            about = self._client._do_web_request(chassis["@odata.id"])
            for part, groups in (("Thermal", ("Temperatures", "Fans")), ("Power", ("Voltages",))):
                path = about.get(part, {}).get("@odata.id")
                document = self._client._do_web_request(path) if path else {}
                for group in groups:
                    for sensor in document.get(group, []):
                        found[str(sensor.get("Name"))] = {
                            ours: float(sensor[theirs])
                            for theirs, ours in LIMITS.items()
                            if sensor.get(theirs) is not None
                        }
        return found
