"""Cinder's driver: a volume is a sparse file, for a compute driver on the same machine.

Loaded inside cinder's process by its class path. ``initialize_connection`` tells the path; nova's
driver makes a block device of it in the guest.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

from cinder import exception, interface
from cinder.image import image_utils
from cinder.volume import driver, volume_utils

from provisioner.lab.openstack.place import here

GIB = 1 << 30


@interface.volumedriver
class FileDriver(driver.VolumeDriver):  # type: ignore[misc]
    """Files in the lab's folder of volumes, named as cinder names the volume."""

    VERSION = "1"
    SUPPORTED = True

    def _path(self, item: Any) -> Path:
        return here().volumes / str(item.name)

    def do_setup(self, context: Any) -> None:
        here().volumes.mkdir(parents=True, exist_ok=True)

    def check_for_setup_error(self) -> None:
        if not os.access(here().volumes, os.W_OK):
            raise exception.VolumeBackendAPIException(data=f"{here().volumes}: not writable")

    def _update_volume_stats(self) -> None:
        usage = shutil.disk_usage(here().volumes)
        self._stats = {
            "volume_backend_name": "lab",
            "vendor_name": "interop",
            "driver_version": self.VERSION,
            "storage_protocol": "local",
            "total_capacity_gb": usage.total / GIB,
            "free_capacity_gb": usage.free / GIB,
            "reserved_percentage": 0,
            "multiattach": False,
            "thin_provisioning_support": True,
            "thick_provisioning_support": False,
            "QoS_support": False,
            "max_over_subscription_ratio": 20,
        }

    def create_volume(self, volume: Any) -> None:
        with self._path(volume).open("xb") as out:
            out.truncate(volume.size * GIB)

    def delete_volume(self, volume: Any) -> None:
        self._path(volume).unlink(missing_ok=True)

    def extend_volume(self, volume: Any, new_size: int) -> None:
        os.truncate(self._path(volume), new_size * GIB)

    def create_snapshot(self, snapshot: Any) -> None:
        _copy(self._path(snapshot.volume), self._path(snapshot))

    def delete_snapshot(self, snapshot: Any) -> None:
        self._path(snapshot).unlink(missing_ok=True)

    def create_volume_from_snapshot(self, volume: Any, snapshot: Any) -> None:
        _copy(self._path(snapshot), self._path(volume))
        self.extend_volume(volume, volume.size)

    def create_cloned_volume(self, volume: Any, src_vref: Any) -> None:
        _copy(self._path(src_vref), self._path(volume))
        self.extend_volume(volume, volume.size)

    def copy_image_to_volume(
        self,
        context: Any,
        volume: Any,
        image_service: Any,
        image_id: str,
        disable_sparse: bool = False,
    ) -> None:
        image_utils.fetch_to_raw(
            context, image_service, image_id, str(self._path(volume)), "1M",
            size=volume.size, run_as_root=False,
        )  # fmt: skip
        self.extend_volume(volume, volume.size)

    def copy_volume_to_image(
        self, context: Any, volume: Any, image_service: Any, image_meta: Any
    ) -> None:
        volume_utils.upload_volume(
            context, image_service, image_meta, str(self._path(volume)), volume, run_as_root=False
        )

    def initialize_connection(self, volume: Any, connector: Any) -> dict[str, Any]:
        path = str(self._path(volume))
        return {
            "driver_volume_type": "local",
            "data": {"device_path": path, "access_mode": "rw", "volume_id": volume.id},
        }

    def terminate_connection(self, volume: Any, connector: Any, **_: Any) -> None:
        return

    def ensure_export(self, context: Any, volume: Any) -> None:
        return

    def create_export(self, context: Any, volume: Any, connector: Any) -> None:
        return

    def remove_export(self, context: Any, volume: Any) -> None:
        return


def _copy(source: Path, target: Path) -> None:
    """A copy as sparse as its source; as cheap as the file system can make it.

    Raises:
        VolumeBackendAPIException: cp said why.
    """
    command = ["cp", "--sparse=always", "--reflink=auto", str(source), str(target)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise exception.VolumeBackendAPIException(data=done.stderr.strip())
