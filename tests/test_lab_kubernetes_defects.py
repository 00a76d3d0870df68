"""Defects of the lab's Kubernetes are in force, and turn the checks red that must notice them.

Each needs a lab of its own; they are up side by side, for they wait most of the time.
"""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import kubernetes_lab
import pytest
from kubernetes_desk import FETCH, Desk, desk, until

from provisioner.driver import Status
from provisioner.lab import up
from provisioner.lab.state import State
from provisioner.resources import ImageSpec, Kind, MachineSpec, VolumeSpec

pytestmark = [
    pytest.mark.lab,
    pytest.mark.skipif(bool(kubernetes_lab.lacking()), reason=kubernetes_lab.lacking() or "-"),
]

MACHINE = MachineSpec(image=ImageSpec(os="debian"))
WAY = ("dns-answers-nothing", "services-not-routed", "nodes-apart", "volume-smaller")
# defect -> the check that must notice it, and words of the cause it tells
PROOFS: Mapping[str, tuple[str, str]] = {
    "policies-not-enforced": ("k8s-svc-06", "with one that lets nothing in: expected [silence]"),
    "dns-answers-nothing": ("k8s-svc-03", "addresses of the service: expected"),
    "volume-smaller": ("k8s-vol-02", "size inside: expected '0.9 GiB or more'"),
    "balancers-dead": ("k8s-svc-09", "address of the balancer after"),
}


def way(folder: Path) -> dict[str, Any]:
    """Exit codes of what one pod asks of another, and the size of a volume of 1 GiB."""
    with ExitStack() as stack:
        lab = desk(stack, folder, *WAY, name=f"t-k8s-w-{os.getpid()}")
        first, second = lab.pair()
        there = lab.ready(second)
        found: dict[str, Any] = {
            "named": lab.run(first, f"getent hosts {there.facts['hostname']}").code,
            "reached": lab.run(first, FETCH.format(f"{there.addresses['private']}:8000")).code,
            "served": lab.run(second, FETCH.format(lab.serve(second))).code,
            "itself": lab.run(second, FETCH.format("127.0.0.1:8000")).code,
        }
        lab.ready(lab.make(Kind.VOLUME, "data", VolumeSpec(size_gib=1), {}))
        (image,) = Path(f"/var/lib/interop/{lab.space.name}/kubernetes/images").glob("pvc-*")
        return found | {"size": image.stat().st_size}


def control(folder: Path, *faults: str) -> tuple[list[Status], set[str]]:
    """What a machine and a volume are after a while, and which parts of the lab run."""
    with ExitStack() as stack:
        lab = desk(stack, folder, *faults, name=f"t-k8s-{faults[0][0]}-{os.getpid()}")
        made = [
            lab.make(Kind.MACHINE, "m-1", MACHINE, {}),
            lab.make(Kind.VOLUME, "data", VolumeSpec(size_gib=1), {}),
        ]
        time.sleep(5)  # a healthy lab has both in less
        states = [state.status for one in made if (state := lab.driver.read(one))]
        return states, {process.name for process in State(lab.space).processes()}


def death(folder: Path) -> dict[str, Any]:
    """A run in which a node dies while checks run; then its lab's daemon is killed, too."""
    with ExitStack() as stack:
        lab = desk(stack, folder, name=f"t-k8s-k-{os.getpid()}")
        run = kubernetes_lab.started(
            lab.entry, folder, "net-09,path-01,path-02,time-01", workload="reference"
        )
        stack.callback(run.kill)
        events = until(lambda: list(folder.glob("run-*/events.jsonl")))[0]
        until(lambda: '"checking"' in events.read_text(encoding="utf-8"), 180)
        kill(lab, "kube-node-1")
        told = kubernetes_lab.outcomes(run, folder)
        kill(lab, "serve-kubernetes")
    return {"code": run.returncode, "told": told, "left": up.leftovers(lab.space)}


def kill(lab: Desk, name: str) -> None:
    noted = State(lab.space).path / f"processes/{name}.json"
    os.kill(json.loads(noted.read_text())["pid"], signal.SIGKILL)


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Future[Any]]:
    """What each lab showed, by name; the longest begins first."""
    with ThreadPoolExecutor(2) as pool:  # a lab that starts keeps a disk busy
        return {
            "death": pool.submit(death, tmp_path_factory.mktemp("death")),
            "way": pool.submit(way, tmp_path_factory.mktemp("way")),
            "scheduler": pool.submit(
                control, tmp_path_factory.mktemp("s"), "scheduler-dead", "volumes-never-bind"
            ),
            "controllers": pool.submit(control, tmp_path_factory.mktemp("c"), "controllers-dead"),
        }


def test_a_node_that_dies_in_a_run_is_named_and_a_killed_daemon_leaves_nothing(
    seen: Mapping[str, Future[Any]],
) -> None:
    """What a dead node keeps from being seen is blocked, by its name, and no verdict is made."""
    found = seen["death"].result()

    told = found["told"]
    blocked = {name: reason for name, (outcome, reason) in told.items() if outcome == "blocked"}
    assert found["code"] == 3
    assert "failed" not in {outcome for outcome, _ in told.values()}
    assert blocked
    assert {name: reason for name, reason in blocked.items() if "node-1" not in reason} == {}
    assert found["left"] == []


def test_defects_of_the_way_between_pods(seen: Mapping[str, Future[Any]]) -> None:
    found = seen["way"].result()

    assert 0 not in (found["named"], found["reached"], found["served"])
    assert found["itself"] == 0
    assert found["size"] == 3 << 28


@pytest.mark.parametrize(
    ("which", "dead", "alive"),
    [
        ("scheduler", "kube-scheduler", "kube-controller-manager"),
        ("controllers", "kube-controller-manager", "kube-scheduler"),
    ],
)
def test_defects_of_the_control_plane(
    seen: Mapping[str, Future[Any]], which: str, dead: str, alive: str
) -> None:
    states, parts = seen[which].result()

    assert states == [Status.PENDING, Status.PENDING]
    assert dead not in parts
    assert alive in parts


def test_a_defect_turns_its_check_red(tmp_path: Path) -> None:
    with kubernetes_lab.opened(defects=[*PROOFS], name=f"t-k8s-p-{os.getpid()}") as entry:
        quick = {**entry, "profile": {"patience": {"visible": 12, "delete": 30, "boot": 30}}}
        select = ",".join(check for check, _ in PROOFS.values())
        told = kubernetes_lab.outcomes(kubernetes_lab.started(quick, tmp_path, select), tmp_path)

    noticed = {check: told[check][0] for check, _ in PROOFS.values()}
    assert noticed == dict.fromkeys(noticed, "failed")
    assert {check: told[check][1] for check, cause in PROOFS.values()
            if cause not in told[check][1]} == {}  # fmt: skip
