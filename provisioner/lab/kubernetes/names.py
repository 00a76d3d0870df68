"""The cluster's DNS: dnsmasq, fed with services and endpoints from the API.

Source: Kubernetes DNS-based service discovery specification 1.1.0. Not there: SRV records, CNAME
of ExternalName services, records of single pods, anything outside the cluster's domain.
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
                own = f"{host}.{full} " if host else ""  # the first name is what PTR answers
                lines.append(f"{place['ip']} {own}{full}")
    return "".join(f"{line}\n" for line in sorted(set(lines)))


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
        inside = network.inside(plan.control_namespace(space), argv)
        self._process: subprocess.Popen[bytes] = state.start("kube-dns", inside)

    def follow(self) -> None:
        """Follow the API from now on."""
        for kind in self._held:
            loop(f"dns-{kind}", lambda kind=kind: self._watch(kind))  # type: ignore[misc]
        loop("dns", self._tell)

    def close(self) -> None:
        """End dnsmasq."""
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
        said = ""
        while True:
            self._changed.wait()
            threading.Event().wait(SETTLE_S)
            self._changed.clear()
            with self._lock:
                text = records(*(list(held.values()) for held in self._held.values()))
            if text == said:
                continue
            said = text
            fresh = self._file.with_name(".names.new")
            fresh.write_text(text, encoding="utf-8")
            fresh.replace(self._file)
            if self._process.poll() is None:
                os.kill(self._process.pid, signal.SIGHUP)
