"""What Kubernetes can do beyond the six verbs: logs, nodes, tags, lists, and any call at all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote

from provisioner.driver import TAG_NAME, TAG_RUN, Handle
from provisioner.drivers.kubernetes.cluster import MERGE, Cluster
from provisioner.drivers.kubernetes.errors import refusal
from provisioner.drivers.kubernetes.machine import CONTAINER, Machines
from provisioner.drivers.kubernetes.owning import (
    KIND,
    NAME,
    RUN,
    TAGS,
    digest,
    encoded,
    tags_of,
)
from provisioner.errors import BadRequest, NotFound, Unsupported
from provisioner.resources import Kind

# kind -> where its objects are, below the group's path
PLACES: Mapping[str, str] = {
    Kind.MACHINE: "/apis/apps/v1/{namespaced}/deployments",
    Kind.NETWORK: "/api/v1/{namespaced}/services",
    Kind.VOLUME: "/api/v1/{namespaced}/persistentvolumeclaims",
    Kind.SERVICE: "/api/v1/{namespaced}/services",
    Kind.CONFIG: "/api/v1/{namespaced}/configmaps",
    Kind.FIREWALL: "/apis/networking.k8s.io/v1/{namespaced}/networkpolicies",
}
LOG_BYTES = 1 << 20


class PodLog:
    """What the first process and all it started printed on the container's output."""

    def __init__(self, cluster: Cluster, machines: Machines, machine: str) -> None:
        self._cluster = cluster
        self._machines = machines
        self._machine = machine

    def read(self) -> str:
        pod, node = self._machines.pod_name(self._machine)
        what = f"read the log of {self._machine} on {node}"
        path = f"/api/v1/{self._cluster.namespaced}/pods/{pod}/log"
        query = {"container": CONTAINER, "limitBytes": LOG_BYTES}
        answer = self._cluster.ask(what, "GET", path, query=query, accept="*/*")
        if answer.status >= 400:
            platform = self._cluster.platform
            raise refusal(platform, what, answer.status, answer.document(), answer.headers)
        return answer.content.decode("utf-8", "replace")


class PodInventory:
    """What the machine's node says of itself."""

    def __init__(self, cluster: Cluster, machines: Machines, machine: str) -> None:
        self._cluster = cluster
        self._machines = machines
        self._machine = machine

    def read(self) -> Mapping[str, str]:
        _, node = self._machines.pod_name(self._machine)
        item = self._cluster.get(f"read node {node}", "/api/v1/nodes", node)
        if item is None:
            raise NotFound(f"node {node} is gone", self._cluster.platform)
        told = item["status"].get("nodeInfo") or {}
        names = {"uuid": "systemUUID", "serial": "machineID", "kernel": "kernelVersion",
                 "os": "osImage", "runtime": "containerRuntimeVersion",
                 "kubelet": "kubeletVersion", "arch": "architecture"}  # fmt: skip
        return {"node": node} | {ours: str(told.get(theirs, "")) for ours, theirs in names.items()}


class Tags:
    """Adds tags and overwrites those of the same key."""

    def __init__(self, cluster: Cluster, one: Handle) -> None:
        self._cluster = cluster
        self._one = one

    def update_tags(self, tags: Mapping[str, str]) -> None:
        what = f"tag {self._one}"
        top = PLACES[self._one.kind].format(namespaced=self._cluster.namespaced)
        path = f"{top}/{self._one.id}"
        there = self._cluster.call(what, "GET", path)
        change = {
            "metadata": {
                "resourceVersion": there["metadata"]["resourceVersion"],  # nobody's is lost
                "annotations": {TAGS: encoded({**tags_of(there), **tags})},
            }
        }
        self._cluster.call(what, "PATCH", path, body=change, content=MERGE)


class Pages:
    """The API's own lists: ``limit`` and ``continue``."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster

    def page(
        self, kind: str, size: int, marker: str = "", filters: Mapping[str, str] | None = None
    ) -> tuple[Sequence[str], str]:
        if kind not in PLACES:
            known = ", ".join(PLACES)
            raise Unsupported(f"no list of {kind}; there are {known}", self._cluster.platform)
        query: dict[str, Any] = {"labelSelector": self._selector(kind, filters or {})}
        if size:
            query["limit"] = size
        if marker:
            query["continue"] = marker
        path = PLACES[kind].format(namespaced=self._cluster.namespaced)
        found = self._cluster.call(f"list {kind}", "GET", path, query=query)
        ids = [str(item["metadata"]["name"]) for item in found.get("items") or ()]
        return ids, str(found["metadata"].get("continue") or "")

    def _selector(self, kind: str, filters: Mapping[str, str]) -> str:
        parts = [f"{KIND}={kind}"]
        for key, value in filters.items():
            if key == TAG_RUN:
                parts.append(f"{RUN}={digest(value)}")
            elif key == TAG_NAME:
                parts.append(f"{NAME}={digest(value)}")
            else:
                message = f"cannot filter by {key!r}: only {TAG_RUN} and {TAG_NAME} are labels"
                raise BadRequest(message, self._cluster.platform)
        return ",".join(parts)


class Raw:
    """``call("GET /api/v1/pods", {"query": {...}, "body": ..., "content_type": ...})``.

    Instead of a ``body``, which becomes JSON, a ``text`` is sent as it is.
    In a path ``{namespace}`` is the platform's namespace, quoted like any other part.
    """

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster

    def call(self, operation: str, parameters: Mapping[str, Any]) -> Mapping[str, Any]:
        method, _, path = operation.partition(" ")
        if not method.isupper() or not path.startswith("/"):
            message = f"cannot call {operation!r}: expected such as GET /api/v1/pods"
            raise BadRequest(message, self._cluster.platform)
        text = parameters.get("text")
        path = path.replace("{namespace}", quote(self._cluster.settings.namespace))
        answer = self._cluster.ask(
            f"call {operation}",
            method,
            path,
            body=str(text).encode() if text is not None else parameters.get("body"),
            query=parameters.get("query"),
            content=str(parameters.get("content_type", "application/json")),
            accept=str(parameters.get("accept", "application/json")),
        )
        document = answer.document()
        failed = answer.status >= 400
        return {
            "status": answer.status,
            "code": str(document.get("reason") or "") if failed else "",
            "message": str(document.get("message") or "") if failed else "",
            "request_id": answer.headers.get("audit-id", ""),
            "headers": dict(answer.headers),
            "body": document or answer.content.decode("utf-8", "backslashreplace"),
        }
