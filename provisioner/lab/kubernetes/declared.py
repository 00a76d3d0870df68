"""What the lab's Kubernetes is not, for platforms.yaml: a reader of a report must know it."""

from __future__ import annotations

NOTES: tuple[str, ...] = (
    "nodes are namespaces of one machine: one kernel, one clock, one page cache",
    "Kubernetes 1.20.2 from Debian's source package, with reflect2 1.0.2; end of life upstream",
    "NetworkPolicy is enforced by nftables in each node, fed from the API; IPv4 only",
    "DNS is dnsmasq fed from the API: A, PTR and SRV records of services; no ExternalName",
    "a volume is an ext4 image on the lab's disk, seen by every node; two nodes are not kept from"
    " mounting it at once; no snapshots, no expansion, no raw blocks",
    "etcd does not flush to the disk; one API server, one etcd",
    "a load balancer's address is kube-proxy's alone: it answers within the cluster",
    "no metrics API, no IPv6, no way to the internet",
    "nodes with the label interop.lab/virtual only pretend: their pods are simulated",
    "images are imported into the nodes; there is no registry",
)
