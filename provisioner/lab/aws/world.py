"""What the API says there is, as plain values: the reconciler's wish list."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class Permission:
    """One rule of a security group, for one direction.

    ``protocol`` is ``-1`` for all, a name or a number; ports are inclusive, -1 for all. For icmp
    they are type and code. The other side is in one of ``cidrs`` or a member of one of ``groups``.
    """

    protocol: str
    first: int = -1
    last: int = -1
    cidrs: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """A security group."""

    id: str
    vpc: str
    name: str = ""
    ingress: tuple[Permission, ...] = ()
    egress: tuple[Permission, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Subnet:
    """A part of a VPC; ``public`` when its routes lead to an internet gateway."""

    id: str
    cidr: str
    zone: str = ""
    public: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Vpc:
    """A private network."""

    id: str
    cidr: str
    subnets: tuple[Subnet, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Volume:
    """An EBS volume. ``device`` and ``instance`` are empty while it is free."""

    id: str
    size_gib: int
    instance: str = ""
    device: str = ""
    snapshot: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Instance:
    """An instance with its first network interface, as far as it matters to its guest."""

    id: str
    state: str  # as the API's store has it: running, stopped, terminated
    image: str
    size: str
    vpc: str
    subnet: str
    mac: str
    private: str
    public: str = ""
    zone: str = ""
    interface: str = ""
    groups: tuple[str, ...] = ()
    group_names: tuple[str, ...] = ()
    key: str = ""
    tags: Mapping[str, str] = field(default_factory=dict)
    root_device: str = ""
    root_gib: int = 8
    root_volume: str = ""
    tokens_required: bool = False
    hop_limit: int = 1
    metadata_enabled: bool = True
    metadata_tags: bool = False
    reservation: str = ""
    launch_index: int = 0
    launched: str = ""
    on_shutdown: str = "stop"

    @property
    def wanted(self) -> bool:
        """Whether a guest must run."""
        return self.state in ("pending", "running")

    @property
    def gone(self) -> bool:
        """Whether it will never run again."""
        return self.state in ("shutting-down", "terminated")


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """All of it, at one moment."""

    vpcs: Mapping[str, Vpc] = field(default_factory=dict)
    groups: Mapping[str, Group] = field(default_factory=dict)
    instances: Mapping[str, Instance] = field(default_factory=dict)
    volumes: Mapping[str, Volume] = field(default_factory=dict)
    snapshots: Mapping[str, str] = field(default_factory=dict)  # snapshot -> its volume


def private_name(address: str, region: str) -> str:
    """The host name AWS gives to a private address.

    Source: EC2 user guide, "Amazon EC2 instance hostname types", IP name.
    """
    zone = "ec2.internal" if region == "us-east-1" else f"{region}.compute.internal"
    return f"ip-{address.replace('.', '-')}.{zone}"


def wrong_name(address: str, region: str) -> str:
    """The name an instance has under the defect ``wrong-hostname``: it resolves, but is not its."""
    return private_name(address, region).replace("ip-", "wrong-", 1)
