"""The checks of Kubernetes: all pass on the lab, each fails by an answer altered on its way."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import kubernetes_lab
import pytest
import yaml

from provisioner.lab.kubernetes import pki
from provisioner.lab.kubernetes.altering import Altering
from provisioner.lab.kubernetes.mutations import MUTATIONS, altered, wanted
from suites.kubernetes import nodes

ROOT = Path(__file__).parent.parent
GUIDELINE = yaml.safe_load((ROOT / "guidelines/data/2026.11.yaml").read_text(encoding="utf-8"))
CHECKS = sorted(name for name in GUIDELINE["checks"] if name.startswith("k8s-"))
PATIENCE = {"visible": 12, "delete": 20, "boot": 60}


def test_each_check_has_an_answer_that_turns_it_red() -> None:
    told = sorted(check for one in MUTATIONS.values() for check in one.checks)

    assert told == CHECKS


@pytest.mark.parametrize("name", sorted(MUTATIONS))
def test_an_alteration_is_about_its_check_alone(name: str) -> None:
    """By the check's id in the path or the body, or by a path that no other check asks for."""
    one = MUTATIONS[name]

    assert re.compile(one.call)
    assert one.status or one.swap[0]
    alone = ("/apps/v1$", "podtemplates", "samples", "storageclasses", "persistentvolumes/")
    assert one.checks[0] in one.call + one.asked or any(part in one.call for part in alone)


def test_only_what_is_meant_is_altered() -> None:
    faults = wanted(["api-stale-changes-win", "api-any-name-will-do"])
    path = "PUT /api/v1/namespaces/n/configmaps/k8s-api-04-abcdef"

    assert altered(faults, path, b"", 409, b"no") == (200, b"{}")
    assert altered(faults, path, b"", 200, b"yes") == (200, b"yes")
    assert altered(faults, path.replace("api-04", "api-05"), b"", 409, b"no") == (409, b"no")
    post = "POST /api/v1/namespaces/n/configmaps"
    assert altered(faults, post, b"of k8s-limit-01", 422, b"no") == (201, b"{}")
    assert altered(faults, post, b"of another", 422, b"no") == (422, b"no")


# -- nodes that do not answer ------------------------------------------------------------------


class Told:
    """A cluster of two nodes as its API tells it; the subject, its driver and the API in one."""

    name = "k"
    description = SimpleNamespace(facts={"nodes": ["one", "two"]})

    def __init__(self, *, ready: str = "True", log: int = 200, nodes: int = 200) -> None:
        self._ready, self._log, self._nodes = ready, log, nodes
        self.driver = self

    def feature(self, kind: object, handle: object) -> Told:
        return self

    def call(self, operation: str, parameters: Mapping[str, Any]) -> Mapping[str, Any]:
        if operation.endswith("/log"):
            refused = {"status": self._log, "message": "dial tcp: connection refused", "body": ""}
            return refused if "/two/" in operation else {"status": 200, "message": "", "body": ""}
        if operation == "GET /api/v1/nodes":
            conditions = {"one": "True", "two": self._ready, "other": "False"}
            items: list[dict[str, Any]] = [
                {"metadata": {"name": name},
                 "status": {"conditions": [{"type": "Ready", "status": ready, "message": "late"}]}}
                for name, ready in conditions.items()
            ]  # fmt: skip
            return {"status": self._nodes, "body": {"items": items}}
        pods = [
            {"metadata": {"name": name}, "spec": {"nodeName": name}, "status": {"phase": "Running"}}
            for name in ("one", "two")
        ]
        return {"status": 200, "body": {"items": pods}}


@pytest.mark.parametrize(
    ("cluster", "expected"),
    [
        (Told(), {}),
        (Told(ready="Unknown"), {"two": "late"}),
        (Told(log=500), {"two": "dial tcp: connection refused"}),
        (Told(log=500, nodes=403), {"two": "dial tcp: connection refused"}),
        (Told(log=404), {}),
    ],
)
def test_a_node_that_does_not_answer_is_known(cluster: Any, expected: dict[str, str]) -> None:
    """By its state, or by a log that the API server cannot get from it; only of our nodes."""
    found = nodes.lost(cluster)

    assert found == expected
    assert all(name in nodes.told(found) for name in expected)


# -- on the lab --------------------------------------------------------------------------------


def behind(entry: Mapping[str, Any], folder: Path) -> tuple[Altering, dict[str, Any]]:
    """An API server that alters all it can, and the entry of platforms.yaml that leads to it."""
    told = yaml.safe_load(Path(entry["kubeconfig"]).read_text(encoding="utf-8"))
    cluster = told["clusters"][0]["cluster"]
    faults = tuple(MUTATIONS.values())
    front = Altering(cluster["server"], kubernetes_lab.certificates(), pki.HARNESS, faults)
    cluster["server"] = front.address
    kubeconfig = folder / "kubeconfig"
    kubeconfig.write_text(yaml.safe_dump(told), encoding="utf-8")
    return front, {**entry, "kubeconfig": str(kubeconfig), "profile": {"patience": PATIENCE}}


@pytest.fixture(scope="module")
def runs(
    kubernetes: dict[str, Any], tmp_path_factory: pytest.TempPathFactory
) -> dict[str, dict[str, tuple[str, str]]]:
    """Outcomes of a healthy run and of an altered one, side by side: they wait most of the time."""
    folders = {name: tmp_path_factory.mktemp(name) for name in ("healthy", "altered")}
    front, altered_entry = behind(kubernetes, folders["altered"])
    going = {
        "healthy": kubernetes_lab.started(kubernetes, folders["healthy"], "k8s"),
        "altered": kubernetes_lab.started(altered_entry, folders["altered"], "k8s"),
    }
    try:
        return {name: kubernetes_lab.outcomes(run, folders[name]) for name, run in going.items()}
    finally:
        front.close()


@pytest.mark.lab
@pytest.mark.skipif(bool(kubernetes_lab.lacking()), reason=kubernetes_lab.lacking() or "-")
@pytest.mark.parametrize(("name", "expected"), [("healthy", "passed"), ("altered", "failed")])
def test_the_checks_notice(
    runs: dict[str, dict[str, tuple[str, str]]], name: str, expected: str
) -> None:
    other = {check: told for check, told in runs[name].items() if told[0] != expected}

    assert other == {}
    assert sorted(runs[name]) == CHECKS
