"""Firewalls: a NetworkPolicy of the pods of those machines that have it.

The harness comes in through the API and not through the network, so its rules let nobody in. What
a policy does with ICMP the API leaves to the plugin, so rules for it are only noted.

Source: Kubernetes API reference, NetworkPolicy v1; "Network Policies".
"""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from typing import Any

from provisioner.driver import TAG_RUN, Handle, State, Step
from provisioner.drivers.kubernetes.cluster import MERGE, Cluster
from provisioner.drivers.kubernetes.objects import Objects
from provisioner.drivers.kubernetes.owning import (
    FIREWALL,
    RUN,
    check_tags,
    digest,
    object_name,
    tags_of,
)
from provisioner.errors import BadRequest, NotFound
from provisioner.resources import FirewallSpec, Kind, Resource, Rule

ALL_PORTS = (0, 65535)
ICMP = "what happens with ICMP the network plugin decides"
MOST_PORTS = 100  # endPort came with 1.22, so ports are named one by one


class Firewalls(Objects):
    """Policies that let in what their rules say."""

    def __init__(self, cluster: Cluster) -> None:
        path = "/apis/networking.k8s.io/v1/{}/networkpolicies"
        super().__init__(cluster, Kind.FIREWALL, path)

    def plan(self, want: Resource) -> Step:
        platform = self._cluster.platform
        if not isinstance(want.spec, FirewallSpec):
            raise BadRequest(f"{want.ref}: expected a firewall's rules", platform)
        check_tags(want, platform)
        told = [body(rule, want.tags.get(TAG_RUN, ""), platform) for rule in want.spec.rules]
        icmp = any(rule.protocol == "icmp" for rule in want.spec.rules)
        rules = [one for one in told if one is not None]
        return Step(
            platform=platform,
            resource=want,
            body={"rules": rules},
            notes=(ICMP,) if icmp else (),
            wait_s=30.0,
        )

    def create(self, step: Step, token: str) -> Handle:
        want = step.resource
        spec = {
            "podSelector": {"matchLabels": {label(object_name(want, token)): "yes"}},
            "policyTypes": ["Ingress"],
            "ingress": list(step.body["rules"]),
        }
        policy = {"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "spec": spec}
        return self.made(want, token, policy)

    def read(self, one: Handle) -> State | None:
        there = self.get(one)
        if there is None:
            return None
        return self.state(there, {"rules": len(there["spec"].get("ingress") or ())})


class PolicyRules:
    """The rules of a policy that exists."""

    def __init__(self, cluster: Cluster, firewalls: Firewalls, one: Handle) -> None:
        self._cluster, self._firewalls, self._one = cluster, firewalls, one

    def allow(self, rule: Rule) -> None:
        self._change(rule, there=True)

    def revoke(self, rule: Rule) -> None:
        self._change(rule, there=False)

    def _change(self, rule: Rule, *, there: bool) -> None:
        """Have the rule there or not; a change of somebody else's meanwhile is a conflict."""
        what = f"change the rules of {self._one}"
        policy = self._cluster.get(what, self._firewalls.top, self._one.id)
        if policy is None:
            raise NotFound(f"cannot {what}: it is gone", self._cluster.platform)
        wanted = body(rule, tags_of(policy).get(TAG_RUN, ""), self._cluster.platform)
        rules: Sequence[Any] = policy["spec"].get("ingress") or ()
        if wanted is None or (wanted in rules) == there:
            return
        changed = [*rules, wanted] if there else [one for one in rules if one != wanted]
        version = policy["metadata"]["resourceVersion"]
        change = {"metadata": {"resourceVersion": version}, "spec": {"ingress": changed}}
        path = f"{self._firewalls.top}/{self._one.id}"
        self._cluster.call(what, "PATCH", path, body=change, content=MERGE)


def label(firewall: str) -> str:
    """The label of the pods that a firewall is for."""
    return f"{FIREWALL}{digest(firewall, 12)}"


def body(rule: Rule, run: str, platform: str) -> dict[str, Any] | None:
    """A rule as the API has it; None for one that needs none there.

    Raises:
        BadRequest: no policy can say it.
    """
    if rule.source == "harness" or rule.protocol == "icmp":
        return None
    if rule.protocol not in ("tcp", "udp"):
        message = f"protocol {rule.protocol!r}: expected tcp, udp or icmp"
        raise BadRequest(message, platform)
    first, last = rule.first_port, rule.last_port
    if not 0 <= first <= last <= 65535:
        raise BadRequest(f"ports {first}-{last}: expected 0 to 65535, in order", platform)
    protocol = rule.protocol.upper()
    numbers: list[dict[str, Any]] = [{"protocol": protocol}]
    if (first, last) != ALL_PORTS:
        if last - first >= MOST_PORTS:
            message = f"ports {first}-{last}: at most {MOST_PORTS} at once, or all"
            raise BadRequest(message, platform)
        ports = range(max(first, 1), max(last, 1) + 1)
        numbers = [{"protocol": protocol, "port": port} for port in ports]
    found: dict[str, Any] = {"ports": numbers}
    if rule.source == "members":
        found["from"] = [{"podSelector": {"matchLabels": {RUN: digest(run)} if run else {}}}]
    elif rule.source != "any":
        try:
            block = ipaddress.ip_network(rule.source)
        except ValueError as error:
            message = f"source {rule.source!r}: expected members, harness, any or a CIDR"
            raise BadRequest(message, platform) from error
        found["from"] = [{"ipBlock": {"cidr": str(block)}}]
    return found
