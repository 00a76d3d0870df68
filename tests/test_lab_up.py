"""A real lab comes up and goes without a trace, whatever was done to it in between."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from provisioner.errors import BadRequest, Conflict, PlatformFault
from provisioner.lab import doctor, up
from provisioner.lab.space import Space
from provisioner.lab.state import DEFECTS, State
from provisioner.reach import BrokerDialer

pytestmark = [
    pytest.mark.lab,
    pytest.mark.skipif(bool(doctor.lacking()), reason=doctor.lacking() or "-"),
]


def say(platform: str, text: str) -> None:
    """Nobody listens."""


def census(name: str) -> dict[str, list[str]]:
    """What of a lab can be seen from outside."""
    mounts = Path("/proc/self/mountinfo").read_text().splitlines()
    names = subprocess.run(["ip", "netns"], capture_output=True, text=True, check=True).stdout
    loops = subprocess.run(["losetup", "-l"], capture_output=True, text=True, check=True).stdout
    processes = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True)
    return {
        "mounts": [line.split()[4] for line in mounts if name in line],
        "namespaces": [line for line in names.splitlines() if name in line],
        "loops": [line for line in loops.splitlines() if name in line],
        "processes": [line for line in processes.stdout.splitlines() if name in line],
        "links": [link.name for link in Path("/sys/class/net").glob("tap*")],
        "folders": [str(path) for top in ("/run/interop", "/var/lib/interop")
                    for path in Path(top).glob(f"*{name}*")],
    }  # fmt: skip


@pytest.fixture
def space(monkeypatch: pytest.MonkeyPatch) -> Iterator[Space]:
    """A lab of our own, taken down whatever happens."""
    monkeypatch.delenv(DEFECTS, raising=False)
    own = Space(name=f"test-{os.getpid()}")
    yield own
    up.down(own)


@pytest.fixture
def metal(space: Space) -> Space:
    """A lab with metal."""
    up.up(space, ["metal"], say)
    return space


def inventory(space: Space) -> list[dict[str, object]]:
    """The machines of a lab, as its platforms.yaml says."""
    document = yaml.safe_load((space.state_dir / "platforms.yaml").read_text())
    listed = document["platforms"]["lab-metal"]["inventory"]
    machines = yaml.safe_load(Path(listed).read_text())["inventory"]
    assert isinstance(machines, list)
    return machines


def ipmi(space: Space, *words: str) -> str:
    """One ipmitool command to the first machine's controller."""
    bmc = inventory(space)[0]["bmc"]
    assert isinstance(bmc, dict)
    command = ["ipmitool", "-I", "lanplus", "-H", bmc["address"], "-p", str(bmc["port"]),
               "-U", bmc["user"], "-f", bmc["password"]["file"], *words]  # fmt: skip
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout


def power_on(space: Space) -> list[int]:
    """Have the first machine switched on; returns the pid of its QEMU."""
    ipmi(space, "power", "on")
    deadline = time.monotonic() + 60
    while True:
        found = [p.pid for p in State(space).processes() if re.fullmatch(r"m\d+", p.name)]
        if found or time.monotonic() > deadline:
            return found
        time.sleep(0.05)


def test_a_lab_leaves_nothing(space: Space) -> None:
    before = census(space.name)
    up.up(space, ["metal"], say)
    running = power_on(space)

    left = up.down(space)

    assert running
    assert left == []
    assert census(space.name) == before


def test_a_lab_whose_daemons_were_killed_leaves_nothing(space: Space) -> None:
    before = census(space.name)
    up.up(space, ["metal"], say)
    orphans = power_on(space)
    for process in State(space).processes():
        if not re.fullmatch(r"m\d+", process.name):
            os.kill(process.pid, signal.SIGKILL)

    left = up.down(space)

    assert orphans
    assert left == []
    assert census(space.name) == before


def test_a_second_up_changes_nothing(metal: Space) -> None:
    first = {process.pid for process in State(metal).processes()}

    up.up(metal, ["metal"], say)

    assert {process.pid for process in State(metal).processes()} == first


def test_up_mends_a_lab_whose_broker_died(metal: Space) -> None:
    dead = {process.name: process for process in State(metal).processes()}
    os.kill(dead["broker"].pid, signal.SIGKILL)

    up.up(metal, ["metal"], say)

    assert [health.state for health in up.status(metal)] == ["ready", "ready"]


def test_a_lab_with_a_defect_is_never_taken_for_a_sound_one(space: Space) -> None:
    up.up(space, ["metal"], say, defects=["lab-metal:power-lies"])

    with pytest.raises(Conflict, match="other defects"):
        up.up(space, ["metal"], say)


def test_status_says_what_died(metal: Space) -> None:
    for process in State(metal).processes():
        if process.name == "serve-metal":
            os.kill(process.pid, signal.SIGKILL)
            while process.alive():
                time.sleep(0.02)

    states = {health.name: health.state for health in up.status(metal)}

    assert states == {"broker": "ready", "metal": "dead"}


def test_nothing_leads_out_of_the_lab(metal: Space) -> None:
    broker = BrokerDialer(str(metal.broker_socket))

    with pytest.raises(OSError, match="unreachable"):
        broker.connect("192.0.2.1", 80, 2)
    routes = subprocess.run(
        metal.inside(["ip", "route"]), capture_output=True, text=True, check=True
    ).stdout
    assert "default" not in routes
    forwarding = metal.inside(["cat", "/proc/sys/net/ipv4/ip_forward"])
    assert subprocess.run(forwarding, capture_output=True, check=True).stdout == b"0\n"


def test_a_listener_inside_is_reached_through_the_broker_only(metal: Space) -> None:
    broker = BrokerDialer(str(metal.broker_socket))
    door = broker.bind("10.77.0.1", 0)
    with door, broker.connect("10.77.0.1", door.getsockname()[1], 2) as made:
        peer = made.getpeername()

    assert peer[0] == "10.77.0.1"


def test_no_secret_is_in_what_is_written_for_everybody(metal: Space) -> None:
    bmc = inventory(metal)[0]["bmc"]
    assert isinstance(bmc, dict)
    secret = Path(bmc["password"]["file"])
    password = secret.read_text().strip()
    written = (metal.state_dir / "platforms.yaml").read_text()
    written += (metal.state_dir / "metal/inventory.yaml").read_text()
    written += "".join(path.read_text() for path in (metal.state_dir / "log").iterdir())
    arguments = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True)

    assert password not in written + arguments.stdout
    assert secret.stat().st_mode & 0o777 == 0o600
    assert metal.state_dir.stat().st_mode & 0o777 == 0o700


def test_an_unknown_defect_stops_the_lab_with_one_line(space: Space) -> None:
    before = census(space.name)
    logs = Path(f"/run/interop/.{space.name}.logs")

    with pytest.raises(PlatformFault, match=r"metal ended while it started.*no-such"):
        up.up(space, ["metal"], say, defects=["lab-metal:no-such"])

    assert logs.is_dir()
    up.down(space)
    assert census(space.name) == before


def test_a_defect_of_no_platform_is_refused(space: Space) -> None:
    with pytest.raises(BadRequest, match="'clock-skew': expected PLATFORM:NAME"):
        up.up(space, ["metal"], say, defects=["clock-skew"])

    assert not space.exists()


def test_an_unknown_platform_is_refused(space: Space) -> None:
    with pytest.raises(BadRequest, match="no platform 'mars'; expected one of metal, aws"):
        up.up(space, ["mars"], say)

    assert not space.exists()


def test_two_commands_do_not_change_one_lab_at_once(space: Space) -> None:
    with up._alone(space), pytest.raises(Conflict, match="at work"):
        up.down(space)
