"""Choosing an image and a size from what the platform lists, the same one every time.

Who publishes a distribution's images is known by account number (an image's name alone proves
nothing: anybody may publish one of any name).
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

from provisioner.driver import Offer
from provisioner.drivers.aws.account import Account
from provisioner.errors import BadRequest
from provisioner.resources import ImageSpec, MachineSpec

ARCHITECTURES = {"amd64": "x86_64", "x86_64": "x86_64", "arm64": "arm64", "aarch64": "arm64"}
OTHER_NAME = {"x86_64": "amd64", "arm64": "arm64"}  # what everybody but AWS calls them


@dataclass(frozen=True, slots=True, kw_only=True)
class Family:
    """A distribution's images: who publishes them, their names, and who logs in.

    In ``pattern`` {version} is the release (``*`` for any), {arch} AWS's word for the architecture
    and {deb} Debian's.
    """

    os: str
    owner: str
    pattern: str
    user: str


# Sources: each distribution's own page on its EC2 images.
FAMILIES = (
    Family(os="debian", owner="136693071363", pattern="debian-{version}-{deb}-2*", user="admin"),
    Family(
        os="ubuntu",
        owner="099720109477",
        pattern="ubuntu/images/hvm-ssd*/ubuntu-*-{version}-{deb}-server-*",
        user="ubuntu",
    ),
    Family(
        os="amazon", owner="amazon", pattern="al{version}-ami-2*-kernel-*-{arch}", user="ec2-user"
    ),
    Family(os="rocky", owner="792107900819", pattern="Rocky-{version}-EC2-*.{arch}", user="rocky"),
    Family(
        os="almalinux",
        owner="764336703387",
        pattern="AlmaLinux OS {version}*{arch}*",
        user="ec2-user",
    ),
    Family(os="rhel", owner="309956199498", pattern="RHEL-{version}*-{arch}-*", user="ec2-user"),
    Family(
        os="fedora",
        owner="125523088429",
        pattern="Fedora-Cloud-Base*-{version}*.{arch}*",
        user="fedora",
    ),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """A chosen image. ``user_source`` says where the log-in user is known from."""

    id: str
    name: str
    arch: str
    root_device: str
    root_gib: int
    user: str
    user_source: str
    created: str
    owner: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """An instance type."""

    name: str
    cpu: int
    memory_mib: int
    architectures: tuple[str, ...]
    burstable: bool


class Choice:
    """Images and sizes of a region; each question is asked once."""

    def __init__(self, account: Account) -> None:
        self._account = account
        self._lock = threading.Lock()
        self._images: dict[ImageSpec, Image] = {}
        self._sizes: tuple[Size, ...] | None = None
        self._by_id: dict[str, Image] = {}

    def image(self, spec: ImageSpec) -> Image:
        """The newest image that fits; of two equally new ones, the greater id.

        Raises:
            BadRequest: none fits, or the architecture is unknown.
        """
        with self._lock:
            if spec not in self._images:
                self._images[spec] = self._newest(spec)
            chosen = self._images[spec]
            self._by_id[chosen.id] = chosen
            return chosen

    def by_id(self, image_id: str) -> Image | None:
        """A listed image, to know its log-in user; None if it is not listed any more."""
        with self._lock:
            if image_id not in self._by_id:
                filters = [{"Name": "image-id", "Values": [image_id]}]
                for item in self._account.each(
                    "read the image", "describe_images", "Images", Filters=filters
                ):
                    self._by_id[image_id] = self._image(item)
            return self._by_id.get(image_id)

    def _newest(self, spec: ImageSpec) -> Image:
        arch = ARCHITECTURES.get(spec.arch or "amd64")
        if arch is None:
            known = ", ".join(sorted(ARCHITECTURES))
            raise BadRequest(f"image: arch {spec.arch!r}, known: {known}", self._account.platform)
        tried: list[str] = []
        for owners, pattern in self._questions(spec, arch):
            found = list(
                self._account.each(
                    "choose an image",
                    "describe_images",
                    "Images",
                    Owners=owners,
                    Filters=[
                        {"Name": "name", "Values": [pattern]},
                        {"Name": "state", "Values": ["available"]},
                        {"Name": "architecture", "Values": [arch]},
                        {"Name": "virtualization-type", "Values": ["hvm"]},
                        {"Name": "root-device-type", "Values": ["ebs"]},
                    ],
                )
            )
            if found:
                newest = max(found, key=lambda i: (i.get("CreationDate", ""), i["ImageId"]))
                return self._image(newest)
            tried.append(f"{pattern} of {', '.join(owners)}")
        wish = spec.name or " ".join(filter(None, (spec.os, spec.version, arch)))
        asked = "; ".join(tried) or f"os {spec.os!r} has no known publisher"
        raise BadRequest(f"no image fits {wish}: looked for {asked}", self._account.platform)

    def _questions(self, spec: ImageSpec, arch: str) -> Iterator[tuple[list[str], str]]:
        """Whose images of what name to ask for, the first choice first."""
        own = list(self._account.settings.image_owners)
        if spec.name:
            yield own or ["self", *(f.owner for f in FAMILIES)], spec.name
            return
        for family in FAMILIES:
            if spec.os in ("", family.os):
                version = spec.version or "*"
                words = {"version": version, "arch": arch, "deb": OTHER_NAME[arch]}
                yield own or [family.owner], family.pattern.format(**words)

    def _image(self, item: dict[str, Any]) -> Image:
        name, owner = str(item.get("Name", "")), str(item.get("OwnerId", ""))
        user, source = self._user(name)
        root = str(item.get("RootDeviceName") or "/dev/xvda")
        disks = {d.get("DeviceName"): d.get("Ebs") or {} for d in item["BlockDeviceMappings"]}
        return Image(
            id=item["ImageId"],
            name=name,
            arch=str(item.get("Architecture", "")),
            root_device=root,
            root_gib=int(disks.get(root, {}).get("VolumeSize") or 8),
            user=user,
            user_source=source,
            created=str(item.get("CreationDate", "")),
            owner=owner,
        )

    def _user(self, name: str) -> tuple[str, str]:
        """Who logs in to machines of an image, and how we know: EC2 itself does not say."""
        for pattern, user in self._account.settings.users.items():
            if fnmatchcase(name, pattern):
                return user, f"declared: users in platforms.yaml, {pattern}"
        for family in FAMILIES:
            words = {"version": "*", "arch": "*", "deb": "*"}
            if fnmatchcase(name, family.pattern.format(**words)):
                return family.user, f"table: images of {family.os}"
        return "ec2-user", "assumed: the name of the image is not known"

    def sizes(self) -> tuple[Size, ...]:
        """Every instance type to choose from, the smallest first."""
        with self._lock:
            if self._sizes is None:
                self._sizes = tuple(sorted(self._read_sizes(), key=_smallest_first))
            return self._sizes

    def _read_sizes(self) -> Iterator[Size]:
        wanted = list(self._account.settings.sizes)
        parameters: dict[str, Any] = {"InstanceTypes": wanted} if wanted else {}
        if not wanted:
            parameters["Filters"] = [
                {"Name": "current-generation", "Values": ["true"]},
                {"Name": "bare-metal", "Values": ["false"]},
                {"Name": "supported-usage-class", "Values": ["on-demand"]},
                {"Name": "supported-virtualization-type", "Values": ["hvm"]},
            ]
        for item in self._account.each(
            "list sizes", "describe_instance_types", "InstanceTypes", **parameters
        ):
            if any(item.get(part) for part in ("GpuInfo", "FpgaInfo", "InferenceAcceleratorInfo")):
                continue
            yield Size(
                name=item["InstanceType"],
                cpu=int(item["VCpuInfo"]["DefaultVCpus"]),
                memory_mib=int(item["MemoryInfo"]["SizeInMiB"]),
                architectures=tuple(item["ProcessorInfo"]["SupportedArchitectures"]),
                burstable=bool(item.get("BurstablePerformanceSupported")),
            )

    def size(self, spec: MachineSpec, arch: str) -> Size:
        """The smallest size with at least what is wished for.

        Raises:
            BadRequest: there is none; the largest one is named.
        """
        sizes = [size for size in self.sizes() if arch in size.architectures]
        for size in sizes:
            if size.cpu >= spec.cpu and size.memory_mib >= spec.memory_mib:
                return size
        wish = f"cpu {spec.cpu}, memory {spec.memory_mib} MiB, {arch}"
        largest = max(sizes, key=lambda s: (s.memory_mib, s.cpu, s.name), default=None)
        there = (
            f"the largest is {largest.name}: cpu {largest.cpu}, {largest.memory_mib} MiB"
            if largest
            else "there is none of that architecture"
        )
        raise BadRequest(f"no size fits {wish}; {there}", self._account.platform)

    def offers(self) -> tuple[tuple[Offer, ...], tuple[Offer, ...]]:
        """Images and sizes for the description."""
        images: list[Offer] = []
        for family in FAMILIES:
            try:
                image = self.image(ImageSpec(os=family.os))
            except BadRequest:
                continue  # the region has none of these
            facts = {
                "os": family.os,
                "arch": OTHER_NAME.get(image.arch, image.arch),
                "user": image.user,
                "user_source": image.user_source,
                "created": image.created,
            }
            images.append(
                Offer(id=image.id, name=image.name, facts=facts, source="api: DescribeImages")
            )
        sizes = tuple(
            Offer(
                id=size.name,
                name=size.name,
                facts={
                    "cpu": size.cpu,
                    "memory_mib": size.memory_mib,
                    "arch": [OTHER_NAME.get(arch, arch) for arch in size.architectures],
                },
                source="api: DescribeInstanceTypes",
            )
            for size in self.sizes()
        )
        return tuple(images), sizes


def _smallest_first(size: Size) -> tuple[int, int, bool, int, str]:
    """The order of sizes; among equals burstable and general-purpose ones come first."""
    usual = "tmcr".find(size.name[0])
    return size.cpu, size.memory_mib, not size.burstable, usual if usual >= 0 else 9, size.name
