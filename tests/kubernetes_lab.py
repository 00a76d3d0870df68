"""A lab with Kubernetes for tests, up once for all that ask for it, and its platform."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from provisioner.driver import Driver
from provisioner.drivers.kubernetes import open_driver
from provisioner.lab import doctor, up
from provisioner.lab.kubernetes import providers
from provisioner.lab.space import Space
from provisioner.lab.state import State
from provisioner.platform import PlatformConfig

OWN = ("emulator", "declared", "kind", "profile")  # keys that are not the driver's


def lacking() -> str:
    """Why no such lab can be here; empty when one can."""
    return doctor.lacking() or providers.lacking()


@contextlib.contextmanager
def opened(*, defects: Sequence[str] = (), name: str = "") -> Iterator[dict[str, Any]]:
    """The entry of platforms.yaml of a lab that goes when the block ends."""
    space = Space(name=name or f"t-k8s-{os.getpid()}")
    try:
        asked = [f"lab-kubernetes:{defect}" for defect in defects]
        path = up.up(space, ["kubernetes"], lambda platform, text: None, defects=asked)
        yield yaml.safe_load(path.read_text(encoding="utf-8"))["platforms"]["lab-kubernetes"]
    finally:
        left = up.down(space)
    assert not left, left


def certificates(name: str = "") -> Path:
    """Where such a lab keeps its certificates and keys."""
    return State(Space(name=name or f"t-k8s-{os.getpid()}")).bulk("kubernetes") / "pki"


def driver(entry: dict[str, Any], state: Path, **changed: Any) -> Driver:
    """A driver for the lab's entry, some keys of which may be others."""
    settings = {key: value for key, value in entry.items() if key not in OWN} | changed
    declared = {"emulator": entry["emulator"], **entry["declared"]}
    config = PlatformConfig(
        name="lab-kubernetes", kind="kubernetes", settings=settings, declared=declared, state=state
    )
    return open_driver(config)


def started(
    entry: Mapping[str, Any], folder: Path, select: str, workload: str = "none"
) -> subprocess.Popen[str]:
    """A run of some checks, with nothing standing unless a workload is named."""
    platforms = folder / "platforms.yaml"
    platforms.write_text(yaml.safe_dump({"platforms": {"lab-kubernetes": dict(entry)}}))
    return subprocess.Popen(
        [str(Path(sys.executable).with_name("interop")), "run", "-p", "lab-kubernetes",
         "--platforms", str(platforms), "--workload", workload, "--results", str(folder),
         "--quiet", "--select", select],
        text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip


def outcomes(run: subprocess.Popen[str], folder: Path) -> dict[str, tuple[str, str]]:
    """How each check ended, and why."""
    said, _ = run.communicate()
    found = list(folder.glob("run-*/lab-kubernetes/result.json"))
    assert found, said
    document = json.loads(found[0].read_text(encoding="utf-8"))
    return {one["id"]: (one["outcome"], one["reason"]) for one in document["checks"]}
