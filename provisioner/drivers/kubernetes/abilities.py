"""What a cluster can do beyond answering: declared by its owner, or seen.

A check that needs ``kubernetes.dns`` does not apply where that is lacking, and the reason says who
said so. The words are the lab's (``provisioner/lab/kubernetes/providers.py``).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from provisioner.drivers.kubernetes.choice import Choice
from provisioner.drivers.kubernetes.cluster import Cluster
from provisioner.errors import PlatformError

PREFIX = "kubernetes."
CONTROLLERS, POLICY = f"{PREFIX}controllers", f"{PREFIX}network-policy"
# ability -> what it means
ABILITIES: Mapping[str, str] = {
    "api": "the API server answers",
    "api.ssa": "server-side apply",
    "api.crd": "kinds of one's own",
    "controllers": "the controllers work",
    "scheduler": "pods come to nodes",
    "nodes.real": "pods run",
    "exec-logs": "commands in pods, and their logs",
    "services.dataplane": "addresses of services lead to pods",
    "dns": "names of services resolve",
    "volumes": "claims get volumes",
    "network-policy": "a network plugin enforces NetworkPolicy",
    "load-balancer": "services of type LoadBalancer get an address",
}
OF_NODES = ("nodes.real", "exec-logs", "services.dataplane", "dns", "network-policy",
            "load-balancer")  # fmt: skip
# what no API tells, so that its owner may have to: what it means that there is none
UNTOLD: Mapping[str, str] = {
    "network-policy": "no network plugin enforces NetworkPolicy",
    "load-balancer": "nothing gives addresses to services of type LoadBalancer",
}


def abilities(
    declared: Mapping[str, Any], cluster: Cluster, choice: Choice
) -> tuple[frozenset[str], dict[str, str]]:
    """The abilities, and why each of the others is lacking; each with its prefix."""
    told = declared.get("capabilities")
    lacking: dict[str, str] = {}
    if isinstance(told, list | tuple):
        lacking = {
            name: f"declared.capabilities of the platform does not name it ({means})"
            for name, means in ABILITIES.items()
            if name not in told
        }
    else:
        lacking = _seen_lacking(cluster, choice)
    for name, means in UNTOLD.items():
        if declared.get(name) == "absent":
            lacking[name] = f"declared: {means}"
    offered = frozenset(f"{PREFIX}{name}" for name in ABILITIES if name not in lacking)
    return offered, {f"{PREFIX}{name}": reason for name, reason in lacking.items()}


def _seen_lacking(cluster: Cluster, choice: Choice) -> dict[str, str]:
    """What the cluster lets us see it cannot do; of the rest it is taken at its word."""
    lacking: dict[str, str] = {}
    if not choice.nodes() and choice.nodes_told:
        lacking |= dict.fromkeys(OF_NODES, "the cluster has no node that a pod may come to")
    if choice.storage_class() is None:
        lacking["volumes"] = "no default storage class, and none is declared"
    try:
        accounts = f"/api/v1/{cluster.namespaced}/serviceaccounts"
        if cluster.get("look for controllers", accounts, "default") is None:
            reason = "the namespace has no service account 'default', which controllers make"
            lacking |= dict.fromkeys(("controllers", "scheduler", "nodes.real"), reason)
    except PlatformError:
        pass  # we may not look
    return lacking
