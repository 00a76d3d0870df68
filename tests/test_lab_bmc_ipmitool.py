"""IPMI of the lab's controllers, as ipmitool sees it; skipped where ipmitool is not installed."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator

import pytest

from provisioner.lab.bmc.serve import Rack
from provisioner.lab.memory import MemoryMachine

pytestmark = pytest.mark.skipif(
    shutil.which("ipmitool") is None, reason="ipmitool is not installed (apt install ipmitool)"
)
HOST = "127.0.77.202"
USERS = (("admin", "s3cret", 4), ("oper", "0per", 3), ("ro", "readonly", 2))
Tool = Callable[..., str]


@pytest.fixture
def machine() -> MemoryMachine:
    return MemoryMachine()


@pytest.fixture
def tool(machine: MemoryMachine) -> Iterator[Tool]:
    """Runs ipmitool against a controller; the password goes through the environment."""
    with Rack() as rack:
        where = rack.serve(machine, HOST, 0, USERS)

        def run(
            *words: str, suite: int = 17, user: str = "admin", password: str = USERS[0][1],
            level: str = "ADMINISTRATOR", code: int = 0,
        ) -> str:  # fmt: skip
            done = subprocess.run(
                ["ipmitool", "-I", "lanplus", "-H", HOST, "-p", str(where.ipmi_port), "-U", user,
                 "-E", "-C", str(suite), "-L", level, "-N", "2", "-R", "2", *words],
                env={**os.environ, "IPMI_PASSWORD": password},
                capture_output=True,
                text=True,
                timeout=60,
                check=False,
            )  # fmt: skip
            assert (done.returncode == 0) == (code == 0), done.stdout + done.stderr
            return done.stdout + done.stderr

        yield run


@pytest.mark.parametrize("suite", [3, 17])
def test_power_with_both_cipher_suites(machine: MemoryMachine, tool: Tool, suite: int) -> None:
    assert "is off" in tool("power", "status", suite=suite)
    tool("power", "on", suite=suite)
    assert "is on" in tool("power", "status", suite=suite)
    tool("power", "soft", suite=suite)
    assert "is off" in tool("power", "status", suite=suite)
    assert machine.history == ["on:default", "button"]


def test_sensors_have_readings_and_limits(machine: MemoryMachine, tool: Tool) -> None:
    tool("power", "on")
    lines = {
        row.split("|")[0].strip(): [cell.strip() for cell in row.split("|")[1:]]
        for row in tool("sensor").splitlines()
        if "|" in row
    }

    assert lines["CPU Temp"][:3] == ["41.000", "degrees C", "ok"]
    assert lines["CPU Temp"][6:] == ["85.000", "95.000", "100.000"]
    assert lines["Fan 1"][:3] == ["4400.000", "RPM", "ok"]
    assert lines["12V"][:3] == ["12.060", "Volts", "ok"]
    assert lines["12V"][4:8] == ["10.800", "11.400", "12.600", "13.200"]


def test_event_log_lists_and_clears(tool: Tool) -> None:
    tool("power", "on")
    tool("power", "off")

    assert tool("sel", "list").count("System ACPI Power State") == 2
    tool("sel", "clear")
    assert "SEL has no entries" in tool("sel", "list")


def test_inventory_users_lan_and_boot_parameters(machine: MemoryMachine, tool: Tool) -> None:
    tool("chassis", "bootdev", "pxe", "options=persistent,efiboot")
    parameters = tool("chassis", "bootparam", "get", "5")

    assert machine.serial in tool("fru", "print")
    assert [r.split()[1] for r in tool("user", "list", "1").splitlines()[2:5]] == [
        "admin", "oper", "ro"
    ]  # fmt: skip
    assert HOST in tool("lan", "print", "1")
    assert "Force PXE" in parameters
    assert "apply to all future boots" in parameters
    assert "EFI boot" in parameters
    assert "IPMI Version              : 2.0" in tool("mc", "info")
    assert "passed" in tool("mc", "selftest")


def test_a_reader_may_not_switch_and_a_wrong_password_is_refused(tool: Tool) -> None:
    refused = tool("power", "on", user="ro", password="readonly", level="USER", code=1)
    wrong = tool("power", "status", password="wrong", code=1)

    assert "Insufficient privilege" in refused
    assert "password" in wrong.lower() or "unable to establish" in wrong.lower()
