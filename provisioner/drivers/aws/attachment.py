"""Attachments of volumes and addresses to machines."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

from provisioner.driver import (
    TAG_EXPIRES,
    TAG_NAME,
    TAG_RUN,
    TAG_TOKEN,
    Handle,
    Owner,
    State,
    Status,
    Step,
)
from provisioner.drivers.aws.account import (
    TAG_ATTACHED,
    TAG_ATTACHED_TOKEN,
    Account,
    full_tags,
    owned,
    plain,
    tag_list,
    tags_of,
)
from provisioner.drivers.aws.storage import DATA, read_volume
from provisioner.errors import BadRequest, Conflict, NotFound, Quota
from provisioner.resources import AttachmentSpec, Kind, Resource

# Source: EC2 user guide, "Device names for volumes": f to p are free for data volumes.
DEVICES = tuple(f"/dev/sd{letter}" for letter in "fghijklmnop")


class Attachments:
    """Joins. The id is ``WHAT:MACHINE``, known before the call."""

    def __init__(self, account: Account) -> None:
        self._account = account
        self._lock = threading.Lock()
        self._busy: dict[str, threading.Lock] = {}

    def plan(self, want: Resource) -> Step:
        spec = want.spec
        if not isinstance(spec, AttachmentSpec):
            message = f"{want.ref}: expected an attachment's specification"
            raise BadRequest(message, self._account.platform)
        if spec.machine.kind is not Kind.MACHINE or spec.what.kind not in (
            Kind.VOLUME,
            Kind.ADDRESS,
        ):
            message = f"{want.ref}: {spec.what} to {spec.machine}: expected a volume or address"
            raise BadRequest(message, self._account.platform)
        self._account.check_tags(want)
        return Step(
            platform=self._account.platform,
            resource=want,
            body={"machine": str(spec.machine), "what": str(spec.what)},
            refs=(spec.machine, spec.what),
            wait_s=120.0,
        )

    def create(self, step: Step, token: str) -> Handle:
        spec = step.resource.spec
        if not isinstance(spec, AttachmentSpec):
            message = f"{step.resource.ref}: expected an attachment's specification"
            raise BadRequest(message, self._account.platform)
        machine, thing = step.bound[spec.machine], step.bound[spec.what]
        tags = full_tags(step.resource, token)
        notes = {TAG_ATTACHED: step.resource.name, TAG_ATTACHED_TOKEN: token}
        what = f"create {step.resource.ref}"
        handle = self._account.handle(Kind.ATTACHMENT, f"{thing.id}:{machine.id}", tags)
        if thing.kind is Kind.VOLUME:
            self._attach_volume(machine.id, thing.id, what)
        elif self.read(handle) is None:
            self._account.call(
                what,
                "associate_address",
                AllocationId=thing.id,
                InstanceId=machine.id,
                AllowReassociation=False,
            )
        # Only now: what is in use elsewhere must keep the name of that attachment.
        self._account.call(what, "create_tags", Resources=[thing.id], Tags=tag_list(notes))
        return handle

    def _attach_volume(self, machine: str, volume: str, what: str) -> None:
        with self._lock:
            lock = self._busy.setdefault(machine, threading.Lock())
        # Two threads must not choose the same device name.
        with lock:
            now = read_volume(self._account, volume)
            if now is not None and _joined(now, machine):
                return
            self._account.call(
                what,
                "attach_volume",
                VolumeId=volume,
                InstanceId=machine,
                Device=self._free_device(machine, what),
            )

    def _free_device(self, machine: str, what: str) -> str:
        answer = self._account.call(what, "describe_instances", InstanceIds=[machine])
        found = [i for r in answer["Reservations"] for i in r["Instances"]]
        if not found:
            raise NotFound(f"cannot {what}: {machine} is not there", self._account.platform)
        taken = {disk["DeviceName"] for disk in found[0].get("BlockDeviceMappings", ())}
        for device in DEVICES:
            if device not in taken:
                return device
        message = f"cannot {what}: {machine} has all {len(DEVICES)} device names in use"
        raise Quota(message, self._account.platform)

    def read(self, handle: Handle) -> State | None:
        thing, _, machine = handle.id.partition(":")
        if thing.startswith("eipalloc-"):
            return self._read_address(handle, thing, machine)
        volume = read_volume(self._account, thing)
        joined = _joined(volume, machine) if volume is not None else None
        if volume is None or joined is None:
            return None
        status = {"attached": Status.READY, "detaching": Status.DELETING}
        return State(
            status=status.get(joined["State"], Status.PENDING),
            tags=_moved(tags_of(volume)),
            facts={"device": joined.get("Device", ""), "serial": thing.replace("-", "")},
            raw=plain(joined),
        )

    def _read_address(self, handle: Handle, thing: str, machine: str) -> State | None:
        try:
            answer = self._account.call(
                f"read {handle}", "describe_addresses", AllocationIds=[thing]
            )
        except NotFound:
            return None
        item = answer["Addresses"][0]
        if item.get("InstanceId") != machine:
            return None
        return State(
            status=Status.READY,
            addresses={"public": item["PublicIp"]},
            tags=_moved(tags_of(item)),
            raw=plain(item),
        )

    def delete(self, handle: Handle) -> None:
        thing, _, machine = handle.id.partition(":")
        what = f"delete {handle}"
        if thing.startswith("eipalloc-"):
            self._release(thing, machine, what)
            return
        volume = read_volume(self._account, thing)
        joined = _joined(volume, machine) if volume is not None else None
        if joined is None or joined["State"] == "detaching":
            return
        try:
            self._account.call(what, "detach_volume", VolumeId=thing, InstanceId=machine)
        except NotFound:
            return
        except Conflict:
            # It left by itself between the two calls, or the refusal is real.
            volume = read_volume(self._account, thing)
            if volume is not None and _joined(volume, machine) is not None:
                raise

    def _release(self, thing: str, machine: str, what: str) -> None:
        with suppress(NotFound):
            answer = self._account.call(what, "describe_addresses", AllocationIds=[thing])
            item = answer["Addresses"][0]
            if item.get("InstanceId") == machine and item.get("AssociationId"):
                self._account.call(
                    what, "disassociate_address", AssociationId=item["AssociationId"]
                )

    def find(self, owner: Owner) -> Iterator[Handle]:
        filters = owned(owner)
        for volume in self._account.each(
            "find attachments", "describe_volumes", "Volumes", Filters=[*filters, *DATA]
        ):
            for joined in volume.get("Attachments", ()):
                if joined.get("State") != "detached":
                    id_ = f"{volume['VolumeId']}:{joined['InstanceId']}"
                    tags = _moved(tags_of(volume))
                    yield self._account.handle(Kind.ATTACHMENT, id_, tags)
        for item in self._account.each(
            "find attachments", "describe_addresses", "Addresses", Filters=filters
        ):
            if item.get("InstanceId"):
                id_ = f"{item['AllocationId']}:{item['InstanceId']}"
                yield self._account.handle(Kind.ATTACHMENT, id_, _moved(tags_of(item)))


def _joined(volume: dict[str, Any], machine: str) -> dict[str, Any] | None:
    """The volume's attachment to that machine, if there is one."""
    for joined in volume.get("Attachments", ()):
        if joined.get("InstanceId") == machine and joined.get("State") != "detached":
            return dict(joined)
    return None


def _moved(tags: dict[str, str]) -> dict[str, str]:
    """An attachment's tags, as kept on what is attached; it has that name until it is noted."""
    kept = {key: tags[key] for key in (TAG_RUN, TAG_EXPIRES) if key in tags}
    name = tags.get(TAG_ATTACHED) or tags.get(TAG_NAME, "")
    return kept | {TAG_NAME: name, TAG_TOKEN: tags.get(TAG_ATTACHED_TOKEN, "")}
