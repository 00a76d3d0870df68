"""What a workload asks of a platform: the closed set of kinds and what each one says.

A specification never holds a site literal: images and sizes are selectors, other resources are
named by ``Ref``. Sizes are in MiB (memory) and GiB (disks).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class Kind(StrEnum):
    """The kinds of resource, version 1; the set is closed."""

    KEY = "key"
    IMAGE = "image"
    NETWORK = "network"
    FIREWALL = "firewall"
    ADDRESS = "address"
    VOLUME = "volume"
    MACHINE = "machine"
    ATTACHMENT = "attachment"
    BUCKET = "bucket"
    SERVICE = "service"
    CONFIG = "config"


class Support(StrEnum):
    """How a platform has a kind."""

    MANAGED = "managed"  # created and deleted on request
    IMPLICIT = "implicit"  # the platform gives it; create returns a handle that costs nothing
    ABSENT = "absent"  # there is no such thing; plan raises Unsupported


@dataclass(frozen=True, slots=True, order=True)
class Ref:
    """Names another resource of the same run: ``Ref(Kind.KEY, "run")``."""

    kind: Kind
    name: str

    def __str__(self) -> str:
        return f"{self.kind}/{self.name}"


@dataclass(frozen=True, slots=True, kw_only=True)
class KeySpec:
    """An SSH public key in OpenSSH format."""

    public_key: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageSpec:
    """A selector; empty fields match anything. ``name`` is a name pattern of the site's profile."""

    os: str = ""
    version: str = ""
    arch: str = ""
    name: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkSpec:
    """A network. ``cidr`` is a wish, not a promise."""

    cidr: str = ""
    ipv6: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One thing a firewall lets in.

    ``source`` is ``members`` (any member of the run), ``harness`` (where Interop runs), ``any``,
    or a CIDR. ``protocol`` is ``tcp``, ``udp`` or ``icmp``; ports are inclusive, 0-0 for icmp.
    """

    source: str
    protocol: str
    first_port: int = 0
    last_port: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class FirewallSpec:
    """Rules for incoming traffic; what no rule lets in is dropped. Outgoing traffic is free."""

    rules: tuple[Rule, ...] = ()
    network: Ref | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AddressSpec:
    """An address reachable from where the harness is (EC2 elastic, OpenStack floating)."""

    network: Ref | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class VolumeSpec:
    """A block volume of at least ``size_gib``; ``machine`` is where it will go, if known."""

    size_gib: int
    machine: Ref | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class MachineSpec:
    """One machine. ``network`` None means: whatever the platform gives when nothing is named."""

    cpu: int = 1
    memory_mib: int = 512
    disk_gib: int = 0
    image: ImageSpec = field(default_factory=ImageSpec)
    key: Ref | None = None
    network: Ref | None = None
    firewalls: tuple[Ref, ...] = ()
    user_data: bytes = b""
    hostname: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class AttachmentSpec:
    """Joins a volume or an address to a machine."""

    machine: Ref
    what: Ref


@dataclass(frozen=True, slots=True, kw_only=True)
class BucketSpec:
    """An object-store container."""

    public: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceSpec:
    """One name and address that lead to the machines of a network that are ready.

    ``target_port`` 0 means the same as ``port``; TCP.
    """

    network: Ref
    port: int
    target_port: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfigSpec:
    """Texts that the platform keeps by name."""

    data: Mapping[str, str] = field(default_factory=dict)


Spec = (
    KeySpec
    | ImageSpec
    | NetworkSpec
    | FirewallSpec
    | AddressSpec
    | VolumeSpec
    | MachineSpec
    | AttachmentSpec
    | BucketSpec
    | ServiceSpec
    | ConfigSpec
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Resource:
    """A wish: a kind, its name within the run, what it should be, and the tags it must carry."""

    kind: Kind
    name: str
    spec: Spec
    tags: Mapping[str, str] = field(default_factory=dict)

    @property
    def ref(self) -> Ref:
        """How other resources name this one."""
        return Ref(self.kind, self.name)
