"""The cluster's NetworkPolicy: nftables in each node, fed with policies, pods and namespaces.

Each node has the rules of all pods, and judges what it forwards, also between pods of one node
(br_netfilter). What a node itself sends its pods, such as probes, is not forwarded and always let
in, as the API has it; so is ICMP, of which it says nothing. Named ports are the listener's.

Source: Kubernetes API reference, NetworkPolicy v1; "Network Policies".
"""

from __future__ import annotations

import subprocess
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from provisioner.lab.kubernetes import network, plan
from provisioner.lab.kubernetes.api import Api, loop

PLACES = {
    "pods": "/api/v1/pods",
    "namespaces": "/api/v1/namespaces",
    "policies": "/apis/networking.k8s.io/v1/networkpolicies",
}
TABLE = "interop_policy"
SETTLE_S = 0.05  # changes that come within it are told together
Object = Mapping[str, Any]
Key = tuple[str, str]


def fits(selector: Object, labels: Mapping[str, str]) -> bool:
    """Whether labels fit a label selector; an empty one fits all."""
    for key, value in (selector.get("matchLabels") or {}).items():
        if labels.get(key) != value:
            return False
    for part in selector.get("matchExpressions") or ():
        key, values = part["key"], part.get("values") or ()
        held = {
            "In": key in labels and labels[key] in values,
            "NotIn": labels.get(key) not in values,
            "Exists": key in labels,
            "DoesNotExist": key not in labels,
        }
        if not held[part["operator"]]:
            return False
    return True


def rules(pods: Iterable[Object], spaces: Iterable[Object], policies: Iterable[Object]) -> str:
    """The nftables of every node."""
    there = [pod for pod in pods if _address(pod) and not pod["spec"].get("hostNetwork")]
    about = {space["metadata"]["name"]: _labels(space) for space in spaces}
    chains: dict[tuple[str, str], list[str]] = {}
    for policy in policies:
        spec, home = policy["spec"], policy["metadata"]["namespace"]
        default = ["Ingress", *(["Egress"] if "egress" in spec else [])]
        for pod in there:
            if pod["metadata"]["namespace"] != home:
                continue
            if not fits(spec.get("podSelector") or {}, _labels(pod)):
                continue
            for way in spec.get("policyTypes") or default:
                chain = chains.setdefault((way, _address(pod)), [])
                for rule in spec.get(way.lower()) or ():
                    chain += _matches(rule, way, home, pod, there, about)
    lines = [f"table ip {TABLE} {{}}", f"delete table ip {TABLE}", f"table ip {TABLE} {{"]
    jumps = []
    for (way, address), matches in sorted(chains.items()):
        name = f"{way.lower()}-{address.replace('.', '-')}"
        jumps.append(f"ip {'daddr' if way == 'Ingress' else 'saddr'} {address} jump {name}")
        lines.append(f"chain {name} {{")
        lines += [f"{match} return".strip() for match in sorted(set(matches))]
        lines += ["drop", "}"]
    passing = ("ct state established,related accept", "meta l4proto icmp accept")
    hook = "type filter hook forward priority filter; policy accept;"
    lines += ["chain forward {", hook, *passing, *jumps, "}", "}"]
    return "\n".join(lines) + "\n"


def _matches(
    rule: Object,
    way: str,
    home: str,
    pod: Object,
    there: Sequence[Object],
    about: Mapping[str, Mapping[str, str]],
) -> Iterator[str]:
    """What one rule lets through, as nftables has it."""
    end, key = ("saddr", "from") if way == "Ingress" else ("daddr", "to")
    peers: list[str] = [] if rule.get(key) else [""]
    for peer in rule.get(key) or ():
        if block := peer.get("ipBlock"):
            without = ", ".join(block.get("except") or ())
            refused = f" ip {end} != {{ {without} }}" if without else ""
            peers.append(f"ip {end} {block['cidr']}{refused}")
            continue
        found = [one for one in there if _is_peer(one, peer, home, about)]
        if found:
            peers.append(f"ip {end} {{ {', '.join(sorted({_address(one) for one in found}))} }}")
    ports = [_port(port, pod) for port in rule["ports"]] if rule.get("ports") else [""]
    for peer in peers:
        for port in ports:
            if port is not None:
                yield f"{peer} {port}".strip()


def _is_peer(pod: Object, peer: Object, home: str, about: Mapping[str, Mapping[str, str]]) -> bool:
    space = pod["metadata"]["namespace"]
    chosen = peer.get("namespaceSelector")
    near = space == home if chosen is None else fits(chosen, about.get(space, {}))
    return near and fits(peer.get("podSelector") or {}, _labels(pod))


def _port(port: Object, pod: Object) -> str | None:
    """A port of a rule; None for a name that the pod does not have."""
    protocol = str(port.get("protocol") or "TCP").lower()
    number = port.get("port")
    if number is None:
        return f"meta l4proto {protocol}"
    if isinstance(number, str):
        named = [
            one["containerPort"]
            for container in pod["spec"]["containers"]
            for one in container.get("ports") or ()
            if one.get("name") == number
        ]
        if not named:
            return None
        number = named[0]
    last = f"-{port['endPort']}" if port.get("endPort") else ""
    return f"{protocol} dport {number}{last}"


def _labels(item: Object) -> Mapping[str, str]:
    return item["metadata"].get("labels") or {}


def _address(pod: Object) -> str:
    return str((pod.get("status") or {}).get("podIP") or "")


class Policies:
    """Threads that follow the API and tell the nodes."""

    def __init__(self, api: Api, nodes: Sequence[plan.NodePlan]) -> None:
        self._api, self._nodes = api, nodes
        self._held: dict[str, dict[Key, Object]] = {kind: {} for kind in PLACES}
        self._lock = threading.Lock()
        self._changed = threading.Event()

    def follow(self) -> None:
        """Follow the API from now on."""
        for node in self._nodes:
            bridged = "echo 1 > /proc/sys/net/bridge/bridge-nf-call-iptables"
            subprocess.run(network.inside(node.namespace, ["sh", "-c", bridged]), check=False)
        for kind in PLACES:
            loop(f"policies-{kind}", lambda kind=kind: self._watch(kind))  # type: ignore[misc]
        loop("policies", self._tell)

    def _watch(self, kind: str) -> None:
        for event, item in self._api.watch(PLACES[kind]):
            with self._lock:
                if event == "LISTED":
                    self._held[kind] = {_key(each): each for each in item["items"]}
                elif event == "DELETED":
                    self._held[kind].pop(_key(item), None)
                else:
                    self._held[kind][_key(item)] = item
            self._changed.set()

    def _tell(self) -> None:
        said = rules((), (), ())
        while True:
            self._changed.wait()
            threading.Event().wait(SETTLE_S)
            self._changed.clear()
            with self._lock:
                held = [list(self._held[kind].values()) for kind in PLACES]
            text = rules(*held)
            if text == said:
                continue
            told = [self._put(node, text) for node in self._nodes]
            said = text if all(told) else ""

    def _put(self, node: plan.NodePlan, text: str) -> bool:
        """Whether the node took the rules; one that has died does not."""
        argv = network.inside(node.namespace, ["nft", "-f", "-"])
        return subprocess.run(argv, input=text.encode(), check=False).returncode == 0


def _key(item: Object) -> Key:
    return item["metadata"].get("namespace", ""), item["metadata"]["name"]
