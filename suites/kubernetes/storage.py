"""Storage: claims that are bound, keep what was written, and go for good.

Source: Kubernetes documentation, "Persistent Volumes", "Storage Classes".
"""

from __future__ import annotations

import secrets
from typing import Any

import pytest

from suites.claims import claim, same
from suites.kubernetes.pods import SAY, Pods
from suites.kubernetes.wire import CORE, MERGE, Object, Wire
from suites.seams import NotApplicable, Observe, Patience
from suites.waits import Stopwatch, until

CLAIMS, CLASSES = f"{CORE}/persistentvolumeclaims", "/apis/storage.k8s.io/v1/storageclasses"
DEFAULT = "storageclass.kubernetes.io/is-default-class"
GIB = 1 << 30
UNITS = {"Ki": 1 << 10, "Mi": 1 << 20, "Gi": GIB, "Ti": GIB << 10,
         "k": 10**3, "M": 10**6, "G": 10**9, "T": 10**12}  # fmt: skip


def classes(wire: Wire, not_applicable: NotApplicable) -> list[Object]:
    """The storage classes; ends the check where we may not see them."""
    answer = wire(f"GET {CLASSES}")
    if answer.status == 403:
        not_applicable("storage classes may not be listed")
    same("status of the list of storage classes", expected=200, actual=answer.status)
    return list(answer.body["items"])


def claimed(wire: Wire, **spec: Any) -> str:
    """A new claim of 1 GiB."""
    resources = {"requests": {"storage": "1Gi"}}
    body = {"accessModes": ["ReadWriteOnce"], "resources": resources, **spec}
    return str(wire.make(CLAIMS, spec=body)["metadata"]["name"])


def size_of(one: Object) -> int:
    """Bytes that a claim is told to have; a quantity has a suffix or none."""
    text = str(one["status"]["capacity"]["storage"])
    number = text.rstrip("".join(UNITS))
    return int(number) * UNITS.get(text[len(number) :], 1)


def mounted(claim_name: str) -> Object:
    """What a pod needs to have the claim at /data."""
    return {
        "volumes": [{"name": "data", "persistentVolumeClaim": {"claimName": claim_name}}],
        "inside": {"volumeMounts": [{"name": "data", "mountPath": "/data"}]},
    }


@pytest.mark.check("k8s-vol-01", needs=("kubernetes.volumes",))
@pytest.mark.cost("shared")
def test_one_class_is_the_default(
    wire: Wire, observe: Observe, not_applicable: NotApplicable
) -> None:
    """Exactly one storage class is the one that a claim gets which names none."""
    found = classes(wire, not_applicable)
    defaults = [
        str(one["metadata"]["name"])
        for one in found
        if (one["metadata"].get("annotations") or {}).get(DEFAULT) == "true"
    ]
    observe("storage-classes", len(found), source="api")
    same("default storage classes", expected=1, actual=len(defaults))
    name = claimed(wire)
    there = wire.see(CLAIMS, name) or {}
    same("class of a claim", expected=defaults[0], actual=there["spec"].get("storageClassName"))


@pytest.mark.check("k8s-vol-02", needs=("kubernetes.volumes", "kubernetes.nodes.real"))
@pytest.mark.cost("shared")
def test_what_is_written_outlives_the_pod(wire: Wire, pods: Pods, observe: Observe) -> None:
    """A claim is bound to a volume as large as asked, whose data outlives the pod and its node."""
    name = claimed(wire)
    word = secrets.token_hex(8)
    first = pods.start("writes", f"echo {word} > /data/word && sync", **mounted(name))
    node = str(pods.ended(first)["spec"]["nodeName"])
    there = wire.see(CLAIMS, name) or {}
    same("phase of the claim", expected="Bound", actual=there["status"]["phase"])
    told = size_of(there)
    claim(told >= GIB, "size of the claim", expected=f"{GIB} or more", actual=told)
    elsewhere = {"key": "kubernetes.io/hostname", "operator": "NotIn", "values": [node]}
    term = {"weight": 1, "preference": {"matchExpressions": [elsewhere]}}
    away = {"nodeAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": [term]}}
    script = f"cat /data/word > {SAY}; df -B1 --output=size /data | tail -n 1 >> {SAY}"
    second = pods.ended(pods.start("reads", script, affinity=away, **mounted(name)))
    said = second["status"]["containerStatuses"][0]["state"]["terminated"].get("message", "")
    observe("volume-moved-node", second["spec"]["nodeName"] != node, source="api")
    read, _, size = said.strip().partition("\n")
    same("what another pod reads", expected=word, actual=read)
    claim(int(size or 0) > 0.9 * GIB, "size inside", expected="0.9 GiB or more", actual=size)


@pytest.mark.check("k8s-vol-03", needs=("kubernetes.volumes", "kubernetes.nodes.real"))
@pytest.mark.cost("shared")
def test_a_volume_goes_with_its_claim(
    wire: Wire,
    pods: Pods,
    patience: Patience,
    observe: Observe,
    not_applicable: NotApplicable,
) -> None:
    """A volume whose reclaim policy is Delete is gone soon after its claim is, and not before."""
    name = claimed(wire)
    pods.ended(pods.start("user", "true", **mounted(name)))
    there = wire.wait(CLAIMS, name, lambda one: one["status"]["phase"] == "Bound", pods.seconds)
    volumes = "/api/v1/persistentvolumes"
    answer = wire(f"GET {volumes}/{there['spec']['volumeName']}")
    if answer.status == 403:
        not_applicable("volumes may not be read")
    same("status of its volume", expected=200, actual=answer.status)
    owner = answer.body["spec"]["claimRef"]["uid"]
    same("whose the volume is", expected=there["metadata"]["uid"], actual=owner)
    policy = answer.body["spec"]["persistentVolumeReclaimPolicy"]
    observe("reclaim-policy", policy, source="api")
    if policy != "Delete":
        not_applicable(f"the default class's reclaim policy is {policy}")
    wire.clear()
    watch = Stopwatch()
    gone = until(
        lambda: wire.see(volumes, there["spec"]["volumeName"]),
        lambda seen: seen is None,
        patience("delete"),
    )
    same("the volume after its claim", expected=None, actual=gone and gone["status"])
    observe("reclaimed-after", watch.seconds, unit="s", source="observed")


@pytest.mark.check("k8s-vol-04", needs=("kubernetes.volumes", "kubernetes.nodes.real"))
@pytest.mark.cost("shared")
def test_a_volume_grows_or_says_no(
    wire: Wire, pods: Pods, observe: Observe, not_applicable: NotApplicable
) -> None:
    """A claim never shrinks, and grows exactly where its storage class allows it."""
    name = claimed(wire)
    pods.ended(pods.start("user", "true", **mounted(name)))
    there = wire.wait(CLAIMS, name, lambda one: one["status"]["phase"] == "Bound", pods.seconds)
    mine = [
        one
        for one in classes(wire, not_applicable)
        if one["metadata"]["name"] == there["spec"].get("storageClassName")
    ]
    grows = bool(mine and mine[0].get("allowVolumeExpansion"))
    observe("grows", grows, source="api")

    def sized(size: str) -> Object:
        return {"spec": {"resources": {"requests": {"storage": size}}}}

    operation = f"PATCH {CLAIMS}/{name}"
    wire.refused((403, 422), "a smaller one", operation, body=sized("500Mi"), content_type=MERGE)
    if not grows:
        body = sized("2Gi")
        wire.refused((403, 422), "a larger one", operation, body=body, content_type=MERGE)
        return
    wire.given(200, "a larger one", operation, body=sized("2Gi"), content_type=MERGE)
    pods.start("grown", "exec sleep 600", **mounted(name))
    after = wire.wait(CLAIMS, name, lambda one: size_of(one) >= 2 * GIB, pods.seconds)
    claim(size_of(after) >= 2 * GIB, "size in the end", expected="2Gi", actual=size_of(after))


@pytest.mark.check("k8s-vol-05", needs=("kubernetes.volumes", "kubernetes.nodes.real"))
@pytest.mark.cost("shared")
def test_a_claim_is_used_as_it_says(wire: Wire, pods: Pods, observe: Observe) -> None:
    """A bound claim has the access mode asked for, and a pod that mounts it read-only reads it."""
    name = claimed(wire)
    pods.ended(pods.start("writes", "echo kept > /data/word && sync", **mounted(name)))
    there = wire.see(CLAIMS, name) or {}
    modes = there["status"].get("accessModes") or []
    observe("access-modes", modes, source="api")
    claim("ReadWriteOnce" in modes, "access modes", expected="ReadWriteOnce", actual=modes)
    reader = mounted(name)
    reader["inside"]["volumeMounts"][0]["readOnly"] = True
    script = (
        f"cat /data/word > {SAY}; if echo more 2>/dev/null >> /data/word; then echo written;"
        f" else echo refused; fi >> {SAY}"
    )
    said = pods.said("reads", script, **reader)
    same("what a pod reads, and whether it may write", expected="kept\nrefused", actual=said)
