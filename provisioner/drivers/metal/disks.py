"""Volumes and attachments: spare disks of machines, reserved and bound."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from provisioner.driver import Handle, Step
from provisioner.drivers.metal.registry import Registry, Thing
from provisioner.drivers.metal.settings import DiskModel, MetalSettings
from provisioner.errors import BadRequest, Capacity, Conflict, NotFound
from provisioner.resources import AttachmentSpec, Kind, VolumeSpec


class Disks:
    """The spare disks of a platform. Decisions are made under the registry's lock."""

    def __init__(self, settings: MetalSettings, registry: Registry, platform: str) -> None:
        self._settings, self._registry, self._platform = settings, registry, platform

    def largest(self) -> float:
        """GiB of the largest spare disk, 0 without any."""
        return max((d.size_gib for m in self._settings.inventory for d in m.spares), default=0.0)

    def reserve(self, step: Step, spec: VolumeSpec, number: str, token: str) -> Thing:
        """A volume: on the machine it will go to where that is known, else bound when attached.

        Raises:
            Capacity: no spare disk is left that is large enough.
        """
        with self._registry.locked():
            if (old := self._registry.thing(number)) is not None:
                return old
            facts: dict[str, object] = {"wanted_gib": spec.size_gib}
            if spec.machine is not None:
                machine = machine_of(step.bound[spec.machine])
                facts |= self._bind(machine, spec.size_gib)
            elif self._free(spec.size_gib) <= 0:
                message = f"no spare disk of {spec.size_gib} GiB is left"
                raise Capacity(message, self._platform)
            thing = Thing(
                id=number, kind="volume", token=token, tags=step.resource.tags, facts=facts
            )
            self._registry.add(thing)
            return thing

    def attach(self, step: Step, spec: AttachmentSpec, number: str, token: str) -> Thing:
        """Join a volume to the machine that has its disk.

        Raises:
            NotFound: there is no such volume.
            Conflict: it is on another machine, or attached.
            Capacity: the machine has no spare disk left.
        """
        machine, volume = step.bound[spec.machine], step.bound[spec.what]
        with self._registry.locked():
            if (old := self._registry.thing(number)) is not None:
                return old
            found = self._registry.thing(volume.id)
            if found is None:
                raise NotFound(f"no volume {volume.id}", self._platform)
            place = machine_of(machine)
            if not found.facts.get("machine"):
                bound = self._bind(place, int(found.facts["wanted_gib"]))
                found = replace(found, facts={**found.facts, **bound})
                self._registry.change(found)
            elif found.facts["machine"] != place:
                message = f"volume {volume.id} is a disk of {found.facts['machine']}, not {place}"
                raise Conflict(message, self._platform)
            if self.user_of(volume.id) is not None:
                raise Conflict(f"volume {volume.id} is attached already", self._platform)
            facts = {**found.facts, "volume": volume.id, "instance": machine.id}
            thing = Thing(
                id=number, kind="attachment", token=token, tags=step.resource.tags, facts=facts
            )
            self._registry.add(thing)
            return thing

    def user_of(self, volume: str) -> Thing | None:
        """The attachment that uses a volume."""
        joined = self._registry.things("attachment")
        return next((a for a in joined if a.facts.get("volume") == volume), None)

    def release(self, volume: Handle) -> None:
        """Forget a volume.

        Raises:
            Conflict: it is attached.
        """
        with self._registry.locked():
            if self.user_of(volume.id) is not None:
                raise Conflict(f"volume {volume.id} is attached", self._platform)
            self._registry.remove(volume.id)

    def _bind(self, machine: str, size_gib: int) -> Mapping[str, object]:
        """The smallest spare disk of a machine that fits and is free."""
        model = self._settings.machine(machine)
        if model is None:
            raise BadRequest(f"no machine {machine} in the inventory", self._platform)
        taken = self._taken()
        free = [d for d in model.spares if d.serial not in taken and d.size_gib >= size_gib]
        if not free:
            message = f"{machine} has no spare disk of {size_gib} GiB left"
            raise Capacity(message, self._platform)
        disk: DiskModel = min(free, key=lambda d: d.size_gib)
        return {"machine": machine, "serial": disk.serial, "size_gib": disk.size_gib}

    def _free(self, size_gib: int) -> int:
        taken = self._taken()
        loose = sum(1 for v in self._registry.things("volume") if not v.facts.get("machine"))
        fits = [
            d
            for m in self._settings.inventory
            for d in m.spares
            if d.serial not in taken and d.size_gib >= size_gib
        ]
        return len(fits) - loose

    def _taken(self) -> set[object]:
        return {v.facts.get("serial") for v in self._registry.things("volume")}


def machine_of(handle: Handle) -> str:
    """The inventory's name of a claimed machine: ids are NAME.INSTANCE."""
    if handle.kind is not Kind.MACHINE:
        raise BadRequest(f"{handle} is no machine")
    return handle.id.rpartition(".")[0]
