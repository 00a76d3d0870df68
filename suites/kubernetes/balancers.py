"""Load balancers: a service gets an address from outside the cluster, which leads to its pods.

Source: Kubernetes documentation, "Service", "Type LoadBalancer".
"""

from __future__ import annotations

import pytest

from suites.claims import claim, same
from suites.kubernetes.pods import Pods
from suites.kubernetes.services import SERVICES, asked, await_endpoints, service, serving
from suites.kubernetes.wire import Object, Wire
from suites.seams import Observe
from suites.waits import Stopwatch


def place(one: Object) -> str:
    """The address or name that a service was given; empty before."""
    given = one.get("status", {}).get("loadBalancer", {}).get("ingress") or [{}]
    return str(given[0].get("ip") or given[0].get("hostname") or "")


@pytest.mark.check(
    "k8s-svc-09",
    needs=(
        "kubernetes.nodes.real",
        "kubernetes.controllers",
        "kubernetes.services.dataplane",
        "kubernetes.load-balancer",
    ),
)
@pytest.mark.cost("shared")
def test_a_balancer_leads_to_all_pods(wire: Wire, pods: Pods, observe: Observe) -> None:
    """A service of type LoadBalancer gets an address of its own, which leads to all its pods."""
    servers = serving(pods, "s1", "s2")
    watch = Stopwatch()
    made = service(wire, type="LoadBalancer")
    name = str(made["metadata"]["name"])
    there = wire.wait(SERVICES, name, place, pods.seconds)
    observe("balancer-address-after", watch.seconds, unit="s", source="observed")
    given, own = place(there), str(made["spec"]["clusterIP"])
    claim(given, f"address of the balancer after {pods.seconds:.0f} s", expected="one", actual="")
    claim(given != own, "address of the balancer", expected=f"other than {own}", actual=given)
    await_endpoints(pods, name, 2)
    same("who answered", expected=sorted(servers), actual=asked(pods, "client", given))
