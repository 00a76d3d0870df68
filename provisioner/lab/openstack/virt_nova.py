"""Between nova's objects and the lab's guests: what a server is told to have, images, errors."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from nova import exception
from nova.api.metadata import base as instance_metadata
from nova.compute import task_states
from nova.image import glance
from nova.virt import configdrive, images

from provisioner.errors import PlatformError, PlatformFault
from provisioner.lab.guests import copies
from provisioner.lab.guests.container import MAKE_EXT4
from provisioner.lab.guests.guest import Image
from provisioner.lab.openstack.seed import IMAGE_DATA
from provisioner.lab.openstack.virt_servers import FIRST_SLOT, Nic
from provisioner.lab.space import run

STANDS_FOR = IMAGE_DATA.rstrip(b"\0")  # an image that begins so means the lab's own root
LABEL = "config-2"  # Source: OpenStack, "Config drives": label and file system
CONFIG_KIB = 4096
MTU = 1500  # of a network that says nothing


@contextlib.contextmanager
def faults(instance: Any) -> Iterator[None]:
    """What goes wrong with a guest becomes the fault that nova shows of the server."""
    try:
        yield
    except (PlatformError, OSError) as error:
        raise exception.InternalError(f"server {instance.uuid}: {error}") from error


# -- what nova tells ---------------------------------------------------------------------------


def nics_of(network_info: Any) -> tuple[Nic, ...]:
    """The ports, in their order; reading them waits until neutron has made them."""
    return tuple(nic(vif, slot) for slot, vif in enumerate(network_info or (), FIRST_SLOT))


def nic(vif: Any, slot: int) -> Nic:
    """One port."""
    network = vif["network"]
    return Nic(
        id=vif["id"],
        network=network["id"],
        mac=vif["address"],
        mtu=int(network.get_meta("mtu") or MTU),
        slot=slot,
    )


def volume(connection_info: Any, mountpoint: str) -> tuple[str, str, str]:
    """Id, file and node of a volume."""
    data = connection_info["data"]
    known_by = connection_info.get("serial") or data["volume_id"]
    return str(known_by), str(data["device_path"]), Path(mountpoint).name


def volumes_of(block_device_info: Any) -> tuple[tuple[tuple[str, str, str], ...], str]:
    """The volumes from the start, and the file of the one that is the root, if one is."""
    found, root = [], ""
    told = block_device_info or {}
    for item in told.get("block_device_mapping") or ():
        each = volume(item["connection_info"], item["mount_device"])
        found.append(each)
        if item.get("boot_index") == 0 or item["mount_device"] == told.get("root_device_name"):
            root = each[1]
    return tuple(found), root


def needs_config_drive(instance: Any) -> bool:
    """Whether the server was asked to have one, or its image wants it."""
    return bool(configdrive.required_by(instance))


def write_config_drive(
    instance: Any, files: Any, password: Any, network_info: Any, path: Path, *, iso: bool
) -> None:
    """The configuration drive: ISO 9660, or ext4 where the host's kernel must mount it."""
    more = {"admin_pass": password} if password else {}
    told = instance_metadata.InstanceMetadata(
        instance, content=files, extra_md=more, network_info=network_info
    )
    with configdrive.ConfigDriveBuilder(instance_md=told) as drive:
        if iso:
            drive.make_drive(str(path))
            return
        with tempfile.TemporaryDirectory(dir=path.parent) as folder:
            for name, data in drive.mdfiles:
                file = Path(folder) / name
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_bytes(data.encode() if isinstance(data, str) else data)
            run(*MAKE_EXT4, "-N", "512", "-L", LABEL, "-d", folder, str(path), f"{CONFIG_KIB}k")


# -- roots -------------------------------------------------------------------------------------


def fetch_root(context: Any, image: str, folder: Path, size_gib: int, *, virtual: bool) -> None:
    """Put an image where a guest looks for its root; none for the one that means the lab's own.

    Raises:
        ImageUnacceptable: it is no root that a guest of the lab can have.
    """
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / ("root.raw" if virtual else "root.img")
    images.fetch_to_raw(context, image, str(path))
    if _stands_for(path):
        path.unlink()
        return
    _check(path, image)
    copies.grow(path, size_gib)


def prepare_volume(file: Path, image: Image, *, virtual: bool) -> None:
    """Make a volume a root, if it was made of the image that means the lab's own.

    Raises:
        ImageUnacceptable: it is no root that a guest of the lab can have.
    """
    if not _stands_for(file):
        _check(file, file.name)
    elif virtual:
        run("qemu-img", "convert", "-n", "-f", "raw", "-O", "raw", str(image.disk), str(file))
    else:
        run(*MAKE_EXT4, str(file))


def _stands_for(file: Path) -> bool:
    with file.open("rb") as data:
        return data.read(len(STANDS_FOR)) == STANDS_FOR


def _check(file: Path, name: str) -> None:
    try:
        copies.check_root(file)
    except PlatformFault as error:
        file_is_ours = file.name.startswith("root.")
        if file_is_ours:
            file.unlink()
        raise exception.ImageUnacceptable(image_id=name, reason=str(error)) from error


def upload(
    context: Any,
    image: str,
    file: Path,
    update_task_state: Callable[..., None],
    make: Callable[[], None],
) -> None:
    """Give a snapshot to glance: *make* writes it to *file*, a qcow2."""
    update_task_state(task_state=task_states.IMAGE_PENDING_UPLOAD)
    try:
        make()
        update_task_state(
            task_state=task_states.IMAGE_UPLOADING,
            expected_state=task_states.IMAGE_PENDING_UPLOAD,
        )
        told = {
            "disk_format": "qcow2",
            "container_format": "bare",
            "status": "active",
            "properties": {"description": "root file system of a server of the lab"},
        }
        with file.open("rb") as data:
            glance.API().update(context, image, told, data)
    finally:
        file.unlink(missing_ok=True)


def copy_folder(source: Path, target: Path) -> None:
    """A copy as sparse as its source; one that is there is replaced."""
    remove_folder(target)
    run("cp", "-a", "--sparse=always", "--reflink=auto", str(source), str(target))


def remove_folder(folder: Path) -> None:
    """Nothing of it stays; none there is fine."""
    shutil.rmtree(folder, ignore_errors=True)
