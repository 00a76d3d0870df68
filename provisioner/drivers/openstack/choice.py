"""Choosing an image and a size from what the cloud lists, the same one every time."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any

from provisioner.driver import Offer
from provisioner.drivers.openstack.cloud import Cloud, at
from provisioner.errors import BadRequest, PlatformError
from provisioner.resources import ImageSpec, MachineSpec

ARCHITECTURES = {"x86_64": "amd64", "amd64": "amd64", "aarch64": "arm64", "arm64": "arm64"}
EXTRA_SPECS = "2.61"  # the first microversion whose flavors tell them

# Who logs in to a distribution's cloud image, where the image itself does not say.
# Sources: the distributions' own pages on their cloud images.
USERS = {
    "debian": "debian",
    "ubuntu": "ubuntu",
    "fedora": "fedora",
    "centos": "cloud-user",
    "rhel": "cloud-user",
    "rocky": "rocky",
    "almalinux": "almalinux",
    "alpine": "alpine",
    "arch": "arch",
    "opensuse": "opensuse",
    "sles": "sles",
    "cirros": "cirros",
    "freebsd": "freebsd",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """An image. ``user_source`` says where the log-in user is known from."""

    id: str
    name: str
    os: str
    version: str
    arch: str
    user: str
    user_source: str
    created: str
    min_disk_gib: int
    min_memory_mib: int
    public: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """A flavor; ``disk_gib`` 0 means that its machines boot from a volume."""

    id: str
    name: str
    cpu: int
    memory_mib: int
    disk_gib: int
    extra: Mapping[str, str] = field(default_factory=dict)


class Choice:
    """Images and sizes of a cloud; each list is asked for once."""

    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud
        self._lock = threading.Lock()
        self._images: tuple[Image, ...] | None = None
        self._sizes: tuple[Size, ...] | None = None
        self._by_id: dict[str, Image | None] = {}

    def images(self) -> tuple[Image, ...]:
        """Every image that can be used, the newest first; of equally new ones the greater id."""
        with self._lock:
            if self._images is None:
                found = self._cloud.each(
                    "list images", "image", "/images", "images", query={"status": "active"}
                )
                usable = [self._image(one) for one in found if _bootable(one)]
                self._images = tuple(sorted(usable, key=lambda i: (i.created, i.id), reverse=True))
            return self._images

    def image(self, spec: ImageSpec) -> Image:
        """The newest image that fits; public ones first, as others may be anybody's.

        Raises:
            BadRequest: none fits, or the architecture is unknown.
        """
        arch = ARCHITECTURES.get(spec.arch, "") if spec.arch else ""
        if spec.arch and not arch:
            known = ", ".join(sorted(ARCHITECTURES))
            raise BadRequest(f"image: arch {spec.arch!r}, known: {known}", self._cloud.platform)
        fitting = [i for i in self.images() if _fits(i, spec, arch)]
        for public in (True, False):
            for image in fitting:
                if image.public is public:
                    return image
        wish = spec.name or " ".join(filter(None, (spec.os, spec.version, arch))) or "anything"
        there = ", ".join(sorted({i.name for i in self.images()})[:8]) or "none"
        message = f"no image fits {wish} by os_distro, os_version, architecture; there are: {there}"
        raise BadRequest(message, self._cloud.platform)

    def by_id(self, image_id: str) -> Image | None:
        """An image, to know its log-in user; None if it is not there any more."""
        with self._lock:
            if image_id in self._by_id:
                return self._by_id[image_id]
            for image in self._images or ():
                if image.id == image_id:
                    return image
        item = self._one(image_id)
        with self._lock:
            self._by_id[image_id] = self._image(item) if item else None
            return self._by_id[image_id]

    def _one(self, image_id: str) -> dict[str, Any]:
        """An image's own document: it has no key around it."""
        try:
            found = self._cloud.call("read the image", "image", "GET", f"/images{at(image_id)}")
        except PlatformError:
            return {}
        return dict(found)

    def _image(self, item: Mapping[str, Any]) -> Image:
        name, os = str(item.get("name") or ""), str(item.get("os_distro") or "").lower()
        user, source = self._user(item, name, os)
        told = str(item.get("architecture") or item.get("hw_architecture") or "")
        return Image(
            id=str(item["id"]),
            name=name,
            os=os,
            version=str(item.get("os_version") or ""),
            arch=ARCHITECTURES.get(told, told),
            user=user,
            user_source=source,
            created=str(item.get("created_at") or ""),
            min_disk_gib=int(item.get("min_disk") or 0),
            min_memory_mib=int(item.get("min_ram") or 0),
            public=item.get("visibility") == "public",
        )

    def _user(self, item: Mapping[str, Any], name: str, os: str) -> tuple[str, str]:
        """Who logs in to machines of an image, and how we know."""
        for pattern, user in self._cloud.settings.users.items():
            if fnmatchcase(name, pattern):
                return user, f"declared: users in platforms.yaml, {pattern}"
        if item.get("os_admin_user"):
            return str(item["os_admin_user"]), "api: image property os_admin_user"
        if os in USERS:
            return USERS[os], f"table: images of {os}"
        for known, user in USERS.items():
            if name.lower().startswith(known):
                return user, f"table: the image's name begins with {known}"
        return "cloud-user", "assumed: the image does not say"

    def sizes(self) -> tuple[Size, ...]:
        """Every flavor to choose from, the smallest first; plain ones before special ones."""
        with self._lock:
            if self._sizes is None:
                self._sizes = tuple(sorted(self._read_sizes(), key=_smallest_first))
            return self._sizes

    def _read_sizes(self) -> Iterator[Size]:
        wanted = self._cloud.settings.sizes
        newest = self._cloud.newest("compute", EXTRA_SPECS)
        for item in self._cloud.each(
            "list sizes", "compute", "/flavors/detail", "flavors", microversion=newest
        ):
            if (wanted and item["name"] not in wanted) or item.get("OS-FLV-DISABLED:disabled"):
                continue
            yield Size(
                id=str(item["id"]),
                name=str(item["name"]),
                cpu=int(item["vcpus"]),
                memory_mib=int(item["ram"]),
                disk_gib=int(item["disk"]),
                extra={str(k): str(v) for k, v in (item.get("extra_specs") or {}).items()},
            )

    def size(self, spec: MachineSpec, image: Image) -> Size:
        """The smallest flavor with at least what is wished for and what the image needs.

        Raises:
            BadRequest: there is none; the largest one is named.
        """
        memory = max(spec.memory_mib, image.min_memory_mib)
        disk = max(spec.disk_gib, image.min_disk_gib)
        sizes = self.sizes()
        enough = [s for s in sizes if s.cpu >= spec.cpu and s.memory_mib >= memory]
        for size in enough:
            if size.disk_gib >= max(disk, 1):
                return size
        if enough:  # none has that disk itself; its machine boots from a volume of that size
            return next((size for size in enough if size.disk_gib == 0), enough[0])
        wish = f"cpu {spec.cpu}, memory {memory} MiB"
        largest = max(sizes, key=lambda s: (s.memory_mib, s.cpu, s.name), default=None)
        there = (
            f"the largest is {largest.name}: cpu {largest.cpu}, {largest.memory_mib} MiB"
            if largest
            else "there is none at all"
        )
        raise BadRequest(f"no size fits {wish}; {there}", self._cloud.platform)

    def offers(self) -> tuple[tuple[Offer, ...], tuple[Offer, ...]]:
        """Images and sizes for the description."""
        images = tuple(
            Offer(
                id=i.id,
                name=i.name,
                facts={
                    "os": i.os,
                    "version": i.version,
                    "arch": i.arch,
                    "user": i.user,
                    "user_source": i.user_source,
                    "created": i.created,
                    "public": i.public,
                },
                source="api: GET /v2/images",
            )
            for i in self.images()
        )
        sizes = tuple(
            Offer(
                id=s.id,
                name=s.name,
                facts={
                    "cpu": s.cpu,
                    "memory_mib": s.memory_mib,
                    "disk_gib": s.disk_gib,
                    **dict(s.extra),
                },
                source="api: GET /flavors/detail",
            )
            for s in self.sizes()
        )
        return images, sizes


def _bootable(item: Mapping[str, Any]) -> bool:
    """Not the copy of somebody's machine, nor a kernel or initial ramdisk of another image."""
    return item.get("image_type") != "snapshot" and item.get("container_format") not in (
        "aki",
        "ari",
    )


def _fits(image: Image, spec: ImageSpec, arch: str) -> bool:
    if spec.name:
        return fnmatchcase(image.name, spec.name) and (not arch or image.arch in ("", arch))
    if arch and image.arch not in ("", arch):
        return False
    words = image.name.lower().replace("-", " ").replace("_", " ").split()
    if spec.os and image.os != spec.os and (image.os or spec.os not in words):
        return False
    told = image.version or next((w for w in words if w[:1].isdigit()), "")
    return not spec.version or told == spec.version or told.startswith(f"{spec.version}.")


def _smallest_first(size: Size) -> tuple[int, int, int, int, str]:
    """The order of sizes; a flavor with extra specs is for a purpose, so plain ones come first."""
    return size.cpu, size.memory_mib, len(size.extra), size.disk_gib, size.name
