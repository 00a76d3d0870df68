"""Services: an address of the cluster's that leads to the machines of a network."""

from __future__ import annotations

from provisioner.driver import Handle, State, Step
from provisioner.drivers.kubernetes.cluster import Cluster
from provisioner.drivers.kubernetes.objects import Objects
from provisioner.drivers.kubernetes.owning import NETWORK, check_tags
from provisioner.errors import BadRequest
from provisioner.resources import Kind, Resource, ServiceSpec

PORTS = range(1, 65536)


class Services(Objects):
    """Services with an address; a network is one without (see ``network``)."""

    def __init__(self, cluster: Cluster) -> None:
        super().__init__(cluster, Kind.SERVICE, "/api/v1/{}/services")

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
        network = next(one.id for one in step.bound.values() if one.kind is Kind.NETWORK)
        spec = {"selector": {NETWORK: network}, "ports": [dict(step.body)]}
        return self.made(
            step.resource, token, {"apiVersion": "v1", "kind": "Service", "spec": spec}
        )

    def read(self, one: Handle) -> State | None:
        there = self.get(one)
        if there is None:
            return None
        address = str(there["spec"].get("clusterIP") or "")
        settings = self._cluster.settings
        domain = f"{one.id}.{settings.namespace}.svc.{settings.domain}"
        return self.state(there, {"domain": domain}, address)
