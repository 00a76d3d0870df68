"""Addresses: floating ones, asked for or given to a machine when it is made."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from typing import Any

from provisioner.driver import TAG_TOKEN, Handle, Owner, State, Status, Step
from provisioner.drivers.openstack.cloud import Cloud, at
from provisioner.drivers.openstack.network import Networks
from provisioner.drivers.openstack.owning import (
    TAG_ATTACHED,
    TAG_ATTACHED_TOKEN,
    belongs,
    check_description,
    described,
    description,
    full_tags,
    handle,
)
from provisioner.errors import BadRequest, NotFound, Unsupported
from provisioner.resources import AddressSpec, Kind, Resource

OF_MACHINE = "of-machine:"  # how the token of an address begins that came with its machine


class Addresses:
    """Floating addresses."""

    def __init__(self, cloud: Cloud, networks: Networks) -> None:
        self._cloud = cloud
        self._networks = networks

    def plan(self, want: Resource) -> Step:
        spec, platform = want.spec, self._cloud.platform
        if not isinstance(spec, AddressSpec):
            raise BadRequest(f"{want.ref}: expected an address's specification", platform)
        external = self._networks.external()
        if external is None:
            raise Unsupported(f"{want.ref}: there is no external network", platform)
        check_description(want, platform)
        body = {"external": external["id"]}
        refs = (spec.network,) if spec.network else ()
        return Step(platform=platform, resource=want, body=body, refs=refs, wait_s=30.0)

    def create(self, step: Step, token: str) -> Handle:
        tags = full_tags(step.resource, token)
        found = self.made(token)
        if found is None:
            found = self.make(f"create {step.resource.ref}", step.body["external"], tags)
        return handle(self._cloud.platform, Kind.ADDRESS, found["id"], tags)

    def make(
        self, what: str, external: str, tags: dict[str, str], port: str = ""
    ) -> dict[str, Any]:
        """A floating address, for a port already if one is named."""
        body = {"floating_network_id": external, "description": description(tags)}
        if port:
            body["port_id"] = port
        made = self._cloud.call(what, "network", "POST", "/floatingips", body={"floatingip": body})
        return dict(made["floatingip"])

    def made(self, token: str) -> dict[str, Any] | None:
        """What an earlier create with the same token has made already."""
        for item in self.ours():
            if described(item).get(TAG_TOKEN) == token:
                return item
        return None

    def ours(self, **query: str) -> Iterator[dict[str, Any]]:
        """Floating addresses of the project."""
        if "router" not in self._cloud.extensions():
            return
        yield from self._cloud.each(
            "look for addresses",
            "network",
            "/floatingips",
            "floatingips",
            query={"project_id": self._cloud.project, **query},
        )

    def read(self, handle: Handle) -> State | None:
        item = self.item(handle.id)
        if item is None:
            return None
        return State(
            status=Status.READY,
            addresses={"public": item["floating_ip_address"]},
            tags=own_tags(item),
            facts={"machine": machine_of(item), "network": item["floating_network_id"]},
            raw=item,
        )

    def item(self, id_: str) -> dict[str, Any] | None:
        """An address as the API says it is."""
        found: dict[str, Any] | None = self._cloud.one(
            "read the address", "network", f"/floatingips{at(id_)}", "floatingip"
        )
        return found

    def delete(self, handle: Handle) -> None:
        self.release(handle.id, f"delete {handle}")

    def release(self, id_: str, what: str) -> None:
        """Give an address back; one that is gone is no error."""
        with suppress(NotFound):
            self._cloud.call(what, "network", "DELETE", f"/floatingips{at(id_)}")

    def find(self, owner: Owner) -> Iterator[Handle]:
        """Addresses asked for, and those that came with a machine which has gone without them."""
        for item in self.ours():
            tags = own_tags(item)
            came_along = tags.get(TAG_TOKEN, "").startswith(OF_MACHINE)
            if belongs(tags, owner) and not (came_along and item.get("port_id")):
                yield handle(self._cloud.platform, Kind.ADDRESS, item["id"], tags)


def own_tags(item: dict[str, Any]) -> dict[str, str]:
    """An address's tags without those of its attachment."""
    skipped = (TAG_ATTACHED, TAG_ATTACHED_TOKEN)
    return {key: value for key, value in described(item).items() if key not in skipped}


def machine_of(item: dict[str, Any]) -> str:
    """The machine that has an address, where the service tells (extension fip-port-details)."""
    return str((item.get("port_details") or {}).get("device_id") or "")
