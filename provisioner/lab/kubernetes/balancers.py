"""Addresses for services of type LoadBalancer, as a cloud's controller gives them.

Nothing has such an address: kube-proxy of each node leads what is sent to it, so it answers within
the cluster, and from the lab's network by a route to a node.
"""

from __future__ import annotations

import contextlib
import ipaddress
from collections.abc import Iterable, Mapping
from typing import Any

from provisioner.lab.kubernetes import plan
from provisioner.lab.kubernetes.api import FAILURES, Api, loop

Object = Mapping[str, Any]


class Balancers:
    """Follows services; an address is free again once its service is gone."""

    def __init__(self, api: Api) -> None:
        self._api = api
        self._held: dict[str, str] = {}  # uid of the service -> address

    def follow(self) -> None:
        """Give addresses from now on."""
        loop("balancers", self._watch)

    def _watch(self) -> None:
        for event, item in self._api.watch("/api/v1/services"):
            if event == "LISTED":
                there = {service["metadata"]["uid"] for service in item["items"]}
                self._held = {uid: held for uid, held in self._held.items() if uid in there}
            elif event == "DELETED":
                self._held.pop(item["metadata"]["uid"], None)
                continue
            for service in item["items"] if event == "LISTED" else [item]:
                with contextlib.suppress(*FAILURES):
                    self._give(service)

    def _give(self, service: Object) -> None:
        metadata = service["metadata"]
        told = service["status"].get("loadBalancer", {}).get("ingress") or []
        if told:
            self._held[metadata["uid"]] = told[0]["ip"]
        if service["spec"].get("type") != "LoadBalancer" or told:
            return
        address = self._held.setdefault(metadata["uid"], free(self._held.values()))
        body = {"status": {"loadBalancer": {"ingress": [{"ip": address}]}}}
        path = f"/api/v1/namespaces/{metadata['namespace']}/services/{metadata['name']}/status"
        self._api.call("PATCH", path, body, content="application/merge-patch+json")


def free(taken: Iterable[str]) -> str:
    """The first address of the range that is not taken.

    Raises:
        ValueError: all are.
    """
    held = set(taken)
    for address in ipaddress.ip_network(plan.BALANCED).hosts():
        if str(address) not in held:
            return str(address)
    raise ValueError(f"no address of {plan.BALANCED} is free")
