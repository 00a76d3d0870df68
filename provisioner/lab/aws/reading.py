"""Reads the world from the EC2 API, as any client would."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from provisioner.lab.aws.catalog import ROOT_GIB
from provisioner.lab.aws.world import (
    Group,
    Instance,
    Permission,
    Subnet,
    Volume,
    Vpc,
    World,
)

Item = Mapping[str, Any]


def read_world(ec2: Any) -> World:
    """Everything that matters to the fabric and the guests; *ec2* is an SDK client."""
    volumes = {v["VolumeId"]: v for v in _all(ec2, "describe_volumes", "Volumes")}
    vpcs = _vpcs(ec2)
    reservations = _all(ec2, "describe_instances", "Reservations")
    elastic = _elastic(_all(ec2, "describe_addresses", "Addresses"))
    instances = {}
    for reservation in reservations:
        for item in reservation["Instances"]:
            made = _instance(item, reservation["ReservationId"], volumes, vpcs, elastic)
            if made is not None:
                instances[made.id] = made
    roots = {i.root_volume for i in instances.values()}
    return World(
        vpcs=vpcs,
        groups={g["GroupId"]: _group(g) for g in _all(ec2, "describe_security_groups",
                                                      "SecurityGroups")},
        instances=instances,
        volumes={v: _volume(item) for v, item in volumes.items() if v not in roots},
        snapshots={
            s["SnapshotId"]: s["VolumeId"]
            for s in _all(ec2, "describe_snapshots", "Snapshots", OwnerIds=["self"])
        },
    )  # fmt: skip


def _all(ec2: Any, operation: str, key: str, **parameters: Any) -> list[Item]:
    found: list[Item] = []
    for page in (
        ec2.get_paginator(operation).paginate(**parameters)
        if ec2.can_paginate(operation)
        else [getattr(ec2, operation)(**parameters)]
    ):
        found += page[key]
    return found


def _vpcs(ec2: Any) -> dict[str, Vpc]:
    tables = _all(ec2, "describe_route_tables", "RouteTables")
    vpcs = _all(ec2, "describe_vpcs", "Vpcs")
    default = {v["VpcId"] for v in vpcs if v.get("IsDefault")}
    parts: dict[str, list[Subnet]] = {}
    for item in _all(ec2, "describe_subnets", "Subnets"):
        vpc = item["VpcId"]
        subnet = Subnet(
            id=item["SubnetId"],
            cidr=item["CidrBlock"],
            zone=item["AvailabilityZone"],
            # the default network's gateway is implied by moto
            public=vpc in default or leads_out(item["SubnetId"], vpc, tables),
        )
        parts.setdefault(vpc, []).append(subnet)
    return {
        v["VpcId"]: Vpc(
            id=v["VpcId"],
            cidr=v["CidrBlock"],
            subnets=tuple(sorted(parts.get(v["VpcId"], ()), key=lambda s: s.id)),
        )
        for v in vpcs
    }


def leads_out(subnet: str, vpc: str, tables: Iterable[Item]) -> bool:
    """Whether the route table of a subnet, its own or the VPC's main one, has a way out."""
    own, main = None, None
    for table in tables:
        for link in table.get("Associations", ()):
            if link.get("SubnetId") == subnet:
                own = table
            elif link.get("Main") and table["VpcId"] == vpc:
                main = table
    chosen = own or main
    return chosen is not None and any(
        route.get("DestinationCidrBlock") == "0.0.0.0/0"
        and str(route.get("GatewayId", "")).startswith("igw-")
        for route in chosen.get("Routes", ())
    )


def _elastic(addresses: Iterable[Item]) -> dict[str, str]:
    """Elastic addresses by the instance or interface they are joined to."""
    found = {}
    for item in addresses:
        for key in ("InstanceId", "NetworkInterfaceId"):
            if item.get(key):
                found[item[key]] = item["PublicIp"]
    return found


def _instance(
    item: Item,
    reservation: str,
    volumes: Mapping[str, Item],
    vpcs: Mapping[str, Vpc],
    elastic: Mapping[str, str],
) -> Instance | None:
    """An instance; None for one without an interface that we never knew."""
    cards = item.get("NetworkInterfaces") or []
    if not cards and item["State"]["Name"] not in ("terminated", "shutting-down"):
        return None
    card: Item = cards[0] if cards else {}
    vpc, subnet = str(item.get("VpcId", "")), str(item.get("SubnetId", ""))
    public = elastic.get(item["InstanceId"]) or elastic.get(card.get("NetworkInterfaceId", ""), "")
    public = public or str(item.get("PublicIpAddress", ""))
    way_out = any(s.id == subnet and s.public for s in vpcs[vpc].subnets) if vpc in vpcs else False
    root = str(item.get("RootDeviceName", ""))
    disks = {d["DeviceName"]: d["Ebs"]["VolumeId"] for d in item.get("BlockDeviceMappings", ())}
    options = item.get("MetadataOptions", {})
    groups = card.get("Groups") or item.get("SecurityGroups", ())
    volume = disks.get(root, "")
    return Instance(
        id=item["InstanceId"],
        state=item["State"]["Name"],
        image=item["ImageId"],
        size=item["InstanceType"],
        vpc=vpc,
        subnet=subnet,
        mac=str(card.get("MacAddress", "")),
        private=str(item.get("PrivateIpAddress", "")),
        public=public if way_out else "",
        zone=item["Placement"]["AvailabilityZone"],
        interface=str(card.get("NetworkInterfaceId", "")),
        groups=tuple(g["GroupId"] for g in groups),
        group_names=tuple(g["GroupName"] for g in groups),
        key=str(item.get("KeyName", "")),
        tags={t["Key"]: t["Value"] for t in item.get("Tags", ())},
        root_device=root,
        root_gib=int(volumes[volume]["Size"]) if volume in volumes else ROOT_GIB,
        root_volume=volume,
        tokens_required=options.get("HttpTokens") == "required",
        hop_limit=int(options.get("HttpPutResponseHopLimit") or 1),
        metadata_enabled=options.get("HttpEndpoint") != "disabled",
        metadata_tags=options.get("InstanceMetadataTags") == "enabled",
        reservation=reservation,
        launch_index=int(item.get("AmiLaunchIndex", 0)),
        launched=item["LaunchTime"].strftime("%Y-%m-%dT%H:%M:%SZ"),
    )


def _volume(item: Item) -> Volume:
    joined = [a for a in item.get("Attachments", ()) if a.get("State") != "detached"]
    return Volume(
        id=item["VolumeId"],
        size_gib=int(item["Size"]),
        instance=joined[0]["InstanceId"] if joined else "",
        device=joined[0]["Device"] if joined else "",
        snapshot=str(item.get("SnapshotId") or ""),
    )


def _group(item: Item) -> Group:
    return Group(
        id=item["GroupId"],
        vpc=str(item.get("VpcId", "")),
        name=item["GroupName"],
        ingress=tuple(_permission(p) for p in item.get("IpPermissions", ())),
        egress=tuple(_permission(p) for p in item.get("IpPermissionsEgress", ())),
    )


def _permission(item: Item) -> Permission:
    return Permission(
        protocol=str(item["IpProtocol"]),
        first=int(item.get("FromPort", -1)),
        last=int(item.get("ToPort", -1)),
        cidrs=tuple(r["CidrIp"] for r in item.get("IpRanges", ())),
        groups=tuple(p["GroupId"] for p in item.get("UserIdGroupPairs", ()) if p.get("GroupId")),
    )
