"""What a fake machine's probe sees: one method for each observation of the reference probe."""

from __future__ import annotations

import base64
import hashlib
import ipaddress
from collections.abc import Iterable, Mapping
from typing import Any

from provisioner.drivers.fake.cloud import Cloud
from provisioner.drivers.fake.hardware import hardware_uuid
from provisioner.drivers.fake.things import Thing

GIB = 1 << 30
HTTP_PORT, UDP_PORT, SHUT_PORT, SSH_PORT = 8080, 8082, 8079, 22
FLAGS = ["aes", "fpu", "lm", "sse4_2"]
Json = dict[str, Any]


def boot_identity(machine: Thing, defects: frozenset[str], boots: int) -> str:
    """Identity of the machine's boot number *boots*."""
    if "life-01" in defects and machine.last_stop == "reboot":
        boots = 1  # it says it rebooted and did not
    digest = hashlib.sha256(f"{machine.id}/{boots}".encode()).hexdigest()
    return f"{digest[:8]}-{digest[8:12]}-4{digest[13:16]}-a{digest[17:20]}-{digest[20:32]}/20"


class GuestSight:
    """The probe's observations in one machine."""

    def __init__(self, machine: Thing, cloud: Cloud, defects: frozenset[str]) -> None:
        self.machine = machine
        self.cloud = cloud
        self.defects = defects

    def observe(self, name: str, args: Mapping[str, Any]) -> Json:
        """One observation.

        Raises:
            SystemExit: there is none of that name.
        """
        look = getattr(self, "see_" + name.replace("-", "_"), None)
        if look is None:
            raise SystemExit(f"argument name: invalid choice: {name!r}")
        seen: Json = look(**args)
        return seen

    def see_facts(self, names: Iterable[str] = (), parts: Iterable[str] = ()) -> Json:
        default = "identity addressing names access init metadata entropy kernel cpu disks service"
        return {
            part: self.see_names(names) if part == "names" else self.observe(part, {})
            for part in list(parts) or default.split()
        }

    # -- who it is -----------------------------------------------------------------------------

    @property
    def hostname(self) -> str:
        """The host name as the guest has it."""
        return guest_hostname(self.machine, self.defects)

    def see_identity(self) -> Json:
        machine = self.machine
        of = "everybody" if "meta-07" in self.defects else machine.id
        key = hashlib.sha256(f"host key {machine.id}".encode()).digest()
        now = self.now()
        return {
            "hostname": self.hostname,
            "machine_id": hashlib.sha256(f"machine-id {of}".encode()).hexdigest()[:32],
            "boot": boot_identity(machine, self.defects, machine.boots),
            "booted_at": machine.booted_at + now - self.cloud.now(),
            "uptime_s": max(0.0, self.cloud.now() - machine.booted_at),
            "host_keys": {"ssh-ed25519": "SHA256:" + base64.b64encode(key).decode().rstrip("=")},
            "dhcp_ids": [machine.mac],
            "dmi": {
                "serial": f"FK{machine.serial:06d}",
                "uuid": hardware_uuid(machine),
                "product": "Fake Machine",
                "manufacturer": "Interop",
            },
            "container": "",
            "cmdline": "root=/dev/vda1",
        }

    def see_access(self) -> Json:
        image = self.cloud.settings.images.get(str(self.machine.spec.get("image")), {})
        user = image.get("user", "root")
        return {
            "user": "ubuntu" if "alloc-06" in self.defects else user,
            "root": True,
            "by_sudo": user != "root",
            "authorized_keys": self._authorized(),
            "sshd": {
                "passwordauthentication": "yes" if "alloc-07" in self.defects else "no",
                "kbdinteractiveauthentication": "no",
                "permitrootlogin": "prohibit-password",
                "permitemptypasswords": "no",
            },
            "accounts_with_password": [],
        }

    def _authorized(self) -> list[str]:
        with self.cloud.store.session() as world:
            keys = [
                key
                for key in world.of_kind("key")
                if key.id == self.machine.spec.get("key")
                or ("alloc-01" in self.defects and key.exists(self.cloud.now()))
            ]
        found = []
        for key in keys:
            words = str(key.spec.get("public_key", "")).split()
            if len(words) > 1:
                digest = hashlib.sha256(base64.b64decode(words[1] + "==")).digest()
                found.append("SHA256:" + base64.b64encode(digest).decode().rstrip("="))
        return found

    def see_init(self) -> Json:
        wrong = "meta-08" in self.defects
        return {
            "system": "cloud-init",
            "status": "error" if wrong else "done",
            "errors": ["module write_files failed"] if wrong else [],
            "warnings": [],
            "datasource": "DataSourceFake",
        }

    def see_metadata(self, url: str = "http://169.254.169.254") -> Json:
        public = self.machine.addresses.get("public", "")
        return {
            "url": url,
            "reachable": True,
            "token_offered": True,
            "status": 200,
            "instance_id": "i-fake" if "meta-01" in self.defects else self.machine.id,
            "without_token": 401,
            "with_bogus_token": 200 if "meta-02" in self.defects else 401,
            "hostname": self.machine.hostname,
            "public_ipv4": "192.0.2.200" if "net-02" in self.defects else public,
        }

    def see_user_data(self) -> Json:
        data = self.machine.user_data
        if "meta-04" in self.defects:
            data = data.decode("utf-8", "replace").encode("ascii", "replace")
        return {
            "sha256": hashlib.sha256(data).hexdigest(),
            "bytes": len(data),
            "source": "metadata service",
            "runs": int(self.machine.guest.get("runs", 0)),
        }

    # -- where it is ---------------------------------------------------------------------------

    def see_addressing(self) -> Json:
        private = self.machine.addresses.get("private", "")
        mac = self.machine.mac
        if "net-05" in self.defects and self.machine.boots > 1:
            mac = f"{mac[:-2]}{self.machine.boots % 256:02x}"
        gateway = str(ipaddress.ip_network(f"{private or '10.66.0.2'}/24", strict=False)[1])
        if "net-06" in self.defects:
            gateway = "172.16.99.1"
        route = {
            "family": "ipv4",
            "interface": "eth0",
            "gateway": gateway,
            "source": "dhcp",
            "onlink": False,
            "metric": 100,
        }
        address = {
            "interface": "eth0",
            "address": private,
            "prefix": 24,
            "family": "ipv4",
            "scope": "global",
            "lifetime_s": 3600,
        }
        unknown = "net-01" in self.defects
        return {
            "interfaces": [
                {"name": "eth0", "mac": mac, "mtu": 1500, "state": "up", "addresses": [address]}
            ],
            "default": route,
            "routes": [route],
            "gateway_answers": True,
            "source": "unknown" if unknown else "dhcp",
            "lease_s": None if unknown else 3600,
            "source_seen_in": "no lease was found" if unknown else "lease of eth0",
        }

    def see_names(self, names: Iterable[str] = ()) -> Json:
        by_name = {guest_hostname(m, self.defects): m.addresses for m in self._machines()}
        own = self.machine.addresses.get("private", "")
        resolve = {}
        for name in [self.hostname, *names]:
            address = by_name.get(name, {}).get("private", "")
            hidden = "net-10" in self.defects and name != self.hostname
            resolve[name] = [address] if address and not hidden else []
        reverse = {
            found["private"]: [name] for name, found in by_name.items() if "private" in found
        }
        return {
            "hostname": self.hostname,
            "fqdn": f"{self.hostname}.fake.internal",
            "own": [own],
            "resolve": resolve,
            "reverse": reverse,
            "servers": ["10.66.0.2"],
            "search": ["fake.internal"],
        }

    # -- what it is made of --------------------------------------------------------------------

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
        odd = "kern-03" in self.defects and self.machine.serial % 2
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
        now = self.now()
        return {"received": now, "clocksource": "kvm-clock", "synchronised": True, "sent": now}

    def see_burn(self, seconds: float = 0.0) -> Json:
        return {"processors": 1, "seconds": seconds}

    def see_say(self, text: str) -> Json:
        self.machine.console.append(text)
        return {"said": text, "at": self.now()}

    def see_service(self, port: int = HTTP_PORT) -> Json:
        served = self.machine.guest.get("served")
        boot = boot_identity(self.machine, self.defects, self.machine.boots)
        health = {"name": served.get("name"), "boot": boot} if served else {}
        stops = list(self.machine.guest.get("stops", []))
        return {"running": bool(served), "health": health, "boot": boot, "stops": stops}

    def see_chain(self, port: int = HTTP_PORT, key: str = "chain") -> Json:
        return {"path": [self.machine.name], "seconds": 0.0}

    def now(self) -> float:
        """The guest's clock. Neighbours are 8 s apart with time-05, each within 5 of the truth."""
        off = 60.0 if "time-01" in self.defects else 0.0
        if "time-05" in self.defects:
            off += 4.0 if self.machine.serial % 2 else -4.0
        return self.cloud.told_time() + off

    # -- what it keeps -------------------------------------------------------------------------

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

    # -- whom it reaches -----------------------------------------------------------------------

    def see_tcp(self, targets: Iterable[Iterable[Any]], timeout_s: float = 3.0) -> Json:
        results = []
        for host, port in targets:
            state = self._knock(str(host), "tcp", int(port))
            results.append({"host": host, "port": port, "state": state, "seconds": 0.001})
        return {"results": results}

    def see_mesh(
        self,
        peers: Iterable[Mapping[str, str]],
        tcp: Iterable[int] = (HTTP_PORT,),
        udp: Iterable[int] = (UDP_PORT,),
        timeout_s: float = 4.0,
    ) -> Json:
        results = []
        for peer in peers:
            ways = [("tcp", port) for port in tcp] + [("udp", port) for port in udp]
            for protocol, port in ways:
                state = self._knock(peer["address"], protocol, port)
                if "path-01" in self.defects and protocol == "udp":
                    state = "silent"
                other = self._at(peer["address"])
                served = other.guest.get("served") if other is not None else None
                name = served.get("name", "") if served and state == "open" else ""
                results.append(
                    {
                        "host": peer["address"],
                        "port": port,
                        "state": state,
                        "seconds": 0.001,
                        "peer": peer["name"],
                        "protocol": protocol,
                        "answered": name,
                    }
                )
        return {"results": results}

    def see_skew(
        self, peers: Iterable[Mapping[str, str]], port: int = UDP_PORT, samples: int = 5
    ) -> Json:
        results = []
        for peer in peers:
            other = self._at(peer["address"])
            offset = None
            if other is not None:
                theirs = GuestSight(other, self.cloud, self.defects)
                offset = round(theirs.now() - self.now(), 3)
            results.append({"peer": peer["name"], "offset_s": offset, "round_trip_s": 0.001})
        return {"results": results}

    def see_path_mtu(self, address: str, port: int = UDP_PORT, timeout_s: float = 2.0) -> Json:
        hole = "path-02" in self.defects
        return {
            "interface": "eth0",
            "link_mtu": 1500,
            "path_mtu": 1400 if hole else 1500,
            "at_link_mtu": "silent" if hole else "echoed",
            "above_link_mtu": "refused",
            "icmp_seen": False,
        }

    def see_layer2(
        self, peers: Iterable[Mapping[str, str]], port: int = UDP_PORT, group: str = ""
    ) -> Json:
        results = []
        for peer in peers:
            other = self._at(peer["address"])
            mac = other.mac if other is not None else ""
            results.append(
                {
                    "peer": peer["name"],
                    "address": peer["address"],
                    "arp": self.machine.mac if "path-04" in self.defects else mac,
                    "broadcast": True,
                    "multicast": True,
                }
            )
        return {"results": results}

    def _knock(self, host: str, protocol: str, port: int) -> str:
        """Open, refused or silent: is there a machine, does its firewall let us in, who listens."""
        if host == "127.0.0.1":
            return "open" if listens(self.machine, port) else "refused"
        other = self._at(host)
        if other is None or other.status(self.cloud.now()) != "active":
            return "silent"
        if not self._let_in(other, protocol, port):
            return "silent"
        return "open" if listens(other, port) else "refused"

    def _let_in(self, other: Thing, protocol: str, port: int) -> bool:
        with self.cloud.store.session() as world:
            walls = [world.things[f] for f in other.spec.get("firewalls", ()) if f in world.things]
        mine = set(self.machine.spec.get("firewalls", ()))
        for wall in walls:
            if "fw-01" in self.defects and not wall.spec["rules"]:
                return True
            if "fw-02" in self.defects and wall.id in mine:
                return True
            for source, of, first, last in wall.spec["rules"]:
                near = source == "members" and wall.id in mine
                if of == protocol and first <= port <= last and (source == "any" or near):
                    return True
        return False

    def _machines(self) -> list[Thing]:
        """Machines that exist in our network."""
        now, mine = self.cloud.now(), self.machine.spec.get("network")
        with self.cloud.store.session() as world:
            return [
                other
                for other in world.of_kind("machine")
                if other.exists(now) and other.spec.get("network") == mine
            ]

    def _at(self, address: str) -> Thing | None:
        now = self.cloud.now()
        with self.cloud.store.session() as world:
            for other in world.of_kind("machine"):
                if other.exists(now) and address in other.addresses.values():
                    return other
        return None

    def _volumes(self) -> list[Thing]:
        """Attached volumes in the order they were attached."""
        with self.cloud.store.session() as world:
            joined = self.cloud.attachments(world, self.machine.id)
            held = [world.things.get(str(item.spec.get("what"))) for item in joined]
        return [thing for thing in held if thing is not None and thing.kind == "volume"]


def guest_hostname(machine: Thing, defects: frozenset[str]) -> str:
    """The host name inside."""
    return f"{machine.hostname}-wrong" if "net-09" in defects else machine.hostname


def listens(machine: Thing, port: int) -> bool:
    """Whether somebody listens on a port of a machine."""
    return port == SSH_PORT or (
        bool(machine.guest.get("served")) and port in (HTTP_PORT, UDP_PORT, SHUT_PORT)
    )


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
