"""Configs: config maps, texts that the cluster keeps by name.

What checks make by themselves is owned by one, so that it goes with it: by the cluster's garbage
collector, and where no controllers work, by our own hand.
"""

from __future__ import annotations

from collections.abc import Callable

from provisioner.driver import Handle, State, Step
from provisioner.drivers.kubernetes.cluster import Cluster
from provisioner.drivers.kubernetes.objects import Objects
from provisioner.drivers.kubernetes.owning import check_tags
from provisioner.errors import BadRequest
from provisioner.resources import ConfigSpec, Kind, Resource

LARGEST = 1 << 20  # bytes of all values; Kubernetes documentation, "ConfigMaps"


OWNED = ("configmaps", "secrets", "services", "pods")  # kinds that are looked through by hand


class Configs(Objects):
    """Config maps.

    Args:
        collected: whether controllers remove what is owned.
    """

    def __init__(self, cluster: Cluster, collected: Callable[[], bool] = lambda: True) -> None:
        super().__init__(cluster, Kind.CONFIG, "/api/v1/{}/configmaps")
        self._collected = collected

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
        data = dict(want.spec.data) if isinstance(want.spec, ConfigSpec) else {}
        return self.made(want, token, {"apiVersion": "v1", "kind": "ConfigMap", "data": data})

    def read(self, one: Handle) -> State | None:
        there = self.get(one)
        if there is None:
            return None
        return self.state(there, {"data": dict(there.get("data") or {})})

    def delete(self, one: Handle) -> None:
        what = f"delete {one}"
        if not self._collected() and (there := self._cluster.get(what, self.top, one.id)):
            self._collect(what, str(there["metadata"].get("uid")))
        super().delete(one)

    def _collect(self, what: str, owner: str) -> None:
        """Delete what it owns, first: whoever is interrupted finds the owner again."""
        for kind in OWNED:
            top = f"/api/v1/{self._cluster.namespaced}/{kind}"
            for item in self._cluster.each(what, top):
                about = item["metadata"]
                if any(ref.get("uid") == owner for ref in about.get("ownerReferences") or ()):
                    self._cluster.delete(what, top, str(about["name"]), grace_s=0)
