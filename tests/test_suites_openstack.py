"""The checks of OpenStack's APIs, each turned red by an answer that was altered on its way."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from provisioner.lab import doctor, up
from provisioner.lab.openstack.altering import mutated
from provisioner.lab.openstack.mutations import MUTATIONS
from provisioner.lab.space import Space
from provisioner.lab.state import DEFECTS

ROOT = Path(__file__).parent.parent
GUIDELINE = yaml.safe_load((ROOT / "guidelines/data/2026.11.yaml").read_text(encoding="utf-8"))
CHECKS = sorted(name for name in GUIDELINE["checks"] if name.startswith("os-"))
CHAPTERS = ("os-identity", "os-compute", "os-network", "os-image", "os-volume")


def test_each_check_has_an_answer_that_turns_it_red() -> None:
    assert sorted(check for one in MUTATIONS.values() for check in one.checks) == CHECKS


def answer(
    defects: list[str], status: str, body: bytes, *, call: str = "POST /v2.0/ports"
) -> tuple[str, bytes, dict[str, str]]:
    """What a client gets of an application that says *status* and *body*."""
    method, _, path = call.partition(" ")
    path, _, query = path.partition("?")
    got: dict[str, Any] = {}

    def application(environ: dict[str, Any], start: Any) -> list[bytes]:
        start(status, [("Content-Length", str(len(body))), ("X-Kept", "yes")])
        return [body]

    def start(said: str, headers: list[tuple[str, str]]) -> None:
        got.update(status=said, headers=dict(headers))

    environ = {"REQUEST_METHOD": method, "PATH_INFO": path, "QUERY_STRING": query}
    parts = mutated(application, "neutron", defects)(environ | {"wsgi.input": None}, start)
    return got["status"], b"".join(parts), got["headers"]


def test_only_the_answer_meant_is_altered() -> None:
    defect = ["api-used-networks-go"]
    refused = b'{"NeutronError": {"type": "NetworkInUse"}}'
    call = "DELETE /v2.0/networks/1"

    healthy = answer([], "409 Conflict", refused, call=call)
    other = answer(defect, "409 Conflict", refused, call="DELETE /v2.0/ports/1")

    assert healthy[:2] == other[:2] == ("409 Conflict", refused)


def test_an_altered_answer_has_its_true_length() -> None:
    import io

    got: dict[str, Any] = {}

    def application(environ: dict[str, Any], start: Any) -> list[bytes]:
        start("409 Conflict", [("Content-Length", "7"), ("X-Kept", "yes")])
        return [b"refused"]

    def start(said: str, headers: list[tuple[str, str]]) -> None:
        got.update(status=said, headers=dict(headers))

    environ = {
        "REQUEST_METHOD": "DELETE",
        "PATH_INFO": "/v2.0/networks/1",
        "wsgi.input": io.BytesIO(),
    }
    parts = mutated(application, "neutron", ["api-used-networks-go"])(environ, start)

    assert got == {
        "status": "204 No Content",
        "headers": {"X-Kept": "yes", "Content-Length": "0"},
    }
    assert b"".join(parts) == b""


def outcomes(platforms: Path, results: Path) -> dict[str, str]:
    """How each of the checks ended on the lab, with nothing standing."""
    command = [
        str(Path(sys.executable).with_name("interop")), "run", "-p", "lab-openstack",
        "--platforms", str(platforms), "--program", "openstack-api", "--workload", "none",
        "--results", str(results), "--quiet",
    ]  # fmt: skip
    for chapter in CHAPTERS:
        command += ["--select", chapter]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    found = list(results.glob("run-*/lab-openstack/result.json"))
    assert found, done.stderr
    document = json.loads(found[0].read_text(encoding="utf-8"))
    return {check["id"]: check["outcome"] for check in document["checks"]}


@pytest.mark.lab
@pytest.mark.skipif(bool(doctor.lacking()), reason=doctor.lacking() or "-")
def test_the_checks_pass_on_a_healthy_cloud(openstack_space: Space, tmp_path: Path) -> None:
    found = outcomes(openstack_space.state_dir / "platforms.yaml", tmp_path)

    assert found == dict.fromkeys(CHECKS, "passed")


@pytest.mark.lab
@pytest.mark.skipif(bool(doctor.lacking()), reason=doctor.lacking() or "-")
def test_the_checks_notice(tmp_path: Path) -> None:
    """Every answer that a check is for is altered; each check must fail, and none be blocked."""
    os.environ.pop(DEFECTS, None)
    space = Space(name=f"tos-api-{os.getpid()}")
    defects = [f"lab-openstack:{name}" for name in MUTATIONS]
    try:
        platforms = up.up(space, ["openstack"], lambda platform, text: None, defects=defects)
        found = outcomes(platforms, tmp_path)
    finally:
        up.down(space)

    assert found == dict.fromkeys(CHECKS, "failed")
