"""Services: addresses and names that lead to pods, as long as these are ready.

Source: Kubernetes documentation, "Service", "DNS for Services and Pods", "Network Policies".
"""

from __future__ import annotations

from typing import Any

import pytest

from suites.claims import claim, same
from suites.kubernetes.pods import SAY, Pods, is_ready, message
from suites.kubernetes.wire import CORE, LABEL, Object, Wire
from suites.seams import Observe
from suites.waits import Stopwatch, until

SERVICES, POLICIES = f"{CORE}/services", "/apis/networking.k8s.io/v1/namespaces/{namespace}"
PORT, TRIES, FOLLOWS_S = 8080, 20, 20.0
SERVE = (
    f"mkdir -p /run/web && hostname > /run/web/me && cd /run/web && exec python3 -m http.server"
    f" {PORT}"
)
# asks each address so often; says which answers there were, or "silence"
ASK = """
import sys, time, urllib.request as u
heard = set()
for turn in range({tries}):
    for place in {places!r}:
        try:
            heard.add(u.urlopen(f"http://{{place}}/me", timeout=2).read().decode().strip())
        except OSError:
            heard.add("silence")
            time.sleep(0.3)
open({say!r}, "w").write(" ".join(sorted(heard)))
"""

# looks names up for ten seconds; says the addresses of each, or "unknown"
LOOK = """
import socket, time
from concurrent.futures import ThreadPoolExecutor
end = time.monotonic() + 10
def look(name):
    while time.monotonic() < end:
        try:
            return " ".join(sorted({{a[4][0] for a in socket.getaddrinfo(name, 80)}}))
        except OSError:
            time.sleep(0.5)
    return "unknown"
open({say!r}, "w").write(" | ".join(ThreadPoolExecutor(2).map(look, {names!r})))
"""


def serving(pods: Pods, *endings: str) -> dict[str, Object]:
    """Pods that serve their own name, once they are ready."""
    probe = {"tcpSocket": {"port": PORT}, "periodSeconds": 1}
    inside: Object = {"readinessProbe": probe, "ports": [{"containerPort": PORT}]}
    metadata = {"labels": {LABEL: pods.wire.group, "interop-part": "server"}}
    made = [pods.start(one, SERVE, metadata, inside=inside) for one in endings]
    there = {name: pods.wait(name, is_ready) for name in made}
    for name, pod in there.items():
        claim(pod and is_ready(pod), f"server {name}", expected="ready", actual="not ready")
    return there


def service(wire: Wire, ending: str = "", **spec: Any) -> Object:
    """A service that leads to this check's servers, once it has all of them."""
    choice = {LABEL: wire.group, "interop-part": "server"}
    ports = [{"port": 80, "targetPort": PORT}]
    return wire.make(SERVICES, ending, spec={"selector": choice, "ports": ports, **spec})


def asked(pods: Pods, ending: str, *places: str, tries: int = TRIES) -> list[str]:
    """What a client in a pod of its own hears from these places."""
    program = ASK.format(tries=tries, places=places, say=SAY)
    inside = {"command": ["python3", "-c", program]}
    return pods.said(ending, "", inside=inside).split()


def said_of_two(
    wire: Wire, pods: Pods, program: str, **spec: Any
) -> tuple[str, list[str], str, str]:
    """What a client's *program* says of the names of two services, one of them headless.

    Returns the address of the first, those of the two pods behind both, and what was said of each.
    """
    servers = serving(pods, "s1", "s2")
    one = str(service(wire, "one", **spec)["spec"]["clusterIP"])
    bare = service(wire, "bare", clusterIP="None", **spec)["metadata"]["name"]
    await_endpoints(pods, bare, 2)
    text = program.format(names=(wire.name("one"), bare), say=SAY)
    patience = [{"name": "RES_OPTIONS", "value": "timeout:1 attempts:2"}]  # resolv.conf(5)
    inside = {"command": ["python3", "-c", text], "env": patience}
    first, _, second = pods.said("client", "", inside=inside).partition(" | ")
    return one, [str(pod["status"]["podIP"]) for pod in servers.values()], first, second


def endpoints(wire: Wire, name: str) -> list[str]:
    """Addresses that a service leads to now."""
    there = wire.see(f"{CORE}/endpoints", name) or {}
    found = [part.get("addresses") or () for part in there.get("subsets") or ()]
    return sorted(one["ip"] for part in found for one in part)


def await_endpoints(pods: Pods, name: str, count: int) -> None:
    """Wait until a service leads to so many pods."""
    found = until(lambda: endpoints(pods.wire, name), lambda some: len(some) == count, pods.seconds)
    same(f"pods that {name} leads to", expected=count, actual=len(found))


@pytest.mark.check(
    "k8s-svc-01",
    needs=("kubernetes.nodes.real", "kubernetes.controllers", "kubernetes.services.dataplane"),
)
@pytest.mark.cost("shared")
def test_an_address_leads_to_all_pods(wire: Wire, pods: Pods) -> None:
    """The address of a service leads to each of its pods in turn, from any pod."""
    servers = serving(pods, "s1", "s2")
    made = service(wire)
    await_endpoints(pods, made["metadata"]["name"], 2)
    heard = asked(pods, "client", made["spec"]["clusterIP"])
    same("who answered", expected=sorted(servers), actual=heard)


@pytest.mark.check(
    "k8s-svc-02",
    needs=("kubernetes.nodes.real", "kubernetes.controllers", "kubernetes.services.dataplane"),
)
@pytest.mark.cost("shared")
def test_a_port_of_each_node_leads_there(wire: Wire, pods: Pods, observe: Observe) -> None:
    """A service of type NodePort answers at the same port of every node that runs pods."""
    servers = serving(pods, "s1", "s2")
    made = service(wire, type="NodePort")
    await_endpoints(pods, made["metadata"]["name"], 2)
    port = made["spec"]["ports"][0]["nodePort"]
    observe("node-port", port, source="api")
    hosts = sorted({str(pod["status"]["hostIP"]) for pod in servers.values()})
    for number, host in enumerate(hosts):
        heard = asked(pods, f"client{number}", f"{host}:{port}")
        same(f"who answered at node {number + 1}", expected=sorted(servers), actual=heard)


@pytest.mark.check(
    "k8s-svc-03",
    needs=(
        "kubernetes.nodes.real",
        "kubernetes.controllers",
        "kubernetes.services.dataplane",
        "kubernetes.dns",
    ),
)
@pytest.mark.cost("shared")
def test_names_of_services_resolve(wire: Wire, pods: Pods) -> None:
    """A service's name resolves to its address, and a headless one's to those of all its pods."""
    one, addresses, first, second = said_of_two(wire, pods, LOOK)
    same("addresses of the service", expected=[one], actual=first.split())
    same("addresses of the headless one", expected=sorted(addresses), actual=second.split())


@pytest.mark.check(
    "k8s-svc-04",
    needs=("kubernetes.nodes.real", "kubernetes.controllers", "kubernetes.services.dataplane"),
)
@pytest.mark.cost("shared")
def test_a_client_may_stay_with_its_pod(wire: Wire, pods: Pods) -> None:
    """With session affinity by client address one client is answered by one pod alone."""
    servers = serving(pods, "s1", "s2")
    made = service(wire, sessionAffinity="ClientIP")
    await_endpoints(pods, made["metadata"]["name"], 2)
    heard = asked(pods, "client", made["spec"]["clusterIP"])
    same("how many answered", expected=1, actual=len(heard))
    claim(heard[0] in servers, "who answered", expected=sorted(servers), actual=heard[0])


@pytest.mark.check("k8s-svc-05", needs=("kubernetes.nodes.real", "kubernetes.controllers"))
@pytest.mark.cost("shared")
def test_only_ready_pods_are_led_to(wire: Wire, pods: Pods, observe: Observe) -> None:
    """A pod is an endpoint of its service exactly while its readiness probe succeeds."""
    probe = {"exec": {"command": ["test", "-e", "/run/open"]}, "periodSeconds": 1,
             "failureThreshold": 1}  # fmt: skip
    script = "sleep 4; touch /run/open; sleep 8; rm /run/open; exec sleep 600"
    name = service(wire)["metadata"]["name"]
    metadata = {"labels": {LABEL: wire.group, "interop-part": "server"}}
    pod = pods.start("s1", script, metadata, inside={"readinessProbe": probe})
    began = pods.wait(pod, lambda one: one["status"].get("podIP"))
    same("endpoints before", expected=[], actual=endpoints(wire, name))
    address = str(began["status"].get("podIP"))
    for word, ready, expected in (("ready", True, [address]), ("not ready", False, [])):
        pods.wait(pod, is_ready if ready else _unready)
        watch = Stopwatch()
        found = until(lambda: endpoints(wire, name), expected.__eq__, FOLLOWS_S)
        same(f"endpoints of what is {word}", expected=expected, actual=found)
        observe(f"endpoints-follow-{word}", watch.seconds, unit="s", source="observed")


def _unready(pod: Object) -> bool:
    return not is_ready(pod)


@pytest.mark.check(
    "k8s-svc-06",
    needs=(
        "kubernetes.nodes.real",
        "kubernetes.controllers",
        "kubernetes.services.dataplane",
        "kubernetes.network-policy",
    ),
)
@pytest.mark.cost("shared")
def test_a_policy_shuts_and_opens(wire: Wire, pods: Pods) -> None:
    """With a policy that lets nothing in a pod is silent, until another one lets its client in."""
    (server,) = serving(pods, "s1").values()
    place = f"{server['status']['podIP']}:{PORT}"
    name = str(server["metadata"]["name"])
    same("before any policy", expected=[name], actual=asked(pods, "before", place, tries=1))
    chosen = {"matchLabels": {LABEL: wire.group, "interop-part": "server"}}
    policies = f"{POLICIES}/networkpolicies"
    wire.make(policies, "deny", spec={"podSelector": chosen, "policyTypes": ["Ingress"]})
    heard = until(
        lambda: asked(pods, f"denied{next(_turns)}", place, tries=3),
        lambda some: some == ["silence"],
        FOLLOWS_S,
    )
    same("with one that lets nothing in", expected=["silence"], actual=heard)
    client = {"podSelector": {"matchLabels": {LABEL: wire.group}}}
    rule = {"from": [client], "ports": [{"port": PORT, "protocol": "TCP"}]}
    wire.make(policies, "allow", spec={"podSelector": chosen, "ingress": [rule]})
    heard = until(
        lambda: asked(pods, f"allowed{next(_turns)}", place, tries=3),
        lambda some: some == [name],
        FOLLOWS_S,
    )
    same("with one that lets the client in", expected=[name], actual=heard)


@pytest.mark.check(
    "k8s-svc-07",
    needs=(
        "kubernetes.nodes.real",
        "kubernetes.controllers",
        "kubernetes.services.dataplane",
    ),
)
@pytest.mark.cost("shared")
def test_a_service_shows_who_asks(wire: Wire, pods: Pods, observe: Observe) -> None:
    """A pod that is reached through a service's address sees the address of the pod that asks."""
    server = (
        "import socketserver\n"
        "class Tell(socketserver.BaseRequestHandler):\n"
        "    def handle(self):\n"
        "        self.request.sendall(self.client_address[0].encode())\n"
        f"socketserver.TCPServer(('', {PORT}), Tell).serve_forever()\n"
    )
    metadata = {"labels": {LABEL: wire.group, "interop-part": "server"}}
    probe = {"tcpSocket": {"port": PORT}, "periodSeconds": 1}
    inside: Object = {"command": ["python3", "-c", server], "readinessProbe": probe}
    pods.start("s1", "", metadata, inside=inside)
    made = service(wire)
    await_endpoints(pods, made["metadata"]["name"], 1)
    client = (
        "import socket\n"
        f"line = socket.create_connection(({made['spec']['clusterIP']!r}, 80), 10)\n"
        f"open({SAY!r}, 'w').write(line.recv(99).decode())\n"
    )
    script = 'for turn in 1 2 3 4 5; do python3 -c "$CLIENT" && break; sleep 1; done'
    env = [{"name": "CLIENT", "value": client}]
    pod = pods.ended(pods.start("client", script, inside={"env": env}))
    observe("source-address-kept", message(pod) == pod["status"]["podIP"], source="observed")
    same("who asked, as the server sees it", expected=pod["status"]["podIP"], actual=message(pod))


_turns = iter(range(1 << 20))
