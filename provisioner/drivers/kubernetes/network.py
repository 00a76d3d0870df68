"""Networks: a headless service, by which the machines on it know each other's names.

All pods reach each other anyway; addresses are the cluster's to choose.
"""

from __future__ import annotations

from provisioner.driver import Handle, State, Step
from provisioner.drivers.kubernetes.cluster import Cluster
from provisioner.drivers.kubernetes.objects import Objects
from provisioner.drivers.kubernetes.owning import NETWORK, check_tags, object_name
from provisioner.errors import BadRequest
from provisioner.resources import Kind, NetworkSpec, Resource


class Networks(Objects):
    """Headless services."""

    def __init__(self, cluster: Cluster) -> None:
        super().__init__(cluster, Kind.NETWORK, "/api/v1/{}/services")

    def plan(self, want: Resource) -> Step:
        if not isinstance(want.spec, NetworkSpec):
            raise BadRequest(f"{want.ref}: expected a network", self._cluster.platform)
        check_tags(want, self._cluster.platform)
        notes = ("addresses are the cluster's; this makes names known",)
        return Step(platform=self._cluster.platform, resource=want, notes=notes, wait_s=30.0)

    def create(self, step: Step, token: str) -> Handle:
        spec = {
            "clusterIP": "None",
            "publishNotReadyAddresses": True,
            "selector": {NETWORK: object_name(step.resource, token)},
        }
        body = {"apiVersion": "v1", "kind": "Service", "spec": spec}
        return self.made(step.resource, token, body)

    def read(self, one: Handle) -> State | None:
        there = self.get(one)
        if there is None:
            return None
        domain = f"{one.id}.{self._cluster.settings.namespace}.svc.{self._cluster.settings.domain}"
        return self.state(there, {"domain": domain})
