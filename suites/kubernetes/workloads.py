"""Workloads: what controllers make of a wish for pods.

Source: Kubernetes documentation, "Deployments", "StatefulSets", "DaemonSet", "Jobs", "CronJob".
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from suites.claims import claim, same
from suites.kubernetes.cron import Cron
from suites.kubernetes.pods import PODS, Pods, is_ready
from suites.kubernetes.wire import APPS, BATCH, LABEL, MERGE, Object, Wire, labels
from suites.seams import Evidence, NotApplicable, Observe, Subject
from suites.waits import Stopwatch, until

DEPLOYMENTS = f"{APPS}/deployments"
HASH = "pod-template-hash"
STAY = "trap 'exit 0' TERM; while :; do sleep 0.2; done"
ADDED_S = 130  # two minutes, and the rounds of a busy controller


def deployed(pods: Pods, ending: str, version: str, **spec: Any) -> Object:
    """Make a deployment whose pods have a variable VERSION."""
    wire = pods.wire
    inside = {"env": [{"name": "VERSION", "value": version}]}
    template = pods.template(wire.group, pods.spec(STAY, inside=inside, restartPolicy="Always"))
    choice = {"matchLabels": {LABEL: wire.group}}
    return wire.make(DEPLOYMENTS, ending, spec={"selector": choice, "template": template, **spec})


def complete(one: Object) -> bool:
    """Whether a deployment's pods are all of its newest template, and there."""
    told, count = one.get("status", {}), one.get("spec", {}).get("replicas")
    seen = told.get("observedGeneration", 0) >= one["metadata"]["generation"]
    numbers = (told.get(f"{which}", 0) for which in ("updatedReplicas", "availableReplicas"))
    return seen and all(n == count for n in numbers) and told.get("replicas") == count


def rolled_out(pods: Pods, name: str, see: Callable[[Object], None] | None = None) -> str:
    """Wait until a deployment is complete; the hash of its pods' template."""

    def right(one: Object) -> bool:
        if see is not None and one.get("status"):
            see(one)
        return bool(one) and complete(one)

    there = pods.wire.wait(DEPLOYMENTS, name, right, pods.seconds)
    claim(there and complete(there), f"rollout of {name}", expected="complete", actual="not yet")
    now = [p for p in pods.wire.ours(PODS) if not p["metadata"].get("deletionTimestamp")]
    hashes = {labels(pod)[HASH] for pod in now}
    same("templates of its pods", expected=1, actual=len(hashes))
    return hashes.pop()


@pytest.mark.check("k8s-load-01", needs=("kubernetes.controllers", "kubernetes.nodes.real"))
@pytest.mark.cost("own")
def test_a_rollout_keeps_its_word_and_is_taken_back(
    wire: Wire, pods: Pods, observe: Observe
) -> None:
    """A new template replaces pods without too few at any time, and the old one brings its own."""
    rolling = {"maxUnavailable": 0, "maxSurge": 1}
    strategy = {"type": "RollingUpdate", "rollingUpdate": rolling}
    name = deployed(pods, "", "1", replicas=2, strategy=strategy)["metadata"]["name"]
    first = rolled_out(pods, name)
    fewest = [2]

    def see(one: Object) -> None:
        fewest.append(int(one["status"].get("availableReplicas", 0)))

    found = []
    for version in ("2", "1"):
        env = [{"op": "replace", "path": "/spec/template/spec/containers/0/env/0/value",
                "value": version}]  # fmt: skip
        kind = "application/json-patch+json"
        watch = Stopwatch()
        wire.given(200, "template", f"PATCH {DEPLOYMENTS}/{name}", body=env, content_type=kind)
        found.append(rolled_out(pods, name, see))
        observe(f"rollout-to-{version}", watch.seconds, unit="s", source="observed")
    claim(found[0] != first, "template of the second", expected="another", actual=found[0])
    same("template after the way back", expected=first, actual=found[1])
    same("fewest pods at any time", expected=2, actual=min(fewest))


@pytest.mark.check("k8s-load-02", needs=("kubernetes.controllers", "kubernetes.nodes.real"))
@pytest.mark.cost("own")
def test_a_stateful_set_has_names_that_stay(wire: Wire, pods: Pods) -> None:
    """Pods of a stateful set begin one after the other, and a new one has the old one's name."""
    template = pods.template(wire.group, pods.spec(STAY, restartPolicy="Always"))
    choice = {"matchLabels": {LABEL: wire.group}}
    spec = {"replicas": 2, "serviceName": wire.group, "selector": choice, "template": template}
    name = wire.make(f"{APPS}/statefulsets", spec=spec)["metadata"]["name"]

    def ready() -> dict[str, Object]:
        return {one["metadata"]["name"]: one for one in wire.ours(PODS) if is_ready(one)}

    there = until(ready, lambda some: len(some) == 2, pods.seconds)
    same("pods that are ready", expected=[f"{name}-0", f"{name}-1"], actual=sorted(there))
    first, second = there[f"{name}-0"], there[f"{name}-1"]
    was_ready = next(
        one["lastTransitionTime"] for one in first["status"]["conditions"] if one["type"] == "Ready"
    )
    begun = second["metadata"]["creationTimestamp"]
    claim(was_ready <= begun, "begin of the second", expected=f"from {was_ready}", actual=begun)
    wire.remove(PODS, f"{name}-0")
    again = until(
        ready,
        lambda some: (
            len(some) == 2 and some[f"{name}-0"]["metadata"]["uid"] != first["metadata"]["uid"]
        ),
        pods.seconds,
    )
    same("pods after one was deleted", expected=sorted(there), actual=sorted(again))
    kept = again[f"{name}-1"]["metadata"]["uid"]
    same("the other's uid", expected=second["metadata"]["uid"], actual=kept)


@pytest.mark.check("k8s-load-03", needs=("kubernetes.controllers", "kubernetes.nodes.real"))
@pytest.mark.cost("own")
def test_a_job_ends(wire: Wire, pods: Pods) -> None:
    """A job runs as many pods to success as asked, and one that cannot says that it failed."""
    jobs = f"{BATCH}/jobs"
    good = {"template": {"spec": pods.spec("exit 0")}, "completions": 3, "parallelism": 2}
    bad = {"template": {"spec": pods.spec("exit 1")}, "backoffLimit": 0}
    names = [
        wire.make(jobs, ending, spec=spec)["metadata"]["name"]
        for ending, spec in (("good", good), ("bad", bad))
    ]
    ends = []
    for name in names:
        there = wire.wait(jobs, name, lambda one: one and _ended(one), pods.seconds)
        ends.append(_ended(there))
    same("end of the one that can", expected="Complete", actual=ends[0].partition(" ")[0])
    there = wire.see(jobs, names[0]) or {}
    same("pods that succeeded", expected=3, actual=there["status"].get("succeeded"))
    same("end of the other", expected="Failed BackoffLimitExceeded", actual=ends[1])


def _ended(job: Object) -> str:
    """How a job ended, with the reason; empty where it did not."""
    for one in job.get("status", {}).get("conditions") or ():
        if one["type"] in ("Complete", "Failed") and one["status"] == "True":
            return f"{one['type']} {one.get('reason', '')}".strip()
    return ""


@pytest.mark.check("k8s-load-04", needs=("kubernetes.controllers", "kubernetes.nodes.real"))
@pytest.mark.cost("own")
def test_a_daemon_set_is_on_each_node(wire: Wire, pods: Pods, subject: Subject) -> None:
    """A daemon set has one pod on each node that it may come to, and no other."""
    template = pods.template(wire.group, pods.spec(STAY, restartPolicy="Always"))
    spec = {"selector": {"matchLabels": {LABEL: wire.group}}, "template": template}
    name = wire.make(f"{APPS}/daemonsets", spec=spec)["metadata"]["name"]
    told = wire.wait(f"{APPS}/daemonsets", name, _all_there, pods.seconds).get("status", {})
    nodes = [pod["spec"].get("nodeName", "") for pod in wire.ours(PODS) if is_ready(pod)]
    wanted = told.get("desiredNumberScheduled", 0)
    claim(wanted, "nodes that it wants", expected="one or more", actual=wanted)
    same("different nodes of its pods", expected=wanted, actual=len(set(nodes)))
    same("pods that are ready", expected=wanted, actual=len(nodes))
    known = subject.description.facts.get("nodes") or []
    if known:
        same("its nodes", expected=sorted(known), actual=sorted(nodes))


def _all_there(one: Object) -> bool:
    told = one.get("status", {})
    wanted = told.get("desiredNumberScheduled", 0)
    return bool(wanted) and told.get("numberReady") == wanted


@pytest.mark.check("k8s-load-05", needs=("kubernetes.controllers",))
@pytest.mark.cost("own")
def test_scale_is_of_the_whole(wire: Wire, pods: Pods) -> None:
    """Writing a deployment's scale changes how many it wants, and its replica set's number."""
    spec = {"replicas": 0}
    name = deployed(pods, "", "1", **spec)["metadata"]["name"]
    path = f"{DEPLOYMENTS}/{name}/scale"
    scale = wire.given(200, "its scale", f"GET {path}")
    same("replicas of its scale", expected=0, actual=scale["spec"].get("replicas", 0))
    more = {"spec": {"replicas": 1}}
    wire.given(200, "another scale", f"PATCH {path}", body=more, content_type=MERGE)
    there = wire.given(200, "the deployment", f"GET {DEPLOYMENTS}/{name}")
    same("replicas of the deployment", expected=1, actual=there["spec"]["replicas"])
    sets = until(
        lambda: [one["spec"]["replicas"] for one in wire.ours(f"{APPS}/replicasets")],
        lambda some: some == [1],
        pods.seconds,
    )
    same("replicas of its replica set", expected=[1], actual=sets)
    wire.given(
        200, "none again", f"PATCH {path}", body={"spec": {"replicas": 0}}, content_type=MERGE
    )


@pytest.mark.check("k8s-load-06", needs=("kubernetes.controllers", "kubernetes.nodes.real"))
@pytest.mark.cost("own")
@pytest.mark.usefixtures("pods")  # ends the check where there is no image for them
def test_a_cron_job_makes_jobs(
    cron: Cron, observe: Observe, not_applicable: NotApplicable, evidence: Evidence
) -> None:
    """A cron job makes its job at the minute it was told, and that job is its own."""
    if not cron.version:
        not_applicable("the group batch has no cron jobs")
    observe("cron-job-version", cron.version, source="api")
    evidence("the cron job, as it was made", cron.made.text)
    same("status of a new cron job", expected=201, actual=cron.made.status)
    jobs = until(cron.jobs, bool, ADDED_S)
    claim(jobs, f"jobs within {ADDED_S} s", expected="one", actual="none")
    owners = [one["uid"] for one in jobs[0]["metadata"].get("ownerReferences") or ()]
    same("owner of the job", expected=[cron.made.body["metadata"]["uid"]], actual=owners)
