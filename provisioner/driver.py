"""The seam to a platform: six verbs over a closed set of kinds.

A driver is code for one kind of platform. It is safe to call from several threads. Every error it
raises is one of ``provisioner.errors``; every value it returns is plain and serialisable.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any, ClassVar, Protocol, TypeVar

from provisioner.resources import Kind, Ref, Resource, Support

F = TypeVar("F")

TAG_RUN = "interop-run"  # id of the run that owns the resource
TAG_NAME = "interop-name"  # the resource's name within the run
TAG_TOKEN = "interop-token"  # noqa: S105 - the at-most-once token of the create call, no secret
TAG_EXPIRES = "interop-expires"  # RFC 3339; after it anybody may reap the resource


class Status(StrEnum):
    """Where a resource is in its life."""

    PENDING = "pending"
    READY = "ready"
    STOPPED = "stopped"
    DELETING = "deleting"
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Owner:
    """Whose resources: one run's, or with ``run=None`` everything Interop ever tagged."""

    run: str | None = None
    expires: str = ""

    def tags(self, name: str, token: str = "") -> dict[str, str]:
        """The tags every resource of this run carries from its first moment."""
        tags = {TAG_RUN: self.run or "", TAG_NAME: name}
        if self.expires:
            tags[TAG_EXPIRES] = self.expires
        if token:
            tags[TAG_TOKEN] = token
        return tags


@dataclass(frozen=True, slots=True, kw_only=True)
class Handle:
    """What the platform calls a resource. Opaque to everyone but the driver; JSON-serialisable."""

    platform: str
    kind: Kind
    id: str
    name: str = ""  # the resource's name within its run, from its tags
    run: str = ""  # the run that owns it, from its tags
    extra: Mapping[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        return f"{self.platform}:{self.kind}/{self.id}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """How to get into a machine.

    ``how`` is ``ssh`` or ``exec`` (through the driver's Exec feature). ``host_keys`` are OpenSSH
    public keys ("ssh-ed25519 AAAA...") learnt from ``host_keys_from``
    (console, registration, none).
    """

    how: str
    host: str = ""
    port: int = 22
    user: str = ""
    host_keys: tuple[str, ...] = ()
    host_keys_from: str = "none"


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """What the platform says of a resource now.

    ``addresses`` maps ``private``, ``public``, ``private6`` ... to an address. ``facts`` are what
    the API says in the platform-neutral words of ``design: fact names`` (mac, size_gib, device,
    serial, instance_id ...); ``raw`` is the API's own answer, for evidence, without secrets.
    """

    status: Status
    addresses: Mapping[str, str] = field(default_factory=dict)
    access: Access | None = None
    tags: Mapping[str, str] = field(default_factory=dict)
    facts: Mapping[str, Any] = field(default_factory=dict)
    raw: Mapping[str, Any] = field(default_factory=dict)
    version: str = ""
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One planned creation: validated and translated, nothing done yet.

    ``body`` belongs to the driver. ``refs`` are the resources that must exist first; ``bind``
    gives their handles. ``wait_s`` is how long it may take to be ready, in seconds.
    """

    platform: str
    resource: Resource
    support: Support = Support.MANAGED
    body: Mapping[str, Any] = field(default_factory=dict)
    refs: tuple[Ref, ...] = ()
    bound: Mapping[Ref, Handle] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    price_per_hour: float = 0.0
    wait_s: float = 300.0

    def bind(self, handles: Mapping[Ref, Handle]) -> Step:
        """The same step with the handles of what it refers to.

        Raises:
            KeyError: a reference has no handle.
        """
        return replace(self, bound={ref: handles[ref] for ref in self.refs})


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """Something to choose from: an image, a size, a zone. ``source`` says where we learnt it."""

    id: str
    name: str
    facts: Mapping[str, Any] = field(default_factory=dict)
    source: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Description:
    """What a platform says it is. Reading it has no side effects.

    Attributes:
        kinds: how each kind is supported.
        features: names a guideline's conditions refer to (power, console, metadata, ...).
        absent: what is known not to be there, with the reason; shown in reports.
        limits: numbers the planner and executor obey: ``machines`` (at most so many at once),
            ``jobs.machine`` (parallel creations of a kind), ``rate`` (calls a second),
            ``visibility_s`` (a created resource is found after at most so many seconds),
            ``user_data_bytes``, ``tags``, ``tag_value_chars``.
        versions: API and tool versions as the platform reports them.
    """

    platform: str
    kind: str
    emulator: bool = False
    kinds: Mapping[Kind, Support] = field(default_factory=dict)
    features: frozenset[str] = frozenset()
    absent: Mapping[str, str] = field(default_factory=dict)
    images: tuple[Offer, ...] = ()
    sizes: tuple[Offer, ...] = ()
    zones: tuple[str, ...] = ()
    limits: Mapping[str, float] = field(default_factory=dict)
    versions: Mapping[str, str] = field(default_factory=dict)
    facts: Mapping[str, Any] = field(default_factory=dict)


class Driver(Protocol):
    """Code for one kind of platform."""

    kind: ClassVar[str]

    @property
    def platform(self) -> str:
        """The platform's name in platforms.yaml."""

    def describe(self) -> Description:
        """What the platform offers; no side effects. Raises Unauthorized, Lost."""

    def plan(self, want: Resource) -> Step:
        """Validate and translate one wish; no side effects.

        Raises BadRequest (the wish cannot be met as it is) or Unsupported.
        """

    def create(self, step: Step, token: str) -> Handle:
        """Make it. At most one resource per token, tagged in the same call; may return early."""

    def read(self, handle: Handle) -> State | None:
        """What it is now, or None when it is gone (or not visible yet)."""

    def delete(self, handle: Handle) -> None:
        """Have it removed; deleting what is gone is no error. May return before it is gone."""

    def find(self, owner: Owner) -> Iterator[Handle]:
        """Everything of the owner's, also what other resources made on the way."""

    def feature(self, f: type[F], handle: Handle) -> F:
        """The feature object for a resource. Raises Unsupported with the reason."""

    def close(self) -> None:
        """Let go of connections and helper processes; resources stay."""
