"""Nova's driver of the lab: each server is a guest of the lab, a container or a virtual machine.

The runner puts this module where nova looks for its drivers. A flavor whose extra spec
``interop:guest`` is ``qemu`` gets a virtual machine. Guests outlive nova: what they are is kept on
disk, and a driver that starts finds them.

Source: nova/virt/driver.py, whose docstrings say what each method must do.
"""

from __future__ import annotations

import contextlib
import functools
import json
import logging
import os
import threading
import time
from pathlib import Path
from typing import Any

import nova.conf
from nova import exception
from nova.compute import power_state
from nova.objects import fields
from nova.virt import driver, event, hardware, node

from provisioner.errors import PlatformError
from provisioner.lab.guests import copies
from provisioner.lab.guests.container import Container
from provisioner.lab.guests.guest import REBOOTED, Image
from provisioner.lab.guests.virtual import VirtualMachine
from provisioner.lab.openstack import virt_nova
from provisioner.lab.openstack.place import NODE, here
from provisioner.lab.openstack.virt_layer import FILE
from provisioner.lab.openstack.virt_servers import (
    CONTAINER,
    VIRTUAL,
    Nic,
    Server,
    Servers,
    drive_of,
    free_slot,
)

CONF = nova.conf.CONF
LOG = logging.getLogger(__name__)
EXTRA_SPEC = "interop:guest"
WATCH_S = 0.5  # between two looks at all guests
SOFT_S = 60.0  # a guest is given so long to follow a soft reboot; then its plug is pulled
LET_GO_S = 30.0  # and so long to let a device go
ROOT_DEVICE = "/dev/vda"
BEFORE = "_resize"  # end of the name of the folder that a revert goes back to
DISK_GB = 400  # sparse files; a server's flavor is what it may grow to


class LabDriver(driver.ComputeDriver):  # type: ignore[misc]
    """See nova/virt/driver.py for what the methods promise."""

    capabilities = {  # noqa: RUF012 - nova reads it of the class
        **driver.ComputeDriver.capabilities,
        "supports_attach_interface": True,
        "supports_migrate_to_same_host": True,
        "supports_image_type_raw": True,
        "supports_image_type_qcow2": True,
    }

    def __init__(self, virtapi: Any, read_only: bool = False) -> None:
        super().__init__(virtapi)
        place = here()
        self._place = place
        image = Image.read(place.folder / FILE)
        self._servers = Servers(place.space, place.instances, image, place.defects)

    # -- the host ------------------------------------------------------------------------------

    def init_host(self, host: str) -> None:
        for server in self._servers.running():
            guest = self._servers.guest(server)
            if not guest.on:
                continue
            LOG.info("%s: found running", server.id)
            for drive in self._servers.drives(server):
                with contextlib.suppress(OSError, PlatformError):
                    guest.attach(drive)  # what we held open went with the process before us
        threading.Thread(target=self._watch, name="guests", daemon=True).start()

    def _watch(self) -> None:
        """Start again what rebooted by itself; tell nova what switched itself off."""
        while True:
            time.sleep(WATCH_S)
            for server in list(self._servers.running()):
                lock = self._servers.lock(server.id)
                if not lock.acquire(blocking=False):
                    continue  # somebody is at it
                try:
                    self._look(server.id)
                except (OSError, PlatformError) as error:
                    LOG.error("%s: %s", server.id, error)
                finally:
                    lock.release()

    def _look(self, uuid: str) -> None:
        server = self._servers.read(uuid)
        if server is None or not server.on:
            return
        code = self._servers.guest(server).ended()
        if code == REBOOTED:
            LOG.info("%s: reboots", uuid)
            self._servers.start(server)
        elif code is not None:
            LOG.info("%s: switched itself off (%s)", uuid, code)
            self._servers.change(uuid, on=False)
            self.emit_event(event.LifecycleEvent(uuid, event.EVENT_LIFECYCLE_STOPPED))

    def get_available_nodes(self, refresh: bool = False) -> list[str]:
        return [NODE]

    def get_nodenames_by_uuid(self, refresh: bool = False) -> dict[str, str]:
        return {node.get_local_node_uuid(): NODE}

    def get_host_ip_addr(self) -> str:
        return str(CONF.my_ip)

    def get_volume_connector(self, instance: Any) -> dict[str, Any]:
        return {"ip": CONF.my_block_storage_ip, "host": CONF.host, "initiator": "lab"}

    def get_available_resource(self, nodename: str) -> dict[str, Any]:
        mine = [s for s in map(self._servers.read, self._servers.ids()) if s is not None]
        kinds = [(fields.HVType.QEMU, fields.VMMode.HVM), (fields.HVType.LXC, fields.VMMode.EXE)]
        return {
            "vcpus": os.cpu_count() or 1,
            "memory_mb": _memory_mb(),
            "local_gb": DISK_GB,
            "vcpus_used": sum(server.cpu for server in mine),
            "memory_mb_used": sum(server.memory_mib for server in mine),
            "local_gb_used": sum(server.root_gib for server in mine),
            "hypervisor_type": "interop",
            "hypervisor_version": 1000000,
            "hypervisor_hostname": nodename,
            "cpu_info": json.dumps({"arch": "x86_64"}),
            "disk_available_least": DISK_GB - sum(server.root_gib for server in mine),
            "supported_instances": [
                (fields.Architecture.X86_64, kind, mode) for kind, mode in kinds
            ],
            "numa_topology": None,
            "uuid": node.get_local_node_uuid(),
        }

    def update_provider_tree(
        self, provider_tree: Any, nodename: str, allocations: Any = None
    ) -> None:
        ratios = self._get_allocation_ratios(provider_tree.data(nodename).inventory)
        totals = {
            "VCPU": (os.cpu_count() or 1, CONF.reserved_host_cpus),
            "MEMORY_MB": (_memory_mb(), CONF.reserved_host_memory_mb),
            "DISK_GB": (DISK_GB, self._get_reserved_host_disk_gb_from_config()),
        }
        provider_tree.update_inventory(
            nodename,
            {
                name: {
                    "total": total,
                    "min_unit": 1,
                    # one guest may have more processors than the host: they take turns
                    "max_unit": max(total, 8) if name == "VCPU" else total,
                    "step_size": 1,
                    "allocation_ratio": ratios[name],
                    "reserved": reserved,
                }
                for name, (total, reserved) in totals.items()
            },
        )

    # -- what is there -------------------------------------------------------------------------

    def list_instance_uuids(self) -> list[str]:
        return self._servers.ids()

    def list_instances(self) -> list[str]:
        found = map(self._servers.read, self._servers.ids())
        return [server.name for server in found if server is not None]

    def instance_exists(self, instance: Any) -> bool:
        return self._servers.read(instance.uuid) is not None

    def instance_on_disk(self, instance: Any) -> bool:
        return self.instance_exists(instance)

    def get_info(self, instance: Any, use_cache: bool = True) -> Any:
        guest = self._servers.guest(self._known(instance))
        if not guest.on:
            return hardware.InstanceInfo(state=power_state.SHUTDOWN)
        if isinstance(guest, VirtualMachine) and guest.paused():
            return hardware.InstanceInfo(state=power_state.PAUSED)
        return hardware.InstanceInfo(state=power_state.RUNNING)

    def get_console_output(self, context: Any, instance: Any) -> bytes:
        if "console-empty" in self._place.defects:
            return b""
        return self._servers.guest(self._known(instance)).console()[0]

    def _known(self, instance: Any) -> Server:
        server = self._servers.read(instance.uuid)
        if server is None:
            raise exception.InstanceNotFound(instance_id=instance.uuid)
        return server

    # -- life ----------------------------------------------------------------------------------

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
            kind=_kind(flavor),
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

    def _start(self, server: Server) -> None:
        self._servers.start(self._servers.change(server.id, on=True))

    def _stop(self, server: Server, patience_s: float) -> None:
        """Ask a guest to switch itself off, and pull the plug if it has not after a while."""
        self._servers.change(server.id, on=False)
        guest = self._servers.guest(server)
        if guest.on and patience_s > 0:
            guest.ask_to_halt()
            _until(lambda: not guest.on, patience_s)
        if guest.on:
            guest.pull_plug()
        guest.forget()

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

    def _remove(self, uuid: str) -> None:
        server = self._servers.read(uuid)
        if server is not None:
            guest = self._servers.guest(server)
            if guest.on:
                guest.pull_plug()
            self._servers.unplug_all(server)
        self._servers.remove(uuid)

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
                _until(lambda: not guest.on, SOFT_S)
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

    # -- images and sizes ----------------------------------------------------------------------

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
        if _kind(flavor) != server.kind:
            wrong = f"a {server.kind} cannot become a {_kind(flavor)}"
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

    def default_root_device_name(self, instance: Any, image_meta: Any, root_bdm: Any) -> str:
        """After this one the others are named, too."""
        return ROOT_DEVICE

    # -- devices -------------------------------------------------------------------------------

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
                if not _until(functools.partial(guest.detach, drive), LET_GO_S):
                    raise exception.DeviceDetachFailed(
                        device=mountpoint, reason="the guest does not let it go"
                    )
            self._servers.change(
                server.id, volumes=tuple(v for v in server.volumes if v[0] != wanted)
            )

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
            if not _until(lambda: guest.unplug(port), LET_GO_S):
                raise exception.InterfaceDetachFailed(instance_uuid=instance.uuid)

    def plug_vifs(self, instance: Any, network_info: Any) -> None:
        """Guests are plugged in when they are switched on."""

    def unplug_vifs(self, instance: Any, network_info: Any) -> None:
        """And unplugged when they are removed."""


def _kind(flavor: Any) -> str:
    return VIRTUAL if flavor.extra_specs.get(EXTRA_SPEC) == "qemu" else CONTAINER


def _memory_mb() -> int:
    lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
    return int(next(x for x in lines if x.startswith("MemTotal:")).split()[1]) // 1024


def _until(condition: Any, patience_s: float) -> bool:
    """Whether it came true in time."""
    deadline = time.monotonic() + patience_s
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True
