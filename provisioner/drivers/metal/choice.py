"""Chooses images and machines for a wish, and says why when there is none."""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatchcase

from provisioner.driver import Offer
from provisioner.drivers.metal.settings import MachineModel, MetalSettings
from provisioner.errors import BadRequest
from provisioner.resources import ImageSpec, MachineSpec

SMALL = "small"


def offered_images(settings: MetalSettings) -> tuple[Offer, ...]:
    """What the boot service can install; the first one is what nobody's wish excludes."""
    source = "declared: boot in the platform's settings"
    # Small is Debian's programs without systemd and cloud-init, so it is no answer to "os: debian"
    # with a version; a wish that names nothing gets it.
    small = Offer(
        id=SMALL, name=SMALL, facts={"os": "interop-small", "arch": "amd64"}, source=source
    )
    others = []
    for name in settings.boot.images:
        system, _, version = name.partition("-")
        facts = {"os": system, "version": version, "arch": "amd64"}
        others.append(Offer(id=name, name=name, facts=facts, source=source))
    return (small, *others)


def choose_image(settings: MetalSettings, want: ImageSpec, platform: str) -> str:
    """The id of the first image that fits.

    Raises:
        BadRequest: none does; says what there is.
    """
    offers = offered_images(settings)
    for offer in offers:
        facts = offer.facts
        if (
            want.os in ("", facts.get("os"))
            and want.version in ("", facts.get("version"))
            and want.arch in ("", facts.get("arch"))
            and fnmatchcase(offer.name, want.name or "*")
        ):
            return offer.id
    asked = " ".join(part for part in (want.os, want.version, want.arch, want.name) if part)
    there = ", ".join(offer.name for offer in offers)
    raise BadRequest(f"no image fits {asked}; there is {there}", platform)


def fitting(settings: MetalSettings, want: MachineSpec, platform: str) -> Sequence[MachineModel]:
    """The machines that are large enough, the smallest first.

    Raises:
        BadRequest: none is.
    """
    fits = [
        machine
        for machine in settings.inventory
        if machine.cpu >= want.cpu
        and machine.memory_mib >= want.memory_mib
        and (not want.disk_gib or (machine.disks and machine.disks[0].size_gib >= want.disk_gib))
    ]
    if not fits:
        disk = f" and a disk of {want.disk_gib} GiB" if want.disk_gib else ""
        asked = f"{want.cpu} cpu, {want.memory_mib} MiB{disk}"
        raise BadRequest(f"no machine of the inventory has {asked}", platform)
    return sorted(fits, key=lambda m: (len(m.spares), m.cpu, m.memory_mib))
