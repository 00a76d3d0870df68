"""What a fake machine is made of, as its probe sees it: processor, kernel, clock, disks."""

from __future__ import annotations

import hashlib
from typing import Any

from provisioner.drivers.fake.cloud import Cloud
from provisioner.drivers.fake.things import Thing

GIB = 1 << 30
FLAGS = ["aes", "fpu", "lm", "sse4_2"]
Json = dict[str, Any]


class Matter:
    """Observations of hardware, kernel and content."""

    def __init__(self, machine: Thing, cloud: Cloud, defects: frozenset[str]) -> None:
        self.machine = machine
        self.cloud = cloud
        self.defects = defects

    def see_entropy(self) -> Json:
        ready = "ent-01" not in self.defects
        return {
            "getrandom_ready": ready,
            "entropy_avail": 256 if ready else 7,
            "hwrng": "virtio_rng.0",
            "crng_ready_s": 0.4,
        }

    def see_kernel(self) -> Json:
        return {
            "system": "Linux",
            "release": "6.1.0-fake",
            "machine": "riscv64" if "kern-01" in self.defects else "x86_64",
            "cgroup_version": 2,
            "user_namespaces": True,
            "module_loading": True,
            "sysctl_writable": True,
            "ebpf": True,
            "nested_virtualisation": False,
            "kvm_device": False,
            "shared_kernel": False,
        }

    def see_cpu(self) -> Json:
        odd = "kern-03" in self.defects and oddly_named(self.machine)
        size = self.cloud.settings.sizes.get(str(self.machine.spec.get("size")), {})
        return {
            "model": "Fake CPU",
            "flags": [*FLAGS, *(["avx2"] if odd else [])],
            "count": int(size.get("cpu", 1)),
            "memory_mib": int(size.get("memory_mib", 512)),
            "steal_percent": 0.0,
        }

    def see_disks(self) -> Json:
        told = (self.machine.size_gib or 8) * GIB
        devices = [disk("/dev/vda", told, "root")]
        for number, volume in enumerate(self._volumes()):
            size = volume.size_gib * GIB - ((1 << 20) if "disk-02" in self.defects else 0)
            devices.append(disk(f"/dev/vd{chr(ord('b') + number)}", size, volume.id))
        root = GIB // 2 if "disk-01" in self.defects else int(told * 0.97)
        return {
            "root": {
                "source": "/dev/vda1",
                "fs": "ext4",
                "bytes": root,
                "device": "vda",
                "device_bytes": told,
            },
            "devices": devices,
        }

    def see_clock(self) -> Json:
        now = told_time(self.machine, self.cloud, self.defects)
        return {"received": now, "clocksource": "kvm-clock", "synchronised": True, "sent": now}

    def see_burn(self, seconds: float = 0.0) -> Json:
        return {"processors": 1, "seconds": seconds}

    def see_write_pattern(self, path: str, token: str, size: int = 65536, offset: int = 0) -> Json:
        self._place(path)[f"{path}@{offset}"] = token
        return {"path": path, "bytes": size, "sha256": hashlib.sha256(token.encode()).hexdigest()}

    def see_read_pattern(self, path: str, token: str, size: int = 65536, offset: int = 0) -> Json:
        held = self._place(path).get(f"{path}@{offset}")
        lost = "disk-05" in self.defects and self.machine.last_stop == "hard"
        on_volume = path.startswith("/dev/")
        swapped = "disk-03" in self.defects and self.machine.last_stop == "reboot" and on_volume
        if "life-05" in self.defects and held is None:
            held = self._of_predecessor(f"{path}@{offset}")
        whole = held == token and not lost and not swapped
        sectors = (size + 511) // 512
        return {
            "path": path,
            "there": held is not None and not lost,
            "whole": whole,
            "good_sectors": sectors if whole else 0,
            "sectors": sectors,
            "error": "" if held is not None else "No such file or directory",
        }

    def _place(self, path: str) -> dict[str, str]:
        """Where a file's or device's patterns are kept: on the root disk or on the volume."""
        holder = self.machine
        if path.startswith("/dev/vd") and path > "/dev/vda":
            volumes = self._volumes()
            number = ord(path[7]) - ord("b")
            holder = volumes[number] if number < len(volumes) else holder
        patterns: dict[str, str] = holder.guest.setdefault("patterns", {})
        return patterns

    def _of_predecessor(self, place: str) -> str | None:
        """What an earlier machine of the same name had written."""
        with self.cloud.store.session() as world:
            for other in world.of_kind("machine"):
                if other.name == self.machine.name and other.serial < self.machine.serial:
                    found = other.guest.get("patterns", {}).get(place)
                    if found:
                        return str(found)
        return None

    def _volumes(self) -> list[Thing]:
        """Attached volumes in the order they were attached."""
        with self.cloud.store.session() as world:
            joined = self.cloud.attachments(world, self.machine.id)
            held = [world.things.get(str(item.spec.get("what"))) for item in joined]
        return [thing for thing in held if thing is not None and thing.kind == "volume"]


def oddly_named(machine: Thing) -> bool:
    """Whether it differs from its neighbours, by name: whoever is created first varies."""
    return machine.name.endswith(("1", "3", "5", "7", "9"))


def told_time(machine: Thing, cloud: Cloud, defects: frozenset[str]) -> float:
    """The guest's clock. Neighbours are 8 s apart with time-05, each within 5 of the truth."""
    off = 60.0 if "time-01" in defects else 0.0
    if "time-05" in defects:
        off += 4.0 if oddly_named(machine) else -4.0
    return cloud.told_time() + off


def disk(node: str, size: int, serial: str) -> Json:
    """A block device as the probe tells it."""
    return {
        "node": node,
        "kernel_name": node.removeprefix("/dev/"),
        "bytes": size,
        "partition": False,
        "serial": serial,
        "by_id": [f"virtio-{serial}"],
        "mounts": [],
        "read_only": False,
    }
