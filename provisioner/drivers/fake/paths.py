"""Whom a fake machine reaches, as its probe sees it: through firewalls, to what listens."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from provisioner.drivers.fake.cloud import Cloud
from provisioner.drivers.fake.matter import told_time
from provisioner.drivers.fake.things import Thing

HTTP_PORT, UDP_PORT, SHUT_PORT, SSH_PORT = 8080, 8082, 8079, 22
Json = dict[str, Any]


class Paths:
    """Observations of the data path."""

    def __init__(self, machine: Thing, cloud: Cloud, defects: frozenset[str]) -> None:
        self.machine = machine
        self.cloud = cloud
        self.defects = defects

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
                mine = told_time(self.machine, self.cloud, self.defects)
                offset = round(told_time(other, self.cloud, self.defects) - mine, 3)
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

    def _at(self, address: str) -> Thing | None:
        now = self.cloud.now()
        with self.cloud.store.session() as world:
            for other in world.of_kind("machine"):
                if other.exists(now) and address in other.addresses.values():
                    return other
        return None


def listens(machine: Thing, port: int) -> bool:
    """Whether somebody listens on a port of a machine."""
    return port == SSH_PORT or (
        bool(machine.guest.get("served")) and port in (HTTP_PORT, UDP_PORT, SHUT_PORT)
    )
