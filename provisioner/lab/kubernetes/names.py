"""The cluster's DNS: dnsmasq, fed with services and endpoints from the API.

dnsmasq reads names again when told to, but SRV records only when it starts, so a new one is started
for these; few services name their ports.

Source: Kubernetes DNS-based service discovery specification 1.1.0. Not there: CNAME of ExternalName
services, records of single pods, anything outside the cluster's domain.
"""

from __future__ import annotations

import os
import signal
import subprocess
import threading
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from provisioner.lab.kubernetes import network, plan
from provisioner.lab.kubernetes.api import Api, loop
from provisioner.lab.space import Space
from provisioner.lab.state import State

SETTLE_S = 0.05  # changes that come within it are told to dnsmasq together
Object = Mapping[str, Any]


def records(services: Iterable[Object], endpoints: Iterable[Object]) -> str:
    """The lines of a hosts file: an address, then its names."""
    by_name = {_key(item): item for item in endpoints}
    lines = []
    for service in sorted(services, key=_key):
        namespace, name = _key(service)
        full = f"{name}.{namespace}.svc.{plan.DOMAIN}"
        spec = service["spec"]
        if spec.get("type") == "ExternalName":
            continue
        address = spec.get("clusterIP")
        if address not in (None, "", "None"):
            lines.append(f"{address} {full}")
            continue
        found = by_name.get((namespace, name), {})
        for subset in found.get("subsets") or []:
            for place in subset.get("addresses") or []:
                host = place.get("hostname")
                own = f"{host}.{full} {full}" if host else f"{full} {_target(place)}.{full}"
                lines.append(f"{place['ip']} {own}")  # the first name is what PTR answers
    return "".join(f"{line}\n" for line in sorted(set(lines)))


def located(services: Iterable[Object], endpoints: Iterable[Object]) -> list[str]:
    """What the named ports of services are, as options of dnsmasq."""
    by_name = {_key(item): item for item in endpoints}
    found = set()
    for service in services:
        namespace, name = _key(service)
        full = f"{name}.{namespace}.svc.{plan.DOMAIN}"
        spec = service["spec"]
        alone = spec.get("clusterIP") == "None"
        subsets = by_name.get((namespace, name), {}).get("subsets") if alone else None
        for port in spec.get("ports") or () if spec.get("type") != "ExternalName" else ():
            if not port.get("name"):
                continue
            begin = f"--srv-host=_{port['name']}._{port['protocol'].lower()}.{full}"
            if not alone:
                found.add(f"{begin},{full},{port['port']}")
            for subset in subsets or []:
                numbers = [each["port"] for each in subset.get("ports") or ()
                           if each.get("name") == port["name"]]  # fmt: skip
                for place in subset.get("addresses") or []:
                    found |= {f"{begin},{_target(place)}.{full},{number}" for number in numbers}
    return sorted(found)


def _target(place: Object) -> str:
    """The name of an endpoint below its service's."""
    return str(place.get("hostname") or place["ip"].replace(".", "-"))


def _key(item: Object) -> tuple[str, str]:
    return item["metadata"]["namespace"], item["metadata"]["name"]


class Names:
    """dnsmasq, and the threads that follow the API."""

    def __init__(self, space: Space, state: State, folder: Path, api: Api) -> None:
        self._file = folder / "names"
        self._file.write_text("", encoding="utf-8")
        self._api = api
        self._held: dict[str, dict[tuple[str, str], Object]] = {"services": {}, "endpoints": {}}
        self._lock = threading.Lock()
        self._changed = threading.Event()
        argv = [
            "dnsmasq", "--keep-in-foreground", "--log-facility=-", "--conf-file=/dev/null",
            "--no-resolv", "--no-hosts", "--bind-interfaces", "--user=root", "--pid-file=",
            f"--listen-address={plan.CONTROL}", f"--addn-hosts={self._file}",
            f"--local=/{plan.DOMAIN}/", "--local=/in-addr.arpa/", "--cache-size=0",
        ]  # fmt: skip
        self._argv = network.inside(plan.control_namespace(space), argv)
        self._state = state
        self._process: subprocess.Popen[bytes] | None = None

    def follow(self) -> None:
        """Follow the API from now on."""
        for kind in self._held:
            loop(f"dns-{kind}", lambda kind=kind: self._watch(kind))  # type: ignore[misc]
        loop("dns", self._tell)

    def close(self) -> None:
        """End dnsmasq."""
        if self._process is not None:
            self._process.terminate()
            self._process.wait()

    def _watch(self, kind: str) -> None:
        for event, item in self._api.watch(f"/api/v1/{kind}"):
            with self._lock:
                if event == "LISTED":
                    self._held[kind] = {_key(each): each for each in item["items"]}
                elif event == "DELETED":
                    self._held[kind].pop(_key(item), None)
                else:
                    self._held[kind][_key(item)] = item
            self._changed.set()

    def _tell(self) -> None:
        said: tuple[str, list[str]] = ("", [])
        while True:
            self._changed.wait()
            threading.Event().wait(SETTLE_S)
            self._changed.clear()
            with self._lock:
                held = [list(one.values()) for one in self._held.values()]
            text, ports = records(*held), located(*held)
            if (text, ports) == said:
                continue
            fresh = self._file.with_name(".names.new")
            fresh.write_text(text, encoding="utf-8")
            fresh.replace(self._file)
            if self._process is None or ports != said[1]:
                self.close()
                self._process = self._state.start("kube-dns", [*self._argv, *ports])
            elif self._process.poll() is None:
                os.kill(self._process.pid, signal.SIGHUP)
            said = text, ports
