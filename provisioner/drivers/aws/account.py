"""What all kinds of AWS resource share: calling, tagging, finding again, choosing a zone."""

from __future__ import annotations

import hashlib
import re
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, Protocol, TypeVar

from provisioner.clock import Clock
from provisioner.driver import TAG_NAME, TAG_RUN, TAG_TOKEN, Handle, Owner, State, Step
from provisioner.drivers.aws.clients import Clients
from provisioner.drivers.aws.errors import translated
from provisioner.drivers.aws.settings import Settings
from provisioner.errors import BadRequest, NotFound, PlatformFault
from provisioner.resources import Kind, Resource

T = TypeVar("T")

# Attachments have no tags of their own; these are kept on what is attached.
TAG_ATTACHED = "interop-attachment"
TAG_ATTACHED_TOKEN = "interop-attachment-token"  # noqa: S105 - names a tag

VISIBLE_S = 10.0  # how long something just made may be unknown to the next call
TAGS_MAX = 50  # Source: EC2 user guide, "Tag restrictions"
TAG_KEY_CHARS = 128
TAG_VALUE_CHARS = 256


class Handler(Protocol):
    """One kind of resource, in the words of ``Driver``."""

    def plan(self, want: Resource) -> Step: ...
    def create(self, step: Step, token: str) -> Handle: ...
    def read(self, handle: Handle) -> State | None: ...
    def delete(self, handle: Handle) -> None: ...
    def find(self, owner: Owner) -> Iterator[Handle]: ...


class Account:
    """One account in one region, as the handlers use it. Safe to use from several threads."""

    def __init__(self, platform: str, settings: Settings, clients: Clients, clock: Clock) -> None:
        self.platform = platform
        self.settings = settings
        self.clients = clients
        self.clock = clock
        self._lock = threading.Lock()
        self._zones: tuple[str, ...] = ()

    def call(self, what: str, operation: str, /, **parameters: Any) -> dict[str, Any]:
        """One EC2 call that may safely be repeated. *what* begins the message of an error."""
        with translated(self.platform, what):
            answer: dict[str, Any] = getattr(self.clients.ec2, operation)(**parameters)
        return answer

    def call_once(self, what: str, operation: str, /, **parameters: Any) -> dict[str, Any]:
        """One EC2 call that makes something without a token: never sent twice."""
        with translated(self.platform, what):
            answer: dict[str, Any] = getattr(self.clients.ec2_once, operation)(**parameters)
        return answer

    def each(
        self, what: str, operation: str, key: str, /, **parameters: Any
    ) -> Iterator[dict[str, Any]]:
        """Every item of a list call, page after page."""
        with translated(self.platform, what):
            if self.clients.ec2.can_paginate(operation):
                pages = self.clients.ec2.get_paginator(operation).paginate(**parameters)
            else:
                pages = [getattr(self.clients.ec2, operation)(**parameters)]
            for page in pages:
                yield from page.get(key, ())

    def settled(self, call: Callable[[], T]) -> T:
        """*call*, repeated for a while as long as what was just made is not visible to it."""
        deadline = self.clock.monotonic() + VISIBLE_S
        pause = 0.25
        while True:
            try:
                return call()
            except NotFound:
                if self.clock.monotonic() >= deadline:
                    raise
            self.clock.sleep(pause)
            pause = min(2.0, pause * 2)

    def zones(self) -> tuple[str, ...]:
        """Names of the zones that are available, sorted."""
        with self._lock:
            if not self._zones:
                found = self.each(
                    "list zones",
                    "describe_availability_zones",
                    "AvailabilityZones",
                    Filters=[
                        {"Name": "state", "Values": ["available"]},
                        {"Name": "zone-type", "Values": ["availability-zone"]},
                    ],
                )
                self._zones = tuple(sorted(str(zone["ZoneName"]) for zone in found))
            if not self._zones:
                raise PlatformFault("the region lists no available zone", self.platform)
            return self._zones

    def zone(self) -> str:
        """The zone everything goes to, so that volumes and machines meet."""
        return self.settings.zone or self.zones()[0]

    def default_vpc(self) -> str:
        """The VPC used when a machine names no network.

        Raises:
            BadRequest: the account has none.
        """
        found = self.each(
            "look for the default network",
            "describe_vpcs",
            "Vpcs",
            Filters=[{"Name": "is-default", "Values": ["true"]}],
        )
        for vpc in found:
            return str(vpc["VpcId"])
        message = "the account has no default VPC; the machine must name a network"
        raise BadRequest(message, self.platform)

    def made_by(
        self, token: str, what: str, operation: str, key: str, **parameters: Any
    ) -> dict[str, Any] | None:
        """What an earlier create with the same token has made already."""
        filters = [{"Name": f"tag:{TAG_TOKEN}", "Values": [token]}]
        filters += parameters.pop("Filters", [])
        for item in self.each(f"look for {what}", operation, key, Filters=filters, **parameters):
            return item
        return None

    def handle(
        self, kind: Kind, id_: str, tags: Mapping[str, str], extra: Mapping[str, str] | None = None
    ) -> Handle:
        """A handle with the name and run that the tags say."""
        return Handle(
            platform=self.platform,
            kind=kind,
            id=id_,
            name=tags.get(TAG_NAME, ""),
            run=tags.get(TAG_RUN, ""),
            extra=dict(extra or {}),
        )

    def check_tags(self, want: Resource) -> None:
        """Raise BadRequest for tags that AWS would refuse."""
        if len(want.tags) + 1 > TAGS_MAX:
            message = f"{want.ref}: {len(want.tags)} tags, at most {TAGS_MAX - 1} and our token"
            raise BadRequest(message, self.platform)
        for key, value in want.tags.items():
            if not key or len(key) > TAG_KEY_CHARS or key.lower().startswith("aws:"):
                message = f"expected 1 to {TAG_KEY_CHARS} characters, not beginning with aws:"
                raise BadRequest(f"{want.ref}: tag {key!r}: {message}", self.platform)
            if len(value) > TAG_VALUE_CHARS:
                message = f"{len(value)} characters, at most {TAG_VALUE_CHARS}"
                raise BadRequest(f"{want.ref}: tag {key}: {message}", self.platform)


def owned(owner: Owner) -> list[dict[str, Any]]:
    """The filter for what an owner has."""
    if owner.run is None:
        return [{"Name": "tag-key", "Values": [TAG_RUN]}]
    return [{"Name": f"tag:{TAG_RUN}", "Values": [owner.run]}]


def full_tags(want: Resource, token: str) -> dict[str, str]:
    """The tags a resource carries from its first moment."""
    return {TAG_NAME: want.name, **want.tags, TAG_TOKEN: token}


def tag_list(tags: Mapping[str, str]) -> list[dict[str, str]]:
    """Tags as the API takes them."""
    return [{"Key": key, "Value": value} for key, value in tags.items()]


def tagged(kind: str, tags: Mapping[str, str]) -> list[dict[str, Any]]:
    """A create call's ``TagSpecifications``."""
    return [{"ResourceType": kind, "Tags": tag_list(tags)}]


def tags_of(item: Mapping[str, Any], key: str = "Tags") -> dict[str, str]:
    """Tags as the API gives them."""
    found: Sequence[Mapping[str, str]] = item.get(key) or ()
    return {tag["Key"]: tag["Value"] for tag in found}


def own_tags(item: Mapping[str, Any], *more: str) -> dict[str, str]:
    """A resource's tags without those of its attachment, and without *more*."""
    ours = (TAG_ATTACHED, TAG_ATTACHED_TOKEN, *more)
    return {key: value for key, value in tags_of(item).items() if key not in ours}


def label(*parts: str, length: int = 200) -> str:
    """A name for AWS made from ours: readable ASCII, and unique by a digest of the real parts."""
    digest = hashlib.sha256("\0".join(parts).encode()).hexdigest()[:10]
    words = re.sub(r"[^a-z0-9]+", "-", "-".join(parts).lower()).strip("-")
    return f"interop-{words}"[: length - 11].rstrip("-") + f"-{digest}"


def client_token(token: str) -> str:
    """A token as AWS accepts it: at most 64 ASCII characters."""
    if token.isascii() and token.isprintable() and 0 < len(token) <= 64:
        return token
    return hashlib.sha256(token.encode()).hexdigest()


def plain(value: Any) -> Any:
    """An answer of the SDK as JSON knows it, without the SDK's own bookkeeping."""
    if isinstance(value, Mapping):
        return {str(k): plain(v) for k, v in value.items() if k != "ResponseMetadata"}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, bytes):
        return value.decode("utf-8", "backslashreplace")
    return value
