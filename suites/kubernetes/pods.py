"""Pods of a check: one container of the platform's image that runs a script.

What a script finds out it writes to its termination message, which the API then tells; so no way
into the pod is needed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from suites.claims import claim
from suites.kubernetes.wire import CORE, LABEL, Object, Wire

PODS = f"{CORE}/pods"
MAIN = "main"
SAY = "/dev/termination-log"  # what is written there is the container's message


class Pods:
    """Makes pods for one check.

    Args:
        image: reference of an image with sh and python3.
        selector: labels of the nodes that pods may come to.
        tolerate: keys of taints that pods bear.
        seconds: longest wait for a pod.
    """

    def __init__(
        self,
        wire: Wire,
        *,
        image: str,
        selector: Mapping[str, str],
        tolerate: Sequence[str],
        seconds: float,
    ) -> None:
        self.wire = wire
        self.image = image
        self.seconds = seconds
        self._selector = dict(selector)
        self._tolerations = [{"key": key, "operator": "Exists"} for key in tolerate]

    def container(self, script: str, name: str = MAIN, **more: Any) -> Object:
        """A small container; *more* is laid over it."""
        return {
            "name": name,
            "image": self.image,
            "imagePullPolicy": "IfNotPresent",
            "command": ["sh", "-c", script],
            "resources": {"requests": {"cpu": "10m", "memory": "16Mi"}},
            **more,
        }

    def spec(self, script: str, *, inside: Mapping[str, Any] | None = None, **more: Any) -> Object:
        """A pod's spec; *inside* is laid over its container, *more* over the spec."""
        return {
            "restartPolicy": "Never",
            "automountServiceAccountToken": False,
            "enableServiceLinks": False,
            "terminationGracePeriodSeconds": 1,
            "nodeSelector": self._selector,
            "tolerations": self._tolerations,
            "containers": [self.container(script, **(inside or {}))],
            **more,
        }

    def template(self, group: str, spec: Object) -> Object:
        """A pod template whose pods have the label *group*."""
        return {"metadata": {"labels": {LABEL: group}}, "spec": spec}

    def start(
        self, ending: str, script: str, metadata: Mapping[str, Any] | None = None, **more: Any
    ) -> str:
        """Make a pod; its name."""
        body = {"spec": self.spec(script, **more), "metadata": dict(metadata or {})}
        return str(self.wire.make(PODS, ending, **body)["metadata"]["name"])

    def wait(self, name: str, right: Callable[[Object], object]) -> Object:
        """The pod once it is right, or as it was last."""
        return self.wire.wait(PODS, name, lambda pod: pod and right(pod), self.seconds)

    def ended(self, name: str) -> Object:
        """The pod once it has ended, which it must."""
        pod = self.wait(name, lambda one: phase(one) in ("Succeeded", "Failed"))
        claim(
            phase(pod) in ("Succeeded", "Failed"),
            f"phase of pod {name} after {self.seconds:.0f} s",
            expected="Succeeded or Failed",
            actual=phase(pod) or "no pod",
        )
        return pod

    def said(self, ending: str, script: str, **more: Any) -> str:
        """Run a script to its end in a pod of its own: what it wrote to ``SAY``."""
        name = self.start(ending, script, **more)
        return message(self.ended(name))


def phase(pod: Object) -> str:
    """Pending, Running, Succeeded, Failed or Unknown."""
    return str(pod.get("status", {}).get("phase") or "")


def container(pod: Object, name: str = MAIN, *, kind: str = "containerStatuses") -> Object:
    """The status of a container; empty where there is none yet."""
    found = pod.get("status", {}).get(kind) or ()
    return next((dict(one) for one in found if one["name"] == name), {})


def terminated(pod: Object, name: str = MAIN) -> Object:
    """How a container ended; empty where it did not."""
    return dict(container(pod, name).get("state", {}).get("terminated") or {})


def message(pod: Object) -> str:
    """What the pod's container wrote to ``SAY``."""
    return str(terminated(pod).get("message") or "").strip()


def is_ready(pod: Object) -> bool:
    """Whether the pod says so."""
    conditions = pod.get("status", {}).get("conditions") or ()
    return any(one["type"] == "Ready" and one["status"] == "True" for one in conditions)
