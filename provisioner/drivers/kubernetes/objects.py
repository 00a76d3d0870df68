"""Objects of one kind in our namespace: made with their tags, looked at, deleted, found again."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from provisioner.driver import Handle, Owner, State, Status
from provisioner.drivers.kubernetes.cluster import Cluster
from provisioner.drivers.kubernetes.owning import (
    created,
    handle,
    metadata,
    plain,
    selector,
    tags_of,
)
from provisioner.resources import Kind, Resource


class Objects:
    """What the handlers of most kinds have in common.

    Args:
        cluster: where.
        kind: ours.
        path: the API's, from the group on, with ``{}`` for the namespace.
    """

    def __init__(self, cluster: Cluster, kind: Kind, path: str) -> None:
        self._cluster = cluster
        self._kind = kind
        self.top = path.format(cluster.namespaced)

    def made(self, want: Resource, token: str, body: Mapping[str, Any]) -> Handle:
        """Have an object of *body* there; its name, labels and annotations are added."""
        about = metadata(want, token)
        body = {**body, "metadata": about}
        there = self._cluster.apply(f"create {want.ref}", f"{self.top}/{about['name']}", body)
        return handle(self._cluster.platform, self._kind, about["name"], tags_of(there))

    def get(self, one: Handle) -> dict[str, Any] | None:
        """The object as the API tells it; None once it is gone."""
        return self._cluster.get(f"read {one}", self.top, one.id)

    def state(self, there: Mapping[str, Any], facts: Mapping[str, Any], address: str = "") -> State:
        """The state of what is there as soon as the API has it."""
        leaving = there["metadata"].get("deletionTimestamp")
        return State(
            status=Status.DELETING if leaving else Status.READY,
            addresses={"private": address} if address else {},
            tags=tags_of(there),
            facts={**facts, "created": created(there)},
            raw=plain(there),
        )

    def delete(self, one: Handle) -> None:
        self._cluster.delete(f"delete {one}", self.top, one.id)

    def find(self, owner: Owner) -> Iterator[Handle]:
        what = f"find {self._kind}s"
        for item in self._cluster.each(what, self.top, selector(owner, self._kind)):
            name = str(item["metadata"]["name"])
            yield handle(self._cluster.platform, self._kind, name, tags_of(item))
