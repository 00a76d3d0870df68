"""What the fake platform can do beyond the six verbs; each object is a few lines over the cloud."""

from __future__ import annotations

import base64
import importlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol, TypeVar, cast

from provisioner import features as protocols
from provisioner.driver import Handle
from provisioner.drivers.fake.cloud import Cloud
from provisioner.drivers.fake.hardware import (
    FakeBootDevice,
    FakeConsole,
    FakeController,
    FakeEventLog,
    FakeInventory,
    FakePower,
    FakeSensors,
    OfThing,
)
from provisioner.drivers.fake.raw import FakeRawCall
from provisioner.drivers.fake.refusals import to_platform_error
from provisioner.drivers.fake.rules import ApiError
from provisioner.drivers.fake.things import Thing
from provisioner.errors import BadRequest, Lost, NotFound, Unsupported
from provisioner.features import Completed
from provisioner.resources import Rule

F = TypeVar("F")


class GuestModel(Protocol):
    """The inside of one machine."""

    def run(
        self, argv: Sequence[str], stdin: bytes = b"", timeout_s: float = 60.0
    ) -> Completed: ...


Guest = Callable[[Thing, Cloud, frozenset[str]], GuestModel]

# protocol -> name in Description.features
FEATURES: dict[type[Any], str] = {
    protocols.Power: "power",
    protocols.Console: "console",
    protocols.BootDevice: "boot-device",
    protocols.Sensors: "sensors",
    protocols.EventLog: "event-log",
    protocols.Inventory: "inventory",
    protocols.Controller: "bmc",
    protocols.Metadata: "tags",
    protocols.Exec: "exec",
    protocols.Objects: "objects",
    protocols.Listing: "pagination",
    protocols.RawCall: "raw-call",
    protocols.Rules: "firewall-rules",
}


def make_feature(f: type[F], cloud: Cloud, handle: Handle, guest: Guest | None) -> F:
    """The feature object for a resource. Raises Unsupported with the reason."""
    name = FEATURES.get(f)
    if name is None:
        raise Unsupported(f"no {f.__name__.lower()} on this platform", cloud.name)
    if not cloud.settings.features.get(name, True):
        raise Unsupported(f"{name} is switched off in the platform's settings", cloud.name)
    only = {"objects": "bucket", "firewall-rules": "firewall"} | dict.fromkeys(
        ("power", "console", "boot-device", "sensors", "event-log", "inventory", "bmc", "exec"),
        "machine",
    )
    if handle.kind != only.get(name, handle.kind):
        raise Unsupported(f"a {handle.kind} has no {name}", cloud.name)
    made: dict[str, Callable[[], object]] = {
        "power": lambda: FakePower(cloud, handle),
        "console": lambda: FakeConsole(cloud, handle),
        "boot-device": lambda: FakeBootDevice(cloud, handle),
        "sensors": lambda: FakeSensors(cloud, handle),
        "event-log": lambda: FakeEventLog(cloud, handle),
        "inventory": lambda: FakeInventory(cloud, handle),
        "bmc": lambda: FakeController(cloud, handle),
        "tags": lambda: FakeTags(cloud, handle),
        "exec": lambda: FakeExec(cloud, handle, guest or _shipped_guest()),
        "objects": lambda: FakeObjects(cloud, handle),
        "pagination": lambda: FakeListing(cloud, handle),
        "raw-call": lambda: FakeRawCall(cloud),
        "firewall-rules": lambda: FakeRules(cloud, handle),
    }
    return cast(F, made[name]())


def _shipped_guest() -> Guest:
    module = importlib.import_module("provisioner.drivers.fake.guest")
    return cast(Guest, module.FakeGuest)


class FakeTags(OfThing):
    """Tags of what exists."""

    def update_tags(self, tags: Mapping[str, str]) -> None:
        try:
            self.cloud.tag(self.handle.kind, self.handle.id, tags)
        except ApiError as error:
            raise to_platform_error(error, self.cloud.name) from error


class FakeExec(OfThing):
    """Commands inside a machine, answered by the model of its guest."""

    def __init__(self, cloud: Cloud, handle: Handle, guest: Guest) -> None:
        super().__init__(cloud, handle)
        self._guest = guest

    def run(self, argv: Sequence[str], stdin: bytes = b"", timeout_s: float = 60.0) -> Completed:
        with self.cloud.store.session() as world:
            try:
                machine = self.cloud.require(world, self.handle.kind, self.handle.id)
            except ApiError as error:
                raise to_platform_error(error, self.cloud.name) from error
            if machine.status(self.cloud.now()) != "active":
                raise Lost(f"{self.handle} does not answer", self.cloud.name)
            world.changed = True
            return self._guest(machine, self.cloud, self.cloud.defects).run(argv, stdin, timeout_s)


class FakeObjects(OfThing):
    """The content of a bucket."""

    def put(self, key: str, data: bytes) -> None:
        if not 0 < len(key.encode()) <= 1024:
            raise BadRequest("expected a key of 1 to 1024 bytes", self.cloud.name)
        text = base64.b64encode(data).decode()
        self.change(lambda b: b.objects.update({key: text}))

    def get(self, key: str) -> bytes:
        def act(bucket: Thing) -> bytes:
            if key not in bucket.objects:
                raise NotFound(f"no object {key!r} in {bucket.id}", self.cloud.name)
            return base64.b64decode(bucket.objects[key])

        return self.change(act)

    def keys(self, page_size: int = 0) -> Sequence[str]:
        return self.change(lambda b: sorted(b.objects, key=str.encode))

    def delete(self, key: str) -> None:
        def act(bucket: Thing) -> None:
            bucket.objects.pop(key, None)

        self.change(act)


class FakeRules(OfThing):
    """Rules of a firewall, changed at once."""

    def allow(self, rule: Rule) -> None:
        entry = _entry(rule)
        self.change(lambda f: entry in f.spec["rules"] or f.spec["rules"].append(entry))

    def revoke(self, rule: Rule) -> None:
        entry = _entry(rule)
        if "fw-03" not in self.cloud.defects:
            self.change(lambda f: entry in f.spec["rules"] and f.spec["rules"].remove(entry))


def _entry(rule: Rule) -> list[Any]:
    """A rule as the cloud keeps it."""
    return [rule.source, rule.protocol, rule.first_port, rule.last_port]


class FakeListing(OfThing):
    """The API's own list call, page by page."""

    def page(
        self, kind: str, size: int, marker: str = "", filters: Mapping[str, str] | None = None
    ) -> tuple[Sequence[str], str]:
        try:
            things, following = self.cloud.list(kind, size, marker, filters)
        except ApiError as error:
            raise to_platform_error(error, self.cloud.name) from error
        return [thing.id for thing in things], following
