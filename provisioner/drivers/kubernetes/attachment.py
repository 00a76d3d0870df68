"""Attachments: a volume in the pod template of a machine.

A pod's volumes cannot change, so joining replaces the pod: the machine begins anew, with the
volume. An attachment is a set of fields with an owner of its own (server-side apply), and goes by
applying nothing in that owner's name. Its id is ``MACHINE/VOLUME``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from provisioner.driver import TAG_NAME, Handle, Owner, State, Status, Step
from provisioner.drivers.kubernetes.cluster import MANAGER, Cluster
from provisioner.drivers.kubernetes.machine import CONTAINER, Machines
from provisioner.drivers.kubernetes.owning import (
    KIND,
    PREFIX,
    check_tags,
    decoded,
    digest,
    encoded,
    handle,
    slug,
)
from provisioner.errors import BadRequest, Conflict, NotFound
from provisioner.resources import AttachmentSpec, Kind, Resource

JOINED = f"{PREFIX}joined-"  # an annotation for each; the value is its tags


class Attachments:
    """Volumes of machines."""

    def __init__(self, cluster: Cluster, machines: Machines) -> None:
        self._cluster = cluster
        self._machines = machines

    def plan(self, want: Resource) -> Step:
        spec, platform = want.spec, self._cluster.platform
        if not isinstance(spec, AttachmentSpec) or (spec.machine.kind, spec.what.kind) != (
            Kind.MACHINE,
            Kind.VOLUME,
        ):
            raise BadRequest(f"{want.ref}: expected a volume and a machine", platform)
        check_tags(want, platform)
        return Step(
            platform=platform,
            resource=want,
            body={"machine": str(spec.machine), "what": str(spec.what)},
            refs=(spec.machine, spec.what),
            notes=("the machine begins anew: a pod's volumes cannot change",),
            wait_s=180.0,
        )

    def create(self, step: Step, token: str) -> Handle:
        want = step.resource
        bound = {ref.kind: one for ref, one in step.bound.items()}
        machine, volume = bound[Kind.MACHINE].id, bound[Kind.VOLUME].id
        what = f"create {want.ref}"
        there = self._machines.item(machine)
        if there is None:
            raise NotFound(f"cannot {what}: machine {machine} is gone", self._cluster.platform)
        tags = {TAG_NAME: want.name, **want.tags}
        if volume not in joined(there):
            if users := users_of(self._cluster, volume):
                message = f"cannot {what}: {users[0]} has {volume}"
                raise Conflict(message, self._cluster.platform)
            self._apply(what, machine, volume, self._fields(there, volume, tags))
        return handle(self._cluster.platform, Kind.ATTACHMENT, f"{machine}/{volume}", tags)

    def _fields(
        self, there: Mapping[str, Any], volume: str, tags: Mapping[str, str]
    ) -> dict[str, Any]:
        settings = self._cluster.settings
        taken = {mount["mountPath"] for mount in _container(there).get("volumeMounts") or ()}
        path = settings.volume_path
        if path in taken:
            path = f"{path}-{slug(tags[TAG_NAME])}"
        name = f"v-{digest(volume, 12)}"
        pod = {
            "containers": [
                {"name": CONTAINER, "volumeMounts": [{"name": name, "mountPath": path}]}
            ],
            "volumes": [{"name": name, "persistentVolumeClaim": {"claimName": volume}}],
        }
        return {
            "metadata": {"annotations": {f"{JOINED}{digest(volume)}": encoded(
                {**tags, "interop-volume": volume}
            )}},
            "spec": {"template": {"spec": pod}},
        }  # fmt: skip

    def _apply(self, what: str, machine: str, volume: str, fields: dict[str, Any]) -> None:
        about = {**fields.get("metadata", {}), "name": machine}
        body = {"apiVersion": "apps/v1", "kind": "Deployment", **fields, "metadata": about}
        path = f"{self._machines.top}/{machine}"
        self._cluster.apply(what, path, body, f"{MANAGER}-{digest(volume)}")

    def read(self, one: Handle) -> State | None:
        machine, _, volume = one.id.partition("/")
        there = self._machines.item(machine)
        tags = joined(there).get(volume) if there is not None else None
        if there is None or tags is None:
            return None
        of_machine = self._machines.read(handle(self._cluster.platform, Kind.MACHINE, machine, {}))
        ready = of_machine is not None and of_machine.status is Status.READY
        name = f"v-{digest(volume, 12)}"
        mounts = _container(there).get("volumeMounts") or ()
        path = next((m["mountPath"] for m in mounts if m["name"] == name), "")
        return State(
            status=Status.READY if ready else Status.PENDING,
            tags=tags,
            facts={"path": path, "machine": machine, "volume": volume},
            reason=of_machine.reason if of_machine is not None else "the machine is gone",
        )

    def delete(self, one: Handle) -> None:
        """Take the volume out; the machine begins anew."""
        machine, _, volume = one.id.partition("/")
        there = self._machines.item(machine)
        if there is None or volume not in joined(there):
            return
        if there["metadata"].get("deletionTimestamp"):
            return  # it goes with its machine
        self._apply(f"delete {one}", machine, volume, {})

    def find(self, owner: Owner) -> Iterator[Handle]:
        """Attachments are on machines of any run."""
        for item in self._cluster.each(
            "find attachments", self._machines.top, f"{KIND}={Kind.MACHINE}"
        ):
            for volume, tags in joined(item).items():
                made = handle(
                    self._cluster.platform, Kind.ATTACHMENT,
                    f"{item['metadata']['name']}/{volume}", tags,
                )  # fmt: skip
                if owner.run is None or made.run == owner.run:
                    yield made


def joined(machine: Mapping[str, Any]) -> dict[str, dict[str, str]]:
    """Volumes of a machine, each with the tags of its attachment."""
    found = {}
    for key, value in (machine["metadata"].get("annotations") or {}).items():
        if key.startswith(JOINED):
            tags = decoded(value)
            volume = tags.pop("interop-volume", "")
            if volume:
                found[volume] = tags
    return found


def users_of(cluster: Cluster, volume: str) -> list[str]:
    """The machines that have a volume."""
    top = f"/apis/apps/v1/{cluster.namespaced}/deployments"
    found = cluster.each("find users of a volume", top, f"{KIND}={Kind.MACHINE}")
    return [
        str(item["metadata"]["name"])
        for item in found
        if volume in joined(item) and not item["metadata"].get("deletionTimestamp")
    ]


def _container(machine: Mapping[str, Any]) -> dict[str, Any]:
    return dict(machine["spec"]["template"]["spec"]["containers"][0])
