"""Volumes: persistent volume claims."""

from __future__ import annotations

from typing import Any

from provisioner.driver import Handle, State, Status, Step
from provisioner.drivers.kubernetes.attachment import users_of
from provisioner.drivers.kubernetes.choice import Choice, quantity
from provisioner.drivers.kubernetes.cluster import Cluster
from provisioner.drivers.kubernetes.objects import Objects
from provisioner.drivers.kubernetes.owning import check_tags, created, plain, tags_of
from provisioner.errors import BadRequest, Conflict
from provisioner.resources import Kind, Resource, VolumeSpec


class Volumes(Objects):
    """Claims of the cluster's default storage class, or the declared one."""

    def __init__(self, cluster: Cluster, choice: Choice) -> None:
        super().__init__(cluster, Kind.VOLUME, "/api/v1/{}/persistentvolumeclaims")
        self._choice = choice

    def plan(self, want: Resource) -> Step:
        if not isinstance(want.spec, VolumeSpec) or want.spec.size_gib < 1:
            message = f"{want.ref}: expected a volume of 1 GiB or more"
            raise BadRequest(message, self._cluster.platform)
        check_tags(want, self._cluster.platform)
        return Step(platform=self._cluster.platform, resource=want, wait_s=120.0)

    def create(self, step: Step, token: str) -> Handle:
        want = step.resource
        size = want.spec.size_gib if isinstance(want.spec, VolumeSpec) else 1
        spec: dict[str, Any] = {
            "accessModes": ["ReadWriteOnce"],
            "resources": {"requests": {"storage": f"{size}Gi"}},
        }
        if self._cluster.settings.storage_class:
            spec["storageClassName"] = self._cluster.settings.storage_class
        body = {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "spec": spec}
        return self.made(want, token, body)

    def read(self, one: Handle) -> State | None:
        there = self.get(one)
        if there is None:
            return None
        phase = str(there.get("status", {}).get("phase") or "Pending")
        capacity = there.get("status", {}).get("capacity", {}).get("storage", 0)
        return State(
            status=self._status(there["metadata"], phase),
            tags=tags_of(there),
            facts={
                "created": created(there),
                "size_gib": round(quantity(capacity) / 2**30, 3),
                "volume": str(there["spec"].get("volumeName") or ""),
                "storage_class": str(there["spec"].get("storageClassName") or ""),
            },
            raw=plain(there),
            reason="" if phase == "Bound" else f"claim is {phase}",
        )

    def _status(self, about: dict[str, object], phase: str) -> Status:
        if about.get("deletionTimestamp"):
            return Status.DELETING
        if phase == "Lost":
            return Status.FAILED
        if phase == "Bound" or self._late():
            return Status.READY
        return Status.PENDING

    def _late(self) -> bool:
        """Whether a claim is bound only when a pod wants it: then it is as ready as can be."""
        found = self._choice.storage_class()
        return found is not None and found.get("volumeBindingMode") == "WaitForFirstConsumer"

    def delete(self, one: Handle) -> None:
        """Delete it; the API would wait in silence until no pod has it any more."""
        if users := users_of(self._cluster, one.id):
            message = f"cannot delete {one}: {users[0]} has it"
            raise Conflict(message, self._cluster.platform)
        super().delete(one)
