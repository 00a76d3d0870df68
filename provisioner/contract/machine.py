"""Machines: how to get in, and the features that the description promises."""

# ruff: noqa: S101, D101 - tests

from __future__ import annotations

from typing import Any

import pytest

from provisioner.contract.subject import Maker, MakerContract
from provisioner.driver import Status
from provisioner.errors import Unsupported
from provisioner.features import (
    BootChoice,
    BootDevice,
    Console,
    EventLog,
    Inventory,
    Metadata,
    Objects,
    Power,
    Sensors,
)
from provisioner.resources import Kind

# feature object -> its name in Description.features
OF_MACHINES: dict[type[Any], str] = {
    Power: "power",
    Console: "console",
    BootDevice: "boot-device",
    Sensors: "sensors",
    EventLog: "event-log",
    Inventory: "inventory",
}


class Imaginary:
    """A feature that no driver has."""


class MachineContract(MakerContract):
    def test_a_ready_machine_says_how_to_get_in(self, maker: Maker) -> None:
        maker.need(Kind.MACHINE)
        state = maker.ready(maker.make(Kind.MACHINE, "m-1"))

        assert state.access is not None
        assert state.access.how in ("ssh", "exec")
        if state.access.how == "ssh":
            assert state.access.host
            assert 0 < state.access.port < 65_536
            assert state.access.user
        assert state.addresses

    def test_features_are_what_the_description_says(self, maker: Maker) -> None:
        maker.need(Kind.MACHINE)
        machine = maker.make(Kind.MACHINE, "m-1")
        maker.ready(machine)
        offered = maker.driver.describe().features

        for feature, name in OF_MACHINES.items():
            if name in offered:
                assert isinstance(maker.driver.feature(feature, machine), feature)
            else:
                with pytest.raises(Unsupported):
                    maker.driver.feature(feature, machine)

    def test_an_unknown_feature_is_unsupported_with_a_reason(self, maker: Maker) -> None:
        handle = maker.make(maker.kind(), "mine")

        with pytest.raises(Unsupported) as caught:
            maker.driver.feature(Imaginary, handle)

        assert caught.value.message

    def test_power_follows_and_setting_it_again_does_nothing(self, maker: Maker) -> None:
        maker.need(Kind.MACHINE)
        if "power" not in maker.driver.describe().features:
            pytest.skip("no power on this platform")
        machine = maker.make(Kind.MACHINE, "m-1")
        maker.ready(machine)
        power = maker.driver.feature(Power, machine)  # type: ignore[type-abstract]

        assert power.status() == "on"
        power.on()
        power.off()
        maker.until(machine, Status.STOPPED)
        assert power.status() == "off"
        power.off()
        power.on()
        assert maker.ready(machine).status is Status.READY
        assert power.status() == "on"

    def test_a_boot_device_reads_back(self, maker: Maker) -> None:
        maker.need(Kind.MACHINE)
        if "boot-device" not in maker.driver.describe().features:
            pytest.skip("no boot device on this platform")
        machine = maker.make(Kind.MACHINE, "m-1")
        maker.ready(machine)
        boot = maker.driver.feature(BootDevice, machine)  # type: ignore[type-abstract]

        boot.set(BootChoice(device="network"))
        assert boot.get().device == "network"
        assert not boot.get().persistent
        boot.set(BootChoice(device="disk", persistent=True))
        assert boot.get().device == "disk"
        assert boot.get().persistent
        boot.set(BootChoice(device="default"))

    def test_tags_can_be_changed(self, maker: Maker) -> None:
        handle = maker.make(maker.kind(), "mine")
        maker.ready(handle)
        try:
            metadata = maker.driver.feature(Metadata, handle)  # type: ignore[type-abstract]
        except Unsupported as reason:
            pytest.skip(str(reason))

        metadata.update_tags({"colour": "blue"})

        maker.visible(lambda: _tags(maker, handle).get("colour") == "blue", "the tag to be seen")
        assert _tags(maker, handle)["interop-name"] == "mine"

    def test_objects_come_back_byte_for_byte(self, maker: Maker) -> None:
        maker.need(Kind.BUCKET)
        bucket = maker.make(Kind.BUCKET, "content")
        maker.ready(bucket)
        objects = maker.driver.feature(Objects, bucket)  # type: ignore[type-abstract]

        objects.put("a/ü.bin", bytes(range(256)))

        assert objects.get("a/ü.bin") == bytes(range(256))
        assert list(objects.keys()) == ["a/ü.bin"]
        objects.delete("a/ü.bin")
        objects.delete("a/ü.bin")
        assert list(objects.keys()) == []


def _tags(maker: Maker, handle: Any) -> dict[str, str]:
    state = maker.driver.read(handle)
    return dict(state.tags) if state is not None else {}
