"""Networks: a network with one subnet, and a router to the external network where there is one."""

from __future__ import annotations

import ipaddress
import threading
from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import Any

from provisioner.driver import TAG_TOKEN, Handle, Owner, State, Status, Step
from provisioner.drivers.openstack.cloud import Cloud, at
from provisioner.drivers.openstack.owning import (
    belongs,
    check_description,
    described,
    description,
    full_tags,
    handle,
)
from provisioner.errors import BadRequest, Conflict, NotFound, Unsupported
from provisioner.resources import Kind, NetworkSpec, Resource

CIDR = "10.90.0.0/24"  # when the workload wishes for none; private, nothing is routed to it
ROUTER, PORT = "router:", "port:"  # handles of parts that an interrupted run left alone
# Ports that the network service keeps for itself; they go with what they belong to.
SERVICE_PORTS = ("network:",)


class Networks:
    """Networks. The handle is the network; its parts are found through it."""

    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud
        self._lock = threading.Lock()
        self._external: dict[str, Any] | None = None

    def plan(self, want: Resource) -> Step:
        spec, platform = want.spec, self._cloud.platform
        if not isinstance(spec, NetworkSpec):
            raise BadRequest(f"{want.ref}: expected a network's specification", platform)
        if spec.ipv6:
            raise Unsupported(f"{want.ref}: IPv6 is not set up by this driver yet", platform)
        cidr = spec.cidr or CIDR
        try:
            block = ipaddress.ip_network(cidr)
        except ValueError as error:
            raise BadRequest(f"{want.ref}: cidr: {error}", platform) from error
        notes: list[str] = []
        if block.version != 4 or block.prefixlen > 29:
            notes.append(f"{cidr} has no room for machines (IPv4, /29 or larger); {CIDR} instead")
            cidr = CIDR
        check_description(want, platform)
        external = self.external()
        if external is None:
            notes.append("there is no external network: this one is not connected to anything")
        body = {"cidr": cidr, "external": str((external or {}).get("id", ""))}
        return Step(platform=platform, resource=want, body=body, notes=tuple(notes), wait_s=60.0)

    def external(self) -> dict[str, Any] | None:
        """The network that floating addresses come from and routers lead to; asked once.

        Raises:
            BadRequest: the declared one is not there.
        """
        with self._lock:
            if self._external is None:
                self._external = self._find_external()
            return self._external or None

    def _find_external(self) -> dict[str, Any]:
        if "external-net" not in self._cloud.extensions():
            return {}
        found = list(
            self._cloud.each(
                "look for the external network",
                "network",
                "/networks",
                "networks",
                query={"router:external": "true"},
            )
        )
        wanted = self._cloud.settings.external_network
        if wanted:
            found = [net for net in found if wanted in (net["id"], net["name"])]
            if not found:
                message = f"external_network: there is no external network {wanted}"
                raise BadRequest(message, self._cloud.platform)
        found.sort(key=lambda net: (not net.get("is_default"), net["name"], net["id"]))
        return found[0] if found else {}

    def create(self, step: Step, token: str) -> Handle:
        """Every part is looked for before it is made, so an interrupted create is continued."""
        tags = full_tags(step.resource, token)
        what = f"create {step.resource.ref}"
        # A name of a network is for people; the description says whose it is.
        own = {"name": step.resource.name, "description": description(tags)}
        network = self._made("networks", token) or self._make(what, "network", own)
        subnet = self._subnet(network["id"]) or self._make(
            what,
            "subnet",
            {
                **own,
                "network_id": network["id"],
                "ip_version": 4,
                "cidr": step.body["cidr"],
                "enable_dhcp": True,
            },
        )
        if step.body["external"]:
            gateway = {"external_gateway_info": {"network_id": step.body["external"]}}
            router = self._made("routers", token) or self._make(what, "router", own | gateway)
            if not self._joined(router["id"], subnet["id"]):
                self._cloud.call(
                    what,
                    "network",
                    "PUT",
                    f"/routers{at(router['id'])}/add_router_interface",
                    body={"subnet_id": subnet["id"]},
                )
        return handle(self._cloud.platform, Kind.NETWORK, network["id"], tags)

    def _make(self, what: str, kind: str, body: Mapping[str, Any]) -> dict[str, Any]:
        made = self._cloud.call(what, "network", "POST", f"/{kind}s", body={kind: dict(body)})
        return dict(made[kind])

    def _made(self, collection: str, token: str) -> dict[str, Any] | None:
        for item in self._ours(collection):
            if described(item).get(TAG_TOKEN) == token:
                return item
        return None

    def _ours(self, collection: str) -> Iterator[dict[str, Any]]:
        if collection == "routers" and "router" not in self._cloud.extensions():
            return
        yield from self._cloud.each(
            f"look for {collection}",
            "network",
            f"/{collection}",
            collection,
            query={"project_id": self._cloud.project},
        )

    def _subnet(self, network: str) -> dict[str, Any] | None:
        query = {"network_id": network, "ip_version": 4}
        for item in self._cloud.each(
            "look for the subnet", "network", "/subnets", "subnets", query=query
        ):
            return item
        return None

    def _ports(self, **query: str) -> list[dict[str, Any]]:
        return list(self._cloud.each("look for ports", "network", "/ports", "ports", query=query))

    def _joined(self, router: str, subnet: str) -> bool:
        return any(
            fixed["subnet_id"] == subnet
            for port in self._ports(device_id=router)
            for fixed in port["fixed_ips"]
        )

    def _routers_of(self, network: str) -> list[str]:
        """Routers with a leg in the network, by the ports they hold there."""
        legs = [p for p in self._ports(network_id=network) if "router_interface" in _who(p)]
        return sorted({port["device_id"] for port in legs})

    def read(self, handle: Handle) -> State | None:
        if handle.id.startswith((ROUTER, PORT)):
            return self._read_part(handle)
        network = self._cloud.one(
            f"read {handle}", "network", f"/networks{at(handle.id)}", "network"
        )
        if network is None:
            return None
        subnet = self._subnet(handle.id)
        routers = self._routers_of(handle.id) if self.external() is not None else []
        complete = subnet is not None and (bool(routers) or self.external() is None)
        status = Status.READY if complete and network["status"] == "ACTIVE" else Status.PENDING
        failed = network["status"] == "ERROR"
        return State(
            status=Status.FAILED if failed else status,
            tags=described(network),
            facts={
                "cidr": (subnet or {}).get("cidr", ""),
                "subnet": (subnet or {}).get("id", ""),
                "gateway": (subnet or {}).get("gateway_ip") or "",
                "router": routers[0] if routers else "",
                "mtu": network.get("mtu"),
                "port_security": network.get("port_security_enabled"),
            },
            raw=network,
            reason="" if complete else "the subnet or the router is not there",
        )

    def _read_part(self, handle: Handle) -> State | None:
        sort, _, id_ = handle.id.partition(":")
        item = self._cloud.one(f"read {handle}", "network", f"/{sort}s{at(id_)}", sort)
        if item is None:
            return None
        return State(status=Status.READY, tags=described(item), raw=item)

    def delete(self, handle: Handle) -> None:
        """The network with what belongs to it alone; machines in it are a Conflict."""
        what = f"delete {handle}"
        if handle.id.startswith(PORT):
            with suppress(NotFound):
                self._cloud.call(
                    what, "network", "DELETE", f"/ports{at(handle.id.removeprefix(PORT))}"
                )
            return
        if handle.id.startswith(ROUTER):
            self._delete_router(handle.id.removeprefix(ROUTER), what)
            return
        ports = self._ports(network_id=handle.id)
        used = [p for p in ports if p.get("device_id") and not _who(p).startswith(SERVICE_PORTS)]
        if used:
            message = f"cannot {what}: port {used[0]['id']} is used by {used[0]['device_id']}"
            raise Conflict(message, self._cloud.platform)
        for port in ports:
            if not port.get("device_id"):
                with suppress(NotFound):
                    self._cloud.call(what, "network", "DELETE", f"/ports{at(port['id'])}")
        for router in self._routers_of(handle.id):
            self._delete_router(router, what)
        with suppress(NotFound):
            self._cloud.call(what, "network", "DELETE", f"/networks{at(handle.id)}")

    def _delete_router(self, router: str, what: str) -> None:
        """A router of ours with its legs; one that is not ours only loses none of them."""
        item = self._cloud.one(what, "network", f"/routers{at(router)}", "router")
        if item is None or not described(item):
            return
        for port in self._ports(device_id=router):
            if "router_interface" in _who(port):
                with suppress(NotFound):
                    self._cloud.call(
                        what,
                        "network",
                        "PUT",
                        f"/routers{at(router)}/remove_router_interface",
                        body={"port_id": port["id"]},
                    )
        with suppress(NotFound):
            self._cloud.call(what, "network", "DELETE", f"/routers{at(router)}")

    def find(self, owner: Owner) -> Iterator[Handle]:
        """Networks, routers that lost theirs, and ports that nothing holds."""
        for item in self._ours("networks"):
            if belongs(described(item), owner):
                yield handle(self._cloud.platform, Kind.NETWORK, item["id"], described(item))
        routers = [r for r in self._ours("routers") if belongs(described(r), owner)]
        for item in routers:
            legs = [p for p in self._ports(device_id=item["id"]) if "interface" in _who(p)]
            if not legs:
                id_ = ROUTER + item["id"]
                yield handle(self._cloud.platform, Kind.NETWORK, id_, described(item))
        for item in self._ours("ports"):
            if belongs(described(item), owner) and not item.get("device_id"):
                id_ = PORT + item["id"]
                yield handle(self._cloud.platform, Kind.NETWORK, id_, described(item))


def _who(port: Mapping[str, Any]) -> str:
    """What holds a port: ``compute:nova``, ``network:router_interface`` ..."""
    return str(port.get("device_owner") or "")
