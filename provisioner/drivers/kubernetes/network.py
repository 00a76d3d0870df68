"""Networks: a headless service, by which the machines on it know each other's names.

All pods reach each other anyway; addresses are the cluster's to choose.
"""

from __future__ import annotations

from collections.abc import Iterator

from provisioner.driver import Handle, Owner, State, Status, Step
from provisioner.drivers.kubernetes.cluster import Cluster
from provisioner.drivers.kubernetes.owning import (
    NETWORK,
    check_tags,
    created,
    handle,
    metadata,
    plain,
    selector,
    tags_of,
)
from provisioner.errors import BadRequest
from provisioner.resources import Kind, NetworkSpec, Resource


class Networks:
    """Headless services."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._top = f"/api/v1/{cluster.namespaced}/services"

    def plan(self, want: Resource) -> Step:
        if not isinstance(want.spec, NetworkSpec):
            raise BadRequest(f"{want.ref}: expected a network", self._cluster.platform)
        check_tags(want, self._cluster.platform)
        notes = ("addresses are the cluster's; this makes names known",)
        return Step(platform=self._cluster.platform, resource=want, notes=notes, wait_s=30.0)

    def create(self, step: Step, token: str) -> Handle:
        want = step.resource
        about = metadata(want, token)
        body = {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": about,
            "spec": {
                "clusterIP": "None",
                "publishNotReadyAddresses": True,
                "selector": {NETWORK: about["name"]},
            },
        }
        made = self._cluster.apply(f"create {want.ref}", f"{self._top}/{about['name']}", body)
        return handle(self._cluster.platform, Kind.NETWORK, about["name"], tags_of(made))

    def read(self, one: Handle) -> State | None:
        there = self._cluster.get(f"read {one}", self._top, one.id)
        if there is None:
            return None
        leaving = there["metadata"].get("deletionTimestamp")
        domain = f"{one.id}.{self._cluster.settings.namespace}.svc.{self._cluster.settings.domain}"
        return State(
            status=Status.DELETING if leaving else Status.READY,
            tags=tags_of(there),
            facts={"domain": domain, "created": created(there)},
            raw=plain(there),
        )

    def delete(self, one: Handle) -> None:
        self._cluster.delete(f"delete {one}", self._top, one.id)

    def find(self, owner: Owner) -> Iterator[Handle]:
        for item in self._cluster.each("find networks", self._top, selector(owner, Kind.NETWORK)):
            name = str(item["metadata"]["name"])
            yield handle(self._cluster.platform, Kind.NETWORK, name, tags_of(item))
