"""Volumes and ports of servers: the part of nova's driver that attaches and detaches them."""

from __future__ import annotations

import functools
from typing import Any

from nova import exception

from provisioner.lab.guests.virtual import VirtualMachine
from provisioner.lab.openstack import virt_nova
from provisioner.lab.openstack.virt_servers import Nic, Server, drive_of, free_slot
from provisioner.lab.openstack.virt_shared import Shared, until

ROOT_DEVICE = "/dev/vda"
LET_GO_S = 30.0  # a guest is given so long to let a device go


class Devices(Shared):
    """See nova/virt/driver.py for what the methods promise."""

    def default_root_device_name(self, instance: Any, image_meta: Any, root_bdm: Any) -> str:
        """After this one the others are named, too."""
        return ROOT_DEVICE

    def attach_volume(
        self,
        context: Any,
        connection_info: Any,
        instance: Any,
        mountpoint: str,
        disk_bus: Any = None,
        device_type: Any = None,
        encryption: Any = None,
    ) -> None:
        with self._servers.lock(instance.uuid), virt_nova.faults(instance):
            server = self._known(instance)
            volume = virt_nova.volume(connection_info, mountpoint)
            kept = tuple(v for v in server.volumes if v[0] != volume[0])
            guest = self._servers.guest(server)
            if guest.on:
                guest.attach(drive_of(*volume))
            self._servers.change(server.id, volumes=(*kept, volume))

    def detach_volume(
        self,
        context: Any,
        connection_info: Any,
        instance: Any,
        mountpoint: str,
        encryption: Any = None,
    ) -> None:
        wanted = virt_nova.volume(connection_info, mountpoint)[0]
        with self._servers.lock(instance.uuid), virt_nova.faults(instance):
            server = self._known(instance)
            guest = self._servers.guest(server)
            for volume in [v for v in server.volumes if v[0] == wanted]:
                drive = drive_of(*volume)
                if not until(functools.partial(guest.detach, drive), LET_GO_S):
                    raise exception.DeviceDetachFailed(
                        device=mountpoint, reason="the guest does not let it go"
                    )
            self._servers.change(
                server.id, volumes=tuple(v for v in server.volumes if v[0] != wanted)
            )

    def extend_volume(
        self, context: Any, connection_info: Any, instance: Any, requested_size: int
    ) -> None:
        wanted = virt_nova.volume(connection_info, "")[0]
        with self._servers.lock(instance.uuid), virt_nova.faults(instance):
            server = self._known(instance)
            guest = self._servers.guest(server)
            for volume in server.volumes:
                if volume[0] == wanted and guest.on:
                    guest.grow(drive_of(*volume))

    def attach_interface(self, context: Any, instance: Any, image_meta: Any, vif: Any) -> None:
        with self._servers.lock(instance.uuid), virt_nova.faults(instance):
            server = self._known(instance)
            nic = virt_nova.nic(vif, free_slot(server.nics))
            guest = self._servers.guest(server)
            if guest.on:
                port = self._servers.plug(server, nic)
                if isinstance(guest, VirtualMachine):
                    guest.plug(port)
            self._servers.change(server.id, nics=(*server.nics, nic))

    def detach_interface(self, context: Any, instance: Any, vif: Any) -> None:
        with self._servers.lock(instance.uuid), virt_nova.faults(instance):
            server = self._known(instance)
            guest = self._servers.guest(server)
            for nic in [nic for nic in server.nics if nic.id == vif["id"]]:
                self._let_go(server, guest, nic, instance)
                self._servers.unplug(server.id, nic)
            self._servers.change(
                server.id, nics=tuple(nic for nic in server.nics if nic.id != vif["id"])
            )

    def _let_go(self, server: Server, guest: Any, nic: Nic, instance: Any) -> None:
        if isinstance(guest, VirtualMachine) and guest.on:
            port = self._servers.plug(server, nic)
            if not until(lambda: guest.unplug(port), LET_GO_S):
                raise exception.InterfaceDetachFailed(instance_uuid=instance.uuid)

    def plug_vifs(self, instance: Any, network_info: Any) -> None:
        """Guests are plugged in when they are switched on."""

    def unplug_vifs(self, instance: Any, network_info: Any) -> None:
        """And unplugged when they are removed."""
