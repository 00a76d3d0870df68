"""What the lab's Kubernetes costs, as a table: to a running pod, its memory, 100 virtual pods.

``python tests/bench_kubernetes.py`` needs root and the built binaries (`make kubernetes`). Memory
is the proportional set size of all processes of the lab. The promises are 40 s and 1 GB, and 30 s
for the pods, on two idle cores; the load is printed, for it decides.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))  # python -P leaves it out

import kubernetes_lab
from lab_memory import memory_mb

from provisioner.census import census
from provisioner.driver import Driver, Handle, Owner, Status
from provisioner.features import Exec, RawCall
from provisioner.lab.kubernetes import pki, plan
from provisioner.lab.space import Space
from provisioner.resources import ImageSpec, Kind, MachineSpec, Resource

COUNT, AT_ONCE = 100, 16
SPEC = MachineSpec(image=ImageSpec(os="debian"))
OWNER = Owner(run="bench")
VIRTUAL = {"node_selector": {"interop.lab/virtual": "true"}, "tolerate": ["interop.lab/virtual"]}


def make(driver: Driver, number: int) -> Handle:
    name = f"bench-{number}"
    want = Resource(kind=Kind.MACHINE, name=name, spec=SPEC, tags=OWNER.tags(name))
    return driver.create(driver.plan(want), f"bench-{os.getpid()}-{number}")


def until(look: Callable[[], bool], seconds: float = 180.0) -> None:
    deadline = time.monotonic() + seconds
    while not look():
        if time.monotonic() > deadline:
            raise SystemExit(f"not within {seconds:.0f} s")
        time.sleep(0.1)


def ready(driver: Driver, handle: Handle) -> None:
    def look() -> bool:
        state = driver.read(handle)
        return state is not None and state.status is Status.READY

    until(look)


def gone(driver: Driver, handles: list[Handle]) -> float:
    """Delete them; seconds until nothing of them is found."""
    began = time.monotonic()
    for handle in handles:
        driver.delete(handle)
    until(lambda: not census(driver, OWNER, looks=1))
    return time.monotonic() - began


def without_namespace(entry: dict[str, Any], folder: Path) -> tuple[float, dict[str, int]]:
    """Delete the harness's namespace as who may; seconds until it is gone, and what is left."""
    admin = kubernetes_lab.driver(entry, folder, context=f"{plan.CONTEXT}-{pki.ADMIN}")
    nothing = Handle(platform=admin.platform, kind=Kind.CONFIG, id="")
    raw = admin.feature(RawCall, nothing)  # type: ignore[type-abstract]
    began = time.monotonic()
    raw.call("DELETE /api/v1/namespaces/{namespace}", {})
    until(lambda: raw.call("GET /api/v1/namespaces/{namespace}", {})["status"] == 404)
    seconds, left = time.monotonic() - began, census(admin)
    admin.close()
    return seconds, left


def main() -> int:
    if lacking := kubernetes_lab.lacking():
        print(lacking)
        return 3
    load = os.getloadavg()[0]
    began = time.monotonic()
    with kubernetes_lab.opened() as entry, tempfile.TemporaryDirectory() as folder:
        up_s = time.monotonic() - began
        driver = kubernetes_lab.driver(entry, Path(folder))
        pod = make(driver, 0)
        ready(driver, pod)
        shell = driver.feature(Exec, pod)  # type: ignore[type-abstract]
        code = shell.run(["true"]).code
        pod_s = time.monotonic() - began
        memory = memory_mb(Space(name=f"t-k8s-{os.getpid()}"))
        one_gone_s = gone(driver, [pod])
        virtual = kubernetes_lab.driver(entry, Path(folder), **VIRTUAL)
        began = time.monotonic()
        with ThreadPoolExecutor(AT_ONCE) as pool:
            many = list(pool.map(lambda n: make(virtual, n), range(1, COUNT + 1)))
            list(pool.map(lambda handle: ready(virtual, handle), many))
        many_s = time.monotonic() - began
        space_gone_s, left = without_namespace(entry, Path(folder))
        virtual.close()
        driver.close()
    print(f"| load before | {load:.1f} |\n|---|---|")
    print(f"| lab up | {up_s:.1f} s |")
    print(f"| to a running pod that runs a command (exit {code}) | {pod_s:.1f} s |")
    print(f"| memory of the whole lab then | {memory:.0f} MB |")
    print(f"| that pod gone, by API | {one_gone_s:.1f} s |")
    print(f"| {COUNT} virtual pods ready through the driver | {many_s:.1f} s |")
    print(f"| their namespace gone | {space_gone_s:.1f} s |")
    print(f"| census at the end | {sum(left.values())} |")
    return 0 if pod_s < 40 and memory < 1000 and many_s < 30 and not left else 1


if __name__ == "__main__":
    sys.exit(main())
