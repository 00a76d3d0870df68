"""Who a fake machine is and where it stands, as its probe sees it.

Each observation of the reference probe is a method ``see_NAME`` here, of ``Matter`` or ``Paths``.
"""

from __future__ import annotations

import base64
import hashlib
import ipaddress
from collections.abc import Iterable, Mapping
from typing import Any

from provisioner.drivers.fake.cloud import Cloud
from provisioner.drivers.fake.hardware import hardware_uuid
from provisioner.drivers.fake.matter import Matter, told_time
from provisioner.drivers.fake.paths import HTTP_PORT, Paths
from provisioner.drivers.fake.things import Thing

Json = dict[str, Any]


def boot_identity(machine: Thing, defects: frozenset[str], boots: int) -> str:
    """Identity of the machine's boot number *boots*."""
    if "life-01" in defects and machine.last_stop == "reboot":
        boots -= 1  # it says it rebooted and did not
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
        of = (self.machine, self.cloud, self.defects)
        for part in (self, Matter(*of), Paths(*of)):
            look = getattr(part, "see_" + name.replace("-", "_"), None)
            if look is not None:
                seen: Json = look(**args)
                return seen
        raise SystemExit(f"argument name: invalid choice: {name!r}")

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
        now = told_time(self.machine, self.cloud, self.defects)
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
            "formats": ["ec2"],
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

    def see_say(self, text: str) -> Json:
        self.machine.console.append(text)
        return {"said": text, "at": told_time(self.machine, self.cloud, self.defects)}

    def see_service(self, port: int = HTTP_PORT) -> Json:
        served = self.machine.guest.get("served")
        boot = boot_identity(self.machine, self.defects, self.machine.boots)
        health = {"name": served.get("name"), "boot": boot} if served else {}
        stops = list(self.machine.guest.get("stops", []))
        return {"running": bool(served), "health": health, "boot": boot, "stops": stops}

    def see_chain(self, port: int = HTTP_PORT, key: str = "chain") -> Json:
        return {"path": [self.machine.name], "seconds": 0.0}

    def _machines(self) -> list[Thing]:
        """Machines that exist in our network."""
        now, mine = self.cloud.now(), self.machine.spec.get("network")
        with self.cloud.store.session() as world:
            return [
                other
                for other in world.of_kind("machine")
                if other.exists(now) and other.spec.get("network") == mine
            ]


def guest_hostname(machine: Thing, defects: frozenset[str]) -> str:
    """The host name inside."""
    return f"{machine.hostname}-wrong" if "net-09" in defects else machine.hostname
