"""Machines: one pod each, kept by a deployment of one replica.

The deployment gives the pod a fixed host name, never lets two of it run at once, and brings it
back when it ends. What is not on a volume begins anew then: a pod has no disk of its own.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from provisioner.driver import Access, Handle, Owner, State, Status, Step
from provisioner.drivers.kubernetes.choice import ZONE, Choice
from provisioner.drivers.kubernetes.cluster import NAME, Cluster, Object
from provisioner.drivers.kubernetes.firewalls import label
from provisioner.drivers.kubernetes.owning import (
    MACHINE,
    NETWORK,
    RUN,
    check_tags,
    created,
    handle,
    metadata,
    plain,
    selector,
    slug,
    tags_of,
)
from provisioner.errors import BadRequest, NotFound, PlatformError
from provisioner.resources import Kind, MachineSpec, Resource

CONTAINER = "machine"
GRACE_S = 10
# the first process of a machine: starts what is to start, collects orphans, ends when told to
FIRST = (
    "/bin/sh", "-c",
    "trap 'exit 0' TERM INT; [ ! -x /etc/rc.local ] || /etc/rc.local;"
    " while :; do sleep 3600 & wait $!; done",
)  # fmt: skip
# reasons of a container to wait that do not pass by themselves
HOPELESS = ("ErrImageNeverPull", "InvalidImageName", "ImagePullBackOff", "ErrImagePull",
            "CreateContainerConfigError", "CreateContainerError", "RunContainerError")  # fmt: skip
# a machine whose node is gone is not there any more, and no other takes its place unasked
STAY = [
    {"key": f"node.kubernetes.io/{what}", "operator": "Exists", "effect": "NoExecute"}
    for what in ("not-ready", "unreachable")
]


class Machines:
    """Deployments of one pod."""

    def __init__(self, cluster: Cluster, choice: Choice) -> None:
        self._cluster = cluster
        self._choice = choice
        self.top = f"/apis/apps/v1/{cluster.namespaced}/deployments"

    def plan(self, want: Resource) -> Step:
        spec, platform = want.spec, self._cluster.platform
        if not isinstance(spec, MachineSpec):
            raise BadRequest(f"{want.ref}: expected a machine's specification", platform)
        if spec.user_data:
            raise BadRequest(f"{want.ref}: a pod is given no user data", platform)
        check_tags(want, platform)
        image = self._choice.image(spec.image)
        self._choice.check_size(spec)
        refs = tuple(ref for ref in (spec.network, spec.key, *spec.firewalls) if ref is not None)
        return Step(
            platform=platform,
            resource=want,
            body={"image": image.id, "hostname": slug(spec.hostname or want.name, 63)},
            refs=refs,
            notes=(f"image {image.name} ({image.id})",),
            wait_s=180.0,
        )

    def create(self, step: Step, token: str) -> Handle:
        want = step.resource
        about = metadata(want, token)
        name = about["name"]
        network = next((one.id for one in step.bound.values() if one.kind is Kind.NETWORK), "")
        labels = {MACHINE: name, **{k: v for k, v in about["labels"].items() if k == RUN}}
        if network:
            labels[NETWORK] = network
        walls = [one.id for one in step.bound.values() if one.kind is Kind.FIREWALL]
        labels |= {label(wall): "yes" for wall in walls}
        body = {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": about,
            "spec": {
                "replicas": 1,
                "strategy": {"type": "Recreate"},
                "selector": {"matchLabels": {MACHINE: name}},
                "template": {
                    "metadata": {"labels": labels},
                    "spec": self._pod(want, step.body, network),
                },
            },
        }
        made = self._cluster.apply(f"create {want.ref}", f"{self.top}/{name}", body)
        return handle(self._cluster.platform, Kind.MACHINE, name, tags_of(made))

    def _pod(self, want: Resource, chosen: Mapping[str, Any], network: str) -> Object:
        settings, spec = self._cluster.settings, want.spec
        assert isinstance(spec, MachineSpec)  # noqa: S101 - planned so
        pod: Object = {
            "hostname": chosen["hostname"],
            "automountServiceAccountToken": False,
            "enableServiceLinks": False,
            "terminationGracePeriodSeconds": GRACE_S,
            "nodeSelector": settings.node_selector,
            "tolerations": [*STAY, *({"key": k, "operator": "Exists"} for k in settings.tolerate)],
            "containers": [
                {
                    "name": CONTAINER,
                    "image": chosen["image"],
                    "imagePullPolicy": "IfNotPresent",
                    "command": list(settings.command or FIRST),
                    # no request of processors: what nobody uses may be used by anybody
                    "resources": {
                        "requests": {"cpu": "10m", "memory": f"{min(spec.memory_mib, 64)}Mi"},
                        "limits": {"memory": f"{spec.memory_mib}Mi"},
                    },
                    "securityContext": {"privileged": settings.privileged},
                }
            ],
        }
        if network:
            pod["subdomain"] = network
            domain = f"{network}.{settings.namespace}.svc.{settings.domain}"
            pod["dnsConfig"] = {"searches": [domain]}
        return pod

    def item(self, name: str) -> Object | None:
        """A machine's deployment, or None where there is none."""
        return self._cluster.get(f"read machine {name}", self.top, name)

    def pod(self, name: str) -> Object | None:
        """A machine's pod: the one that stays, of two at a change; None where there is none."""
        path = f"/api/v1/{self._cluster.namespaced}/pods"
        found = list(self._cluster.each(f"read pod of {name}", path, f"{MACHINE}={name}"))
        found.sort(key=lambda pod: (not pod["metadata"].get("deletionTimestamp"),
                                    str(pod["metadata"].get("creationTimestamp"))))  # fmt: skip
        return found[-1] if found else None

    def read(self, one: Handle) -> State | None:
        there = self.item(one.id)
        if there is None:
            return None
        tags = tags_of(there)
        if there["metadata"].get("deletionTimestamp"):
            if node := self._stranded(self.pod(one.id)):
                reason = f"its pod cannot end: node {node} does not answer"
                return State(status=Status.FAILED, tags=tags, raw=plain(there), reason=reason)
            return State(status=Status.DELETING, tags=tags, raw=plain(there))
        pod = self.pod(one.id)
        status, reason = _status(there, pod)
        raw = {"deployment": plain(there)}
        if pod is None:
            return State(status=status, tags=tags, reason=reason, raw=raw)
        said = pod.get("status") or {}
        node = str(pod["spec"].get("nodeName") or "")
        access = None
        if status is Status.READY:
            access = Access(how="exec", host=str(said.get("podIP") or ""), user="root")
        return State(
            status=status,
            addresses=_addresses(said),
            access=access,
            tags=tags,
            facts={
                "created": created(there),
                "instance_id": str(pod["metadata"].get("uid") or ""),
                "pod": str(pod["metadata"]["name"]),
                "hostname": str(pod["spec"].get("hostname") or pod["metadata"]["name"]),
                "node": node,
                "zone": self._zone(node),
                "image": str(pod["spec"]["containers"][0]["image"]),
                "arch": self._choice.arch(),
                "user": "root",
                "network": str(pod["spec"].get("subdomain") or ""),
                "restarts": sum(c.get("restartCount", 0) for c in _containers(said)),
            },
            raw={**raw, "pod": plain(pod)},
            reason=reason,
        )

    def _zone(self, node: str) -> str:
        for item in self._choice.nodes():
            if item["metadata"]["name"] == node:
                return str((item["metadata"].get("labels") or {}).get(ZONE, ""))
        return ""

    def pod_name(self, name: str) -> tuple[str, str]:
        """The pod of a machine and the node it is on.

        Raises:
            NotFound: it has none now.
        """
        pod = self.pod(name)
        if pod is None:
            raise NotFound(f"machine {name} has no pod", self._cluster.platform)
        return str(pod["metadata"]["name"]), str(pod["spec"].get("nodeName") or "no node")

    def delete(self, one: Handle) -> None:
        """In the foreground: the deployment is there as long as its pod is.

        Nobody on a dead node can say that a pod has ended, so a second deletion takes its word.
        """
        what = f"delete {one}"
        pod = self.pod(one.id) if NAME.fullmatch(one.id) else None
        self._cluster.delete(what, self.top, one.id, "Foreground")
        if pod is not None and self._stranded(pod):
            path = f"/api/v1/{self._cluster.namespaced}/pods"
            self._cluster.delete(what, path, str(pod["metadata"]["name"]), grace_s=0)

    def _stranded(self, pod: Object | None) -> str:
        """The node of a pod that is to end, if that does not answer; else empty."""
        if pod is None or not pod["metadata"].get("deletionTimestamp"):
            return ""
        name = str(pod["spec"].get("nodeName") or "")
        try:
            node = self._cluster.get(f"read node {name}", "/api/v1/nodes", name)
        except PlatformError:
            return ""  # we may not look
        conditions = (node or {}).get("status", {}).get("conditions") or ()
        ready = any(one["type"] == "Ready" and one["status"] == "True" for one in conditions)
        return "" if node is None or ready else name

    def find(self, owner: Owner) -> Iterator[Handle]:
        for item in self._cluster.each("find machines", self.top, selector(owner, Kind.MACHINE)):
            name = str(item["metadata"]["name"])
            yield handle(self._cluster.platform, Kind.MACHINE, name, tags_of(item))


def _status(machine: Object, pod: Object | None) -> tuple[Status, str]:
    """What the API says of deployment and pod together, in one word, and why."""
    wanted, said = machine["spec"].get("replicas", 1), machine.get("status") or {}
    if wanted == 0:
        if said.get("replicas", 0) or pod is not None:
            return Status.PENDING, "its pod ends"
        return Status.STOPPED, "scaled to 0"
    if pod is None:
        conditions = {c["type"]: c for c in said.get("conditions") or ()}
        failure = conditions.get("ReplicaFailure", {})
        return Status.PENDING, str(failure.get("message") or "no pod yet")
    about = pod.get("status") or {}
    for container in _containers(about):
        waiting = (container.get("state") or {}).get("waiting") or {}
        if waiting.get("reason") in HOPELESS:
            return Status.FAILED, f"{waiting['reason']}: {waiting.get('message', '')}"[:300]
    seen = said.get("observedGeneration", 0) >= machine["metadata"].get("generation", 0)
    updated = said.get("updatedReplicas", 0) == 1 and said.get("replicas", 0) == 1
    leaving = pod["metadata"].get("deletionTimestamp")
    conditions = {c["type"]: c for c in about.get("conditions") or ()}
    ready = conditions.get("Ready", {}).get("status") == "True"
    if seen and updated and ready and not leaving:
        return Status.READY, ""
    scheduled = conditions.get("PodScheduled", {})
    if scheduled.get("status") == "False":
        return Status.PENDING, str(scheduled.get("message") or "not scheduled")
    node = pod["spec"].get("nodeName") or "no node"
    return Status.PENDING, f"pod is {about.get('phase', 'unknown')} on {node}"


def _containers(status: Mapping[str, Any]) -> list[dict[str, Any]]:
    return list(status.get("containerStatuses") or ())


def _addresses(status: Mapping[str, Any]) -> dict[str, str]:
    """A pod's addresses; they are reached from the cluster's network only."""
    found: dict[str, str] = {}
    listed = status.get("podIPs") or ([{"ip": status["podIP"]}] if status.get("podIP") else [])
    for item in listed:
        found.setdefault("private6" if ":" in item["ip"] else "private", str(item["ip"]))
    return found
