"""Configs: config maps, texts that the cluster keeps by name.

What checks make by themselves is owned by one, so that it goes with it: by the cluster's garbage
collector, and where no controllers work, by our own hand.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from provisioner.driver import Handle, Owner, State, Status, Step
from provisioner.drivers.kubernetes.cluster import Cluster
from provisioner.drivers.kubernetes.owning import (
    check_tags,
    created,
    handle,
    metadata,
    plain,
    selector,
    tags_of,
)
from provisioner.errors import BadRequest
from provisioner.resources import ConfigSpec, Kind, Resource

LARGEST = 1 << 20  # bytes of all values; Kubernetes documentation, "ConfigMaps"


OWNED = ("configmaps", "secrets", "services", "pods")  # kinds that are looked through by hand


class Configs:
    """Config maps.

    Args:
        collected: whether controllers remove what is owned.
    """

    def __init__(self, cluster: Cluster, collected: Callable[[], bool] = lambda: True) -> None:
        self._cluster = cluster
        self._collected = collected
        self._top = f"/api/v1/{cluster.namespaced}/configmaps"

    def plan(self, want: Resource) -> Step:
        if not isinstance(want.spec, ConfigSpec):
            raise BadRequest(f"{want.ref}: expected texts by name", self._cluster.platform)
        size = sum(len(text.encode()) for text in want.spec.data.values())
        if size > LARGEST:
            message = f"{want.ref}: {size} bytes, at most {LARGEST}"
            raise BadRequest(message, self._cluster.platform)
        check_tags(want, self._cluster.platform)
        return Step(platform=self._cluster.platform, resource=want, wait_s=30.0)

    def create(self, step: Step, token: str) -> Handle:
        want = step.resource
        about = metadata(want, token)
        data = dict(want.spec.data) if isinstance(want.spec, ConfigSpec) else {}
        body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": about, "data": data}
        made = self._cluster.apply(f"create {want.ref}", f"{self._top}/{about['name']}", body)
        return handle(self._cluster.platform, Kind.CONFIG, about["name"], tags_of(made))

    def read(self, one: Handle) -> State | None:
        there = self._cluster.get(f"read {one}", self._top, one.id)
        if there is None:
            return None
        leaving = there["metadata"].get("deletionTimestamp")
        return State(
            status=Status.DELETING if leaving else Status.READY,
            tags=tags_of(there),
            facts={"data": dict(there.get("data") or {}), "created": created(there)},
            raw=plain(there),
        )

    def delete(self, one: Handle) -> None:
        what = f"delete {one}"
        if not self._collected() and (there := self._cluster.get(what, self._top, one.id)):
            self._collect(what, str(there["metadata"].get("uid")))
        self._cluster.delete(what, self._top, one.id)

    def _collect(self, what: str, owner: str) -> None:
        """Delete what it owns, first: whoever is interrupted finds the owner again."""
        for kind in OWNED:
            top = f"/api/v1/{self._cluster.namespaced}/{kind}"
            for item in self._cluster.each(what, top):
                about = item["metadata"]
                if any(ref.get("uid") == owner for ref in about.get("ownerReferences") or ()):
                    self._cluster.delete(what, top, str(about["name"]), grace_s=0)

    def find(self, owner: Owner) -> Iterator[Handle]:
        for item in self._cluster.each("find configs", self._top, selector(owner, Kind.CONFIG)):
            name = str(item["metadata"]["name"])
            yield handle(self._cluster.platform, Kind.CONFIG, name, tags_of(item))
