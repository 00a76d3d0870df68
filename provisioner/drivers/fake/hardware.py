"""Power, console, boot device, sensors, event log and controller of a fake machine."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

from provisioner.driver import Handle
from provisioner.drivers.fake import machines
from provisioner.drivers.fake.cloud import Cloud
from provisioner.drivers.fake.refusals import to_platform_error
from provisioner.drivers.fake.rules import ApiError
from provisioner.drivers.fake.things import Thing
from provisioner.errors import BadRequest
from provisioner.features import BootChoice, LogEntry, Reading

F = TypeVar("F")


class OfThing:
    """What all of them hold: the cloud and the thing's handle."""

    def __init__(self, cloud: Cloud, handle: Handle) -> None:
        self.cloud = cloud
        self.handle = handle

    def change(self, act: Callable[[Thing], F]) -> F:
        """Run *act* on the thing as one call of the API."""
        try:
            self.cloud.enter()
            with self.cloud.store.session() as world:
                thing = self.cloud.require(world, self.handle.kind, self.handle.id)
                world.changed = True
                return act(thing)
        except ApiError as error:
            raise to_platform_error(error, self.cloud.name) from error


class FakePower(OfThing):
    """Power of a machine."""

    def _do(self, action: str) -> None:
        try:
            machines.power(self.cloud, self.handle.id, action)
        except ApiError as error:
            raise to_platform_error(error, self.cloud.name) from error

    def status(self) -> str:
        try:
            return machines.status(self.cloud, self.handle.id)
        except ApiError as error:
            raise to_platform_error(error, self.cloud.name) from error

    def on(self) -> None:
        self._do("on")

    def off(self) -> None:
        self._do("off")

    def cycle(self) -> None:
        self._do("cycle")

    def soft_off(self) -> None:
        self._do("soft_off")

    def reboot(self) -> None:
        self._do("reboot")


class FakeConsole(OfThing):
    """What a machine printed."""

    def read(self) -> str:
        quiet = {"life-04", "bmc-07"} & self.cloud.defects
        return self.change(lambda m: "" if quiet else "".join(f"{t}\n" for t in m.console))


class FakeBootDevice(OfThing):
    """Where a machine boots from next."""

    def get(self) -> BootChoice:
        return self.change(lambda m: BootChoice(**machines.boot_choice(m)))

    def set(self, choice: BootChoice) -> None:
        if choice.device not in ("network", "disk", "default"):
            message = f"{choice.device!r} is no boot device, expected network, disk or default"
            raise BadRequest(message, self.cloud.name)

        def act(machine: Thing) -> None:
            machine.boot = {
                "device": choice.device,
                "persistent": choice.persistent,
                "uefi": choice.uefi,
            }

        self.change(act)


class FakeSensors(OfThing):
    """Sensors that follow the power state."""

    def read(self) -> Sequence[Reading]:
        def act(machine: Thing) -> list[Reading]:
            on = machine.power == "on"
            wrong = "bmc-04" in self.cloud.defects
            warm = 300.0 if wrong else 41.0
            return [
                Reading(
                    name="CPU Temp",
                    value=warm if on else 24.0,
                    unit="C",
                    thresholds={"upper_warning": 85.0, "upper_critical": 95.0},
                ),
                Reading(
                    name="Fan 1",
                    value=4200.0 if on else None,
                    unit="RPM",
                    state="ok" if on else "unavailable",
                    thresholds={"lower_critical": 500.0},
                ),
                Reading(name="PSU 1", value=118.0 if on else 6.0, unit="W"),
            ]

        return self.change(act)


class FakeEventLog(OfThing):
    """The hardware event log."""

    def read(self) -> Sequence[LogEntry]:
        return self.change(lambda m: [LogEntry(**entry) for entry in m.log])

    def clear(self) -> None:
        self.change(lambda m: m.log.clear())


class FakeInventory(OfThing):
    """The machine as its maker described it."""

    def read(self) -> Mapping[str, str]:
        def act(machine: Thing) -> dict[str, str]:
            serial = f"FK{machine.serial:06d}"
            return {
                "manufacturer": "Interop",
                "product": "Fake Machine",
                "serial": f"X{serial}" if "bmc-06" in self.cloud.defects else serial,
                "uuid": hardware_uuid(machine),
                "mac": machine.mac,
            }

        return self.change(act)


def hardware_uuid(machine: Thing) -> str:
    """The machine's DMI UUID, the same for guest, inventory and API."""
    digits = "".join(machine.mac.split(":")) + f"{machine.serial:020x}"
    return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-a{digits[17:20]}-{digits[20:32]}"


class FakeController(OfThing):
    """The management controller."""

    def clock(self) -> float:
        self.cloud.enter()
        return self.cloud.told_time()

    def login(self, user: str, password: str) -> str:
        if (user, password) == ("admin", "correct") or "bmc-09" in self.cloud.defects:
            return "ok"
        return "refused"

    def protocols(self) -> Sequence[str]:
        return ("ipmi", "redfish")
