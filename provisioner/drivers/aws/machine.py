"""Machines: EC2 instances."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator, Mapping
from contextlib import suppress
from hashlib import sha256
from typing import Any

from provisioner.driver import TAG_TOKEN, Access, Handle, Owner, State, Status, Step
from provisioner.drivers.aws.account import (
    Account,
    client_token,
    full_tags,
    owned,
    plain,
    tagged,
    tags_of,
)
from provisioner.drivers.aws.choice import OTHER_NAME, Choice
from provisioner.drivers.aws.network import subnet_of
from provisioner.errors import BadRequest, Conflict, NotFound, PlatformError
from provisioner.hostkeys import host_keys
from provisioner.resources import Kind, MachineSpec, Resource

USER_DATA_BYTES = 16384  # before encoding; source: EC2 user guide, "user data"
METADATA_TAG_KEY = re.compile(r"[A-Za-z0-9+\-=.,_:@]+")  # what the metadata service can show

STATUS = {
    "pending": Status.PENDING,
    "running": Status.READY,
    "stopping": Status.PENDING,
    "stopped": Status.STOPPED,
    "shutting-down": Status.DELETING,
}
ASKED_FOR = ("Client.UserInitiatedShutdown", "Client.InstanceInitiatedShutdown", "")
ALIVE = {"Name": "instance-state-name", "Values": list(STATUS)}


class Machines:
    """Instances."""

    def __init__(self, account: Account, choice: Choice) -> None:
        self._account = account
        self._choice = choice
        self._lock = threading.Lock()
        self._host_keys: dict[str, tuple[str, ...]] = {}
        self._removed: set[str] = set()

    def plan(self, want: Resource) -> Step:
        spec, platform = want.spec, self._account.platform
        if not isinstance(spec, MachineSpec):
            raise BadRequest(f"{want.ref}: expected a machine's specification", platform)
        if len(spec.user_data) > USER_DATA_BYTES:
            message = f"user data of {len(spec.user_data)} bytes, at most {USER_DATA_BYTES}"
            raise BadRequest(f"{want.ref}: {message}", platform)
        self._account.check_tags(want)
        image = self._choice.image(spec.image)
        size = self._choice.size(spec, image.arch)
        notes = [f"image {image.name} ({image.id})", f"user {image.user}: {image.user_source}"]
        if spec.hostname:
            notes.append("EC2 names the host after its address; only user data can change that")
        named = (spec.key, spec.network, *spec.firewalls)
        return Step(
            platform=platform,
            resource=want,
            body={
                "image": image.id,
                "size": size.name,
                "root_device": image.root_device,
                "root_gib": spec.disk_gib if spec.disk_gib > image.root_gib else 0,
                "user_data_sha256": sha256(spec.user_data).hexdigest() if spec.user_data else "",
            },
            refs=tuple(ref for ref in named if ref is not None),
            notes=tuple(notes),
            wait_s=300.0,
        )

    def create(self, step: Step, token: str) -> Handle:
        account, want = self._account, step.resource
        tags = full_tags(want, token)
        alive = [{**ALIVE, "Values": [*STATUS, "terminated"]}]
        earlier = account.made_by(
            token, "a machine", "describe_instances", "Reservations", Filters=alive
        )
        if earlier is None:
            # On AWS the client token alone would do; some that speak its API ignore it.
            earlier = account.settled(
                lambda: account.call(
                    f"create {want.ref}", "run_instances", **self._request(step, token, tags)
                )
            )
        item = next(i for i in earlier["Instances"] if _has(i, token))
        zone = str(item.get("Placement", {}).get("AvailabilityZone", ""))
        return account.handle(Kind.MACHINE, item["InstanceId"], tags, {"zone": zone})

    def _request(self, step: Step, token: str, tags: Mapping[str, str]) -> dict[str, Any]:
        account, body = self._account, step.body
        bound: dict[Kind, list[Handle]] = {}
        for ref, handle in step.bound.items():
            bound.setdefault(ref.kind, []).append(handle)
        card: dict[str, Any] = {"DeviceIndex": 0, "DeleteOnTermination": True}
        card["AssociatePublicIpAddress"] = account.settings.public_addresses
        if Kind.NETWORK in bound:
            vpc = bound[Kind.NETWORK][0].id
            card["SubnetId"] = subnet_of(account, vpc)
            if card["SubnetId"] is None:
                raise Conflict(f"{vpc} has no subnet", account.platform)
        if Kind.FIREWALL in bound:
            card["Groups"] = [group.id for group in bound[Kind.FIREWALL]]
        request: dict[str, Any] = {
            "ImageId": body["image"],
            "InstanceType": body["size"],
            "MinCount": 1,
            "MaxCount": 1,
            "ClientToken": client_token(token),
            "NetworkInterfaces": [card],
            "TagSpecifications": [
                *tagged("instance", tags),
                *tagged("volume", tags),
                *tagged("network-interface", tags),
            ],
            "MetadataOptions": self._metadata_options(tags),
        }
        if Kind.NETWORK not in bound:  # EC2 takes the zone's default subnet
            request["Placement"] = {"AvailabilityZone": account.zone()}
        if Kind.KEY in bound:
            request["KeyName"] = bound[Kind.KEY][0].id
        spec = step.resource.spec
        if isinstance(spec, MachineSpec) and spec.user_data:
            request["UserData"] = spec.user_data
        if body["root_gib"]:
            disk = {"VolumeSize": body["root_gib"], "DeleteOnTermination": True}
            request["BlockDeviceMappings"] = [{"DeviceName": body["root_device"], "Ebs": disk}]
        return request

    def _metadata_options(self, tags: Mapping[str, str]) -> dict[str, str]:
        options = {"HttpEndpoint": "enabled"}
        if self._account.settings.metadata_tokens:
            options["HttpTokens"] = self._account.settings.metadata_tokens
        # EC2 refuses to show tags whose keys cannot be part of a URL.
        shown = all(METADATA_TAG_KEY.fullmatch(key) for key in tags)
        options["InstanceMetadataTags"] = "enabled" if shown else "disabled"
        return options

    def item(self, machine: str) -> dict[str, Any] | None:
        """An instance as the API says it is, or None when it does not know it."""
        try:
            answer = self._account.call(
                f"read {machine}", "describe_instances", InstanceIds=[machine]
            )
        except NotFound:
            return None
        for reservation in answer["Reservations"]:
            for item in reservation["Instances"]:
                return dict(item)
        return None

    def read(self, handle: Handle) -> State | None:
        item = self.item(handle.id)
        if item is None:
            return None
        name, reason = str(item["State"]["Name"]), item.get("StateReason") or {}
        if name == "terminated":
            return self._terminated(handle, item, reason)
        image = self._choice.by_id(item["ImageId"])
        addresses = _addresses(item)
        cards = item.get("NetworkInterfaces") or [{}]
        return State(
            status=STATUS.get(name, Status.PENDING),
            addresses=addresses,
            access=self._access(handle, name, addresses, image.user if image else ""),
            tags=tags_of(item),
            facts={
                "instance_id": handle.id,
                "network": item.get("VpcId", ""),
                "mac": cards[0].get("MacAddress", ""),
                "image": item["ImageId"],
                "image_name": image.name if image else "",
                "size": item["InstanceType"],
                "zone": item.get("Placement", {}).get("AvailabilityZone", ""),
                "arch": OTHER_NAME.get(item.get("Architecture", ""), ""),
                "user": image.user if image else "",
                "user_source": image.user_source if image else "the image is not listed any more",
                "hostname": item.get("PrivateDnsName", ""),
                "root_device": item.get("RootDeviceName", ""),
                "devices": {
                    disk["DeviceName"]: disk.get("Ebs", {}).get("VolumeId", "")
                    for disk in item.get("BlockDeviceMappings", ())
                },
            },
            raw=plain(item),
            reason=name
            if name in ("stopping", "shutting-down")
            else str(reason.get("Message", "")),
        )

    def _terminated(
        self, handle: Handle, item: dict[str, Any], reason: Mapping[str, str]
    ) -> State | None:
        """Gone, unless it ended by itself before anybody could use it."""
        with self._lock:
            self._host_keys.pop(handle.id, None)
            removed = handle.id in self._removed
        if removed or reason.get("Code", "") in ASKED_FOR:
            return None
        text = str(reason.get("Message") or reason.get("Code"))
        return State(status=Status.FAILED, tags=tags_of(item), raw=plain(item), reason=text)

    def _access(
        self, handle: Handle, name: str, addresses: Mapping[str, str], user: str
    ) -> Access | None:
        host = addresses.get("public") or addresses.get("private", "")
        if name != "running" or not host:
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
        """The console's text: the latest where the size has it, else what was kept last."""
        what = f"read the console of {machine}"
        try:
            answer = self._account.call(what, "get_console_output", InstanceId=machine, Latest=True)
        except PlatformError as error:
            if isinstance(error, NotFound) or "Unsupported" not in str(error):
                raise
            answer = self._account.call(what, "get_console_output", InstanceId=machine)
        return str(answer.get("Output") or "")

    def delete(self, handle: Handle) -> None:
        with self._lock:
            self._removed.add(handle.id)
        with suppress(NotFound):
            self._account.call(f"delete {handle}", "terminate_instances", InstanceIds=[handle.id])

    def find(self, owner: Owner) -> Iterator[Handle]:
        """Instances that are not terminated; those stay listed for about an hour."""
        for reservation in self._account.each(
            "find machines", "describe_instances", "Reservations", Filters=[*owned(owner), ALIVE]
        ):
            for item in reservation["Instances"]:
                zone = str(item.get("Placement", {}).get("AvailabilityZone", ""))
                yield self._account.handle(
                    Kind.MACHINE, item["InstanceId"], tags_of(item), {"zone": zone}
                )


def _has(item: Mapping[str, Any], token: str) -> bool:
    tags = tags_of(item)
    return tags.get(TAG_TOKEN, token) == token


def _addresses(item: Mapping[str, Any]) -> dict[str, str]:
    """Every address that is there, by sort."""
    found = {
        "private": item.get("PrivateIpAddress", ""),
        "public": item.get("PublicIpAddress", ""),
        "public6": item.get("Ipv6Address", ""),
    }
    return {sort: address for sort, address in found.items() if address}
