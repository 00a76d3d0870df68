"""Snapshots and changes of size: the part of nova's driver that copies servers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from nova import exception

from provisioner.lab.guests import copies
from provisioner.lab.openstack import virt_nova
from provisioner.lab.openstack.virt_shared import Shared, kind_of

BEFORE = "_resize"  # end of the name of the folder that a revert goes back to


class Copies(Shared):
    """See nova/virt/driver.py for what the methods promise."""

    def snapshot(self, context: Any, instance: Any, image_id: str, update_task_state: Any) -> None:
        server = self._known(instance)
        target = self._servers.folder(server.id) / "snapshot"
        with virt_nova.faults(instance):
            virt_nova.upload(
                context, image_id, target, update_task_state,
                lambda: copies.copy_of(
                    self._servers.guest(server), self._servers.image.lower, target
                ),
            )  # fmt: skip

    def migrate_disk_and_power_off(
        self,
        context: Any,
        instance: Any,
        dest: str,
        flavor: Any,
        network_info: Any,
        block_device_info: Any = None,
        timeout: int = 0,
        retry_interval: int = 0,
    ) -> str:
        server = self._known(instance)
        wrong = ""
        if kind_of(flavor) != server.kind:
            wrong = f"a {server.kind} cannot become a {kind_of(flavor)}"
        elif max(1, flavor.root_gb) < server.root_gib:
            wrong = f"the disk of {server.root_gib} GiB cannot shrink to {flavor.root_gb}"
        if wrong:
            raise exception.InstanceFaultRollback(exception.ResizeError(reason=wrong))
        with self._servers.lock(server.id), virt_nova.faults(instance):
            self._stop(server, timeout)
            virt_nova.copy_folder(self._servers.folder(server.id), self._before(server.id))
        return ""

    def _before(self, uuid: str) -> Path:
        return self._servers.folder(f"{uuid}{BEFORE}")

    def finish_migration(
        self,
        context: Any,
        migration: Any,
        instance: Any,
        disk_info: Any,
        network_info: Any,
        image_meta: Any,
        resize_instance: bool,
        allocations: Any,
        block_device_info: Any = None,
        power_on: bool = True,
        share_info: Any = None,
    ) -> None:
        flavor = instance.flavor
        with self._servers.lock(instance.uuid), virt_nova.faults(instance):
            server = self._servers.change(
                instance.uuid,
                cpu=flavor.vcpus,
                memory_mib=flavor.memory_mb,
                root_gib=max(1, flavor.root_gb),
            )
            if not server.root:
                copies.enlarge(self._servers.guest(server), server.root_gib)
            self._servers.forget_guest(server.id)
            if power_on:
                self._start(server)

    def confirm_migration(
        self, context: Any, migration: Any, instance: Any, network_info: Any
    ) -> None:
        virt_nova.remove_folder(self._before(instance.uuid))

    def finish_revert_migration(
        self,
        context: Any,
        instance: Any,
        network_info: Any,
        migration: Any,
        block_device_info: Any = None,
        power_on: bool = True,
        share_info: Any = None,
    ) -> None:
        with self._servers.lock(instance.uuid), virt_nova.faults(instance):
            if self._servers.read(instance.uuid) is not None:
                self._remove(instance.uuid)
            self._before(instance.uuid).rename(self._servers.folder(instance.uuid))
            if power_on:
                self._start(self._known(instance))
