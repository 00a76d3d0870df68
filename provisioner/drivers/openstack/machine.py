"""Machines: nova's servers."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import Any

from provisioner.clock import Clock
from provisioner.driver import TAG_TOKEN, Access, Handle, Owner, State, Status, Step
from provisioner.drivers.openstack.asking import TAGGED, Asking, host_name, run_tag, token_tag
from provisioner.drivers.openstack.choice import Choice
from provisioner.drivers.openstack.cloud import Cloud, at
from provisioner.drivers.openstack.errors import fault
from provisioner.drivers.openstack.owning import MARK, belongs, full_tags, handle
from provisioner.drivers.openstack.root import RootVolumes
from provisioner.drivers.openstack.way_in import WayIn
from provisioner.errors import NotFound, PlatformError, PlatformFault
from provisioner.hostkeys import host_keys
from provisioner.resources import Kind, Resource

STATUS = {
    "ACTIVE": Status.READY,
    "SHUTOFF": Status.STOPPED,
    "PAUSED": Status.STOPPED,
    "SUSPENDED": Status.STOPPED,
    "SHELVED": Status.STOPPED,
    "SHELVED_OFFLOADED": Status.STOPPED,
    "ERROR": Status.FAILED,
}
GONE = ("DELETED", "SOFT_DELETED")
# Tasks that leave a machine as usable as it was: copies are made of it while it runs.
HARMLESS = ("image_snapshot", "image_pending_upload", "image_uploading", "image_snapshot_pending")
TASK = "OS-EXT-STS:task_state"


class Machines:
    """Servers."""

    def __init__(
        self, cloud: Cloud, choice: Choice, way_in: WayIn, roots: RootVolumes, clock: Clock
    ) -> None:
        self._cloud = cloud
        self._choice = choice
        self._way_in = way_in
        self._roots = roots
        self._clock = clock
        self._asking = Asking(cloud, choice)
        self._lock = threading.Lock()
        self._host_keys: dict[str, tuple[str, ...]] = {}

    def plan(self, want: Resource) -> Step:
        step = self._asking.plan(want)
        self._way_in.external()  # what is declared must be there
        return step

    def create(self, step: Step, token: str) -> Handle:
        tags = full_tags(step.resource, token)
        what = f"create {step.resource.ref}"
        server = self._made(token)
        again = server is not None
        if server is None:
            root = ""
            if step.body["root_gib"]:
                root = self._roots.ready(step, tags, what)
            server = self._cloud.call(
                what,
                "compute",
                "POST",
                "/servers",
                body=self._asking.request(step, tags, root),
                microversion=self._asking.microversion,
            )["server"]
        port = self._way_in.first_port(server["id"])
        if port is None:
            self._refused(server["id"], what)
        else:
            self._way_in.give(port, tags, what, again=again)
        return handle(self._cloud.platform, Kind.MACHINE, server["id"], tags)

    def _refused(self, machine: str, what: str) -> None:
        """Nova takes every order and finds out later that there is no room: that is a no as well.

        Raises:
            Capacity, Quota: no host takes it; it is removed. Other faults are told by ``read``.
        """
        item = self.item(machine)
        reason = _reason(item) if item is not None and item["status"] == "ERROR" else ""
        kind = fault(reason)
        if kind is not PlatformFault:
            self.delete(handle(self._cloud.platform, Kind.MACHINE, machine, {}))
            raise kind(f"cannot {what}: {reason}", self._cloud.platform)

    def _made(self, token: str) -> dict[str, Any] | None:
        """What an earlier create with the same token has made already."""
        for item in self._list("look for the machine", token_tag(token)):
            if (item.get("metadata") or {}).get(TAG_TOKEN) == token:
                return item
        return None

    def _list(self, what: str, tag: str) -> Iterator[dict[str, Any]]:
        """Servers that are there, by tag where the cloud has tags; all of them elsewhere."""
        query = {"tags": tag} if self._cloud.speaks("compute", TAGGED) else {}
        for item in self._cloud.each(
            what,
            "compute",
            "/servers/detail",
            "servers",
            query=query,
            microversion=self._asking.microversion,
        ):
            if item["status"] not in GONE:
                yield item

    def item(self, machine: str) -> dict[str, Any] | None:
        """A server as the API says it is, or None when it is gone."""
        found: dict[str, Any] | None = self._cloud.one(
            f"read {machine}",
            "compute",
            f"/servers{at(machine)}",
            "server",
            microversion=self._asking.microversion,
        )
        return None if found is None or found["status"] in GONE else found

    def act(self, machine: str, what: str, action: Mapping[str, Any]) -> Any:
        """One of nova's actions on a server."""
        return self._cloud.call(
            what,
            "compute",
            "POST",
            f"/servers{at(machine)}/action",
            body=dict(action),
            microversion=self._asking.microversion,
        )

    def read(self, handle: Handle) -> State | None:
        item = self.item(handle.id)
        if item is None:
            return None
        status = status_of(item)
        ports = self._way_in.ports(handle.id) if status is not Status.DELETING else []
        addresses = self._addresses(item, ports)
        image = self._choice.by_id(_image(item)) if _image(item) else None
        user = image.user if image else ""
        return State(
            status=status,
            addresses=addresses,
            access=self._access(handle, status, addresses, user),
            tags=item.get("metadata") or {},
            facts={
                "instance_id": handle.id,
                **_facts(item, ports),
                "image": _image(item),
                "image_name": image.name if image else "",
                "arch": image.arch if image else "",
                "user": user,
                "user_source": image.user_source if image else "the image is not listed any more",
            },
            raw=_without_secrets(item),
            version=str(item.get("updated", "")),
            reason=_reason(item),
        )

    def _addresses(self, item: Mapping[str, Any], ports: list[dict[str, Any]]) -> dict[str, str]:
        """Every address by sort; what the network service knows is fresher than nova's copy."""
        found: dict[str, str] = {}
        for port in ports:
            for fixed in port.get("fixed_ips") or ():
                sort = "private6" if ":" in fixed["ip_address"] else "private"
                found.setdefault(sort, fixed["ip_address"])
        for one in self._way_in.floating(ports):
            found.setdefault("public", one["floating_ip_address"])
        if not found:
            for addresses in (item.get("addresses") or {}).values():
                for one in addresses:
                    sort = "public" if one.get("OS-EXT-IPS:type") == "floating" else "private"
                    found.setdefault(sort + ("6" if one["version"] == 6 else ""), one["addr"])
        return found

    def _access(
        self, handle: Handle, status: Status, addresses: Mapping[str, str], user: str
    ) -> Access | None:
        host = addresses.get("public") or addresses.get("private", "")
        if status is not Status.READY or not host:
            return None
        keys = self._learn_host_keys(handle.id)
        source = "console" if keys else "none"
        return Access(how="ssh", host=host, user=user, host_keys=keys, host_keys_from=source)

    def _learn_host_keys(self, machine: str) -> tuple[str, ...]:
        """Keys from the console; asked again until they are there, then never more."""
        with self._lock:
            known = self._host_keys.get(machine, ())
        if not known:
            try:
                known = host_keys(self.console(machine))
            except PlatformError:
                return ()  # no console is no reason not to know the machine's state
            if known:
                with self._lock:
                    self._host_keys[machine] = known
        return known

    def console(self, machine: str) -> str:
        """The console's text, all that the cloud keeps."""
        what = f"read the console of {machine}"
        answer = self.act(machine, what, {"os-getConsoleOutput": {}})
        return str(answer.get("output") or "")

    def delete(self, handle: Handle) -> None:
        what = f"delete {handle}"
        with self._lock:
            self._host_keys.pop(handle.id, None)
        item = self._cloud.one(what, "compute", f"/servers{at(handle.id)}", "server")
        if item is None:
            return
        self._way_in.take(handle.id, what)
        with suppress(NotFound):
            if item["status"] == "SOFT_DELETED":
                # Clouds with a waste bin keep it, and its quota; its owner may empty the bin.
                self.act(handle.id, what, {"forceDelete": None})
                return
            self._cloud.call(what, "compute", "DELETE", f"/servers{at(handle.id)}")

    def find(self, owner: Owner) -> Iterator[Handle]:
        tag = MARK if owner.run is None else run_tag(owner.run)
        for item in self._list("find machines", tag):
            tags = item.get("metadata") or {}
            if belongs(tags, owner):
                yield handle(self._cloud.platform, Kind.MACHINE, item["id"], tags)

    def settled(self, machine: str, awaited: str, timeout_s: float) -> None:
        """Wait until the server has a status and no task.

        Raises:
            NotFound: it is gone.
            PlatformFault: it failed, or did not get there in time.
        """
        deadline = self._clock.monotonic() + timeout_s
        while True:
            item = self.item(machine)
            if item is None:
                raise NotFound(f"{machine} is gone", self._cloud.platform)
            if item["status"] == awaited and not item.get(TASK):
                return
            if item["status"] == "ERROR" or self._clock.monotonic() >= deadline:
                told = f"{machine} is {item['status']}, expected {awaited}"
                raise PlatformFault(told, self._cloud.platform)
            self._clock.sleep(0.5)


def status_of(item: Mapping[str, Any]) -> Status:
    """Where a server is in its life; while nova does something to it, on the way."""
    task = item.get(TASK)
    if task == "deleting":
        return Status.DELETING
    status = STATUS.get(str(item["status"]), Status.PENDING)
    if status is Status.FAILED or task in (None, "", *HARMLESS):
        return status
    return Status.PENDING


def _reason(item: Mapping[str, Any]) -> str:
    """Why it is as it is: the fault of one that failed, or what is being done to it."""
    return str((item.get("fault") or {}).get("message") or item.get(TASK) or "")


def _image(item: Mapping[str, Any]) -> str:
    """Id of the image; a server that boots from a volume tells none."""
    image = item.get("image")
    return str(image.get("id", "")) if isinstance(image, Mapping) else ""


def _facts(item: Mapping[str, Any], ports: list[dict[str, Any]]) -> dict[str, Any]:
    """What the API says of a server, in the words all platforms share."""
    flavor = item.get("flavor") or {}
    told = str(item.get("OS-EXT-SRV-ATTR:hostname") or host_name(str(item.get("name", ""))))
    first = ports[0] if ports else {}
    return {
        "network": first.get("network_id", ""),
        "mac": first.get("mac_address", ""),
        "hostname": told,
        "size": flavor.get("original_name") or flavor.get("id", ""),
        "disk_gib": int(flavor.get("disk") or 0),
        "zone": item.get("OS-EXT-AZ:availability_zone", ""),
        "config_drive": bool(item.get("config_drive")),
        "volumes": [one["id"] for one in item.get("os-extended-volumes:volumes_attached") or ()],
    }


def _without_secrets(item: Mapping[str, Any]) -> dict[str, Any]:
    """An answer for evidence. A new server's answer has its password; user data may have one."""
    hidden = ("adminPass", "OS-EXT-SRV-ATTR:user_data", "links")
    return {key: value for key, value in item.items() if key not in hidden}
