"""Attachments of volumes and addresses to machines."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
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
from provisioner.drivers.openstack.address import Addresses
from provisioner.drivers.openstack.cloud import Cloud, at
from provisioner.drivers.openstack.machine import Machines
from provisioner.drivers.openstack.owning import (
    TAG_ATTACHED,
    TAG_ATTACHED_TOKEN,
    TEXT_CHARS,
    belongs,
    check_metadata,
    described,
    description,
    full_tags,
    handle,
)
from provisioner.drivers.openstack.storage import Volumes
from provisioner.drivers.openstack.way_in import WayIn
from provisioner.errors import BadRequest, Conflict, NotFound
from provisioner.resources import AttachmentSpec, Kind, Resource

VOLUME, ADDRESS = "volume", "address"  # how an id begins; ids of all services look alike


class Attachments:
    """Joins. The id is ``volume:WHAT:MACHINE`` or ``address:...``, known before the call."""

    def __init__(
        self,
        cloud: Cloud,
        volumes: Volumes,
        addresses: Addresses,
        machines: Machines,
        way_in: WayIn,
    ) -> None:
        self._cloud = cloud
        self._volumes = volumes
        self._addresses = addresses
        self._machines = machines
        self._way_in = way_in
        self._lock = threading.Lock()
        self._busy: dict[str, threading.Lock] = {}

    def plan(self, want: Resource) -> Step:
        spec, platform = want.spec, self._cloud.platform
        if not isinstance(spec, AttachmentSpec):
            raise BadRequest(f"{want.ref}: expected an attachment's specification", platform)
        if spec.machine.kind is not Kind.MACHINE or spec.what.kind not in (
            Kind.VOLUME,
            Kind.ADDRESS,
        ):
            message = f"{want.ref}: {spec.what} to {spec.machine}: expected a volume or address"
            raise BadRequest(message, platform)
        check_metadata(want, platform)
        return Step(
            platform=platform,
            resource=want,
            body={"machine": str(spec.machine), "what": str(spec.what)},
            refs=(spec.machine, spec.what),
            wait_s=180.0,
        )

    def create(self, step: Step, token: str) -> Handle:
        spec, platform = step.resource.spec, self._cloud.platform
        if not isinstance(spec, AttachmentSpec):
            message = f"{step.resource.ref}: expected an attachment's specification"
            raise BadRequest(message, platform)
        machine, thing = step.bound[spec.machine], step.bound[spec.what]
        notes = {TAG_ATTACHED: step.resource.name, TAG_ATTACHED_TOKEN: token}
        what, sort = f"create {step.resource.ref}", str(thing.kind)
        tags = full_tags(step.resource, token)
        joined = handle(platform, Kind.ATTACHMENT, f"{sort}:{thing.id}:{machine.id}", tags)
        with self._one_at_a_time(machine.id):  # nova is asked for one device of a machine at once
            there = self.read(joined) is not None
            if sort == VOLUME:
                if not there:
                    self._attach(thing.id, machine.id, what)
                # Only now: what is in use elsewhere must keep the name of that attachment.
                self._note(thing.id, notes, what)
            elif not there:
                self._lead(thing.id, machine.id, notes, what)
        return joined

    def _one_at_a_time(self, machine: str) -> threading.Lock:
        with self._lock:
            return self._busy.setdefault(machine, threading.Lock())

    def _attach(self, volume: str, machine: str, what: str) -> None:
        self._cloud.call(
            what,
            "compute",
            "POST",
            f"/servers{at(machine)}/os-volume_attachments",
            body={"volumeAttachment": {"volumeId": volume}},
        )

    def _note(self, volume: str, notes: Mapping[str, str], what: str) -> None:
        self._cloud.call(
            what, "volume", "POST", f"/volumes{at(volume)}/metadata", body={"metadata": dict(notes)}
        )

    def _lead(self, address: str, machine: str, notes: Mapping[str, str], what: str) -> None:
        """Have a floating address lead to the machine's first port."""
        item = self._addresses.item(address)
        port = self._way_in.first_port(machine)
        if item is None or port is None:
            gone = address if item is None else f"the port of {machine}"
            raise NotFound(f"cannot {what}: {gone} is not there", self._cloud.platform)
        if item.get("port_id"):
            message = f"cannot {what}: {address} leads to port {item['port_id']}"
            raise Conflict(message, self._cloud.platform)
        text = description({**described(item), **notes})
        if len(text) > TEXT_CHARS:
            message = f"cannot {what}: the names need {len(text)} characters, at most {TEXT_CHARS}"
            raise BadRequest(message, self._cloud.platform)
        body = {"floatingip": {"port_id": port["id"], "description": text}}
        self._cloud.call(what, "network", "PUT", f"/floatingips{at(address)}", body=body)

    def read(self, handle: Handle) -> State | None:
        sort, thing, machine = _parts(handle)
        if sort == ADDRESS:
            return self._read_address(thing, machine)
        volume = self._volumes.item(thing)
        joined = _joined(volume, machine) if volume is not None else None
        if volume is None or joined is None:
            return None
        status = {"in-use": Status.READY, "detaching": Status.DELETING}
        return State(
            status=status.get(volume["status"], Status.PENDING),
            tags=_moved(volume.get("metadata") or {}),
            facts={"device": joined.get("device") or "", "serial": thing},
            raw=joined,
        )

    def _read_address(self, address: str, machine: str) -> State | None:
        item = self._addresses.item(address)
        if item is None or not item.get("port_id"):
            return None
        if item["port_id"] not in {port["id"] for port in self._way_in.ports(machine)}:
            return None
        return State(
            status=Status.READY,
            addresses={"public": item["floating_ip_address"]},
            tags=_moved(described(item)),
            raw=item,
        )

    def delete(self, handle: Handle) -> None:
        sort, thing, machine = _parts(handle)
        what = f"delete {handle}"
        if sort == ADDRESS:
            if self._read_address(thing, machine) is not None:
                with suppress(NotFound):
                    body = {"floatingip": {"port_id": None}}
                    self._cloud.call(what, "network", "PUT", f"/floatingips{at(thing)}", body=body)
            return
        volume = self._volumes.item(thing)
        if volume is None or _joined(volume, machine) is None or volume["status"] == "detaching":
            return
        path = f"/servers{at(machine)}/os-volume_attachments{at(thing)}"
        with suppress(NotFound):
            self._cloud.call(what, "compute", "DELETE", path)

    def find(self, owner: Owner) -> Iterator[Handle]:
        platform = self._cloud.platform
        for volume in self._cloud.each("find attachments", "volume", "/volumes/detail", "volumes"):
            tags = volume.get("metadata") or {}
            if TAG_ATTACHED in tags and belongs(tags, owner):
                for joined in volume.get("attachments") or ():
                    id_ = f"{VOLUME}:{volume['id']}:{joined['server_id']}"
                    yield handle(platform, Kind.ATTACHMENT, id_, _moved(tags))
        for item in self._addresses.ours():
            tags = described(item)
            if TAG_ATTACHED in tags and item.get("port_id") and belongs(tags, owner):
                machine = self._holder(item)
                if machine:
                    id_ = f"{ADDRESS}:{item['id']}:{machine}"
                    yield handle(platform, Kind.ATTACHMENT, id_, _moved(tags))

    def _holder(self, item: Mapping[str, Any]) -> str:
        """The machine whose port an address leads to."""
        port = self._cloud.one("read the port", "network", f"/ports{at(item['port_id'])}", "port")
        return str(port["device_id"]) if port is not None else ""


def _parts(handle: Handle) -> tuple[str, str, str]:
    sort, _, rest = handle.id.partition(":")
    thing, _, machine = rest.partition(":")
    return sort, thing, machine


def _joined(volume: Mapping[str, Any], machine: str) -> dict[str, Any] | None:
    """The volume's attachment to that machine, if there is one."""
    for joined in volume.get("attachments") or ():
        if joined.get("server_id") == machine:
            return dict(joined)
    return None


def _moved(tags: Mapping[str, str]) -> dict[str, str]:
    """An attachment's tags, as kept on what is attached; it has that name until it is noted."""
    kept = {key: tags[key] for key in (TAG_RUN, TAG_EXPIRES) if key in tags}
    name = tags.get(TAG_ATTACHED) or tags.get(TAG_NAME, "")
    return kept | {TAG_NAME: name, TAG_TOKEN: tags.get(TAG_ATTACHED_TOKEN, "")}
