"""Servers come, go, sleep and wake: the part of nova's driver that has them do so."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from provisioner.lab.guests.container import Container
from provisioner.lab.guests.virtual import VirtualMachine
from provisioner.lab.openstack import virt_nova
from provisioner.lab.openstack.virt_servers import VIRTUAL, Server
from provisioner.lab.openstack.virt_shared import Shared, kind_of, until

SOFT_S = 60.0  # a guest is given so long to follow a soft reboot; then its plug is pulled


class Life(Shared):
    """See nova/virt/driver.py for what the methods promise."""

    def spawn(
        self,
        context: Any,
        instance: Any,
        image_meta: Any,
        injected_files: Any,
        admin_password: Any,
        allocations: Any,
        network_info: Any = None,
        block_device_info: Any = None,
        power_on: bool = True,
        accel_info: Any = None,
    ) -> None:
        flavor = instance.flavor
        volumes, root = virt_nova.volumes_of(block_device_info)
        config = virt_nova.needs_config_drive(instance)
        server = Server(
            id=instance.uuid,
            name=instance.name,
            kind=kind_of(flavor),
            cpu=flavor.vcpus,
            memory_mib=flavor.memory_mb,
            root_gib=max(1, flavor.root_gb),
            config=config,
            nics=virt_nova.nics_of(network_info),
            volumes=volumes,
            root=root,
        )
        with self._servers.lock(server.id), virt_nova.faults(instance):
            self._servers.write(server)
            try:
                folder = self._servers.folder(server.id)
                virtual = server.kind == VIRTUAL
                if root:
                    virt_nova.prepare_volume(Path(root), self._servers.image, virtual=virtual)
                else:
                    virt_nova.fetch_root(
                        context, instance.image_ref, folder / "guest", server.root_gib,
                        virtual=virtual,
                    )  # fmt: skip
                if config:
                    virt_nova.write_config_drive(
                        instance, injected_files, admin_password, network_info,
                        folder / "config", iso=virtual,
                    )  # fmt: skip
                if power_on:
                    self._start(server)
            except BaseException:
                self._remove(instance.uuid)
                raise

    def destroy(
        self,
        context: Any,
        instance: Any,
        network_info: Any,
        block_device_info: Any = None,
        destroy_disks: bool = True,
        destroy_secrets: bool = True,
    ) -> None:
        with self._servers.lock(instance.uuid), virt_nova.faults(instance):
            server = self._servers.read(instance.uuid)
            if server is not None:
                self._stop(server, 0)
                self._servers.unplug_all(server)
            if destroy_disks:
                self._remove(instance.uuid)

    def cleanup(
        self,
        context: Any,
        instance: Any,
        network_info: Any,
        block_device_info: Any = None,
        destroy_disks: bool = True,
        migrate_data: Any = None,
        destroy_vifs: bool = True,
        destroy_secrets: bool = True,
    ) -> None:
        self.destroy(context, instance, network_info, block_device_info, destroy_disks)

    def power_off(self, instance: Any, timeout: int = 0, retry_interval: int = 0) -> None:
        with self._servers.lock(instance.uuid), virt_nova.faults(instance):
            self._stop(self._known(instance), timeout)

    def power_on(
        self,
        context: Any,
        instance: Any,
        network_info: Any,
        block_device_info: Any = None,
        accel_info: Any = None,
        share_info: Any = None,
    ) -> None:
        with self._servers.lock(instance.uuid), virt_nova.faults(instance):
            server = self._known(instance)
            if not self._servers.guest(server).on:
                self._start(server)

    def reboot(
        self,
        context: Any,
        instance: Any,
        network_info: Any,
        reboot_type: str,
        block_device_info: Any = None,
        bad_volumes_callback: Any = None,
        accel_info: Any = None,
        share_info: Any = None,
    ) -> None:
        with self._servers.lock(instance.uuid), virt_nova.faults(instance):
            server = self._known(instance)
            guest = self._servers.guest(server)
            if reboot_type == "SOFT" and guest.on and guest.ask_to_reboot():
                until(lambda: not guest.on, SOFT_S)
            if guest.on:
                guest.pull_plug()
            self._start(server)

    def pause(self, instance: Any) -> None:
        self._virtual(instance).execute(("stop", {}))

    def unpause(self, instance: Any) -> None:
        self._virtual(instance).execute(("cont", {}))

    def _virtual(self, instance: Any) -> VirtualMachine:
        guest = self._servers.guest(self._known(instance))
        if isinstance(guest, Container):
            raise NotImplementedError("a container of the lab cannot be paused")
        return guest
