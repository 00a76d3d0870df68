"""The boot device is chosen once or for good, and the network boots."""

from __future__ import annotations

import pytest

from provisioner.features import BootChoice, BootDevice
from suites.claims import claim, same
from suites.lifetime import Lifetime
from suites.seams import Evidence, Members, Observe, Subject
from suites.sight import Sight


@pytest.mark.check("bmc-02", needs=("machine", "bmc", "boot-device", "power"))
@pytest.mark.cost("own")
def test_a_one_time_boot_device_serves_once(
    subject: Subject, lifetime: Lifetime, observe: Observe
) -> None:
    """A one-time boot device reads back, serves one boot and is gone; a persistent one stays."""
    turn = lifetime.soft()
    name = lifetime.member.name

    asked = BootChoice(device="network")
    held, after = turn.boot_device["set"], turn.boot_device["after"]
    observe("boot-device-set", _words(held), source="api", member=name)
    observe("boot-device-after-boot", _words(after), source="api", member=name)
    same(f"{name}: one-time boot device reads back", expected=asked.device, actual=held.device)
    same(f"{name}: it reads back as one-time", expected=False, actual=held.persistent)
    claim(
        after.device != "network",
        f"{name}: the one-time boot device is used up by one boot",
        expected="default",
        actual=_words(after),
    )
    kept = lifetime.hard().boot_device
    if "kept" not in kept:
        observe("boot-device-persistent", "unsupported", source="api")
        return
    asked = BootChoice(device="disk", persistent=True)
    observe("boot-device-persistent", _words(kept["kept"]), source="api", member=name)
    same(f"{name}: boot device reads back", expected=asked.device, actual=kept["kept"].device)
    same(f"{name}: it reads back as persistent", expected=True, actual=kept["kept"].persistent)
    same(
        f"{name}: a persistent boot device after a boot",
        expected=_words(asked),
        actual=_words(kept["after"]),
    )
    device = subject.driver.feature(BootDevice, lifetime.member.handle)  # type: ignore[type-abstract]
    same(f"{name}: boot device reads back", expected="default", actual=device.get().device)


@pytest.mark.check("bmc-03", needs=("machine", "bmc", "boot-device"))
@pytest.mark.cost("shared")
def test_machines_boot_from_the_network(
    subject: Subject, members: Members, sight: Sight, observe: Observe, evidence: Evidence
) -> None:
    """Each member was installed over the network by the firmware it has."""
    for member in members:
        told = member.state.facts
        source = str(told.get("installed_by") or told.get("booted_from") or "")
        observe("installed-by", source or None, source="api", member=member.name)
        observe("firmware", told.get("firmware"), source="api", member=member.name)
        seen = sight.of(member, "identity", evidence)
        claim(
            source == "network",
            f"{member.name} was first booted from the network",
            expected="network",
            actual=source or "nothing is known of its first boot",
        )
        told_serial = str(told.get("serial") or "")
        if told_serial and seen["dmi"]["serial"]:
            same(
                f"{member.name}: the machine that booted is the one that was asked for (serial)",
                expected=told_serial,
                actual=seen["dmi"]["serial"],
            )


def _words(choice: BootChoice) -> str:
    """A boot choice for people."""
    return f"{choice.device}, {'for good' if choice.persistent else 'once'}"
