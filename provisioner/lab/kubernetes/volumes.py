"""Volumes of the lab's cluster: a claim gets a file system of its own, of exactly the asked size.

A volume is an ext4 image, mounted in a folder that every node sees, so that it follows its pod to
another node as a disk of a storage network would. Nothing keeps two nodes from mounting it at once.
"""

from __future__ import annotations

import contextlib
import logging
import re
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from provisioner.errors import PlatformFault
from provisioner.lab.kubernetes import plan
from provisioner.lab.kubernetes.api import FAILURES, Api, Refused, loop
from provisioner.lab.kubernetes.contents import PROVISIONER
from provisioner.lab.space import run

LOG = logging.getLogger(__name__)
UNITS = {"": 1, "k": 10**3, "M": 10**6, "G": 10**9, "T": 10**12,
         "Ki": 2**10, "Mi": 2**20, "Gi": 2**30, "Ti": 2**40}  # fmt: skip
SMALLEST = 4 << 20  # ext4 with a journal wants about as much
ANNOTATION = "pv.kubernetes.io/provisioned-by"


def quantity(text: str) -> int:
    """Bytes of a Kubernetes quantity such as ``1Gi`` or ``1500M``.

    Raises:
        ValueError: it is none.
    """
    found = re.fullmatch(r"([0-9]+(?:\.[0-9]+)?)([kMGT]i?|Ki|)", text)
    if not found or found[2] not in UNITS:
        raise ValueError(f"quantity {text!r}")
    return round(float(found[1]) * UNITS[found[2]])


class Volumes:
    """The provisioner of the lab's storage class.

    Args:
        folder: where images and their mounts are; shared with the nodes by ``share``.
        never_bind: a defect: claims are not served.
        smaller: a defect: a volume is smaller than it says.
    """

    def __init__(
        self, folder: Path, api: Api, *, never_bind: bool = False, smaller: bool = False
    ) -> None:
        self._mounts, self._images = folder / "mounts", folder / "images"
        for path in (self._mounts, self._images):
            path.mkdir(exist_ok=True)
        self._api = api
        self._never_bind, self._smaller = never_bind, smaller
        self._lock = threading.Lock()

    def share(self) -> Path:
        """Make what is mounted later visible in nodes that are started later; returns where."""
        run("mount", "--bind", str(self._mounts), str(self._mounts))
        run("mount", "--make-shared", str(self._mounts))
        return self._mounts

    def follow(self) -> None:
        """Serve claims from now on."""
        loop("volume-claims", lambda: self._watch("persistentvolumeclaims", self._claimed))
        loop("volumes", lambda: self._watch("persistentvolumes", self._released))

    def _watch(self, kind: str, each: Any) -> None:
        for event, item in self._api.watch(f"/api/v1/{kind}"):
            for held in item["items"] if event == "LISTED" else [item]:
                if event == "DELETED":
                    continue
                try:
                    each(held)
                except (*FAILURES, PlatformFault, OSError) as error:
                    LOG.warning("%s %s: %s", kind, held["metadata"]["name"], error)

    def _claimed(self, claim: Mapping[str, Any]) -> None:
        """Make the volume of a claim that has none."""
        spec, metadata = claim["spec"], claim["metadata"]
        mine = spec.get("storageClassName") == plan.STORAGE_CLASS and not spec.get("volumeName")
        if not mine or metadata.get("deletionTimestamp") or self._never_bind:
            return
        name = f"pvc-{metadata['uid']}"
        size = quantity(spec["resources"]["requests"]["storage"])
        with self._lock:
            if not (self._images / name).exists():
                self._make(name, max(size, SMALLEST))
        body = {
            "apiVersion": "v1",
            "kind": "PersistentVolume",
            "metadata": {"name": name, "annotations": {ANNOTATION: PROVISIONER}},
            "spec": {
                "capacity": {"storage": str(max(size, SMALLEST))},
                "accessModes": spec["accessModes"],
                "persistentVolumeReclaimPolicy": "Delete",
                "storageClassName": plan.STORAGE_CLASS,
                "volumeMode": "Filesystem",
                "hostPath": {"path": str(self._mounts / name), "type": "Directory"},
                "claimRef": {
                    "apiVersion": "v1", "kind": "PersistentVolumeClaim", "uid": metadata["uid"],
                    "namespace": metadata["namespace"], "name": metadata["name"],
                },
            },
        }  # fmt: skip
        with contextlib.suppress(Already):
            self._post("/api/v1/persistentvolumes", body)

    def _released(self, volume: Mapping[str, Any]) -> None:
        """Remove a volume whose claim is gone."""
        metadata = volume["metadata"]
        mine = (metadata.get("annotations") or {}).get(ANNOTATION) == PROVISIONER
        if not mine or volume.get("status", {}).get("phase") != "Released":
            return
        name = metadata["name"]
        with self._lock:
            if not (self._images / name).exists():
                return  # it is told more than once
            run("umount", "--lazy", str(self._mounts / name))
            (self._mounts / name).rmdir()
            (self._images / name).unlink()
        self._api.call("DELETE", f"/api/v1/persistentvolumes/{name}")

    def _make(self, name: str, size: int) -> None:
        image, place = self._images / name, self._mounts / name
        place.mkdir(exist_ok=True)
        with image.open("wb") as out:
            out.truncate(size * 3 // 4 if self._smaller else size)
        try:
            run("mke2fs", "-q", "-t", "ext4", "-m", "0", "-E", "root_owner=0:0", str(image))
            run("mount", "-o", "loop,nodev,nosuid", str(image), str(place))
        except PlatformFault:
            image.unlink()
            raise

    def _post(self, path: str, body: Mapping[str, Any]) -> None:
        try:
            self._api.call("POST", path, body)
        except Refused as error:
            if error.status == 409:
                raise Already from error
            raise


class Already(Exception):
    """The object is there."""
