"""What a lab leaves in the kernel is waited for, and only what is the lab's."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from pathlib import Path

import pytest

from provisioner.lab import traces

pytestmark = pytest.mark.skipif(
    os.geteuid() != 0 or not Path("/dev/loop-control").exists() or not shutil.which("mke2fs"),
    reason="needs root, loop devices and mke2fs",
)


def test_a_disk_that_another_mount_namespace_lets_go_late_is_waited_for(tmp_path: Path) -> None:
    """As a node's disk after its pods were killed: the device goes with the last mount."""
    image, place = tmp_path / "disk", tmp_path / "place"
    place.mkdir()
    image.write_bytes(b"")
    os.truncate(image, 8 << 20)
    subprocess.run(["mke2fs", "-q", "-t", "ext4", str(image)], check=True)
    subprocess.run(["mount", "-o", "loop", str(image), str(place)], check=True)
    held = subprocess.Popen(
        ["unshare", "--mount", "--propagation", "private", "sh", "-c", "echo there; exec sleep 1"],
        stdout=subprocess.PIPE,
    )
    assert held.stdout is not None
    held.stdout.readline()
    elsewhere = traces.loops([tmp_path / "elsewhere"])

    began = time.monotonic()
    traces.clear([tmp_path])
    seconds = time.monotonic() - began
    held.communicate()

    assert (traces.mounts([tmp_path]), traces.loops([tmp_path]), elsewhere) == ([], [], [])
    assert 0.5 < seconds < traces.RELEASE_S
