"""Nova's driver of the lab: each server is a guest of the lab, a container or a virtual machine.

The runner puts this module where nova looks for its drivers. A flavor whose extra spec
``interop:guest`` is ``qemu`` gets a virtual machine. Guests outlive nova: what they are is kept on
disk, and a driver that starts finds them.

Source: nova/virt/driver.py, whose docstrings say what each method must do.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import threading
import time
from pathlib import Path
from typing import Any

import nova.conf
from nova.compute import power_state
from nova.objects import fields
from nova.virt import driver, event, hardware, node

from provisioner.errors import PlatformError
from provisioner.lab.guests.guest import REBOOTED, Image
from provisioner.lab.guests.virtual import VirtualMachine
from provisioner.lab.openstack.place import NODE, here
from provisioner.lab.openstack.virt_copies import Copies
from provisioner.lab.openstack.virt_devices import Devices
from provisioner.lab.openstack.virt_layer import FILE
from provisioner.lab.openstack.virt_life import Life
from provisioner.lab.openstack.virt_servers import Servers

CONF = nova.conf.CONF
LOG = logging.getLogger(__name__)
WATCH_S = 0.5  # between two looks at all guests
DISK_GB = 400  # sparse files; a server's flavor is what it may grow to


class LabDriver(Life, Copies, Devices, driver.ComputeDriver):  # type: ignore[misc]
    """See nova/virt/driver.py for what the methods promise."""

    capabilities = {  # noqa: RUF012 - nova reads it of the class
        **driver.ComputeDriver.capabilities,
        "supports_attach_interface": True,
        "supports_extend_volume": True,
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


def _memory_mb() -> int:
    lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
    return int(next(x for x in lines if x.startswith("MemTotal:")).split()[1]) // 1024
