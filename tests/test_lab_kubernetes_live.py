"""The lab's Kubernetes with real nodes: what its API says is true inside."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import kubernetes_lab
import pytest
import yaml
from kubernetes_desk import FETCH, Desk, desk, opened, until

from provisioner.driver import Handle, Owner
from provisioner.errors import PlatformFault
from provisioner.lab import up
from provisioner.lab.images import default_cache
from provisioner.lab.kubernetes import build
from provisioner.lab.space import Space
from provisioner.resources import (
    ImageSpec,
    Kind,
    MachineSpec,
    Support,
    VolumeSpec,
)

pytestmark = [
    pytest.mark.lab,
    pytest.mark.skipif(bool(kubernetes_lab.lacking()), reason=kubernetes_lab.lacking() or "-"),
]


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
    lab.serve(second)

    until(lambda: lab.run(first, FETCH.format("web/")).code == 0, 20)


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


# -- providers  -------------------------------------------------------------------


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
