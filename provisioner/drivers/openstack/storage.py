"""Volumes: cinder's, and the snapshots made of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import Any

from provisioner.driver import TAG_TOKEN, Handle, Owner, State, Status, Step
from provisioner.drivers.openstack.cloud import Cloud, at
from provisioner.drivers.openstack.owning import (
    TAG_ATTACHED,
    TAG_ATTACHED_TOKEN,
    belongs,
    check_metadata,
    full_tags,
    handle,
    label,
)
from provisioner.drivers.openstack.root import TAG_ROOT
from provisioner.errors import BadRequest, Conflict, NotFound
from provisioner.resources import Kind, Resource, VolumeSpec

LARGEST_GIB = 1 << 20  # what the API takes at all; the quota is the cloud's own
SNAPSHOT = "snapshot:"  # how the handle of a snapshot begins: it is a volume to us
SERIAL_CHARS = 20  # virtio-blk cuts the serial, which is the volume's id

VOLUME_STATUS = {
    "available": Status.READY,
    "in-use": Status.READY,
    "attaching": Status.READY,
    "detaching": Status.READY,
    "reserved": Status.READY,
    "deleting": Status.DELETING,
}
SNAPSHOT_STATUS = {"available": Status.READY, "deleting": Status.DELETING}


class Volumes:
    """Volumes and their snapshots."""

    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud

    def plan(self, want: Resource) -> Step:
        spec, platform = want.spec, self._cloud.platform
        if not isinstance(spec, VolumeSpec):
            raise BadRequest(f"{want.ref}: expected a volume's specification", platform)
        if not 1 <= spec.size_gib <= LARGEST_GIB:
            message = f"size {spec.size_gib} GiB, expected 1 to {LARGEST_GIB}"
            raise BadRequest(f"{want.ref}: {message}", platform)
        check_metadata(want, platform)
        return Step(
            platform=platform,
            resource=want,
            body={"size_gib": spec.size_gib},
            refs=(spec.machine,) if spec.machine else (),
            wait_s=180.0,
        )

    def create(self, step: Step, token: str) -> Handle:
        tags = full_tags(step.resource, token)
        name = label(token, step.resource.name)
        volume = self._made(name, token)
        if volume is None:
            body: dict[str, Any] = {
                "size": step.body["size_gib"],
                "name": name,
                "description": "made by interop, may be deleted after its run",
                "metadata": tags,
            }
            if self._cloud.settings.volume_zone:
                body["availability_zone"] = self._cloud.settings.volume_zone
            volume = self._cloud.call(
                f"create {step.resource.ref}", "volume", "POST", "/volumes", body={"volume": body}
            )["volume"]
        return handle(self._cloud.platform, Kind.VOLUME, volume["id"], tags)

    def _made(self, name: str, token: str) -> dict[str, Any] | None:
        """What an earlier create with the same token has made already."""
        for item in self._cloud.each(
            "look for the volume", "volume", "/volumes/detail", "volumes", query={"name": name}
        ):
            if (item.get("metadata") or {}).get(TAG_TOKEN) == token:
                return item
        return None

    def item(self, id_: str) -> dict[str, Any] | None:
        """A volume as the API says it is."""
        found: dict[str, Any] | None = self._cloud.one(
            "read the volume", "volume", f"/volumes{at(id_)}", "volume"
        )
        return found

    def read(self, handle: Handle) -> State | None:
        if handle.id.startswith(SNAPSHOT):
            return self._read_snapshot(handle)
        volume = self.item(handle.id)
        if volume is None:
            return None
        joined = (volume.get("attachments") or [{}])[0]
        status = VOLUME_STATUS.get(volume["status"], Status.PENDING)
        failed = str(volume["status"]).startswith("error")
        return State(
            status=Status.FAILED if failed else status,
            tags=own_tags(volume),
            facts={
                "size_gib": volume["size"],
                "zone": volume.get("availability_zone", ""),
                "serial": handle.id,
                "device": joined.get("device") or "",
                "machine": joined.get("server_id") or "",
                "type": volume.get("volume_type") or "",
            },
            raw=volume,
            reason=f"the volume is in state {volume['status']}" if failed else "",
        )

    def _read_snapshot(self, handle: Handle) -> State | None:
        id_ = handle.id.removeprefix(SNAPSHOT)
        item = self._cloud.one(f"read {handle}", "volume", f"/snapshots{at(id_)}", "snapshot")
        if item is None:
            return None
        failed = str(item["status"]).startswith("error")
        status = SNAPSHOT_STATUS.get(item["status"], Status.PENDING)
        return State(
            status=Status.FAILED if failed else status,
            tags=item.get("metadata") or {},
            facts={"size_gib": item["size"], "volume": item["volume_id"]},
            raw=item,
            reason=f"the snapshot is in state {item['status']}" if failed else "",
        )

    def delete(self, handle: Handle) -> None:
        what = f"delete {handle}"
        collection, id_ = "volumes", handle.id
        if handle.id.startswith(SNAPSHOT):
            collection, id_ = "snapshots", handle.id.removeprefix(SNAPSHOT)
        with suppress(NotFound):
            try:
                self._cloud.call(what, "volume", "DELETE", f"/{collection}{at(id_)}")
            except BadRequest as error:
                self._why(error, collection, id_)

    def _why(self, error: BadRequest, collection: str, id_: str) -> None:
        """Cinder answers 400 where the state of a volume forbids it; that is a Conflict."""
        key = collection.removesuffix("s")
        item = self._cloud.one(error.message, "volume", f"/{collection}{at(id_)}", key)
        if item is None or item["status"] == "deleting":
            return
        raise Conflict(error.message, error.platform, error.request_id) from error

    def find(self, owner: Owner) -> Iterator[Handle]:
        for item in self._cloud.each("find volumes", "volume", "/volumes/detail", "volumes"):
            tags = item.get("metadata") or {}
            # A machine's own disk goes with it; one without its machine was left behind.
            of_machine = TAG_ROOT in tags and item.get("attachments")
            if belongs(tags, owner) and not of_machine:
                yield handle(self._cloud.platform, Kind.VOLUME, item["id"], own_tags(item))
        for item in self._cloud.each("find snapshots", "volume", "/snapshots/detail", "snapshots"):
            tags = item.get("metadata") or {}
            if belongs(tags, owner):
                yield handle(self._cloud.platform, Kind.VOLUME, SNAPSHOT + item["id"], tags)


def own_tags(item: Mapping[str, Any]) -> dict[str, str]:
    """A volume's tags without those of its attachment."""
    skipped = (TAG_ATTACHED, TAG_ATTACHED_TOKEN, TAG_ROOT)
    found = item.get("metadata") or {}
    return {key: value for key, value in found.items() if key not in skipped}
