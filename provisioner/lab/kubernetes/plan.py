"""The lab cluster's addresses and names; one place for what several files must agree on.

::

    lab's namespace --10.99.0.0/30-- control plane's namespace --10.98.0.0/24-- nodes' namespaces
                                     10.98.0.1: API, etcd, DNS                  pods 10.244.N.0/24
"""

from __future__ import annotations

from dataclasses import dataclass

from provisioner.lab.space import Space

CONTROL, NETWORK, PREFIX = "10.98.0.1", "10.98.0.0/24", 24
API_PORT = 6443
LINK_LAB, LINK_CONTROL = "10.99.0.1", "10.99.0.2"
PODS = "10.244.0.0/16"
SERVICES = "10.96.0.0/16"
BALANCED = "10.97.0.0/24"  # of services of type LoadBalancer
API_SERVICE, DNS_SERVICE = "10.96.0.1", "10.96.0.10"
DOMAIN = "cluster.local"
NODES = 2
CONTEXT, NAMESPACE = "interop-lab", "interop"
IMAGE = "docker.io/lab/debian:12"
PAUSE = "docker.io/lab/pause:1"
STORAGE_CLASS = "lab-disk"
VIRTUAL = "interop.lab/virtual"  # label and taint of nodes that only pretend
LABEL = {"interop.lab/part": "platform"}  # on what the lab itself puts into the cluster


@dataclass(frozen=True, slots=True, kw_only=True)
class NodePlan:
    """One real node.

    Attributes:
        name: in the cluster.
        address: its own, on the network of nodes.
        pods: the range of its pods' addresses.
        namespace: network namespace; also the name of its control group.
    """

    name: str
    address: str
    pods: str
    namespace: str


def control_namespace(space: Space) -> str:
    """The network namespace of the control plane."""
    return f"{space.namespace}--k8s"


def nodes(space: Space, count: int = NODES) -> list[NodePlan]:
    """The nodes of a lab."""
    return [
        NodePlan(
            name=f"node-{number}",
            address=f"10.98.0.{10 + number}",
            pods=f"10.244.{number}.0/24",
            namespace=f"{control_namespace(space)}-{number}",
        )
        for number in range(count)
    ]
