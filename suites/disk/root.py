"""The root file system is as large as asked for."""

from __future__ import annotations

from typing import Any

import pytest

from provisioner.deployment import Member
from suites.claims import claim, observed_as_declared
from suites.seams import Inside, Observe, Subject

OVERHEAD = 0.85  # share of a disk that a file system of a few GiB leaves for files, at least


@pytest.mark.check("disk-01", needs=("machine",))
@pytest.mark.cost("own")
def test_the_root_file_system_has_the_size_asked_for(
    subject: Subject, wish: dict[str, Any], victim: Member, inside: Inside, observe: Observe
) -> None:
    """The root file system fills its disk, and is as large as asked for."""
    root = inside(victim).observe("disks")["root"]
    told = int(victim.state.facts.get("disk_gib") or wish["disk_gib"])

    observe("root-bytes", root["bytes"], unit="B", member=victim.name)
    observe("root-disk-bytes", root["device_bytes"], unit="B", member=victim.name)
    observed_as_declared(subject, observe, "root-fs", root["fs"], victim.name)
    observe("root-size", told, unit="GiB", source="api", member=victim.name)
    claim(
        root["bytes"] >= OVERHEAD * (told << 30),
        f"{victim.name}: size of the root file system, asked for with {told} GiB",
        expected=f"at least {int(OVERHEAD * (told << 30))} bytes",
        actual=root["bytes"],
    )
    if root["device_bytes"]:
        claim(
            root["bytes"] >= OVERHEAD * 0.9 * root["device_bytes"],
            f"{victim.name}: the root file system was grown to its disk of"
            f" {root['device_bytes']} bytes",
            expected=f"at least {int(OVERHEAD * 0.9 * root['device_bytes'])} bytes",
            actual=root["bytes"],
        )
