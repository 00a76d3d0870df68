"""The six verbs on AWS: each kind has a handler, this only knows which."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, ClassVar, TypeVar, cast

import botocore

from provisioner.chosen_image import image_step
from provisioner.clock import Clock, SystemClock
from provisioner.driver import Description, Handle, Owner, State, Status, Step
from provisioner.drivers.aws import features
from provisioner.drivers.aws.account import TAG_VALUE_CHARS, TAGS_MAX, Account, Handler
from provisioner.drivers.aws.attachment import Attachments
from provisioner.drivers.aws.bucket import BucketObjects, Buckets
from provisioner.drivers.aws.choice import Choice
from provisioner.drivers.aws.clients import Clients
from provisioner.drivers.aws.firewall import Addresses, Firewalls, GroupRules
from provisioner.drivers.aws.key import Keys
from provisioner.drivers.aws.machine import USER_DATA_BYTES, Machines
from provisioner.drivers.aws.network import Networks
from provisioner.drivers.aws.raw import Raw
from provisioner.drivers.aws.settings import Settings
from provisioner.drivers.aws.storage import Volumes
from provisioner.errors import BadRequest, Unsupported
from provisioner.features import (
    Console,
    Listing,
    Metadata,
    Objects,
    Power,
    RawCall,
    Resize,
    Rules,
    Snapshot,
)
from provisioner.platform import PlatformConfig
from provisioner.resources import Kind, Resource, Support

F = TypeVar("F")

ABSENT = {
    "boot-device": "an instance boots from its own disk only",
    "bmc": "an instance has no management controller to talk to",
    "sensors": "an instance has no hardware sensors",
    "event-log": "an instance has no hardware event log",
    "inventory": "an instance has no hardware inventory of its own",
    "exec": "commands go over SSH",
    "service": "load balancers are not used by this driver",
    "config": "there is no such thing on EC2",
    "ipv6": "not set up by this driver yet",
}
FEATURES = frozenset(
    {
        *("machine", "key", "image", "network", "firewall", "address", "volume", "attachment"),
        *("bucket", "objects", "power", "console", "metadata", "user-data", "cloud-init"),
        *("listing", "pagination", "rawcall", "firewall-rules", "snapshot", "resize", "ssh"),
        *("reboot", "block-volume"),
    }
)
# What the platform takes and what it is polite to ask of it. Sources: EC2 API reference,
# "Request throttling"; EC2 user guide, "tag restrictions", "user data".
LIMITS: dict[str, float] = {
    "jobs.machine": 16,
    "jobs.network": 4,
    "rate": 20,
    "visibility_s": 10,
    "user_data_bytes": USER_DATA_BYTES,
    "tags": TAGS_MAX - 1,
    "tag_value_chars": TAG_VALUE_CHARS,
    "page_min": 5,
}


class Images:
    """Images are there already; choosing one costs nothing."""

    def __init__(self, account: Account, choice: Choice) -> None:
        self._account = account
        self._choice = choice

    def plan(self, want: Resource) -> Step:
        return image_step(self._account.platform, want, self._choice.image)

    def create(self, step: Step, token: str) -> Handle:
        return self._account.handle(Kind.IMAGE, step.body["image"], step.resource.tags)

    def read(self, handle: Handle) -> State | None:
        image = self._choice.by_id(handle.id)
        if image is None:
            return None
        facts = {"name": image.name, "user": image.user, "user_source": image.user_source}
        return State(status=Status.READY, facts=facts)

    def delete(self, handle: Handle) -> None:
        """Nothing was made."""

    def find(self, owner: Owner) -> Iterator[Handle]:
        yield from ()


class AwsDriver:
    """One account and region of AWS, or of something that speaks its API."""

    kind: ClassVar[str] = "aws"

    def __init__(
        self,
        config: PlatformConfig,
        settings: Settings,
        clients: Clients,
        clock: Clock | None = None,
    ) -> None:
        self._config = config
        self._settings = settings
        self._clients = clients
        self._account = Account(config.name, settings, clients, clock or SystemClock())
        self._choice = Choice(self._account)
        self._machines = Machines(self._account, self._choice)
        self._buckets = Buckets(self._account)
        self._handlers: dict[Kind, Handler] = {
            Kind.KEY: Keys(self._account),
            Kind.IMAGE: Images(self._account, self._choice),
            Kind.NETWORK: Networks(self._account),
            Kind.FIREWALL: Firewalls(self._account),
            Kind.ADDRESS: Addresses(self._account),
            Kind.VOLUME: Volumes(self._account),
            Kind.MACHINE: self._machines,
            Kind.ATTACHMENT: Attachments(self._account),
            Kind.BUCKET: self._buckets,
        }

    @property
    def platform(self) -> str:
        return self._config.name

    def describe(self) -> Description:
        images, sizes = self._choice.offers()
        kinds = dict.fromkeys(Kind, Support.ABSENT) | dict.fromkeys(self._handlers, Support.MANAGED)
        kinds[Kind.IMAGE] = Support.IMPLICIT
        facts: dict[str, Any] = {
            "region": self._clients.region,
            "zone": self._account.zone(),
            "zone.source": "declared" if self._settings.zone else "api: first available zone",
        }
        facts["limits.source"] = "documented, or declared: limits in platforms.yaml"
        facts["harness_address"] = self._settings.harness_address or "any"
        facts["harness_address.source"] = (
            "declared" if self._settings.harness_address else "default"
        )
        try:
            facts["default_network"] = self._account.default_vpc()
        except BadRequest:
            facts["default_network"] = ""
        facts["default_network.source"] = "api: DescribeVpcs"
        return Description(
            platform=self.platform,
            kind=self.kind,
            emulator=bool(self._config.declared.get("emulator", False)),
            kinds=kinds,
            features=FEATURES,
            absent=ABSENT,
            images=images,
            sizes=sizes,
            zones=self._account.zones(),
            limits=LIMITS | dict(self._settings.limits),
            versions={
                "ec2": str(self._clients.ec2.meta.service_model.api_version),
                "botocore": str(botocore.__version__),
            },
            facts=facts,
        )

    def plan(self, want: Resource) -> Step:
        handler = self._handlers.get(want.kind)
        if handler is None:
            reason = ABSENT.get(want.kind, f"there is no {want.kind}")
            raise Unsupported(f"{want.ref}: {reason}", self.platform)
        return handler.plan(want)

    def create(self, step: Step, token: str) -> Handle:
        missing = [str(ref) for ref in step.refs if ref not in step.bound]
        if missing:
            message = f"{step.resource.ref}: {', '.join(missing)} must exist first"
            raise BadRequest(message, self.platform)
        return self._handlers[step.resource.kind].create(step, token)

    def read(self, handle: Handle) -> State | None:
        handler = self._handlers.get(handle.kind)
        return handler.read(handle) if handler is not None else None

    def delete(self, handle: Handle) -> None:
        handler = self._handlers.get(handle.kind)
        if handler is not None:
            handler.delete(handle)

    def find(self, owner: Owner) -> Iterator[Handle]:
        """All kinds are asked side by side: a dozen lists one after the other take seconds."""
        handlers = list(self._handlers.values())
        with ThreadPoolExecutor(max_workers=len(handlers)) as pool:
            for found in pool.map(lambda handler: list(handler.find(owner)), handlers):
                yield from found

    def feature(self, f: type[F], handle: Handle) -> F:
        account, kind = self._account, handle.kind
        made: object | None = None
        if f is Listing:
            made = features.Pages(account)
        elif f is RawCall:
            made = Raw(self.platform, self._clients)
        elif f is Metadata and kind in features.TAGGABLE:
            made = features.Tags(account, handle)
        elif f is Rules and kind is Kind.FIREWALL:
            made = GroupRules(account, handle)
        elif f is Objects and kind is Kind.BUCKET:
            made = BucketObjects(self._buckets, handle.id)
        elif f is Snapshot and kind is Kind.VOLUME:
            made = features.VolumeCopy(account, handle)
        elif kind is Kind.MACHINE and f is Power:
            made = features.InstancePower(account, self._machines, handle.id)
        elif kind is Kind.MACHINE and f is Console:
            made = features.InstanceConsole(self._machines, handle.id)
        elif kind is Kind.MACHINE and f is Resize:
            made = features.InstanceSize(account, handle.id)
        if made is None:
            default = f"{kind} has no {f.__name__} on EC2"
            raise Unsupported(ABSENT.get(_dashed(f.__name__), default), self.platform)
        return cast(F, made)

    def close(self) -> None:
        self._clients.close()


def _dashed(name: str) -> str:
    """``BootDevice`` as ``boot-device``."""
    return "".join(f"-{c.lower()}" if c.isupper() else c for c in name).lstrip("-")
