"""A driver of a lab's Kubernetes at hand, with the few steps that several tests take."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import kubernetes_lab

from provisioner.driver import Driver, Handle, Owner, Status
from provisioner.features import Completed, Exec, RawCall
from provisioner.lab.space import Space
from provisioner.resources import (
    ImageSpec,
    Kind,
    MachineSpec,
    NetworkSpec,
    Ref,
    Resource,
    Spec,
)

NOTHING = Handle(platform="lab-kubernetes", kind=Kind.MACHINE, id="x")
SERVE = "nohup python3 -m http.server 8000 >/dev/null 2>&1 &"
FETCH = "python3 -c 'import urllib.request as u; u.urlopen(\"http://{}\", timeout=3)'"


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """A lab's cluster and its driver."""

    space: Space
    driver: Driver
    entry: dict[str, Any]

    def call(self, operation: str, **parameters: Any) -> Any:
        raw = self.driver.feature(RawCall, NOTHING)  # type: ignore[type-abstract]
        return raw.call(operation, parameters)

    def make(self, kind: Kind, name: str, spec: Spec, bound: dict[Ref, Handle]) -> Handle:
        tags = Owner(run="live").tags(name)
        step = self.driver.plan(Resource(kind=kind, name=name, spec=spec, tags=tags))
        return self.driver.create(step.bind(bound), f"live-{kind}-{name}")

    def ready(self, handle: Handle, timeout_s: float = 60) -> Any:
        return until(
            lambda: (s := self.driver.read(handle)) and s.status is Status.READY and s, timeout_s
        )

    def run(self, machine: Handle, command: str) -> Completed:
        inside = self.driver.feature(Exec, machine)  # type: ignore[type-abstract]
        return inside.run(["sh", "-c", command], timeout_s=30)

    def pair(self) -> tuple[Handle, Handle]:
        """Two machines on different nodes that know each other's names; m-2 serves HTTP."""
        network = Ref(Kind.NETWORK, "net")
        bound = {network: self.make(Kind.NETWORK, "net", NetworkSpec(), {})}
        spec = MachineSpec(image=ImageSpec(os="debian"), network=network)
        first = self.make(Kind.MACHINE, "m-1", spec, bound)
        node = self.ready(first).facts["node"]
        for number in range(2, 6):
            second = self.make(Kind.MACHINE, f"m-{number}", spec, bound)
            if self.ready(second).facts["node"] != node:
                self.run(second, SERVE)
                until(lambda: self.run(second, FETCH.format("127.0.0.1:8000")).code == 0, 20)  # noqa: B023
                return first, second
        raise AssertionError("all machines came to one node")

    def serve(self, machine: Handle) -> str:
        """A service that leads to that machine; its address."""
        body = {
            "metadata": {"name": "web"},
            "spec": {
                "selector": {"interop-harness/machine": machine.id},
                "ports": [{"port": 80, "targetPort": 8000}],
            },
        }
        made = self.call("POST /api/v1/namespaces/{namespace}/services", body=body)
        return str(made["body"]["spec"]["clusterIP"])


def until(look: Callable[[], Any], timeout_s: float = 60) -> Any:
    deadline = time.monotonic() + timeout_s
    while not (seen := look()):
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {timeout_s} s")
        time.sleep(0.2)
    return seen


def desk(stack: ExitStack, folder: Path, *defects: str, name: str) -> Desk:
    entry = stack.enter_context(kubernetes_lab.opened(defects=defects, name=name))
    return opened(stack, folder, entry, name)


def opened(stack: ExitStack, folder: Path, entry: dict[str, Any], name: str) -> Desk:
    space = Space(name=name)
    driver = kubernetes_lab.driver(entry, folder)
    stack.callback(driver.close)
    return Desk(space=space, driver=driver, entry=entry)
