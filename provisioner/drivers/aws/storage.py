"""Volumes: EBS volumes, and the snapshots made of them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from typing import Any

from provisioner.driver import Handle, Owner, State, Status, Step
from provisioner.drivers.aws.account import (
    Account,
    client_token,
    full_tags,
    own_tags,
    owned,
    plain,
    tagged,
    tags_of,
)
from provisioner.errors import BadRequest, NotFound
from provisioner.resources import Kind, Resource, VolumeSpec

LARGEST_GIB = 16384  # gp3, source: EBS user guide, "General Purpose SSD volumes"
TAG_DATA = "interop-volume"  # tells a data volume from a machine's own disk, which has its tags
DATA = [{"Name": "tag-key", "Values": [TAG_DATA]}]

VOLUME_STATUS = {
    "creating": Status.PENDING,
    "available": Status.READY,
    "in-use": Status.READY,
    "deleting": Status.DELETING,
    "deleted": None,
    "error": Status.FAILED,
}


class Volumes:
    """EBS volumes; a snapshot is a volume too, with an id of its own sort."""

    def __init__(self, account: Account) -> None:
        self._account = account

    def plan(self, want: Resource) -> Step:
        spec = want.spec
        if not isinstance(spec, VolumeSpec):
            message = f"{want.ref}: expected a volume's specification"
            raise BadRequest(message, self._account.platform)
        if not 1 <= spec.size_gib <= LARGEST_GIB:
            message = f"{want.ref}: size {spec.size_gib} GiB, expected 1 to {LARGEST_GIB}"
            raise BadRequest(message, self._account.platform)
        self._account.check_tags(want)
        return Step(
            platform=self._account.platform,
            resource=want,
            body={"size_gib": spec.size_gib},
            refs=(spec.machine,) if spec.machine else (),
            wait_s=120.0,
        )

    def create(self, step: Step, token: str) -> Handle:
        account, tags = self._account, full_tags(step.resource, token)
        volume = account.made_by(token, "a volume", "describe_volumes", "Volumes", Filters=DATA)
        if volume is None:
            machines = [h.extra.get("zone", "") for h in step.bound.values()]
            volume = account.call(
                f"create {step.resource.ref}",
                "create_volume",
                Size=step.body["size_gib"],
                VolumeType="gp3",
                AvailabilityZone=next(filter(None, machines), "") or account.zone(),
                ClientToken=client_token(token),
                TagSpecifications=tagged("volume", {**tags, TAG_DATA: "yes"}),
            )
        return account.handle(Kind.VOLUME, volume["VolumeId"], tags)

    def read(self, handle: Handle) -> State | None:
        if handle.id.startswith("snap-"):
            return self._read_snapshot(handle)
        volume = read_volume(self._account, handle.id)
        if volume is None:
            return None
        status = VOLUME_STATUS.get(volume["State"], Status.PENDING)
        if status is None:
            return None
        joined = (volume.get("Attachments") or [{}])[0]
        return State(
            status=status,
            tags=own_tags(volume, TAG_DATA),
            facts={
                "size_gib": volume["Size"],
                "zone": volume["AvailabilityZone"],
                # The guest sees the id as the disk's serial, without its hyphen.
                "serial": handle.id.replace("-", ""),
                "device": joined.get("Device", ""),
                "machine": joined.get("InstanceId", ""),
            },
            raw=plain(volume),
            reason="" if volume["State"] != "error" else "the volume is in state error",
        )

    def _read_snapshot(self, handle: Handle) -> State | None:
        try:
            answer = self._account.call(
                f"read {handle}", "describe_snapshots", SnapshotIds=[handle.id]
            )
        except NotFound:
            return None
        item = answer["Snapshots"][0]
        status = {"completed": Status.READY, "error": Status.FAILED}
        return State(
            status=status.get(item["State"], Status.PENDING),
            tags=tags_of(item),
            facts={"size_gib": item["VolumeSize"], "volume": item["VolumeId"]},
            raw=plain(item),
            reason=str(item.get("StateMessage", "")),
        )

    def delete(self, handle: Handle) -> None:
        what = f"delete {handle}"
        with suppress(NotFound):
            if handle.id.startswith("snap-"):
                self._account.call(what, "delete_snapshot", SnapshotId=handle.id)
            else:
                self._account.call(what, "delete_volume", VolumeId=handle.id)

    def find(self, owner: Owner) -> Iterator[Handle]:
        """Data volumes, and machines' own disks that have outlived their machine."""
        for volume in self._account.each(
            "find volumes", "describe_volumes", "Volumes", Filters=owned(owner)
        ):
            tags = tags_of(volume)
            if TAG_DATA in tags or not volume.get("Attachments"):
                yield self._account.handle(Kind.VOLUME, volume["VolumeId"], tags)
        for item in self._account.each(
            "find snapshots",
            "describe_snapshots",
            "Snapshots",
            Filters=owned(owner),
            OwnerIds=["self"],
        ):
            yield self._account.handle(Kind.VOLUME, item["SnapshotId"], tags_of(item))


def read_volume(account: Account, volume_id: str) -> dict[str, Any] | None:
    """A volume as the API says it is, or None when it is gone."""
    try:
        answer = account.call("read the volume", "describe_volumes", VolumeIds=[volume_id])
    except NotFound:
        return None
    return dict(answer["Volumes"][0])
