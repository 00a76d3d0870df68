"""The driver of bare metal: claims machines of an inventory and has them installed."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any, ClassVar, TypeVar, cast

from provisioner.clock import SystemClock
from provisioner.driver import (
    TAG_NAME,
    TAG_RUN,
    TAG_TOKEN,
    Description,
    Handle,
    Owner,
    State,
    Status,
    Step,
)
from provisioner.drivers.metal.boot.service import BootService
from provisioner.drivers.metal.choice import choose_image, fitting
from provisioner.drivers.metal.describe import USER_DATA_BYTES, describe, supported
from provisioner.drivers.metal.disks import Disks, machine_of
from provisioner.drivers.metal.features import (
    MetalBootDevice,
    MetalConsole,
    MetalController,
    MetalEventLog,
    MetalInventory,
    MetalPower,
    MetalRawCall,
    MetalSensors,
)
from provisioner.drivers.metal.listing import MetalListing
from provisioner.drivers.metal.machines import Machines
from provisioner.drivers.metal.registry import Claim, Registry, Thing
from provisioner.drivers.metal.settings import MetalSettings
from provisioner.errors import BadRequest, NotFound, Unsupported
from provisioner.features import (
    BootDevice,
    Console,
    Controller,
    EventLog,
    Inventory,
    Listing,
    Power,
    RawCall,
    Sensors,
)
from provisioner.platform import PlatformConfig
from provisioner.reach import dialer_for
from provisioner.resources import (
    AttachmentSpec,
    ImageSpec,
    KeySpec,
    Kind,
    MachineSpec,
    Ref,
    Resource,
    Support,
    VolumeSpec,
)

F = TypeVar("F")

HOSTNAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
SSH_KEY = re.compile(r"(ssh|ecdsa|sk-ssh|sk-ecdsa)-[a-z0-9@.-]+ [A-Za-z0-9+/=]+( [^\r\n]*)?")
SMALL_WAIT_S, IMAGE_WAIT_S = 240.0, 900.0
IMPLICIT = (Kind.NETWORK, Kind.IMAGE)


class MetalDriver:
    """Fulfils ``provisioner.driver.Driver``. Ids of machines are NAME.INSTANCE."""

    kind: ClassVar[str] = "metal"

    def __init__(self, config: PlatformConfig, settings: MetalSettings) -> None:
        self._config, self._settings = config, settings
        clock = SystemClock()
        # Reservations belong to the machines, not to the folder somebody runs in; and the
        # service's work folder, where one is given, is everybody's.
        own = config.state / "metal" / config.name
        folder = (settings.boot.work or own).absolute()
        self._registry = Registry(folder)
        self._disks = Disks(settings, self._registry, config.name)
        reach = config.settings.get("reach") or {}
        self._service = BootService(
            settings,
            self._registry,
            folder,
            broker=str(reach.get("broker", "")),
            platform=config.name,
            clock=clock,
        )
        self._machines = Machines(
            settings,
            self._registry,
            self._service,
            dialer_for(config.settings),
            platform=config.name,
            clock=clock,
        )

    @property
    def platform(self) -> str:
        return self._config.name

    def describe(self) -> Description:
        return describe(self._config, self._settings)

    # -- plan ----------------------------------------------------------------------------------

    def plan(self, want: Resource) -> Step:
        if supported(self._settings)[want.kind] is Support.ABSENT:
            raise Unsupported(self.describe().absent[str(want.kind)], self.platform)
        spec = want.spec
        body: Mapping[str, Any] = {}
        refs: tuple[Ref, ...] = ()
        support, wait_s = Support.MANAGED, 10.0
        if want.kind in IMPLICIT:
            support = Support.IMPLICIT
            if isinstance(spec, ImageSpec):
                body = {"image": choose_image(self._settings, spec, self.platform)}
        elif isinstance(spec, KeySpec):
            if not SSH_KEY.fullmatch(spec.public_key.strip()):
                raise BadRequest("key: expected an OpenSSH public key", self.platform)
        elif isinstance(spec, MachineSpec):
            body, refs = self._plan_machine(want, spec)
            wait_s = SMALL_WAIT_S if body["image"] == "small" else IMAGE_WAIT_S
        elif isinstance(spec, VolumeSpec):
            if spec.size_gib > self._disks.largest():
                most = f"the largest spare disk has {self._disks.largest():g} GiB"
                raise BadRequest(f"{spec.size_gib} GiB: {most}", self.platform)
            refs = (spec.machine,) if spec.machine else ()
        elif isinstance(spec, AttachmentSpec):
            if spec.what.kind is not Kind.VOLUME:
                raise Unsupported(f"a {spec.what.kind} cannot be attached", self.platform)
            refs = (spec.machine, spec.what)
        return Step(
            platform=self.platform,
            resource=want,
            support=support,
            body=body,
            refs=refs,
            wait_s=wait_s,
        )

    def _plan_machine(
        self, want: Resource, spec: MachineSpec
    ) -> tuple[Mapping[str, Any], tuple[Ref, ...]]:
        hostname = spec.hostname or want.name
        if not HOSTNAME.fullmatch(hostname):
            expected = "expected a lower-case DNS label of at most 63 characters"
            raise BadRequest(f"hostname {hostname!r}: {expected}", self.platform)
        if len(spec.user_data) > USER_DATA_BYTES:
            raise BadRequest(f"user-data has over {USER_DATA_BYTES} bytes", self.platform)
        if spec.firewalls:
            raise Unsupported(self.describe().absent["firewall"], self.platform)
        machines = fitting(self._settings, spec, self.platform)
        body = {
            "image": choose_image(self._settings, spec.image, self.platform),
            "hostname": hostname,
            "machines": [machine.name for machine in machines],
        }
        refs = tuple(ref for ref in (spec.key, spec.network) if ref is not None)
        return body, refs

    # -- create --------------------------------------------------------------------------------

    def create(self, step: Step, token: str) -> Handle:
        missing = [str(ref) for ref in step.refs if ref not in step.bound]
        if missing:
            raise BadRequest(f"{step.resource.ref} needs {missing[0]} first", self.platform)
        spec, kind = step.resource.spec, step.resource.kind
        number = hashlib.sha256(f"{kind}:{token}".encode()).hexdigest()[:16]
        step = replace(
            step,
            resource=replace(step.resource, tags={**step.resource.tags, TAG_TOKEN: token}),
        )
        if isinstance(spec, MachineSpec):
            return self._machine_handle(self._machines.create(step, spec, number, token))
        if isinstance(spec, VolumeSpec):
            return self._handle(self._disks.reserve(step, spec, number, token))
        if isinstance(spec, AttachmentSpec):
            return self._handle(self._disks.attach(step, spec, number, token))
        facts: dict[str, Any] = dict(step.body)
        if isinstance(spec, KeySpec):
            facts["public_key"] = spec.public_key.strip()
        thing = Thing(id=number, kind=str(kind), token=token, tags=step.resource.tags, facts=facts)
        if not self._registry.add(thing):
            thing = self._registry.thing(number) or thing
        return self._handle(thing)

    # -- read, find, delete --------------------------------------------------------------------

    def read(self, handle: Handle) -> State | None:
        if handle.kind is not Kind.MACHINE:
            thing = self._registry.thing(handle.id)
            if thing is None or thing.kind != handle.kind:
                return None
            return State(status=Status.READY, tags=thing.tags, facts=self._facts(thing))
        claim = self._claim(handle)
        return None if claim is None else self._machines.read(claim)

    def find(self, owner: Owner) -> Iterator[Handle]:
        for claim in self._registry.claims():
            if claim.run == owner.run if owner.run is not None else claim.run:
                yield self._machine_handle(claim)
        for thing in self._registry.things():
            run = thing.tags.get(TAG_RUN, "")
            if run == owner.run if owner.run is not None else run:
                yield self._handle(thing)

    def delete(self, handle: Handle) -> None:
        if handle.kind is Kind.VOLUME:
            self._disks.release(handle)
        elif handle.kind is Kind.MACHINE:
            claim = self._claim(handle)
            if claim is None:
                return
            self._machines.delete(claim)
        else:
            self._registry.remove(handle.id)

    # -- features ------------------------------------------------------------------------------

    def feature(self, f: type[F], handle: Handle) -> F:
        wanted: type[Any] = f
        if wanted is Listing:
            return cast(F, MetalListing(self._registry))
        if handle.kind is not Kind.MACHINE:
            raise Unsupported(f"a {handle.kind} of bare metal has no {f.__name__}", self.platform)
        claim = self._claim(handle)
        if claim is None:
            raise NotFound(f"no machine {handle.id}", self.platform)
        bmc = self._machines.bmc(claim.machine)
        if wanted is Power:
            return cast(F, MetalPower(bmc, self._before_boot))
        if wanted in (Console, RawCall) and bmc.protocols()[0] != "ipmi":
            raise Unsupported(f"{f.__name__} needs IPMI; this BMC is driven by redfish")
        if wanted is Console:
            return cast(F, MetalConsole(self._machines.console(claim.machine)))
        simple: Mapping[type[Any], type[Any]] = {
            BootDevice: MetalBootDevice,
            Sensors: MetalSensors,
            EventLog: MetalEventLog,
            Inventory: MetalInventory,
            Controller: MetalController,
            RawCall: MetalRawCall,
        }
        if wanted in simple:
            return cast(F, simple[wanted](bmc))
        raise Unsupported(f"bare metal has no {f.__name__}", self.platform)

    def close(self) -> None:
        self._machines.close()
        self._service.close()

    # -- own -----------------------------------------------------------------------------------

    def _before_boot(self) -> None:
        """A machine that boots needs its address again."""
        self._service.ensure()

    def _claim(self, handle: Handle) -> Claim | None:
        claim = self._registry.claim_of(machine_of(handle)) if "/" not in handle.id else None
        if claim is None or f"{claim.machine}.{claim.instance}" != handle.id:
            return None
        return claim

    def _machine_handle(self, claim: Claim) -> Handle:
        return Handle(
            platform=self.platform,
            kind=Kind.MACHINE,
            id=f"{claim.machine}.{claim.instance}",
            name=claim.name,
            run=claim.run,
        )

    def _handle(self, thing: Thing) -> Handle:
        return Handle(
            platform=self.platform,
            kind=Kind(thing.kind),
            id=thing.id,
            name=thing.tags.get(TAG_NAME, ""),
            run=thing.tags.get(TAG_RUN, ""),
        )

    def _facts(self, thing: Thing) -> Mapping[str, Any]:
        facts = dict(thing.facts)
        if serial := facts.get("serial"):
            facts["device"] = f"/dev/disk/by-id/virtio-{serial}"
        return facts
