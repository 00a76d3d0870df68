"""The Kubernetes driver where no cluster is needed: settings, words, errors, states."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import urllib3

pytest.importorskip("kubernetes", reason="kubernetes is not installed (extra kubernetes)")

from guidelines.catalog import load_guideline
from harness.outcome import program_for
from provisioner.driver import TAG_RUN, Owner, Status
from provisioner.drivers.kubernetes import open_driver
from provisioner.drivers.kubernetes.choice import Choice, quantity
from provisioner.drivers.kubernetes.cluster import NAME, Cluster
from provisioner.drivers.kubernetes.errors import refusal, translated
from provisioner.drivers.kubernetes.machine import _addresses, _status
from provisioner.drivers.kubernetes.owning import decoded, metadata, object_name, slug
from provisioner.drivers.kubernetes.settings import Settings, read_settings
from provisioner.errors import (
    BadRequest,
    Conflict,
    Lost,
    NotFound,
    PlatformError,
    PlatformFault,
    Quota,
    Throttled,
    Timeout,
    Unauthorized,
)
from provisioner.platform import PlatformConfig
from provisioner.resources import Kind, NetworkSpec, Resource

KUBECONFIG = """\
apiVersion: v1
kind: Config
current-context: production
clusters: [{name: c, cluster: {server: "http://127.0.0.1:1"}}]
users: [{name: u, user: {token: secret}}]
contexts:
  - {name: production, context: {cluster: c, user: u}}
  - {name: lab, context: {cluster: c, user: u}}
"""


@pytest.fixture
def kubeconfig(tmp_path: Path) -> str:
    path = tmp_path / "kubeconfig"
    path.write_text(KUBECONFIG, encoding="utf-8")
    return str(path)


def config(**settings: Any) -> PlatformConfig:
    return PlatformConfig(name="k", kind="kubernetes", settings=settings)


# -- which cluster -----------------------------------------------------------------------------


def test_the_current_context_is_never_taken(kubeconfig: str) -> None:
    with pytest.raises(BadRequest, match="context: missing: name the context"):
        open_driver(config(kubeconfig=kubeconfig))
    with pytest.raises(BadRequest, match="context"):
        open_driver(config(kubeconfig=kubeconfig, context=""))


def test_a_context_the_kubeconfig_has_not_is_refused(kubeconfig: str) -> None:
    with pytest.raises(BadRequest, match="context 'other'"):
        open_driver(config(kubeconfig=kubeconfig, context="other"))


def test_opening_calls_nothing(kubeconfig: str) -> None:
    driver = open_driver(config(kubeconfig=kubeconfig, context="lab"))

    with pytest.raises(Lost):
        driver.describe()
    driver.close()


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("contexts", "x", "unknown key, expected one of .*context"),
        ("namespace", "Not A Label", "expected up to 63 lower-case"),
        ("kubeconfig", "/nonexistent", "expected a kubeconfig"),
        ("volume_path", "/", "expected an absolute path"),
        ("volume_path", "srv", "expected an absolute path"),
        ("images", {"debian": "x"}, "expected OS-VERSION"),
        ("timeout_s", 0, "greater than 0"),
    ],
)
def test_a_wrong_key_is_told_in_one_line(
    kubeconfig: str, key: str, value: object, said: str
) -> None:
    with pytest.raises(BadRequest, match=said) as caught:
        read_settings(config(**{"context": "lab", "kubeconfig": kubeconfig, key: value}))

    assert "\n" not in str(caught.value)
    assert key in str(caught.value)


def test_a_kubeconfig_that_is_none_is_refused_in_one_line(tmp_path: Path) -> None:
    path = tmp_path / "kubeconfig"
    for text in ("", "[1, 2]", "a: [", "clusters: 5\ncontexts: x\n", "\0"):
        path.write_text(text, encoding="utf-8")
        with pytest.raises(BadRequest) as caught:
            Cluster("k", Settings(context="lab", kubeconfig=path))
        assert "\n" not in str(caught.value)


# -- names and tags ----------------------------------------------------------------------------


def want(name: str, **tags: str) -> Resource:
    return Resource(
        kind=Kind.NETWORK, name=name, spec=NetworkSpec(), tags=Owner(run="r").tags(name) | tags
    )


@pytest.mark.parametrize("name", ["front-1", "ünïcode-名前-🚀", "-dash-", "x" * 200, " ", "A.B_c"])
def test_any_name_becomes_one_a_thing_may_have(name: str) -> None:
    made = object_name(want(name), "token")

    assert NAME.fullmatch(made)
    assert len(made) <= 63
    assert len(slug(name, 63)) <= 63


def test_a_name_follows_from_its_token() -> None:
    first = object_name(want("a"), "one")

    assert object_name(want("a"), "one") == first
    assert object_name(want("a"), "two") != first


def test_tags_are_kept_as_they_are() -> None:
    about = metadata(want("ü", colour="bl\u00e1"), "token")

    tags = decoded(about["annotations"]["interop-harness/tags"])

    assert tags["colour"] == "bl\u00e1"
    assert tags[TAG_RUN] == "r"
    assert all(len(value) <= 63 for value in about["labels"].values())


@pytest.mark.parametrize("text", ["", "[]", "{", '{"a": 1}', "[" * 100_000, None])
def test_foreign_annotations_are_no_tags(text: object) -> None:
    assert decoded(text) == {}


@pytest.mark.parametrize("name", ["", "a/b", "../x", "A", "a?b", "a%2Fb", "x" * 300])
def test_what_is_no_name_is_never_asked_for(kubeconfig: str, name: str) -> None:
    """With an empty one the whole collection would go."""
    cluster = Cluster("k", Settings(context="lab", kubeconfig=Path(kubeconfig)))

    assert cluster.get("read", "/api/v1/pods", name) is None
    cluster.delete("delete", "/api/v1/pods", name)  # nobody listens: a call would raise Lost
    cluster.close()


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("2", 2),
        ("500m", 0.5),
        ("24581340Ki", 24581340 * 1024),
        ("1e3", 1000),
        ("x", 0),
        ("1..2", 0),
    ],
)
def test_quantities(text: str, number: float) -> None:
    assert quantity(text) == number


class Nodes:
    """A cluster that has nodes with these taints, and nothing else."""

    platform = "k"
    settings = Settings.model_construct(tolerate=(), node_selector={}, storage_class="")
    namespaced = "namespaces/n"

    def __init__(self, *taints: str) -> None:
        self._items = [
            {
                "metadata": {"name": taint.partition(":")[0].rpartition("/")[2] or "free"},
                "spec": {"taints": [dict(zip(("key", "effect"), taint.split(":"), strict=True))]},
            }
            for taint in taints
        ]

    def each(self, what: str, path: str) -> list[dict[str, Any]]:
        return self._items if path == "/api/v1/nodes" else []

    def get(self, what: str, top: str, name: str) -> dict[str, Any] | None:
        return None


@pytest.mark.parametrize(
    ("taint", "counts"),
    [
        ("node.kubernetes.io/not-ready:NoSchedule", True),
        ("node.kubernetes.io/unreachable:NoExecute", True),
        ("node.kubernetes.io/disk-pressure:NoSchedule", True),
        ("node.kubernetes.io/unschedulable:NoSchedule", False),
        ("node-role.kubernetes.io/master:NoSchedule", False),
        ("mine:NoExecute", False),
        ("mine:PreferNoSchedule", True),
    ],
)
def test_a_node_counts_unless_somebody_keeps_machines_off(taint: str, counts: bool) -> None:
    """What is only its condition passes: a cluster of dead controllers has nodes all the same."""
    cluster: Any = Nodes(taint)

    assert bool(Choice(cluster).nodes()) is counts


# -- errors ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "body", "headers", "expected"),
    [
        (400, {}, {}, BadRequest),
        (401, {}, {}, Unauthorized),
        (403, {"message": "pods is forbidden"}, {}, Unauthorized),
        (403, {"message": 'pods "x" is forbidden: exceeded quota: small'}, {}, Quota),
        (404, {}, {}, NotFound),
        (409, {"reason": "AlreadyExists"}, {}, Conflict),
        (418, {}, {}, BadRequest),
        (422, {"reason": "Invalid"}, {}, BadRequest),
        (429, {}, {"retry-after": "7"}, Throttled),
        (500, {}, {}, PlatformFault),
        (500, {"reason": "ServerTimeout"}, {}, Timeout),
        (503, {}, {}, PlatformFault),
        (503, {}, {"retry-after": "x"}, Throttled),
        (599, {}, {}, PlatformFault),
    ],
)
def test_every_answer_has_its_class(
    status: int, body: dict[str, Any], headers: dict[str, str], expected: type[PlatformError]
) -> None:
    error = refusal("k", "read it", status, body, headers)

    assert type(error) is expected
    assert "read it" in error.message
    if isinstance(error, Throttled) and headers["retry-after"] == "7":
        assert error.retry_after == 7


def test_no_error_of_a_library_crosses() -> None:
    pool = urllib3.HTTPConnectionPool("x")
    for error, expected in (
        (urllib3.exceptions.SSLError("bad"), Unauthorized),
        (urllib3.exceptions.ReadTimeoutError(pool, "/", "late"), Lost),
        (urllib3.exceptions.ProtocolError("broken"), Lost),
        (ConnectionResetError(104, "reset"), Lost),
    ):
        with pytest.raises(expected), translated("k", "read"):
            raise error


# -- states ------------------------------------------------------------------------------------


def machine(**status: Any) -> dict[str, Any]:
    told = {"observedGeneration": 2, "updatedReplicas": 1, "replicas": 1} | status
    return {"metadata": {"generation": 2}, "spec": {"replicas": 1}, "status": told}


def pod(*, ready: str = "True", leaving: bool = False, **status: Any) -> dict[str, Any]:
    about = {"deletionTimestamp": "2026-11-21T00:00:00Z"} if leaving else {}
    told = {"phase": "Running", "conditions": [{"type": "Ready", "status": ready}], **status}
    return {"metadata": about, "spec": {"nodeName": "node-1"}, "status": told}


HOPELESS = {"state": {"waiting": {"reason": "ErrImageNeverPull", "message": "not there"}}}
FULL = {"type": "PodScheduled", "status": "False", "message": "0/2 nodes: Insufficient memory"}


@pytest.mark.parametrize(
    ("of_machine", "of_pod", "status", "reason"),
    [
        (machine(), pod(), Status.READY, ""),
        (machine(), None, Status.PENDING, "no pod"),
        (machine(observedGeneration=1), pod(), Status.PENDING, "node-1"),
        (machine(updatedReplicas=0), pod(), Status.PENDING, "node-1"),
        (machine(), pod(leaving=True), Status.PENDING, "node-1"),
        (machine(), pod(ready="False"), Status.PENDING, "node-1"),
        (machine(), pod(ready="Unknown"), Status.PENDING, "node-1"),
        (machine(), pod(containerStatuses=[HOPELESS]), Status.FAILED, "ErrImageNeverPull"),
        (machine(), pod(ready="False", conditions=[FULL]), Status.PENDING, "Insufficient memory"),
    ],
)
def test_a_machine_is_what_deployment_and_pod_say_together(
    of_machine: dict[str, Any], of_pod: dict[str, Any] | None, status: Status, reason: str
) -> None:
    told, why = _status(of_machine, of_pod)

    assert told is status
    assert reason in why


def test_addresses_are_told_by_family() -> None:
    both = {"podIPs": [{"ip": "10.244.0.2"}, {"ip": "fd00::2"}], "podIP": "10.244.0.2"}

    assert _addresses(both) == {"private": "10.244.0.2", "private6": "fd00::2"}
    assert _addresses({"podIP": "10.244.0.2"}) == {"private": "10.244.0.2"}
    assert _addresses({}) == {}


# -- judging -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("features", "program"),
    [
        ({"machine", "kubernetes"}, "open-infrastructure-pods"),
        ({"machine", "boot-device"}, "open-infrastructure-metal"),
        ({"machine", "ssh"}, "open-infrastructure-compute"),
    ],
)
def test_a_platform_is_judged_by_the_program_for_its_machines(
    features: set[str], program: str
) -> None:
    assert program_for(load_guideline("2026.11"), frozenset(features), None) == program
