"""The lab's Kubernetes with real nodes: what its API says is true inside, and its defects are."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import kubernetes_lab
import pytest
import yaml

from provisioner.driver import Driver, Handle, Owner, Status
from provisioner.errors import PlatformFault
from provisioner.features import Completed, Exec, RawCall
from provisioner.lab import up
from provisioner.lab.images import default_cache
from provisioner.lab.kubernetes import build
from provisioner.lab.space import Space
from provisioner.lab.state import State
from provisioner.resources import (
    ImageSpec,
    Kind,
    MachineSpec,
    NetworkSpec,
    Ref,
    Resource,
    Spec,
    Support,
    VolumeSpec,
)

pytestmark = [
    pytest.mark.lab,
    pytest.mark.skipif(bool(kubernetes_lab.lacking()), reason=kubernetes_lab.lacking() or "-"),
]

NOTHING = Handle(platform="lab-kubernetes", kind=Kind.MACHINE, id="x")
SERVE = "nohup python3 -m http.server 8000 >/dev/null 2>&1 & sleep 1"
FETCH = "python3 -c 'import urllib.request as u; u.urlopen(\"http://{}\", timeout=3)'"


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """A lab's cluster and its driver."""

    space: Space
    driver: Driver
    entry: dict[str, Any]

    def call(self, operation: str, **parameters: Any) -> Any:
        raw = self.driver.feature(RawCall, NOTHING)  # type: ignore[type-abstract]
        return raw.call(operation, parameters)

    def make(self, kind: Kind, name: str, spec: Spec, bound: dict[Ref, Handle]) -> Handle:
        tags = Owner(run="live").tags(name)
        step = self.driver.plan(Resource(kind=kind, name=name, spec=spec, tags=tags))
        return self.driver.create(step.bind(bound), f"live-{kind}-{name}")

    def ready(self, handle: Handle, timeout_s: float = 60) -> Any:
        return until(
            lambda: (s := self.driver.read(handle)) and s.status is Status.READY and s, timeout_s
        )

    def run(self, machine: Handle, command: str) -> Completed:
        inside = self.driver.feature(Exec, machine)  # type: ignore[type-abstract]
        return inside.run(["sh", "-c", command], timeout_s=30)

    def pair(self) -> tuple[Handle, Handle]:
        """Two machines on different nodes that know each other's names; m-2 serves HTTP."""
        network = Ref(Kind.NETWORK, "net")
        bound = {network: self.make(Kind.NETWORK, "net", NetworkSpec(), {})}
        spec = MachineSpec(image=ImageSpec(os="debian"), network=network)
        first = self.make(Kind.MACHINE, "m-1", spec, bound)
        node = self.ready(first).facts["node"]
        for number in range(2, 6):
            second = self.make(Kind.MACHINE, f"m-{number}", spec, bound)
            if self.ready(second).facts["node"] != node:
                self.run(second, SERVE)
                return first, second
        raise AssertionError("all machines came to one node")


def until(look: Callable[[], Any], timeout_s: float = 60) -> Any:
    deadline = time.monotonic() + timeout_s
    while not (seen := look()):
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {timeout_s} s")
        time.sleep(0.2)
    return seen


def desk(stack: ExitStack, folder: Path, *defects: str, name: str) -> Desk:
    entry = stack.enter_context(kubernetes_lab.opened(defects=defects, name=name))
    return opened(stack, folder, entry, name)


def opened(stack: ExitStack, folder: Path, entry: dict[str, Any], name: str) -> Desk:
    space = Space(name=name)
    driver = kubernetes_lab.driver(entry, folder)
    stack.callback(driver.close)
    return Desk(space=space, driver=driver, entry=entry)


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory, kubernetes: dict[str, Any]) -> Iterator[Desk]:
    with ExitStack() as stack:
        lab = opened(stack, tmp_path_factory.mktemp("lab"), kubernetes, f"t-k8s-{os.getpid()}")
        yield lab
        lab.call("DELETE /api/v1/namespaces/{namespace}/services/web")
        for handle in lab.driver.find(Owner(run="live")):
            lab.driver.delete(handle)


@pytest.fixture(scope="module")
def pair(lab: Desk) -> tuple[Handle, Handle]:
    return lab.pair()


# -- it is real ----------------------------------------------------------------------------------


def test_machines_know_and_reach_each_other_over_nodes(
    lab: Desk, pair: tuple[Handle, Handle]
) -> None:
    first, second = pair
    there = lab.ready(second)

    found = lab.run(first, f"getent hosts {there.facts['hostname']}").stdout.decode().split()

    assert found[0] == there.addresses["private"]
    back = lab.run(first, f"getent hosts {found[0]}").stdout.decode()
    assert there.facts["hostname"] in back
    assert lab.run(first, FETCH.format(f"{found[0]}:8000")).code == 0


def test_a_service_leads_to_its_pods_from_any_node(lab: Desk, pair: tuple[Handle, Handle]) -> None:
    first, second = pair
    make_service(lab, second)

    until(lambda: lab.run(first, FETCH.format("web/")).code == 0, 20)


def make_service(lab: Desk, machine: Handle) -> str:
    body = {
        "metadata": {"name": "web"},
        "spec": {
            "selector": {"interop-harness/machine": machine.id},
            "ports": [{"port": 80, "targetPort": 8000}],
        },
    }
    made = lab.call("POST /api/v1/namespaces/{namespace}/services", body=body)
    return str(made["body"]["spec"]["clusterIP"])


def test_a_volume_is_a_file_system_of_its_own(lab: Desk) -> None:
    volume = lab.make(Kind.VOLUME, "data", VolumeSpec(size_gib=1), {})

    state = lab.ready(volume)

    assert state.facts["size_gib"] == 1
    (image,) = Path(f"/var/lib/interop/{lab.space.name}/kubernetes/images").glob("pvc-*")
    assert image.stat().st_size == 1 << 30
    lab.driver.delete(volume)
    until(lambda: not image.exists())


def test_the_harness_may_do_nothing_to_the_cluster(lab: Desk) -> None:
    node = {"metadata": {"name": "mine"}}

    assert lab.call("POST /api/v1/nodes", body=node)["status"] == 403
    assert lab.call("GET /api/v1/nodes")["status"] == 200
    for path in ("/apis/rbac.authorization.k8s.io/v1/clusterroles", "/api/v1/namespaces"):
        assert lab.call(f"POST {path}", body=node)["status"] == 403
    assert lab.call("GET /api/v1/namespaces/kube-system/secrets")["status"] == 403
    assert lab.call("GET /api/v1/namespaces/{namespace}/secrets")["status"] == 200


def test_a_hundred_virtual_machines_through_the_driver(lab: Desk, tmp_path: Path) -> None:
    """They are simulated: what is measured is the API and ourselves."""
    virtual = {
        "node_selector": {"interop.lab/virtual": "true"},
        "tolerate": ["interop.lab/virtual"],
    }
    driver = kubernetes_lab.driver(lab.entry, tmp_path, **virtual)
    desk = Desk(space=lab.space, driver=driver, entry=lab.entry)
    spec = MachineSpec(image=ImageSpec(os="debian"))
    busy = os.getloadavg()[0] > 4  # the promise is for two idle cores
    began = time.monotonic()
    with ThreadPoolExecutor(16) as pool:
        made = list(pool.map(lambda n: desk.make(Kind.MACHINE, f"v-{n}", spec, {}), range(100)))
        list(pool.map(lambda handle: desk.ready(handle, 120), made))
        seconds = time.monotonic() - began
        list(pool.map(driver.delete, made))
    until(lambda: not {h.id for h in driver.find(Owner(run="live"))} & {h.id for h in made}, 120)
    driver.close()

    assert seconds < (120 if busy else 30)


def test_nothing_of_a_node_is_on_the_host(lab: Desk) -> None:
    assert not [
        path
        for path in ("/var/lib/kubelet", "/var/log/pods", "/run/containerd", "/var/lib/cni")
        if Path(path).exists()
    ]
    assert int(Path("/proc/sys/vm/overcommit_memory").read_text()) != 1


# -- providers, ends and defects -------------------------------------------------------------------


def test_a_context_that_is_there_is_used_and_left_alone(
    lab: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A second lab that only connects: to the first one's cluster, as a context of a kubeconfig."""
    kubeconfig = Path(lab.entry["kubeconfig"])
    before = kubeconfig.read_bytes()
    monkeypatch.setenv("INTEROP_KUBE_CONTEXT", lab.entry["context"])
    monkeypatch.setenv("KUBECONFIG", f"{kubeconfig}:/nonexistent")
    monkeypatch.setenv("INTEROP_KUBE_IMAGE", lab.entry["images"]["debian-12"])
    with ExitStack() as stack:
        there = desk(stack, tmp_path, name=f"t-k8s-e-{os.getpid()}")
        about = there.driver.describe()
        machine = there.make(Kind.MACHINE, "e-1", MachineSpec(image=ImageSpec(os="debian")), {})
        there.ready(machine)
        said = there.run(machine, "echo here").stdout
        seen = lab.driver.read(machine)
        there.driver.delete(machine)

    assert there.entry["declared"]["provider"] == "kubeconfig"
    assert there.entry["emulator"] is False
    assert about.features >= {"kubernetes.nodes.real", "kubernetes.controllers", "exec"}
    assert said == b"here\n"
    assert seen is not None
    assert kubeconfig.read_bytes() == before
    assert lab.call("GET /api/v1/nodes")["status"] == 200


def test_a_context_that_does_not_answer_is_said_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "config"
    cluster = {"name": "c", "cluster": {"server": "http://127.0.0.1:9"}}
    context = {"name": "mine", "context": {"cluster": "c", "user": "u"}}
    user = {"name": "u", "user": {}}
    document = {"clusters": [cluster], "users": [user], "contexts": [context]}
    file.write_text(yaml.safe_dump(document), encoding="utf-8")
    monkeypatch.setenv("KUBECONFIG", str(file))
    space = Space(name=f"t-k8s-n-{os.getpid()}")
    for name, words in (("mine", "connection refused"), ("other", "'other'.*there are: mine")):
        monkeypatch.setenv("INTEROP_KUBE_CONTEXT", name)
        try:
            with pytest.raises(PlatformFault, match=f"(?i){words}") as caught:
                up.up(space, ["kubernetes"], lambda platform, text: None)
        finally:
            assert up.down(space) == []
        assert "\n" not in str(caught.value)


def test_an_api_without_nodes_says_what_it_lacks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    built = build.found(default_cache())
    if built is None:
        pytest.skip("there are no binaries of our own to make assets of")
    for name in ("etcd", "kube-apiserver"):
        (tmp_path / name).symlink_to(built / "bin" / name)
    monkeypatch.setenv("KUBEBUILDER_ASSETS", str(tmp_path))
    with ExitStack() as stack:
        lab = desk(stack, tmp_path, name=f"t-k8s-api-{os.getpid()}")
        about = lab.driver.describe()
        maps = "/api/v1/namespaces/{namespace}/configmaps"
        made = lab.call(f"POST {maps}", body={"metadata": {"name": "x"}, "data": {"a": "b"}})
        back = lab.call(f"GET {maps}/x")

    assert lab.entry["declared"]["provider"] == "assets"
    assert {f for f in about.features if f.startswith("kubernetes.")} == {
        "kubernetes.api", "kubernetes.api.ssa", "kubernetes.api.crd",
    }  # fmt: skip
    assert about.kinds[Kind.VOLUME] is about.kinds[Kind.MACHINE] is Support.ABSENT
    assert "no node" in about.absent["exec"]
    assert (made["status"], back["body"]["data"]) == (201, {"a": "b"})


def test_a_node_that_dies_in_a_run_is_named_and_a_killed_daemon_leaves_nothing(
    tmp_path: Path,
) -> None:
    """What a dead node keeps from being seen is blocked, by its name, and no verdict is made."""
    with ExitStack() as stack:
        lab = desk(stack, tmp_path, name=f"t-k8s-k-{os.getpid()}")
        platforms = tmp_path / "platforms.yaml"
        platforms.write_text(yaml.safe_dump({"platforms": {"lab-kubernetes": lab.entry}}))
        run = subprocess.Popen(
            [str(Path(sys.executable).with_name("interop")), "run", "-p", "lab-kubernetes",
             "--platforms", str(platforms), "--results", str(tmp_path), "--quiet",
             "--select", "net-09,path-01,path-02,time-01"],
        )  # fmt: skip
        stack.callback(run.kill)
        events = until(lambda: list(tmp_path.glob("run-*/events.jsonl")))[0]
        until(lambda: '"checking"' in events.read_text(encoding="utf-8"), 120)
        kill(lab, "kube-node-1")
        code = run.wait(240)
        (result,) = tmp_path.glob("run-*/lab-kubernetes/result.json")
        checks = json.loads(result.read_text(encoding="utf-8"))["checks"]
        kill(lab, "serve-kubernetes")

    told = {one["id"]: (one["outcome"], one["reason"]) for one in checks}
    blocked = {name: reason for name, (outcome, reason) in told.items() if outcome == "blocked"}
    assert code == 3
    assert "failed" not in {outcome for outcome, _ in told.values()}
    assert blocked
    assert {name: reason for name, reason in blocked.items() if "node-1" not in reason} == {}
    assert up.leftovers(lab.space) == []


def kill(lab: Desk, name: str) -> None:
    noted = State(lab.space).path / f"processes/{name}.json"
    os.kill(json.loads(noted.read_text())["pid"], signal.SIGKILL)


def test_defects_of_the_way_between_pods(tmp_path: Path) -> None:
    faults = ("dns-answers-nothing", "services-not-routed", "nodes-apart", "volume-smaller")
    with ExitStack() as stack:
        lab = desk(stack, tmp_path, *faults, name=f"t-k8s-w-{os.getpid()}")
        first, second = lab.pair()
        there = lab.ready(second)
        named = lab.run(first, f"getent hosts {there.facts['hostname']}").code
        reached = lab.run(first, FETCH.format(f"{there.addresses['private']}:8000")).code
        served = lab.run(second, FETCH.format(make_service(lab, second))).code
        itself = lab.run(second, FETCH.format("127.0.0.1:8000")).code
        lab.ready(lab.make(Kind.VOLUME, "data", VolumeSpec(size_gib=1), {}))
        (image,) = Path(f"/var/lib/interop/{lab.space.name}/kubernetes/images").glob("pvc-*")
        size = image.stat().st_size

    assert 0 not in (named, reached, served)
    assert itself == 0
    assert size == 3 << 28


@pytest.mark.parametrize(
    "faults", [("scheduler-dead", "volumes-never-bind"), ("controllers-dead",)], ids="-".join
)
def test_defects_of_the_control_plane(tmp_path: Path, faults: tuple[str, ...]) -> None:
    with ExitStack() as stack:
        lab = desk(stack, tmp_path, *faults, name=f"t-k8s-c-{os.getpid()}")
        made = [
            lab.make(Kind.MACHINE, "m-1", MachineSpec(image=ImageSpec(os="debian")), {}),
            lab.make(Kind.VOLUME, "data", VolumeSpec(size_gib=1), {}),
        ]
        time.sleep(5)
        states = [lab.driver.read(handle) for handle in made]

    assert [state.status for state in states if state] == [Status.PENDING, Status.PENDING]
