"""What the fake cloud offers, and how a selector chooses from it: data alone, always the same."""

from __future__ import annotations

from fnmatch import fnmatchcase

from provisioner.budget import CURRENCY
from provisioner.driver import Description, Offer
from provisioner.drivers.fake.cloud import Cloud
from provisioner.drivers.fake.rules import TAG_VALUE_CHARS, TAGS, USER_DATA_BYTES
from provisioner.drivers.fake.settings import Settings
from provisioner.errors import BadRequest
from provisioner.resources import ImageSpec, Kind, MachineSpec, Support


def support_of(settings: Settings, kind: Kind) -> Support:
    """How the platform has a kind."""
    if kind in settings.absent_kinds:
        return Support.ABSENT
    return Support.IMPLICIT if kind in settings.implicit_kinds else Support.MANAGED


def choose_image(settings: Settings, want: ImageSpec, platform: str) -> str:
    """The newest image that fits; of equals the first by id.

    Raises:
        BadRequest: none fits; says what there is.
    """
    fits = [
        (facts.get("version", ""), name)
        for name, facts in settings.images.items()
        if want.os in ("", facts.get("os"))
        and want.version in ("", facts.get("version"))
        and want.arch in ("", facts.get("arch"))
        and fnmatchcase(name, want.name or "*")
    ]
    if not fits:
        asked = " ".join(part for part in (want.os, want.version, want.arch, want.name) if part)
        there = ", ".join(
            f"{facts.get('os')} {facts.get('version')} {facts.get('arch')}"
            for facts in settings.images.values()
        )
        raise BadRequest(f"no image fits {asked}; there is {there or 'none'}", platform)
    newest = max(version for version, _ in fits)
    return min(name for version, name in fits if version == newest)


def choose_size(settings: Settings, want: MachineSpec, platform: str) -> tuple[str, float]:
    """The cheapest size that is large enough, and its price an hour; of equals the first by name.

    Raises:
        BadRequest: none is large enough.
    """
    fits = sorted(
        (size.get("price", 0.0), size["cpu"], size["memory_mib"], name)
        for name, size in settings.sizes.items()
        if size["cpu"] >= want.cpu and size["memory_mib"] >= want.memory_mib
    )
    if not fits:
        asked = f"{want.cpu} cpu and {want.memory_mib} MiB"
        raise BadRequest(f"no size has {asked}; there is {', '.join(settings.sizes)}", platform)
    return fits[0][3], fits[0][0]


def describe_cloud(cloud: Cloud, available: frozenset[str]) -> Description:
    """What the platform says it is; *available* are the names of the feature objects."""
    settings = cloud.settings
    kinds = {kind: support_of(settings, kind) for kind in Kind}
    features = {str(kind) for kind, support in kinds.items() if support is not Support.ABSENT}
    features |= available | {
        "ssh", "user-data", "metadata", "cloud-init", "reboot", "block-volume",
    }  # fmt: skip
    absent = {
        str(kind): f"kind {kind} is in the platform's absent_kinds"
        for kind, support in kinds.items()
        if support is Support.ABSENT
    }
    for name, on in settings.features.items():
        if on:
            features.add(name)
            absent.pop(name, None)
        else:
            features.discard(name)
            absent[name] = "switched off in the platform's settings"
    source = "" if "alloc-02" in cloud.defects else "api: offers image"
    images = tuple(
        Offer(id=name, name=name, facts=dict(facts), source=source)
        for name, facts in sorted(cloud.offers("image").items())
    )
    sizes = tuple(
        Offer(id=name, name=name, facts=dict(facts), source="api: offers size")
        for name, facts in sorted(cloud.offers("size").items())
    )
    limits: dict[str, float] = {
        "visibility_s": max(settings.visible_s, settings.list_s),
        "user_data_bytes": USER_DATA_BYTES,
        "tags": TAGS,
        "tag_value_chars": TAG_VALUE_CHARS,
        **{f"jobs.{kind}": jobs for kind, jobs in settings.jobs.items()},
    }
    if settings.rate:
        limits["rate"] = settings.rate
    if "machine" in settings.quotas:
        limits["machines"] = settings.quotas["machine"]
    return Description(
        platform=cloud.name,
        kind="fake",
        emulator=True,
        kinds=kinds,
        features=frozenset(features),
        absent=absent,
        images=images,
        sizes=sizes,
        zones=("zone-a",),
        limits=limits,
        versions={"api": "fake/1"},
        facts={
            "defects": sorted(cloud.defects),
            "at_most_once": settings.tokens,
            CURRENCY: settings.currency,
        },
    )
