"""A volume is recognised by what its guest can know of it."""

from __future__ import annotations

from typing import Any

import pytest

from provisioner.driver import Handle
from provisioner.resources import Kind
from suites.volumes import find_volume

ID = "346c5166-c88e-40af-8990-23f36ce2c9ac"
HANDLE = Handle(platform="p", kind=Kind.VOLUME, id=ID)


def disks(serial: str = "", *by_id: str, node: str = "/dev/vdb", size: int = 1 << 30) -> Any:
    device = {
        "kernel_name": "vdb", "node": node, "serial": serial, "by_id": list(by_id),
        "bytes": size, "partition": False,
    }  # fmt: skip
    return {"root": {"device": "vda"}, "devices": [device]}


@pytest.mark.parametrize(
    "seen",
    [
        disks(ID),
        disks(ID[:20]),
        disks("", f"virtio-{ID[:20]}"),
        disks("", f"scsi-0QEMU_QEMU_HARDDISK_{ID}"),
    ],
)
def test_the_id_is_recognised_also_where_virtio_cut_it(seen: Any) -> None:
    found = find_volume(seen, HANDLE, {})

    assert found is not None
    assert found.by == "identity"


@pytest.mark.parametrize(
    ("seen", "facts", "by"),
    [
        (disks("", f"virtio-{ID[:8]}"), {"device": "/dev/vdb"}, "device"),
        (disks("", "virtio-00000000-0000-0000-0"), {"size_gib": 1}, "size"),
        (disks(), {"size_gib": 2}, None),
    ],
)
def test_less_than_that_is_no_identity(seen: Any, facts: dict[str, Any], by: str | None) -> None:
    found = find_volume(seen, HANDLE, facts)

    assert (found.by if found else None) == by
