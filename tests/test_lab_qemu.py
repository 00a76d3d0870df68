"""QEMU's command line says what the label says, and boots from where it was told."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from provisioner.features import BootChoice
from provisioner.lab import space as space_module
from provisioner.lab import state as state_module
from provisioner.lab.machine import LabMachine
from provisioner.lab.metal import hardware
from provisioner.lab.qemu import TCG, QemuMachine
from provisioner.lab.space import Space
from provisioner.lab.state import State

Make = Callable[..., QemuMachine]


@pytest.fixture
def make(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Make]:
    """Makes machines that are never switched on."""
    monkeypatch.setattr(space_module, "RUN", tmp_path / "run")
    monkeypatch.setattr(state_module, "BULK", tmp_path / "bulk")
    monkeypatch.setattr(Space, "add_tap", lambda self, tap: None)
    state = State(Space(name="unit"))
    state.create()
    made: list[QemuMachine] = []

    def machine(*defects: str, number: int = 1) -> QemuMachine:
        built = QemuMachine(hardware("unit", number), state, TCG, frozenset(defects))
        made.append(built)
        return built

    yield machine
    for each in made:
        each.close()


def line(machine: QemuMachine, device: str = "default") -> str:
    """The command line for one boot."""
    return " ".join(machine.command(BootChoice(device=device)))


def order(text: str) -> dict[str, int]:
    """Which device firmware tries at which place."""
    found = re.findall(r"id=(\w+),[^ ]*bootindex=(\d)", text)
    return {name: int(index) for name, index in found}


def test_it_is_a_machine_of_the_lab(make: Make) -> None:
    machine: LabMachine = make()

    assert not machine.power()
    assert machine.booted_from() is None


@pytest.mark.parametrize(
    ("device", "expected"),
    [
        ("network", {"net0": 1, "disk0": 2}),
        ("disk", {"disk0": 1, "net0": 2}),
        ("default", {"disk0": 1, "net0": 2}),
    ],
)
def test_firmware_tries_the_chosen_device_first(
    make: Make, device: str, expected: dict[str, int]
) -> None:
    assert order(line(make(), device)) == expected


def test_the_label_is_in_the_firmware(make: Make) -> None:
    machine = make()

    assert f"serial={machine.serial}," in line(machine)
    assert machine.uuid in line(machine)
    assert f"mac={machine.macs[0]}" in line(machine)


def test_the_same_lab_has_the_same_machines_each_time() -> None:
    assert hardware("a", 1) == hardware("a", 1)
    assert hardware("a", 1).macs != hardware("b", 1).macs
    assert hardware("a", 1).macs != hardware("a", 2).macs


def test_serials_of_disks_fit_into_what_virtio_tells() -> None:
    assert all(len(disk.serial) <= 20 for disk in hardware("x" * 24, 5).disks)


def clock(machine: QemuMachine) -> float:
    """How far ahead the hardware clock starts, in seconds."""
    base = re.search(r"-rtc base=(\S+)", line(machine))
    assert base is not None
    if base[1] == "utc":
        return 0.0
    return (datetime.fromisoformat(base[1]).replace(tzinfo=UTC) - datetime.now(UTC)).total_seconds()


@pytest.mark.parametrize(
    ("defect", "number", "expected"),
    [
        ("mute-serial", 1, 0),
        ("clock-skew", 1, 600),
        ("clocks-apart", 1, -4),
        ("clocks-apart", 2, 4),
    ],
)
def test_a_clock_is_wrong_only_by_a_defect(
    make: Make, defect: str, number: int, expected: float
) -> None:
    assert clock(make(defect, number=number)) == pytest.approx(expected, abs=2)


def test_a_machine_with_less_memory_keeps_its_label(make: Make) -> None:
    machine = make("less-memory")

    assert "-m 384" in line(machine)
    assert machine.memory_mib == 512


def test_actions_on_a_machine_that_is_off_do_nothing(make: Make) -> None:
    machine = make()
    machine.shutdown()
    machine.reset(BootChoice(device="disk"))
    machine.nmi()
    machine.power_off()
    machine.console_write(b"x")

    assert not machine.power()
    assert machine.console() == b""
