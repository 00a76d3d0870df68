"""Services: an address of the cluster's that leads to the machines of a network."""

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
from provisioner.resources import Kind, Resource, ServiceSpec

PORTS = range(1, 65536)


class Services:
    """Services with an address; a network is one without (see ``network``)."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._top = f"/api/v1/{cluster.namespaced}/services"

    def plan(self, want: Resource) -> Step:
        spec, platform = want.spec, self._cluster.platform
        if not isinstance(spec, ServiceSpec) or spec.network.kind is not Kind.NETWORK:
            raise BadRequest(f"{want.ref}: expected a network and a port", platform)
        target = spec.target_port or spec.port
        if spec.port not in PORTS or target not in PORTS:
            message = f"{want.ref}: ports are {spec.port} and {target}, expected 1 to 65535"
            raise BadRequest(message, platform)
        check_tags(want, platform)
        body = {"port": spec.port, "targetPort": target, "protocol": "TCP"}
        return Step(platform=platform, resource=want, body=body, refs=(spec.network,), wait_s=30.0)

    def create(self, step: Step, token: str) -> Handle:
        want = step.resource
        about = metadata(want, token)
        network = next(one.id for one in step.bound.values() if one.kind is Kind.NETWORK)
        body = {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": about,
            "spec": {"selector": {NETWORK: network}, "ports": [dict(step.body)]},
        }
        made = self._cluster.apply(f"create {want.ref}", f"{self._top}/{about['name']}", body)
        return handle(self._cluster.platform, Kind.SERVICE, about["name"], tags_of(made))

    def read(self, one: Handle) -> State | None:
        there = self._cluster.get(f"read {one}", self._top, one.id)
        if there is None:
            return None
        leaving = there["metadata"].get("deletionTimestamp")
        address = str(there["spec"].get("clusterIP") or "")
        settings = self._cluster.settings
        domain = f"{one.id}.{settings.namespace}.svc.{settings.domain}"
        return State(
            status=Status.DELETING if leaving else Status.READY,
            addresses={"private": address} if address else {},
            tags=tags_of(there),
            facts={"domain": domain, "created": created(there)},
            raw=plain(there),
        )

    def delete(self, one: Handle) -> None:
        self._cluster.delete(f"delete {one}", self._top, one.id)

    def find(self, owner: Owner) -> Iterator[Handle]:
        for item in self._cluster.each("find services", self._top, selector(owner, Kind.SERVICE)):
            name = str(item["metadata"]["name"])
            yield handle(self._cluster.platform, Kind.SERVICE, name, tags_of(item))
