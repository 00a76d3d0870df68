"""A service that dies in the middle of a run: what is seen then is blocked, and names it."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
import yaml

from provisioner.errors import Lost, PlatformFault, Unsupported
from provisioner.lab import doctor
from provisioner.lab.space import Space
from suites.openstack.outage import explained, silent
from suites.openstack.wire import Wire
from suites.seams import Subject

# process -> its name in the catalogue, and checks with and without it; none waits for it to heal
DEATHS: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "glance": ("image", ("os-identity-02", "os-image-01", "os-image-04", "os-image-05")),
    "keystone": ("identity", ("os-volume-01", "os-identity-04", "os-identity-05", "os-image-05")),
    "neutron": ("network", ("os-identity-02", "os-network-03", "os-network-09")),
    "nova": ("compute", ("os-identity-02", "os-compute-03", "os-compute-04", "os-compute-01")),
    "cinder": ("volume", ("os-identity-02", "os-volume-01", "os-volume-07")),
}
ENDED_S = 60.0


def cloud(answers: Mapping[str, int | Exception]) -> Subject:
    """A platform whose services say these statuses, or nothing; others are not there."""

    def call(operation: str, parameters: Mapping[str, Any]) -> Mapping[str, Any]:
        said = answers.get(operation.split()[0], Unsupported("not in the catalogue"))
        if isinstance(said, Exception):
            raise said
        return {"status": said}

    driver = SimpleNamespace(feature=lambda feature, handle: SimpleNamespace(call=call))
    return cast(Subject, SimpleNamespace(name="cloud", driver=driver))


def test_a_service_that_is_not_there_is_named() -> None:
    answers: dict[str, int | Exception] = {
        "identity": 300,
        "compute": 401,
        "network": Lost("no answer"),
        "image": 503,
    }

    assert silent(cloud(answers)) == {"network": "Lost: no answer", "image": "status 503"}


@pytest.mark.parametrize("failed", [AssertionError("status: 500"), PlatformFault("state error")])
def test_what_failed_is_explained_by_a_silent_service_only(failed: Exception) -> None:
    well: dict[str, int | Exception] = {"identity": 200, "compute": 401}

    assert explained(cloud(well), failed) == ""
    assert explained(cloud(well | {"network": Lost("no answer")}), failed) == (
        f"network does not answer: Lost: no answer; seen: {failed}"
    )


def test_what_could_not_be_told_anyway_asks_nobody() -> None:
    assert explained(cloud({"identity": AssertionError("asked")}), Lost("no answer")) == ""


def test_a_service_that_says_it_is_unavailable_has_not_answered() -> None:
    said = {"status": 503, "body": "", "headers": {}, "code": "", "message": "try later"}
    driver = SimpleNamespace(feature=lambda *_: SimpleNamespace(call=lambda *_: said))
    kept: list[str] = []
    subject = cast(Subject, SimpleNamespace(name="cloud", driver=driver))
    wire = Wire(subject, lambda title, text: kept.append(text))

    with pytest.raises(Lost, match="volume GET /volumes: 503 try later"):
        wire.refused((400, 503), "a list", "volume GET /volumes")
    assert kept == ['{"status": 503, "body": ""}']


def pid(space: Space, name: str) -> int:
    """Of a process of the lab."""
    return int(json.loads((space.state_dir / "processes" / f"{name}.json").read_text())["pid"])


@contextlib.contextmanager
def held(space: Space) -> Iterator[None]:
    """The lab starts nothing again meanwhile."""
    daemon = pid(space, "serve-openstack")
    os.kill(daemon, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(daemon, signal.SIGCONT)


def seen(run: subprocess.Popen[bytes], folder: Path, enough: Callable[[list[Any]], object]) -> None:
    """Return once enough checks of the run have ended, or all."""
    end = time.monotonic() + ENDED_S
    while run.poll() is None:
        text = "".join(file.read_text() for file in folder.glob("run-*/*/checks.jsonl"))
        whole = text.rpartition("\n")[0].splitlines()  # one may be half written
        if enough([json.loads(line) for line in whole]):
            return
        assert time.monotonic() < end, "no check ended"
        time.sleep(0.02)


@pytest.mark.lab
@pytest.mark.skipif(bool(doctor.lacking()), reason=doctor.lacking() or "-")
@pytest.mark.parametrize("service", DEATHS)
def test_a_service_killed_in_a_run_blocks_it(
    service: str, openstack_space: Space, openstack_entry: dict[str, Any], tmp_path: Path
) -> None:
    """Dead until a check has seen it, it fails none; the lab heals, and nothing is left."""
    name, checks = DEATHS[service]
    platforms = tmp_path / "platforms.yaml"
    entry = {**openstack_entry, "timeout_s": 3}
    platforms.write_text(yaml.safe_dump({"platforms": {"lab-openstack": entry}}))
    interop = str(Path(sys.executable).with_name("interop"))
    command = [
        interop, "run", "-p", "lab-openstack", "--platforms", str(platforms), "--program",
        "openstack-api", "--workload", "none", "--results", str(tmp_path), "--quiet",
        *(word for check in checks for word in ("--select", check)),
    ]  # fmt: skip
    run = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        seen(run, tmp_path, lambda records: records)
        with held(openstack_space):
            os.kill(pid(openstack_space, f"openstack-{service}"), signal.SIGKILL)
            seen(run, tmp_path, lambda records: any(r["outcome"] != "passed" for r in records))
        code = run.wait(300)
    finally:
        run.kill()
        run.wait()
    (folder,) = tmp_path.glob("run-*")
    records = json.loads((folder / "lab-openstack/result.json").read_text())["checks"]
    outcomes = Counter(record["outcome"] for record in records)
    reasons = [record["reason"] for record in records if record["outcome"] == "blocked"]

    assert code == 3
    assert outcomes["blocked"] > 0, records
    assert outcomes["failed"] == 0, records
    assert any(name in reason for reason in reasons), reasons
    reap = [interop, "reap", "--run", str(folder), "--platforms", str(platforms), "--yes"]
    end = time.monotonic() + ENDED_S
    while subprocess.run(reap, capture_output=True, check=False).returncode:
        assert time.monotonic() < end, "the lab did not heal"
