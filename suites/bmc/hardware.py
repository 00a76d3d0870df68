"""Sensors and inventory tell of the machine that is there."""

from __future__ import annotations

import pytest

from provisioner.features import Inventory, Reading, Sensors
from suites.claims import claim, same
from suites.seams import Evidence, Inside, Members, Observe, Subject
from suites.sight import Sight

SANE = {  # unit -> what no machine room has ever seen
    "C": (-40.0, 150.0),
    "RPM": (0.0, 50_000.0),
    "V": (-60.0, 400.0),
    "A": (0.0, 400.0),
    "W": (0.0, 20_000.0),
    "%": (0.0, 100.0),
}
LOAD_S = 2.0
SAME = (("serial", "serial"), ("uuid", "uuid"), ("product", "product"))


@pytest.mark.check("bmc-04", needs=("machine", "bmc", "sensors"))
@pytest.mark.cost("shared")
def test_sensors_are_sane(
    subject: Subject, members: Members, inside: Inside, observe: Observe, evidence: Evidence
) -> None:
    """Sensors are listed alike each time, have units, and read sane values."""
    member = members[0]
    sensors = subject.driver.feature(Sensors, member.handle)  # type: ignore[type-abstract]
    first = {reading.name: reading for reading in sensors.read()}
    inside(member).observe("burn", seconds=LOAD_S)
    second = {reading.name: reading for reading in sensors.read()}

    evidence("sensors", "\n".join(map(str, [*first.values(), *second.values()])))
    observe("sensors", sorted(first), source="api", member=member.name)
    claim(first, f"{member.name} has sensors", expected="at least one", actual="none")
    same("sensors listed a second time", expected=sorted(first), actual=sorted(second))
    for reading in second.values():
        _check(member.name, reading)
    reads = [r.value for r in second.values() if r.value is not None]
    claim(reads, f"{member.name}: sensors read", expected="at least one value", actual="none")
    changed = any(first[name].value != second[name].value for name in first)
    observe("sensors-change-under-load", changed, source="api", member=member.name)


@pytest.mark.check("bmc-06", needs=("machine", "bmc", "inventory"))
@pytest.mark.cost("shared")
def test_the_inventory_is_the_machine(
    subject: Subject, members: Members, sight: Sight, observe: Observe, evidence: Evidence
) -> None:
    """Serial number, UUID and product by the controller are those the guest finds."""
    for member in members:
        told = subject.driver.feature(Inventory, member.handle).read()  # type: ignore[type-abstract]
        evidence(f"{member.name}: inventory", "\n".join(f"{k}: {v}" for k, v in told.items()))
        dmi = sight.of(member, "identity", evidence)["dmi"]
        compared = 0
        for ours, theirs in SAME:
            if told.get(ours) and dmi[theirs]:
                compared += 1
                observe(ours, told[ours], source="api", member=member.name)
                same(
                    f"{member.name}: {ours} by controller and in the guest",
                    expected=str(told[ours]).strip().lower(),
                    actual=str(dmi[theirs]).strip().lower(),
                )
        claim(
            compared,
            f"{member.name}: something to compare",
            expected="a serial, uuid or product on both sides",
            actual=f"controller {sorted(told)}, guest {sorted(k for k, v in dmi.items() if v)}",
        )


def _check(member: str, reading: Reading) -> None:
    """One sensor is sane."""
    what = f"{member}: sensor {reading.name}"
    if reading.value is None:
        claim(reading.state != "ok", what, expected="a value or a reason", actual="neither")
        return
    low, high = SANE.get(reading.unit, (float("-inf"), float("inf")))
    claim(
        low <= reading.value <= high,
        what,
        expected=f"{low:g} to {high:g} {reading.unit}",
        actual=reading.value,
    )
    order = ("lower_critical", "lower_warning", "upper_warning", "upper_critical")
    values = [reading.thresholds[name] for name in order if name in reading.thresholds]
    claim(values == sorted(values), f"{what}: thresholds", expected="in order", actual=values)
