"""Networks: a VPC with one public subnet, an internet gateway and the route to it."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

from provisioner.driver import Handle, Owner, State, Status, Step
from provisioner.drivers.aws.account import (
    Account,
    full_tags,
    owned,
    plain,
    tag_list,
    tagged,
    tags_of,
)
from provisioner.errors import BadRequest, Conflict, NotFound, Unsupported
from provisioner.resources import Kind, NetworkSpec, Resource

CIDR = "10.90.0.0/20"  # when the workload wishes for none; private, nothing is routed to it

# What an interrupted run can leave beside VPCs: by the id's beginning, how to ask for it.
PARTS = {
    "igw": ("describe_internet_gateways", "InternetGatewayIds", "InternetGateways"),
    "eni": ("describe_network_interfaces", "NetworkInterfaceIds", "NetworkInterfaces"),
}


class Networks:
    """VPCs. The handle is the VPC; its parts are found through it."""

    def __init__(self, account: Account) -> None:
        self._account = account

    def plan(self, want: Resource) -> Step:
        spec = want.spec
        if not isinstance(spec, NetworkSpec):
            raise BadRequest(f"{want.ref}: expected a network's specification", self._platform)
        if spec.ipv6:
            raise Unsupported(f"{want.ref}: IPv6 is not set up by this driver yet", self._platform)
        cidr, notes = spec.cidr or CIDR, []
        try:
            block = ipaddress.ip_network(cidr)
        except ValueError as error:
            raise BadRequest(f"{want.ref}: cidr: {error}", self._platform) from error
        # Source: VPC user guide, "VPC CIDR blocks": /16 to /28.
        if block.version != 4 or not 16 <= block.prefixlen <= 28:
            notes.append(f"{cidr} is not possible (/16 to /28, IPv4); {CIDR} instead")
            cidr = CIDR
        self._account.check_tags(want)
        return Step(
            platform=self._platform,
            resource=want,
            body={"cidr": cidr},
            notes=tuple(notes),
            wait_s=60.0,
        )

    @property
    def _platform(self) -> str:
        return self._account.platform

    def create(self, step: Step, token: str) -> Handle:
        """Every part is looked for before it is made, so an interrupted create is continued."""
        account, tags = self._account, full_tags(step.resource, token)
        what = f"create {step.resource.ref}"
        vpc = account.made_by(token, "a network", "describe_vpcs", "Vpcs")
        if vpc is None:
            vpc = account.call_once(
                what,
                "create_vpc",
                CidrBlock=step.body["cidr"],
                TagSpecifications=tagged("vpc", tags),
            )["Vpc"]
        vpc_id = str(vpc["VpcId"])
        gateway = self._gateway(vpc_id, tags, token, what)
        subnet = self._subnet(vpc_id, vpc["CidrBlock"], tags, what)
        account.settled(
            lambda: account.call(
                what,
                "modify_subnet_attribute",
                SubnetId=subnet,
                MapPublicIpOnLaunch={"Value": account.settings.public_addresses},
            )
        )
        account.settled(
            lambda: account.call(
                what,
                "modify_vpc_attribute",
                VpcId=vpc_id,
                EnableDnsHostnames={"Value": True},
            )
        )
        self._route(vpc_id, gateway, tags, what)
        return account.handle(Kind.NETWORK, vpc_id, tags)

    def _gateway(self, vpc_id: str, tags: dict[str, str], token: str, what: str) -> str:
        account = self._account
        item = account.made_by(token, "a gateway", "describe_internet_gateways", "InternetGateways")
        if item is None:
            item = account.call_once(
                what,
                "create_internet_gateway",
                TagSpecifications=tagged("internet-gateway", tags),
            )["InternetGateway"]
        gateway = str(item["InternetGatewayId"])
        if not item.get("Attachments"):
            with suppress(Conflict):  # another try of this very create was faster
                account.settled(
                    lambda: account.call(
                        what, "attach_internet_gateway", InternetGatewayId=gateway, VpcId=vpc_id
                    )
                )
        return gateway

    def _subnet(self, vpc_id: str, cidr: str, tags: dict[str, str], what: str) -> str:
        found = subnet_of(self._account, vpc_id)
        if found is not None:
            return found
        made = self._account.settled(
            lambda: self._account.call_once(
                what,
                "create_subnet",
                VpcId=vpc_id,
                CidrBlock=cidr,
                AvailabilityZone=self._account.zone(),
                TagSpecifications=tagged("subnet", tags),
            )
        )
        return str(made["Subnet"]["SubnetId"])

    def _route(self, vpc_id: str, gateway: str, tags: dict[str, str], what: str) -> None:
        account = self._account

        def make() -> None:
            for table in self._tables(vpc_id, main=True):
                account.call(
                    what, "create_tags", Resources=[table["RouteTableId"]], Tags=tag_list(tags)
                )
                if not _has_way_out(table):
                    account.call(
                        what,
                        "create_route",
                        RouteTableId=table["RouteTableId"],
                        DestinationCidrBlock="0.0.0.0/0",
                        GatewayId=gateway,
                    )
                return
            raise NotFound(f"{vpc_id} has no main route table yet", self._platform)

        account.settled(make)

    def _tables(self, vpc_id: str, *, main: bool) -> list[dict[str, Any]]:
        filters = [{"Name": "vpc-id", "Values": [vpc_id]}]
        if main:
            filters.append({"Name": "association.main", "Values": ["true"]})
        return list(
            self._account.each(
                "read routes", "describe_route_tables", "RouteTables", Filters=filters
            )
        )

    def read(self, handle: Handle) -> State | None:
        if not handle.id.startswith("vpc-"):
            return self._read_part(handle)
        try:
            answer = self._account.call(f"read {handle}", "describe_vpcs", VpcIds=[handle.id])
        except NotFound:
            return None
        vpc = answer["Vpcs"][0]
        subnet = subnet_of(self._account, handle.id)
        complete = subnet is not None and any(
            _has_way_out(table) for table in self._tables(handle.id, main=True)
        )
        ready = vpc.get("State") == "available" and complete
        return State(
            status=Status.READY if ready else Status.PENDING,
            tags=tags_of(vpc),
            facts={"cidr": vpc["CidrBlock"], "subnet": subnet or "", "zone": self._account.zone()},
            raw=plain(vpc),
            reason="" if complete else "the subnet or the route out is not there",
        )

    def _read_part(self, handle: Handle) -> State | None:
        """A gateway or network card that was left without its VPC or machine."""
        operation, ids, key = PARTS[handle.id.partition("-")[0]]
        try:
            answer = self._account.call(f"read {handle}", operation, **{ids: [handle.id]})
        except NotFound:
            return None
        item = answer[key][0]
        return State(status=Status.READY, tags=tags_of(item, _tag_key(item)), raw=plain(item))

    def delete(self, handle: Handle) -> None:
        """The VPC with what belongs to it alone; machines and firewalls in it are a Conflict."""
        account, what = self._account, f"delete {handle}"
        if handle.id.startswith("igw-"):
            with suppress(NotFound):
                account.call(what, "delete_internet_gateway", InternetGatewayId=handle.id)
            return
        if handle.id.startswith("eni-"):
            with suppress(NotFound):
                account.call(what, "delete_network_interface", NetworkInterfaceId=handle.id)
            return
        in_vpc = [{"Name": "vpc-id", "Values": [handle.id]}]
        for card in account.each(
            what,
            "describe_network_interfaces",
            "NetworkInterfaces",
            Filters=[*in_vpc, {"Name": "status", "Values": ["available"]}],
        ):
            with suppress(NotFound):
                account.call(
                    what,
                    "delete_network_interface",
                    NetworkInterfaceId=card["NetworkInterfaceId"],
                )
        # Subnets first: while a machine is in one that is a Conflict, and nothing is torn yet.
        for subnet in account.each(what, "describe_subnets", "Subnets", Filters=in_vpc):
            with suppress(NotFound):
                account.call(what, "delete_subnet", SubnetId=subnet["SubnetId"])
        attached = [{"Name": "attachment.vpc-id", "Values": [handle.id]}]
        for gateway in account.each(
            what, "describe_internet_gateways", "InternetGateways", Filters=attached
        ):
            name = gateway["InternetGatewayId"]
            with suppress(NotFound):
                account.call(
                    what, "detach_internet_gateway", InternetGatewayId=name, VpcId=handle.id
                )
            with suppress(NotFound):
                account.call(what, "delete_internet_gateway", InternetGatewayId=name)
        with suppress(NotFound):
            account.call(what, "delete_vpc", VpcId=handle.id)

    def find(self, owner: Owner) -> Iterator[Handle]:
        filters = owned(owner)
        for vpc in self._account.each("find networks", "describe_vpcs", "Vpcs", Filters=filters):
            yield self._account.handle(Kind.NETWORK, vpc["VpcId"], tags_of(vpc))
        for item in self._account.each(
            "find gateways", "describe_internet_gateways", "InternetGateways", Filters=filters
        ):
            if not item.get("Attachments"):
                tags = tags_of(item)
                yield self._account.handle(Kind.NETWORK, item["InternetGatewayId"], tags)
        for card in self._account.each(
            "find network cards",
            "describe_network_interfaces",
            "NetworkInterfaces",
            Filters=[*filters, {"Name": "status", "Values": ["available"]}],
        ):
            tags = tags_of(card, "TagSet")
            yield self._account.handle(Kind.NETWORK, card["NetworkInterfaceId"], tags)


def subnet_of(account: Account, vpc_id: str) -> str | None:
    """The subnet of a VPC: ours have one."""
    filters = [{"Name": "vpc-id", "Values": [vpc_id]}]
    for subnet in account.each(
        "look for the subnet", "describe_subnets", "Subnets", Filters=filters
    ):
        return str(subnet["SubnetId"])
    return None


def _has_way_out(table: dict[str, Any]) -> bool:
    return any(
        route.get("DestinationCidrBlock") == "0.0.0.0/0"
        and str(route.get("GatewayId", "")).startswith("igw-")
        for route in table.get("Routes", ())
    )


def _tag_key(item: dict[str, Any]) -> str:
    """Network cards call their tags differently."""
    return "TagSet" if "TagSet" in item else "Tags"
