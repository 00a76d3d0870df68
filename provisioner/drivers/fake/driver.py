"""The driver of the fake cloud: six verbs, translated like those of any other platform."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from typing import Any, ClassVar, TypeVar

from provisioner.clock import rfc3339
from provisioner.driver import (
    TAG_NAME,
    TAG_RUN,
    TAG_TOKEN,
    Access,
    Description,
    Handle,
    Owner,
    State,
    Status,
    Step,
)
from provisioner.drivers.fake.cloud import Cloud
from provisioner.drivers.fake.features import FEATURES, Guest, make_feature
from provisioner.drivers.fake.machines import prepare_machine
from provisioner.drivers.fake.offers import describe_cloud, support_of
from provisioner.drivers.fake.refusals import translated
from provisioner.drivers.fake.rules import check_name, check_tags
from provisioner.drivers.fake.things import Thing, World
from provisioner.drivers.fake.translate import bound, bucket_name, translate
from provisioner.errors import BadRequest, NotFound, Unsupported
from provisioner.resources import Kind, Resource, Support

F = TypeVar("F")

STATUS = {
    "building": Status.PENDING,
    "active": Status.READY,
    "off": Status.STOPPED,
    "leaving": Status.DELETING,
    "error": Status.FAILED,
}
IMPLICIT = "implicit"


class FakeDriver:
    """See ``provisioner.driver.Driver``.

    Args:
        cloud: what it drives.
        guest: makes the model of a machine's inside for Exec; None takes the one shipped.
    """

    kind: ClassVar[str] = "fake"

    def __init__(self, cloud: Cloud, guest: Guest | None = None) -> None:
        self.cloud = cloud
        self._guest = guest
        self._plans = 0

    @property
    def platform(self) -> str:
        return self.cloud.name

    def describe(self) -> Description:
        with translated(self.platform):
            return describe_cloud(self.cloud, frozenset(FEATURES.values()))

    def plan(self, want: Resource) -> Step:
        support = support_of(self.cloud.settings, want.kind)
        if support is Support.ABSENT:
            raise Unsupported(f"there is no {want.kind} on this platform", self.platform)
        with translated(self.platform):
            check_name(want.name)
            check_tags(want.tags)
        body, refs, notes, price = translate(want, self.cloud.settings, self.platform)
        if "alloc-03" in self.cloud.defects and "image" in body:
            self._plans += 1  # takes the images in turn
            body["image"] = sorted(self.cloud.settings.images)[self._plans % 2]
        latency = self.cloud.settings.latency
        most = (latency.get(want.kind) or latency.get("default") or (0, 0))[1]
        return Step(
            platform=self.platform,
            resource=want,
            support=support,
            body=body,
            refs=refs,
            notes=notes,
            price_per_hour=price,
            wait_s=60 + 2 * most,
        )

    def create(self, step: Step, token: str) -> Handle:
        want = step.resource
        if step.support is Support.IMPLICIT:
            identity = f"{IMPLICIT}-{want.kind}-{want.name}"
            return self._handle(want.kind, identity, want.tags)
        missing = [str(ref) for ref in step.refs if ref not in step.bound]
        if missing:
            raise BadRequest(f"{want.ref} needs {missing[0]}, which is not bound", self.platform)
        with translated(self.platform):
            if not self.cloud.settings.tokens and (known := self._find_token(want.kind, token)):
                return self._handle(want.kind, known.id, known.tags)
            made = self.cloud.create(
                want.kind,
                want.name if want.kind is not Kind.BUCKET else bucket_name(want),
                bound(step),
                {**want.tags, TAG_TOKEN: token},
                token,
                self._prepare if want.kind in (Kind.MACHINE, Kind.ADDRESS) else None,
            )
        return self._handle(want.kind, made.id, made.tags)

    def read(self, handle: Handle) -> State | None:
        if handle.id.startswith(IMPLICIT):
            return State(status=Status.READY, facts={"implicit": True})
        try:
            with translated(self.platform):
                return self._state(self.cloud.read(handle.kind, handle.id))
        except NotFound:
            return None

    def delete(self, handle: Handle) -> None:
        if handle.id.startswith(IMPLICIT):
            return
        with contextlib.suppress(NotFound), translated(self.platform):
            self.cloud.delete(handle.kind, handle.id)

    def find(self, owner: Owner) -> Iterator[Handle]:
        for kind in Kind:
            if support_of(self.cloud.settings, kind) is not Support.MANAGED:
                continue
            marker = ""
            while True:
                with translated(self.platform):
                    page, marker = self.cloud.list(kind, 100, marker)
                for thing in page:
                    run = thing.tags.get(TAG_RUN)
                    if run is not None and owner.run in (None, run):
                        yield self._handle(kind, thing.id, thing.tags)
                if not marker:
                    break

    def feature(self, f: type[F], handle: Handle) -> F:
        return make_feature(f, self.cloud, handle, self._guest)

    def close(self) -> None:
        """Nothing is held open."""

    # -- inside --------------------------------------------------------------------------------

    def _handle(self, kind: Kind, identity: str, tags: Mapping[str, str]) -> Handle:
        return Handle(
            platform=self.platform,
            kind=kind,
            id=identity,
            name=tags.get(TAG_NAME, ""),
            run=tags.get(TAG_RUN, ""),
        )

    def _find_token(self, kind: Kind, token: str) -> Thing | None:
        page, _ = self.cloud.list(kind, 0, "", {TAG_TOKEN: token})
        return page[0] if page else None

    def _prepare(self, world: World, thing: Thing) -> None:
        if thing.kind == Kind.MACHINE:
            prepare_machine(self.cloud, world, thing)
        else:
            thing.addresses = {"public": f"198.51.100.{thing.serial % 250 + 2}"}

    def _state(self, thing: Thing) -> State:
        now = self.cloud.now()
        defects = self.cloud.defects
        status = STATUS[thing.status(now)]
        if status is Status.STOPPED and "life-03" in defects:
            status = Status.READY
        told = thing.created_at + self.cloud.settings.skew_s
        created = rfc3339(told) if "P11" not in self.cloud.defects else rfc3339(told)[:-1]
        facts: dict[str, Any] = {"name": thing.name, "created": created}
        raw: dict[str, Any] = {
            "id": thing.id,
            "name": thing.name,
            "state": thing.status(now),
            "created": created,
        }
        if thing.kind == Kind.VOLUME:
            wrong = 1 if "P1" in self.cloud.defects else 0
            facts |= {"size_gib": thing.size_gib + wrong, "serial": thing.id}
        if thing.kind in (Kind.MACHINE, Kind.ADDRESS) and now >= thing.ready_at:
            raw["addresses"] = dict(thing.addresses)
        access = None
        if thing.kind == Kind.MACHINE:
            image = self.cloud.settings.images.get(thing.spec["image"], {})
            host = thing.addresses["public"] if "alloc-05" not in defects else "192.0.2.99"
            access = Access(how="exec", host=host, user=image.get("user", ""))
            facts |= {
                "instance_id": thing.id,
                "mac": thing.mac,
                "hostname": thing.hostname,
                "image": thing.spec["image"],
                "size": thing.spec["size"],
                "user": image.get("user", ""),
                "user_source": "image",
                "cpu": self.cloud.settings.sizes[thing.spec["size"]]["cpu"],
                "memory_mib": self.cloud.settings.sizes[thing.spec["size"]]["memory_mib"],
                "disk_gib": thing.size_gib,
                "network": thing.spec.get("network") or "default",
                "installed_by": "network" if "bmc-03" not in defects else "disk",
                "metadata_tokens": "required",
            }
        return State(
            status=status,
            addresses=raw.get("addresses", {}),
            access=access if status is Status.READY else None,
            tags=dict(thing.tags),
            facts=facts,
            raw=raw,
            version=str(thing.version),
            reason=thing.failed,
        )
