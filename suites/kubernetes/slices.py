"""Endpoint slices: what leads traffic reads them, so they must tell what the pods tell.

Source: Kubernetes documentation, "EndpointSlices".
"""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from suites.claims import same
from suites.kubernetes.pods import Pods, is_ready
from suites.kubernetes.services import FOLLOWS_S, PORT, service
from suites.kubernetes.wire import LABEL, SPACE, Wire
from suites.seams import Observe
from suites.waits import Stopwatch, until

GROUP = "/apis/discovery.k8s.io"
OPENS = "sleep 4; touch /run/open; exec sleep 600"


def told(wire: Wire, version: str, name: str) -> Mapping[str, bool]:
    """Each address that a service's slices name, and whether they call it ready."""
    query = {"labelSelector": f"kubernetes.io/service-name={name}"}
    listed = wire(f"GET {GROUP}/{version}/{SPACE}/endpointslices", quiet=True, query=query)
    same("status of the list of slices", expected=200, actual=listed.status)
    return {
        address: bool(one["conditions"].get("ready"))
        for item in listed.body["items"]
        for one in item["endpoints"] or ()
        for address in one["addresses"]
    }


@pytest.mark.check("k8s-svc-08", needs=("kubernetes.nodes.real", "kubernetes.controllers"))
@pytest.mark.cost("shared")
def test_slices_follow_readiness(wire: Wire, pods: Pods, observe: Observe) -> None:
    """The endpoint slices of a service name all of its pods, each as ready as the pod says."""
    group = wire.given(200, "group of endpoint slices", f"GET {GROUP}")
    version = str(group["preferredVersion"]["version"])
    observe("endpoint-slices", version, source="api")
    metadata = {"labels": {LABEL: wire.group, "interop-part": "server"}}
    gate = {"exec": {"command": ["test", "-e", "/run/open"]}, "periodSeconds": 1}
    name = service(wire)["metadata"]["name"]
    late = pods.start("late", OPENS, metadata, inside={"readinessProbe": gate})
    early = pods.start("early", "exec sleep 600", metadata)
    first = str(pods.wait(early, is_ready)["status"].get("podIP"))
    waits = pods.wait(late, lambda pod: pod["status"].get("podIP"))
    second = str(waits["status"].get("podIP"))
    for ready in (False, True):
        if ready:
            pods.wait(late, is_ready)
        expected = {first: True, second: ready}
        watch = Stopwatch()
        found = until(lambda: told(wire, version, name), expected.__eq__, FOLLOWS_S)
        what = "ready" if ready else "not ready"
        same(f"slices with one pod ready and one {what}", expected=expected, actual=dict(found))
    observe("slices-follow-ready", watch.seconds, unit="s", source="observed")
    query = {"labelSelector": f"kubernetes.io/service-name={name}"}
    path = f"GET {GROUP}/{version}/{SPACE}/endpointslices"
    items = wire.given(200, "slices", path, query=query)["items"]
    ports = sorted({one["port"] for item in items for one in item["ports"]})
    same("ports of the slices", expected=[PORT], actual=ports)
