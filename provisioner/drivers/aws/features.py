"""What EC2 can do beyond the six verbs: power, console, tags, snapshots, sizes, list calls."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from provisioner.driver import TAG_NAME, TAG_RUN, Handle
from provisioner.drivers.aws.account import Account, tag_list, tagged
from provisioner.drivers.aws.machine import Machines
from provisioner.errors import NotFound, Timeout, Unsupported
from provisioner.resources import Kind

STOP_S = 300.0  # AWS itself forces an instance off after some minutes
POLL_S = 1.0

# Kinds whose handle is a resource that ``CreateTags`` takes.
TAGGABLE = (Kind.KEY, Kind.NETWORK, Kind.FIREWALL, Kind.ADDRESS, Kind.VOLUME, Kind.MACHINE)


class InstancePower:
    """Start, stop and reboot. ``status`` is ``on`` from the start call to the end of stopping."""

    def __init__(self, account: Account, machines: Machines, machine: str) -> None:
        self._account = account
        self._machines = machines
        self._machine = machine

    def _state(self) -> str:
        item = self._machines.item(self._machine)
        if item is None or item["State"]["Name"] in ("terminated", "shutting-down"):
            raise NotFound(f"{self._machine} is gone", self._account.platform)
        return str(item["State"]["Name"])

    def status(self) -> str:
        return "off" if self._state() == "stopped" else "on"

    def on(self) -> None:
        """Start it; one that is just stopping is a Conflict, as EC2 has it."""
        if self._state() not in ("running", "pending"):
            self._do("start", "start_instances")

    def off(self) -> None:
        if self._state() != "stopped":
            self._do("stop", "stop_instances", Force=True)

    def cycle(self) -> None:
        """Stop by force, wait for it, start. The machine may come back on another host."""
        self.off()
        clock = self._account.clock
        deadline = clock.monotonic() + STOP_S
        while (last := self._state()) != "stopped":
            if clock.monotonic() >= deadline:
                message = f"{self._machine} is still {last} after {STOP_S:.0f} s; expected stopped"
                raise Timeout(message, self._account.platform)
            clock.sleep(POLL_S)
        self.on()

    def soft_off(self) -> None:
        """Ask the guest; EC2 has no other word for it than stopping without force."""
        if self._state() != "stopped":
            self._do("stop", "stop_instances")

    def reboot(self) -> None:
        self._do("reboot", "reboot_instances")

    def _do(self, what: str, operation: str, **parameters: Any) -> None:
        self._account.call(
            f"{what} {self._machine}", operation, InstanceIds=[self._machine], **parameters
        )


class InstanceConsole:
    """GetConsoleOutput: at most the last 64 KiB, source: EC2 API reference."""

    def __init__(self, machines: Machines, machine: str) -> None:
        self._machines = machines
        self._machine = machine

    def read(self) -> str:
        return self._machines.console(self._machine)


class InstanceSize:
    """Another instance type; the instance must be stopped, else it is a Conflict."""

    def __init__(self, account: Account, machine: str) -> None:
        self._account = account
        self._machine = machine

    def to(self, size: str) -> None:
        self._account.call(
            f"resize {self._machine}",
            "modify_instance_attribute",
            InstanceId=self._machine,
            InstanceType={"Value": size},
        )


class VolumeCopy:
    """Snapshots of a volume, tagged like it so that they are found."""

    def __init__(self, account: Account, handle: Handle) -> None:
        self._account = account
        self._handle = handle

    def create(self, name: str) -> str:
        tags = {TAG_RUN: self._handle.run, TAG_NAME: name}
        answer = self._account.call_once(
            f"copy {self._handle}",
            "create_snapshot",
            VolumeId=self._handle.id,
            TagSpecifications=tagged("snapshot", tags),
        )
        return str(answer["SnapshotId"])


class Tags:
    """Adds tags and overwrites those of the same key."""

    def __init__(self, account: Account, handle: Handle) -> None:
        self._account = account
        self._handle = handle

    def update_tags(self, tags: Mapping[str, str]) -> None:
        self._account.call(
            f"tag {self._handle}", "create_tags", Resources=[self._id()], Tags=tag_list(tags)
        )

    def _id(self) -> str:
        """What tags are put on: key pairs are known by name, but tagged by id."""
        if self._handle.kind is not Kind.KEY:
            return self._handle.id
        answer = self._account.call(
            f"read {self._handle}", "describe_key_pairs", KeyNames=[self._handle.id]
        )
        return str(answer["KeyPairs"][0]["KeyPairId"])


@dataclass(frozen=True, slots=True)
class ListCall:
    """A list call of EC2: its name, where the items are, and what an item is called."""

    operation: str
    items: str
    id: str
    paged: bool = True


LISTS = {
    "machine": ListCall("describe_instances", "Reservations", "InstanceId"),
    "volume": ListCall("describe_volumes", "Volumes", "VolumeId"),
    "network": ListCall("describe_vpcs", "Vpcs", "VpcId"),
    "firewall": ListCall("describe_security_groups", "SecurityGroups", "GroupId"),
    "key": ListCall("describe_key_pairs", "KeyPairs", "KeyName", paged=False),
    "address": ListCall("describe_addresses", "Addresses", "AllocationId", paged=False),
}


class Pages:
    """EC2's own list calls. Filters are by tag: ``{"interop-run": "x"}``."""

    def __init__(self, account: Account) -> None:
        self._account = account

    def page(
        self, kind: str, size: int, marker: str = "", filters: Mapping[str, str] | None = None
    ) -> tuple[Sequence[str], str]:
        call = LISTS.get(kind)
        if call is None:
            raise Unsupported(f"EC2 has no list call for {kind}", self._account.platform)
        parameters: dict[str, Any] = {}
        if filters:
            parameters["Filters"] = [
                {"Name": f"tag:{key}", "Values": [value]} for key, value in filters.items()
            ]
        if size or marker:
            if not call.paged:
                message = f"EC2 lists {kind} in one piece, without pages"
                raise Unsupported(message, self._account.platform)
            if size:
                parameters["MaxResults"] = size
            if marker:
                parameters["NextToken"] = marker
        answer = self._account.call(f"list {kind}", call.operation, **parameters)
        items = answer[call.items]
        if kind == "machine":
            items = [item for reservation in items for item in reservation["Instances"]]
        return [str(item[call.id]) for item in items], str(answer.get("NextToken") or "")
