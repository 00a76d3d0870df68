"""The six verbs on OpenStack: each kind has a handler, this only knows which."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import ClassVar, Protocol, TypeVar, cast

from provisioner.clock import Clock, SystemClock
from provisioner.driver import Description, Handle, Owner, State, Step
from provisioner.drivers.openstack import features
from provisioner.drivers.openstack.address import Addresses
from provisioner.drivers.openstack.attachment import Attachments
from provisioner.drivers.openstack.bucket import BucketObjects, Buckets, BucketTags
from provisioner.drivers.openstack.choice import Choice
from provisioner.drivers.openstack.cloud import Cloud
from provisioner.drivers.openstack.describing import ABSENT, describe
from provisioner.drivers.openstack.firewall import Firewalls, GroupRules
from provisioner.drivers.openstack.image import Images
from provisioner.drivers.openstack.key import Keys
from provisioner.drivers.openstack.machine import Machines
from provisioner.drivers.openstack.network import Networks
from provisioner.drivers.openstack.raw import Raw
from provisioner.drivers.openstack.root import RootVolumes
from provisioner.drivers.openstack.settings import Settings
from provisioner.drivers.openstack.storage import SNAPSHOT, Volumes
from provisioner.drivers.openstack.way_in import WayIn
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
from provisioner.resources import Kind, Resource

F = TypeVar("F")

# What a service must be there for, besides compute, image and network.
NEEDS = {Kind.VOLUME: "volume", Kind.BUCKET: "object-store"}
TAGGABLE = (Kind.MACHINE, Kind.VOLUME)


class Handler(Protocol):
    """One kind of resource, in the words of ``Driver``."""

    def plan(self, want: Resource) -> Step: ...
    def create(self, step: Step, token: str) -> Handle: ...
    def read(self, handle: Handle) -> State | None: ...
    def delete(self, handle: Handle) -> None: ...
    def find(self, owner: Owner) -> Iterator[Handle]: ...


class OpenStackDriver:
    """One project of an OpenStack cloud."""

    kind: ClassVar[str] = "openstack"

    def __init__(
        self,
        config: PlatformConfig,
        settings: Settings,
        cloud: Cloud,
        clock: Clock | None = None,
    ) -> None:
        time = clock or SystemClock()
        self._config = config
        self._settings = settings
        self._cloud = cloud
        self._choice = Choice(cloud)
        self._networks = Networks(cloud)
        addresses = Addresses(cloud, self._networks)
        way_in = WayIn(cloud, self._networks, addresses, time)
        volumes = Volumes(cloud)
        self._machines = Machines(cloud, self._choice, way_in, RootVolumes(cloud, time), time)
        self._buckets = Buckets(cloud)
        self._handlers: dict[Kind, Handler] = {
            Kind.KEY: Keys(cloud),
            Kind.IMAGE: Images(cloud, self._choice),
            Kind.NETWORK: self._networks,
            Kind.FIREWALL: Firewalls(cloud),
            Kind.ADDRESS: addresses,
            Kind.VOLUME: volumes,
            Kind.MACHINE: self._machines,
            Kind.ATTACHMENT: Attachments(cloud, volumes, addresses, self._machines, way_in),
            Kind.BUCKET: self._buckets,
        }

    @property
    def platform(self) -> str:
        return self._config.name

    def describe(self) -> Description:
        return describe(self._config, self._cloud, self._choice, self._networks)

    def _handler(self, kind: Kind) -> Handler | None:
        """Who is in charge of a kind; nobody where its service is not in the catalog."""
        if kind in NEEDS and not self._cloud.has(NEEDS[kind]):
            return None
        return self._handlers.get(kind)

    def plan(self, want: Resource) -> Step:
        handler = self._handler(want.kind)
        if handler is None:
            default = f"the catalog has no {NEEDS.get(want.kind, want.kind)} service"
            raise Unsupported(f"{want.ref}: {ABSENT.get(want.kind, default)}", self.platform)
        return handler.plan(want)

    def create(self, step: Step, token: str) -> Handle:
        missing = [str(ref) for ref in step.refs if ref not in step.bound]
        if missing:
            message = f"{step.resource.ref}: {', '.join(missing)} must exist first"
            raise BadRequest(message, self.platform)
        return self._handlers[step.resource.kind].create(step, token)

    def read(self, handle: Handle) -> State | None:
        handler = self._handler(handle.kind)
        return handler.read(handle) if handler is not None else None

    def delete(self, handle: Handle) -> None:
        handler = self._handler(handle.kind)
        if handler is not None:
            handler.delete(handle)

    def find(self, owner: Owner) -> Iterator[Handle]:
        """All kinds are asked side by side: a dozen lists one after the other take seconds."""
        handlers = [h for h in map(self._handler, self._handlers) if h is not None]
        with ThreadPoolExecutor(max_workers=len(handlers)) as pool:
            for found in pool.map(lambda handler: list(handler.find(owner)), handlers):
                yield from found

    def feature(self, f: type[F], handle: Handle) -> F:
        cloud, kind = self._cloud, handle.kind
        made: object | None = None
        if f is Listing:
            made = features.Pages(cloud)
        elif f is RawCall:
            made = Raw(cloud)
        elif f is Metadata and kind in TAGGABLE:
            made = features.Tags(cloud, handle)
        elif f is Metadata and kind is Kind.BUCKET:
            made = BucketTags(self._buckets, handle)
        elif f is Objects and kind is Kind.BUCKET:
            made = BucketObjects(self._buckets, handle.id)
        elif f is Rules and kind is Kind.FIREWALL:
            made = GroupRules(cloud, handle)
        elif f is Snapshot and kind is Kind.VOLUME and not handle.id.startswith(SNAPSHOT):
            made = features.VolumeCopy(cloud, handle)
        elif kind is Kind.MACHINE and f is Power:
            made = features.ServerPower(cloud, self._machines, handle.id)
        elif kind is Kind.MACHINE and f is Console:
            made = features.ServerConsole(self._machines, handle.id)
        elif kind is Kind.MACHINE and f is Resize:
            made = features.ServerSize(self._machines, self._choice, handle.id, self.platform)
        if made is None:
            default = f"{kind} has no {f.__name__} in OpenStack"
            raise Unsupported(ABSENT.get(_dashed(f.__name__), default), self.platform)
        return cast(F, made)

    def close(self) -> None:
        self._cloud.close()


def _dashed(name: str) -> str:
    """``BootDevice`` as ``boot-device``."""
    return "".join(f"-{c.lower()}" if c.isupper() else c for c in name).lstrip("-")
