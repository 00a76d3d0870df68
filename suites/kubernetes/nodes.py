"""Nodes that do not answer: what a check saw then is no verdict on the platform.

The API goes on calling a node ready for a while after it has died. Whether its kubelet answers is
known at once from the log of a pod on it, which the API server can only get from there.
"""

from __future__ import annotations

from typing import Any

from provisioner.driver import Handle
from provisioner.errors import PlatformError
from provisioner.features import RawCall
from provisioner.resources import Kind
from suites.seams import Subject

PODS = "/api/v1/namespaces/{namespace}/pods"
NO_ANSWER = (500, 502, 503, 504)  # for a pod's log: the API server did not get it from the node


def lost(subject: Subject) -> dict[str, str]:
    """The nodes of the platform that do not answer, and what is said of each."""
    nothing = Handle(platform=subject.name, kind=Kind.CONFIG, id="")
    raw = subject.driver.feature(RawCall, nothing)  # type: ignore[type-abstract]
    found: dict[str, str] = {}
    known = subject.description.facts.get("nodes") or ()
    try:
        for node in _items(raw, "/api/v1/nodes"):
            name = str(node["metadata"]["name"])
            if name in known and (why := _unready(node)):
                found[name] = why
        running = {}
        for pod in _items(raw, PODS):
            if pod.get("status", {}).get("phase") == "Running":
                running[str(pod["spec"].get("nodeName"))] = str(pod["metadata"]["name"])
        for name, pod_name in running.items():
            if name not in found:
                log = raw.call(f"GET {PODS}/{pod_name}/log", {"query": {"limitBytes": 1}})
                if log["status"] in NO_ANSWER:
                    found[name] = str(log["message"])[:200]
    except PlatformError:
        return found  # we may not look, or the API itself does not answer
    return found


def told(nodes: dict[str, str]) -> str:
    """Lost nodes in one line."""
    return "; ".join(f"node {name} does not answer: {why}" for name, why in nodes.items())


def _items(raw: RawCall, path: str) -> list[dict[str, Any]]:
    answer = raw.call(f"GET {path}", {})
    return list(answer["body"]["items"]) if answer["status"] == 200 else []


def _unready(node: dict[str, Any]) -> str:
    """Why a node is not ready; empty if it is."""
    conditions = node.get("status", {}).get("conditions") or ()
    ready = next((one for one in conditions if one["type"] == "Ready"), None)
    if ready is None or ready["status"] == "True":
        return ""
    return str(ready.get("message") or ready.get("reason") or "not ready")
