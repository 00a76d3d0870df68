"""Which block device of a guest is which volume of the API."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from provisioner.driver import Handle


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A block device, and by what it was recognised: ``identity``, ``device`` or ``size``."""

    device: Mapping[str, Any]
    by: str


def find_volume(disks: Mapping[str, Any], handle: Handle, facts: Mapping[str, Any]) -> Found | None:
    """The device of a volume: by its id or serial number, else by the API's device name, else size.

    EBS shows ``vol-0123`` as the serial ``vol0123``, virtio cuts a serial at 20 characters.
    """
    root = disks["root"]["device"]
    whole = [d for d in disks["devices"] if not d["partition"] and d["kernel_name"] != root]
    for told in (str(facts.get("serial") or ""), handle.id):
        wanted = _plain(told)
        if len(wanted) < 4:
            continue
        for device in whole:
            links = [name.partition("-")[2] for name in device["by_id"]]  # without the bus
            for text in map(_plain, [device["serial"], *device["by_id"], *links]):
                if wanted in text or (len(text) >= 16 and wanted.startswith(text)):
                    return Found(device=device, by="identity")
    node = str(facts.get("device") or "")
    for device in whole:
        if node and device["node"] == node:
            return Found(device=device, by="device")
    size = int(facts.get("size_gib") or 0) << 30
    fits = [d for d in whole if size and d["bytes"] == size]
    return Found(device=fits[0], by="size") if len(fits) == 1 else None


def _plain(text: str) -> str:
    return "".join(c for c in text.lower() if c.isalnum())
