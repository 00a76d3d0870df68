"""Nodes that only pretend, for scale: they run nothing and say that all is well.

A virtual node renews its lease, says of each of its pods that it runs (of a job's that it has
succeeded), and completes deletions. There are no probes, restarts, init containers, logs or exec.
They carry the label and the taint ``interop.lab/virtual``, so that no pod gets there unasked, and
reports call them simulated.
"""

from __future__ import annotations

import contextlib
import datetime
import itertools
import threading
from collections.abc import Mapping, Sequence
from typing import Any

from provisioner.lab.kubernetes import plan
from provisioner.lab.kubernetes.api import FAILURES, Api, loop

LEASE_S = 10.0
VERSION = "v1.20.2-virtual"
ROOM = {"cpu": "8", "memory": "16Gi", "pods": "110", "ephemeral-storage": "100Gi"}
PRESSURES = ("MemoryPressure", "DiskPressure", "PIDPressure")
Object = Mapping[str, Any]


class VirtualNodes:
    """Some virtual nodes, kept alive by one thread and played by another."""

    def __init__(self, api: Api, names: Sequence[str]) -> None:
        self._api = api
        self._names = frozenset(names)
        self._numbers = itertools.count(2)

    def follow(self) -> None:
        """Register them and play them from now on."""
        for name in sorted(self._names):
            self._register(name)
        loop("virtual-leases", self._renew)
        loop("virtual-pods", self._watch)

    def _register(self, name: str) -> None:
        labels = {"kubernetes.io/hostname": name, "kubernetes.io/os": "linux", plan.VIRTUAL: "true"}
        taint = {"key": plan.VIRTUAL, "value": "true", "effect": "NoSchedule"}
        body = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": name, "labels": labels},
                "spec": {"taints": [taint]}}  # fmt: skip
        self._api.apply(f"/api/v1/nodes/{name}", body)
        self._merge(f"/api/v1/nodes/{name}/status", {"status": _node_status(name)})
        self._lease(name)

    def _renew(self) -> None:
        while True:
            threading.Event().wait(LEASE_S)
            for name in self._names:
                with contextlib.suppress(*FAILURES):
                    self._lease(name)

    def _lease(self, name: str) -> None:
        spec = {"holderIdentity": name, "leaseDurationSeconds": 40, "renewTime": _now("%f")}
        body = {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease",
                "metadata": {"name": name}, "spec": spec}  # fmt: skip
        path = f"/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases/{name}"
        self._api.apply(path, body)

    def _watch(self) -> None:
        for event, item in self._api.watch("/api/v1/pods"):
            if event == "DELETED":
                continue
            for pod in item["items"] if event == "LISTED" else [item]:
                if pod["spec"].get("nodeName") in self._names:
                    with contextlib.suppress(*FAILURES):
                        self._play(pod)

    def _play(self, pod: Object) -> None:
        metadata = pod["metadata"]
        path = f"/api/v1/namespaces/{metadata['namespace']}/pods/{metadata['name']}"
        phase = pod["status"].get("phase")
        owners = metadata.get("ownerReferences") or []
        job = any(owner["kind"] == "Job" for owner in owners)
        if metadata.get("deletionTimestamp"):
            # in the body: a DELETE that has one ignores the parameter of the address
            body = {"gracePeriodSeconds": 0, "preconditions": {"uid": metadata["uid"]}}
            self._api.call("DELETE", path, body)
        elif phase == "Pending":
            self._merge(f"{path}/status", {"status": self._running(pod)})
        elif phase == "Running" and job:
            self._merge(f"{path}/status", {"status": _succeeded(pod)})

    def _running(self, pod: Object) -> dict[str, Any]:
        high, low = divmod(next(self._numbers), 250)
        address, now = f"10.250.{high}.{low}", _now()
        conditions = ("Initialized", "Ready", "ContainersReady", "PodScheduled")
        return {
            "phase": "Running", "startTime": now, "hostIP": "10.250.0.1",
            "podIP": address, "podIPs": [{"ip": address}],
            "conditions": [_condition(kind, "True", now) for kind in conditions],
            "containerStatuses": [
                {**_container(item), "ready": True, "started": True,
                 "state": {"running": {"startedAt": now}}}
                for item in pod["spec"]["containers"]
            ],
        }  # fmt: skip

    def _merge(self, path: str, body: Object) -> None:
        self._api.call("PATCH", path, body, content="application/merge-patch+json")


def _succeeded(pod: Object) -> dict[str, Any]:
    now = _now()
    ended = {"exitCode": 0, "reason": "Completed", "startedAt": now, "finishedAt": now}
    return {
        "phase": "Succeeded",
        "conditions": [_condition("Ready", "False", now)],
        "containerStatuses": [
            {**_container(item), "ready": False, "started": False, "state": {"terminated": ended}}
            for item in pod["spec"]["containers"]
        ],
    }


def _container(item: Object) -> dict[str, Any]:
    return {"name": item["name"], "image": item["image"], "imageID": f"virtual://{item['image']}",
            "restartCount": 0}  # fmt: skip


def _node_status(name: str) -> dict[str, Any]:
    now = _now()
    well = [("Ready", "True"), *((pressure, "False") for pressure in PRESSURES)]
    return {
        "capacity": ROOM,
        "allocatable": ROOM,
        "conditions": [
            {**_condition(kind, status, now), "lastHeartbeatTime": now, "reason": "Virtual"}
            for kind, status in well
        ],
        "nodeInfo": {
            "machineID": "", "systemUUID": "", "bootID": "", "kernelVersion": "virtual",
            "osImage": "virtual", "containerRuntimeVersion": "virtual://0",
            "kubeletVersion": VERSION, "kubeProxyVersion": VERSION, "operatingSystem": "linux",
            "architecture": "amd64",
        },
        "addresses": [{"type": "Hostname", "address": name}],
    }  # fmt: skip


def _condition(kind: str, status: str, now: str) -> dict[str, Any]:
    return {"type": kind, "status": status, "lastTransitionTime": now}


def _now(fraction: str = "") -> str:
    """The time in UTC as RFC 3339; leases want microseconds."""
    form = "%Y-%m-%dT%H:%M:%S" + (f".%{fraction.lstrip('%')}" if fraction else "") + "Z"
    return datetime.datetime.now(datetime.UTC).strftime(form)
