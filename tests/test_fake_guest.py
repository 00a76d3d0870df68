"""The model of a fake machine's inside answers as the real probe, and knows nothing else."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from provisioner.driver import Handle, Owner
from provisioner.features import Exec, Power
from provisioner.platform import PlatformConfig, open_driver
from provisioner.remote import ExecRemote
from provisioner.resources import Kind, MachineSpec, Resource

PROBE = Path(__file__).parent.parent / "provisioner/workloads/reference/probe.py"
PARTS = (
    "identity",
    "addressing",
    "names",
    "access",
    "init",
    "metadata",
    "entropy",
    "kernel",
    "cpu",
)


def make_machine(tmp_path: Path, **settings: object) -> tuple[ExecRemote, Power]:
    """A shell in a fresh fake machine with the probe in it, and its power."""
    config = PlatformConfig(name="fake", kind="fake", settings=settings, state=tmp_path)
    driver = open_driver(config)
    tags = Owner(run="r").tags("m")
    spec = MachineSpec(user_data=b"#!/bin/sh\n")
    step = driver.plan(Resource(kind=Kind.MACHINE, name="m", spec=spec, tags=tags))
    handle: Handle = driver.create(step, "token")
    remote = ExecRemote(driver.feature(Exec, handle))  # type: ignore[type-abstract]
    remote.put(PROBE.read_bytes(), "/opt/interop/probe.py", 0o755, sudo=True)
    return remote, driver.feature(Power, handle)  # type: ignore[type-abstract]


def observe(remote: ExecRemote, name: str, **args: object) -> Any:
    done = remote.run(f"python3 /opt/interop/probe.py observe {name} '{json.dumps(args)}'")
    assert done.code == 0, done.stderr
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def probe() -> ModuleType:
    """The real probe as a module."""
    spec = importlib.util.spec_from_file_location("reference_probe", PROBE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def real() -> Any:
    """What the real probe sees of this very machine; its metadata service is a closed port."""
    script = (
        "import runpy, sys, json; p = runpy.run_path(sys.argv[1]);"
        "seen = {n: p['OBSERVATIONS'][n]() for n in sys.argv[2:] if n != 'metadata'};"
        "seen['metadata'] = p['OBSERVATIONS']['metadata'](url='http://127.0.0.1:9');"
        "print(json.dumps(seen))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, str(PROBE), *PARTS, "disks", "clock", "service"],
        capture_output=True,
        check=True,
        env={**os.environ, "INTEROP_PROBE_NO_SUDO": "1"},
    )
    return json.loads(done.stdout)


@pytest.mark.parametrize("part", [*PARTS, "disks", "clock", "service"])
def test_the_model_tells_what_the_probe_tells(part: str, real: Any, tmp_path: Path) -> None:
    remote, _ = make_machine(tmp_path)

    assert set(observe(remote, part)) == set(real[part])


def test_the_model_knows_every_observation(probe: ModuleType) -> None:
    from provisioner.drivers.fake.matter import Matter
    from provisioner.drivers.fake.paths import Paths
    from provisioner.drivers.fake.sight import GuestSight

    known = {name for of in (GuestSight, Matter, Paths) for name in dir(of)}

    missing = [n for n in probe.OBSERVATIONS if f"see_{n.replace('-', '_')}" not in known]
    assert missing == []


def test_an_unknown_command_is_not_found(tmp_path: Path) -> None:
    remote, _ = make_machine(tmp_path)

    assert remote.run("frobnicate --now").code == 127


def test_without_the_probe_there_is_nothing_to_run(tmp_path: Path) -> None:
    remote, _ = make_machine(tmp_path)
    remote.run("true", sudo=True)

    assert remote.run("python3 /opt/interop/probe.py observe nothing").code != 0


def test_user_data_runs_at_the_first_boot_only(tmp_path: Path) -> None:
    remote, power = make_machine(tmp_path)
    first = observe(remote, "user-data")["runs"]

    power.reboot()

    assert (first, observe(remote, "user-data")["runs"]) == (1, 1)


def test_a_soft_stop_is_written_down_and_a_hard_one_is_not(tmp_path: Path) -> None:
    remote, power = make_machine(tmp_path)
    remote.run("cat > /var/lib/interop/probe.json", stdin=b'{"name": "m"}')
    remote.run("python3 /opt/interop/probe.py enable --config /var/lib/interop/probe.json")
    for stop in (power.soft_off, power.off):
        stop()
        power.on()
        observe(remote, "identity")

    assert len(observe(remote, "service")["stops"]) == 1


def test_what_was_written_outlives_the_process(tmp_path: Path) -> None:
    first, _ = make_machine(tmp_path)
    observe(first, "write-pattern", path="/var/lib/interop/mark", token="t")

    again, _ = make_machine(tmp_path)

    assert observe(again, "read-pattern", path="/var/lib/interop/mark", token="t")["whole"]
