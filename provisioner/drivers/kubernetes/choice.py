"""What there is to choose from: images by declaration, room and zones by the cluster's nodes."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Mapping, Sequence
from typing import Any

from provisioner.driver import Offer
from provisioner.drivers.kubernetes.cluster import Cluster
from provisioner.errors import BadRequest, PlatformError
from provisioner.resources import ImageSpec, MachineSpec

ARCH = {"amd64": "amd64", "arm64": "arm64"}
UNITS = {"": 1.0, "m": 1e-3, "k": 1e3, "M": 1e6, "G": 1e9, "T": 1e12, "P": 1e15,
         "Ki": 2.0**10, "Mi": 2.0**20, "Gi": 2.0**30, "Ti": 2.0**40, "Pi": 2.0**50}  # fmt: skip
ZONE, NODE_ARCH = "topology.kubernetes.io/zone", "kubernetes.io/arch"
# Taints the cluster itself sets and takes away again (Kubernetes, "Taints and Tolerations").
CONDITIONS = frozenset(
    f"node.kubernetes.io/{condition}"
    for condition in ("not-ready", "unreachable", "memory-pressure", "disk-pressure",
                      "pid-pressure", "network-unavailable")
)  # fmt: skip
DEFAULT_CLASS = "storageclass.kubernetes.io/is-default-class"


def quantity(text: object) -> float:
    """A Kubernetes quantity as a number; 0 for what is none.

    Source: k8s.io/apimachinery/pkg/api/resource, "Quantity".
    """
    found = re.fullmatch(r"([0-9.]+)([kMGTP]i?|Ki|m|)", str(text))
    if found and found[2] in UNITS:
        try:
            return float(found[1]) * UNITS[found[2]]
        except ValueError:
            return 0.0
    try:
        return float(str(text))  # 1e3
    except ValueError:
        return 0.0


class Choice:
    """Looks at the cluster once.

    Attributes:
        nodes_told: whether the cluster let us see its nodes.
    """

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._nodes: list[dict[str, Any]] | None = None
        self._classes: list[dict[str, Any]] | None = None
        self.nodes_told = False

    def nodes(self) -> list[dict[str, Any]]:
        """Nodes a machine may come to; empty where we may not look."""
        if self._nodes is None:
            try:
                there = list(self._cluster.each("list nodes", "/api/v1/nodes"))
                self.nodes_told = True
            except PlatformError:
                there = []
            there.sort(key=lambda item: str(item["metadata"]["name"]))
            settings = self._cluster.settings
            self._nodes = [
                item
                for item in there
                if not _tainted(item, settings.tolerate)
                and settings.node_selector.items() <= (item["metadata"].get("labels") or {}).items()
            ]
        return self._nodes

    def storage_class(self) -> dict[str, Any] | None:
        """The class that volumes get; None where there is none or we may not look."""
        if self._classes is None:
            path = "/apis/storage.k8s.io/v1/storageclasses"
            try:
                self._classes = list(self._cluster.each("list storage classes", path))
            except PlatformError:
                self._classes = []
        wanted = self._cluster.settings.storage_class
        for item in self._classes:
            default = (item["metadata"].get("annotations") or {}).get(DEFAULT_CLASS) == "true"
            if item["metadata"]["name"] == wanted or (not wanted and default):
                return item
        return None

    def images(self) -> tuple[Offer, ...]:
        """Those that are declared."""
        offers = []
        for name, reference in sorted(self._cluster.settings.images.items()):
            system, _, version = name.partition("-")
            facts = {"os": system, "version": version, "arch": self.arch(), "user": "root"}
            source = "declared: images in platforms.yaml"
            offers.append(Offer(id=reference, name=name, facts=facts, source=source))
        return tuple(offers)

    def image(self, spec: ImageSpec) -> Offer:
        """The one declared image that fits; the newest of several.

        Raises:
            BadRequest: none does.
        """
        wanted = {"os": spec.os, "version": spec.version, "arch": spec.arch}
        fits = [
            offer
            for offer in self.images()
            if all(not v or offer.facts[k] in ("", v) for k, v in wanted.items())
            and (not spec.name or fnmatch.fnmatchcase(offer.name, spec.name))
        ]
        if not fits:
            asked = ", ".join(f"{k} {v}" for k, v in wanted.items() if v) or spec.name or "any"
            known = ", ".join(offer.name for offer in self.images()) or "none; declare images"
            raise BadRequest(f"no image for {asked}; there are: {known}", self._cluster.platform)
        return max(fits, key=lambda offer: _version(str(offer.facts["version"])))

    def arch(self) -> str:
        """The nodes' architecture; empty where they differ or are not known."""
        found = {(node["metadata"].get("labels") or {}).get(NODE_ARCH, "") for node in self.nodes()}
        return ARCH.get(found.pop(), "") if len(found) == 1 else ""

    def zones(self) -> tuple[str, ...]:
        """The nodes' zones."""
        labels = (node["metadata"].get("labels") or {} for node in self.nodes())
        return tuple(sorted({item[ZONE] for item in labels if item.get(ZONE)}))

    def sizes(self) -> tuple[Offer, ...]:
        """A machine may have any size up to a node's."""
        offers = []
        for node in self.nodes():
            room = node["status"].get("allocatable") or {}
            facts = {
                "cpu": quantity(room.get("cpu")),
                "memory_mib": int(quantity(room.get("memory")) / 2**20),
            }
            name = str(node["metadata"]["name"])
            offers.append(Offer(id=name, name=f"up to {name}", facts=facts, source="api: nodes"))
        return tuple(offers)

    def check_size(self, spec: MachineSpec) -> None:
        """Raise BadRequest where no node is as large."""
        sizes = self.sizes()
        fits = any(
            spec.cpu <= size.facts["cpu"] and spec.memory_mib <= size.facts["memory_mib"]
            for size in sizes
        )
        if sizes and not fits:
            cpu = max(size.facts["cpu"] for size in sizes)
            memory = max(size.facts["memory_mib"] for size in sizes)
            message = f"no node has {spec.cpu} processors and {spec.memory_mib} MiB of memory"
            raise BadRequest(f"{message}; most are {cpu:g} and {memory}", self._cluster.platform)


def _tainted(node: Mapping[str, Any], tolerated: Sequence[str]) -> bool:
    """Whether somebody keeps machines off a node; its present condition is nobody's intent."""
    taints = node["spec"].get("taints") or ()
    return any(
        taint.get("effect") in ("NoSchedule", "NoExecute")
        and taint.get("key") not in (*tolerated, *CONDITIONS)
        for taint in taints
    )


def _version(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.split(".") if part.isdigit())
