"""Pods: limits, probes, order of beginning, a decent end, and what is told of it.

Source: Kubernetes documentation, "Pod Lifecycle", "Init Containers", "Resource Management for Pods
and Containers", "Disruptions".
"""

from __future__ import annotations

from datetime import datetime

import pytest

from suites.claims import claim, same
from suites.kubernetes.pods import PODS, SAY, Pods, container, message, phase, terminated
from suites.kubernetes.wire import CORE, LABEL, MERGE, Object, Wire
from suites.seams import Observe
from suites.waits import until

HELD = "interop.example/held"  # keeps a pod's object when the pod has ended
GRACE_S = 3


def moment(text: str) -> float:
    """A time of the API in seconds."""
    return datetime.fromisoformat(text).timestamp()


@pytest.mark.check("k8s-pod-01", needs=("kubernetes.nodes.real",))
@pytest.mark.cost("own")
def test_too_much_memory_is_told(pods: Pods) -> None:
    """A container that takes more memory than its limit is killed, and OOMKilled says why."""
    limits = {"limits": {"memory": "48Mi"}, "requests": {"memory": "16Mi", "cpu": "10m"}}
    script = "exec python3 -c 'b = b\"x\" * (200 << 20); print(len(b))'"
    pod = pods.ended(pods.start("", script, inside={"resources": limits}))
    ended = terminated(pod)
    same("reason of its end", expected="OOMKilled", actual=ended.get("reason"))
    same("its exit code", expected=137, actual=ended.get("exitCode"))


@pytest.mark.check("k8s-pod-02", needs=("kubernetes.nodes.real",))
@pytest.mark.cost("own")
def test_what_is_not_alive_is_restarted(pods: Pods) -> None:
    """A container whose liveness probe fails is killed and started again in the same pod."""
    probe = {"exec": {"command": ["test", "-e", "/run/alive"]}, "periodSeconds": 1,
             "failureThreshold": 1, "initialDelaySeconds": 1}  # fmt: skip
    script = "touch /run/alive; sleep 3; rm /run/alive; exec sleep 600"
    name = pods.start("", script, restartPolicy="Always", inside={"livenessProbe": probe})
    first = pods.wait(name, lambda pod: container(pod).get("started"))
    pod = pods.wait(name, lambda pod: container(pod).get("restartCount", 0) > 0)
    claim(container(pod).get("restartCount"), "restarts", expected="1 or more", actual=0)
    same("the pod's uid", expected=first["metadata"]["uid"], actual=pod["metadata"]["uid"])
    last = (container(pod).get("lastState") or {}).get("terminated") or {}
    same("exit code of the first", expected=137, actual=last.get("exitCode"))


@pytest.mark.check("k8s-pod-03", needs=("kubernetes.nodes.real",))
@pytest.mark.cost("own")
def test_init_comes_first_and_in_order(pods: Pods) -> None:
    """Init containers run to their end one after the other, and before everything else."""
    shared = {"volumeMounts": [{"name": "shared", "mountPath": "/shared"}]}
    volumes = [{"name": "shared", "emptyDir": {}}]
    steps = [
        pods.container(f"sleep {wait}; echo {name} >> /shared/order", name=name, **shared)
        for name, wait in (("first", 1), ("second", 0))
    ]
    script = f"echo main >> /shared/order; tr '\\n' ' ' < /shared/order > {SAY}"
    order = pods.said("", script, inside=shared, volumes=volumes, initContainers=steps)
    same("order of containers", expected="first second main", actual=order)
    broken = [pods.container("exit 4", name="broken")]
    pod = pods.ended(pods.start("broken", "true", initContainers=broken))
    same("phase after a failed init", expected="Failed", actual=phase(pod))
    ran = container(pod).get("state", {}).get("terminated") or container(pod).get("containerID")
    claim(not ran, "the container after a failed init", expected="never started", actual=ran)


@pytest.mark.check("k8s-pod-04", needs=("kubernetes.nodes.real",))
@pytest.mark.cost("own")
def test_an_end_is_announced(wire: Wire, pods: Pods, observe: Observe) -> None:
    """A deleted pod is told to end, has its grace to do so, and is killed when that is over."""
    heeding = f"trap 'echo told > {SAY}; sleep 1; exit 7' TERM; touch /run/up; "
    deaf = "trap '' TERM; touch /run/up; "
    wait = "while :; do sleep 0.1; done"
    ready = {"exec": {"command": ["test", "-e", "/run/up"]}, "periodSeconds": 1}
    more: Object = {"metadata": {"finalizers": [HELD]}, "inside": {"readinessProbe": ready}}
    ends = {}
    for ending, script, grace in (("heeding", heeding, 20), ("deaf", deaf, GRACE_S)):
        ends[ending] = pods.start(
            ending, script + wait, terminationGracePeriodSeconds=grace, **more
        )
    for name in ends.values():
        pods.wait(name, lambda pod: container(pod).get("ready"))
    for name in ends.values():
        wire.remove(PODS, name)
    last = {ending: pods.wait(name, terminated) for ending, name in ends.items()}
    for name in ends.values():
        off = {"metadata": {"finalizers": None}}
        wire.given(200, "letting go", f"PATCH {PODS}/{name}", body=off, content_type=MERGE)
    same("what the heeding was", expected="told", actual=message(last["heeding"]))
    same("how it ended", expected=7, actual=terminated(last["heeding"]).get("exitCode"))
    same("how the deaf ended", expected=137, actual=terminated(last["deaf"]).get("exitCode"))
    due = moment(last["deaf"]["metadata"]["deletionTimestamp"])  # its grace is over then
    late = moment(terminated(last["deaf"])["finishedAt"]) - due
    observe("killed-after-grace", late, unit="s", source="api")
    claim(-1.5 <= late <= 15, "seconds from grace to kill", expected="0 to 15", actual=late)


@pytest.mark.check("k8s-pod-05", needs=("kubernetes.nodes.real",))
@pytest.mark.cost("own")
def test_restarts_follow_the_policy(pods: Pods) -> None:
    """A container that fails is left, tried again until it succeeds, or always begun again."""
    never = pods.ended(pods.start("never", "exit 3"))
    same("phase with Never", expected="Failed", actual=phase(never))
    same("exit code with Never", expected=3, actual=terminated(never).get("exitCode"))
    same("restarts with Never", expected=0, actual=container(never).get("restartCount"))
    shared = {"volumeMounts": [{"name": "shared", "mountPath": "/shared"}]}
    volumes = [{"name": "shared", "emptyDir": {}}]
    script = "test -e /shared/tried || { touch /shared/tried; exit 5; }"
    more: Object = {"inside": shared, "volumes": volumes}
    again = pods.ended(pods.start("again", script, restartPolicy="OnFailure", **more))
    same("phase with OnFailure", expected="Succeeded", actual=phase(again))
    same("restarts with OnFailure", expected=1, actual=container(again).get("restartCount"))
    name = pods.start("always", "exit 0", restartPolicy="Always")
    always = pods.wait(name, lambda pod: container(pod).get("restartCount", 0) > 0)
    claim(container(always).get("restartCount"), "restarts with Always", expected="some", actual=0)


@pytest.mark.check("k8s-pod-06", needs=("kubernetes.exec-logs",))
@pytest.mark.cost("own")
def test_logs_tell_what_was_said(wire: Wire, pods: Pods) -> None:
    """The log of a container has both its outputs, line by line, and as many as are asked for."""
    script = "echo 'first ü'; echo second >&2; sleep 1; printf 'third, unended'"
    name = pods.start("", script)
    pods.ended(name)
    path = f"GET {PODS}/{name}/log"
    log = wire.given(200, "the log", path, accept="*/*")
    lines = ["first ü", "second", "third, unended"]
    same("lines of both outputs", expected=lines, actual=sorted(log.splitlines()))
    tail = wire.given(200, "its last line", path, accept="*/*", query={"tailLines": 1})
    same("the last line", expected="third, unended", actual=tail)
    query = {"container": "interop-none"}
    wire.refused(400, "a log of no container", path, accept="*/*", query=query)


@pytest.mark.check("k8s-pod-07", needs=("kubernetes.nodes.real", "kubernetes.controllers"))
@pytest.mark.cost("own")
def test_an_eviction_heeds_the_budget(wire: Wire, pods: Pods) -> None:
    """A pod is evicted only as far as a disruption budget allows, else the request is refused."""
    name = pods.start("", "exec sleep 600")
    pods.wait(name, lambda pod: container(pod).get("ready"))
    groups = wire.given(200, "groups", "GET /apis")["groups"]
    policy = next(group for group in groups if group["name"] == "policy")
    version = str(policy["preferredVersion"]["groupVersion"])
    budgets = f"/apis/{version}/namespaces/{{namespace}}/poddisruptionbudgets"
    spec = {"minAvailable": 1, "selector": {"matchLabels": {LABEL: wire.group}}}
    budget = wire.make(budgets, spec=spec)["metadata"]["name"]
    until(
        lambda: (wire.see(budgets, budget) or {}).get("status", {}),
        lambda status: status.get("currentHealthy") == 1 and status.get("observedGeneration"),
        pods.seconds,
    )
    eviction = {"apiVersion": version, "kind": "Eviction", "metadata": {"name": name}}
    operation = f"POST {CORE}/pods/{name}/eviction"
    wire.refused(429, "an eviction beyond the budget", operation, body=eviction)
    there = wire.see(PODS, name) or {"metadata": {"deletionTimestamp": "gone"}}
    same("the pod's end", expected=None, actual=there["metadata"].get("deletionTimestamp"))
    wire.remove(budgets, budget)
    done = until(
        lambda: wire(operation, body=eviction).status, lambda status: status == 201, pods.seconds
    )
    same("an eviction without a budget", expected=201, actual=done)
    gone = pods.wait(name, lambda pod: pod["metadata"].get("deletionTimestamp"))
    claim(
        not gone or gone["metadata"].get("deletionTimestamp"),
        "the evicted pod",
        expected="ending",
        actual="untouched",
    )
