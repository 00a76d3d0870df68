"""Calls of one BMC over IPMI with pyghmi, with what pyghmi gets wrong put right.

Credentials are bytes (pyghmi forgets to remove a pending login otherwise and the next one waits
for ever); ``{'error': ...}`` answers become exceptions; power waits are our own.
"""

from __future__ import annotations

import struct
import time
from collections.abc import Mapping, Sequence
from typing import Any, BinaryIO

from pyghmi.exceptions import IpmiException
from pyghmi.ipmi.command import Command
from pyghmi.ipmi.console import Console
from pyghmi.ipmi.private.session import Session

POWER_S = 8.0  # how long a controller may take to do what it was told
TO_PYGHMI = {"network": "network", "disk": "hd", "default": "default"}
FROM_PYGHMI = {"network": "network", "hd": "disk", "default": "default"}
UNITS = {"°C": "C", "Volts": "V", "V": "V", "RPM": "RPM", "W": "W", "A": "A", "%": "%"}
THRESHOLDS = ("lower_warning", "lower_critical", "lower_fatal", "upper_warning", "upper_critical",
              "upper_fatal")  # fmt: skip


class IpmiLink:
    """One long-lived session. Each ``do_`` method is a call of the worker."""

    def __init__(self, about: Mapping[str, Any]) -> None:
        self._client = Command(
            bmc=about["host"],
            userid=about["user"].encode(),
            password=about["password"].encode(),
            port=about["port"],
            keepalive=False,
        )

    def do_login(self) -> bool:
        """Having a session is all."""
        return True

    def do_power(self) -> str:
        """``on`` or ``off``."""
        return str(_checked(self._client.get_power())["powerstate"])

    def do_set_power(self, state: str) -> str:
        """Switch; on and off are waited for."""
        if state == "cycle":
            if self.do_power() == "off":
                return self.do_set_power("on")
            self._raw(0, 2, [2])
            return "on"
        _checked(self._client.set_power(state, wait=False))
        if state not in ("on", "off"):
            return state
        end = time.monotonic() + POWER_S
        while (now := self.do_power()) != state and time.monotonic() < end:
            time.sleep(0.1)
        return now

    def do_get_boot(self) -> Mapping[str, Any]:
        """Device, persistent, uefi."""
        found = _checked(self._client.get_bootdev())
        name = str(found["bootdev"])
        return {
            "device": FROM_PYGHMI.get(name, name),
            "persistent": bool(found.get("persistent")) and name != "default",
            "uefi": bool(found.get("uefimode")),
        }

    def do_set_boot(self, device: str, persistent: bool, uefi: bool) -> None:
        """Choose where to boot from."""
        _checked(self._client.set_bootdev(TO_PYGHMI[device], persist=persistent, uefiboot=uefi))

    def do_sensors(self) -> list[dict[str, Any]]:
        """Every sensor with its limits."""
        readings = {str(r.name): r for r in self._client.get_sensor_data()}
        numbers = {str(s.name): s for s in self._client.init_sdr().sensors.values()}
        found = []
        for name, reading in readings.items():
            limits: Mapping[str, float] = {}
            if name in numbers and reading.value is not None:
                limits = self._limits(numbers[name])
            found.append(
                {
                    "name": name,
                    "value": reading.value if not reading.unavailable else None,
                    "unit": UNITS.get(str(reading.units or ""), str(reading.units or "")),
                    "state": _state(reading),
                    "thresholds": limits,
                }
            )
        return found

    def do_events(self, clear: bool = False) -> list[dict[str, str]]:
        """The event log, oldest first."""
        found = []
        for number, event in enumerate(self._client.get_event_log(clear=clear), start=1):
            parts = (event.get("component_type"), event.get("component"), event.get("event"))
            text = ": ".join(str(part) for part in parts if part)
            found.append(
                {
                    "id": str(event.get("record_id", number)),
                    "at": str(event.get("timestamp") or ""),
                    "text": text,
                }
            )
        return found

    def do_clear_events(self) -> None:
        """Clear the event log."""
        reservation = self._raw(0x0A, 0x42)
        self._raw(0x0A, 0x47, [*reservation[:2], *b"CLR", 0xAA])

    def do_inventory(self) -> Mapping[str, str]:
        """Names as in our facts."""
        fru = self._client.get_inventory_of_component("System") or {}
        words = {
            "serial": "Serial Number",
            "product": "Product name",
            "manufacturer": "Manufacturer",
            "board_serial": "Board serial number",
            "chassis_serial": "Chassis serial number",
        }
        return {ours: str(fru[theirs]) for ours, theirs in words.items() if fru.get(theirs)}

    def do_clock(self) -> float:
        """The event log's time."""
        return float(struct.unpack("<I", bytes(self._raw(0x0A, 0x48)[:4]))[0])

    def do_raw(self, netfn: int, command: int, data: Sequence[int]) -> Mapping[str, Any]:
        """Any command; the completion code is part of the answer."""
        answer = self._client.raw_command(netfn=netfn, command=command, data=list(data))
        if "error" in answer and "code" not in answer:
            raise IpmiException(str(answer["error"]))
        return {
            "code": int(answer.get("code", 0)),
            "data": list(bytearray(answer.get("data", b""))),
        }

    def _raw(self, netfn: int, command: int, data: Sequence[int] = ()) -> list[int]:
        answer = _checked(self._client.raw_command(netfn=netfn, command=command, data=list(data)))
        if answer.get("code"):
            raise IpmiException(f"completion code {answer['code']:#04x}")
        return list(bytearray(answer.get("data", b"")))

    def _limits(self, sensor: Any) -> Mapping[str, float]:
        answer = self._client.raw_command(netfn=4, command=0x27, data=[sensor.sensor_number])
        data = bytearray(answer.get("data", b""))
        if answer.get("code") or len(data) < 7:
            return {}
        return {
            name: round(float(sensor.decode_value(self._client, data[bit + 1])), 4)
            for bit, name in enumerate(THRESHOLDS)
            if data[0] & (1 << bit)
        }


def listen(about: Mapping[str, Any], out: BinaryIO) -> None:
    """Write what the serial console prints to *out*, for ever; comes back after breaks."""
    while True:
        broken: list[str] = []

        def heard(data: bytes | dict[str, Any], broken: list[str] = broken) -> None:
            if isinstance(data, dict):
                broken.append(str(data.get("error") or ""))
            else:
                out.write(bytes(data))
                out.flush()

        try:
            Console(
                bmc=about["host"],
                userid=about["user"].encode(),
                password=about["password"].encode(),
                port=about["port"],
                iohandler=heard,
            )
            while not any(broken):
                Session.wait_for_rsp(5.0)
        except (IpmiException, OSError, NotImplementedError) as error:
            broken.append(str(error))
        time.sleep(2.0)


def _checked(answer: Mapping[str, Any]) -> Mapping[str, Any]:
    """The answer, unless it is an error in disguise."""
    if answer.get("error"):
        raise IpmiException(str(answer["error"]))
    return answer


def _state(reading: Any) -> str:
    if reading.unavailable:
        return "unavailable"
    return {0: "ok", 1: "warning", 2: "critical"}.get(int(reading.health), "fatal")
