"""What OpenStack can do beyond the six verbs: power, console, tags, copies, sizes, list calls."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from provisioner.driver import TAG_NAME, TAG_RUN, Handle
from provisioner.drivers.openstack.asking import KNOWN, run_tag
from provisioner.drivers.openstack.choice import Choice
from provisioner.drivers.openstack.cloud import Cloud, at, next_marker
from provisioner.drivers.openstack.machine import TASK, Machines
from provisioner.drivers.openstack.owning import TEXT_CHARS
from provisioner.drivers.openstack.storage import SNAPSHOT
from provisioner.errors import BadRequest, NotFound, Unsupported
from provisioner.resources import Kind

RESIZE_S = 900.0


class ServerPower:
    """Start, stop and reboot. ``status`` is ``on`` from the start call to the end of stopping."""

    def __init__(self, cloud: Cloud, machines: Machines, machine: str) -> None:
        self._cloud = cloud
        self._machines = machines
        self._machine = machine

    def _item(self) -> dict[str, Any]:
        item = self._machines.item(self._machine)
        if item is None:
            raise NotFound(f"{self._machine} is gone", self._cloud.platform)
        return item

    def status(self) -> str:
        item = self._item()
        return "off" if item["status"] == "SHUTOFF" and not item.get(TASK) else "on"

    def on(self) -> None:
        """Start it; one that is just stopping is a Conflict, as nova has it."""
        item = self._item()
        if item["status"] != "ACTIVE" or item.get(TASK):
            self._do("start", {"os-start": None})

    def off(self) -> None:
        """Pull the plug. Nova has no such call, but for rebooting: its stop always asks first."""
        if self._item()["status"] != "SHUTOFF":
            self._do("stop", {"os-stop": None})

    def cycle(self) -> None:
        """Nova's hard reboot is just that: the plug pulled, and put in again."""
        self._do("cycle", {"reboot": {"type": "HARD"}})

    def soft_off(self) -> None:
        """Nova's stop asks the guest, and pulls the plug when that takes too long."""
        if self._item()["status"] != "SHUTOFF":
            self._do("stop", {"os-stop": None})

    def reboot(self) -> None:
        self._do("reboot", {"reboot": {"type": "SOFT"}})

    def _do(self, what: str, action: Mapping[str, Any]) -> None:
        self._machines.act(self._machine, f"{what} {self._machine}", action)


class ServerConsole:
    """``os-getConsoleOutput``: what the hypervisor keeps of it."""

    def __init__(self, machines: Machines, machine: str) -> None:
        self._machines = machines
        self._machine = machine

    def read(self) -> str:
        return self._machines.console(self._machine)


class ServerSize:
    """Another flavor; nova stops the server for it, and asks for a confirmation at the end."""

    def __init__(self, machines: Machines, choice: Choice, machine: str, platform: str) -> None:
        self._machines = machines
        self._choice = choice
        self._machine = machine
        self._platform = platform

    def to(self, size: str) -> None:
        found = [s.id for s in self._choice.sizes() if size in (s.id, s.name)]
        if not found:
            raise BadRequest(f"there is no size {size}", self._platform)
        what = f"resize {self._machine}"
        self._machines.act(self._machine, what, {"resize": {"flavorRef": found[0]}})
        self._machines.settled(self._machine, "VERIFY_RESIZE", RESIZE_S)
        self._machines.act(self._machine, what, {"confirmResize": None})


class VolumeCopy:
    """Snapshots of a volume, tagged like it so that they are found."""

    def __init__(self, cloud: Cloud, handle: Handle) -> None:
        self._cloud = cloud
        self._handle = handle

    def create(self, name: str) -> str:
        body = {
            "volume_id": self._handle.id,
            "name": name[:TEXT_CHARS],
            "force": True,  # an attached volume can be copied too
            "metadata": {TAG_RUN: self._handle.run, TAG_NAME: name[:TEXT_CHARS]},
        }
        answer = self._cloud.call(
            f"copy {self._handle}", "volume", "POST", "/snapshots", body={"snapshot": body}
        )
        return SNAPSHOT + str(answer["snapshot"]["id"])


class Tags:
    """Adds tags and overwrites those of the same key: metadata of a machine or volume."""

    def __init__(self, cloud: Cloud, handle: Handle) -> None:
        self._cloud = cloud
        self._handle = handle

    def update_tags(self, tags: Mapping[str, str]) -> None:
        service, collection, id_ = "volume", "volumes", self._handle.id
        if self._handle.kind is Kind.MACHINE:
            service, collection = "compute", "servers"
        elif id_.startswith(SNAPSHOT):
            collection, id_ = "snapshots", id_.removeprefix(SNAPSHOT)
        self._cloud.call(
            f"tag {self._handle}",
            service,
            "POST",
            f"/{collection}{at(id_)}/metadata",
            body={"metadata": dict(tags)},
        )


@dataclass(frozen=True, slots=True)
class ListCall:
    """A list call: its service and path, where the items are, and whether it has pages."""

    service: str
    path: str
    items: str
    paged: bool = True


LISTS = {
    "machine": ListCall("compute", "/servers", "servers"),
    "volume": ListCall("volume", "/volumes", "volumes"),
    "network": ListCall("network", "/networks", "networks"),
    "firewall": ListCall("network", "/security-groups", "security_groups"),
    "address": ListCall("network", "/floatingips", "floatingips"),
    "image": ListCall("image", "/images", "images"),
}


class Pages:
    """The services' own list calls. Filters are by tag: ``{"interop-run": "x"}``."""

    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud

    def page(
        self, kind: str, size: int, marker: str = "", filters: Mapping[str, str] | None = None
    ) -> tuple[Sequence[str], str]:
        call = LISTS.get(kind)
        if call is None:
            reason = "keys have no tags to filter by" if kind == "key" else "there is no such list"
            raise Unsupported(f"{kind}: {reason}", self._cloud.platform)
        query: dict[str, Any] = self._filter(kind, filters or {})
        if size:
            query["limit"] = size
        if marker:
            query["marker"] = marker
        page = self._cloud.call(
            f"list {kind}",
            call.service,
            "GET",
            call.path,
            query=query,
            microversion=self._cloud.newest("compute", KNOWN)
            if call.service == "compute"
            else None,
        )
        return [str(item["id"]) for item in page[call.items]], next_marker(page, call.items)

    def _filter(self, kind: str, filters: Mapping[str, str]) -> dict[str, Any]:
        """Volumes are filtered by metadata, machines by the tag that stands for their run."""
        if not filters:
            return {}
        if kind == "volume":
            return {"metadata": json.dumps(dict(filters))}
        if kind == "machine" and set(filters) == {TAG_RUN}:
            return {"tags": run_tag(filters[TAG_RUN])}
        message = f"a list of {kind} cannot be filtered by {', '.join(sorted(filters))}"
        raise Unsupported(message, self._cloud.platform)
