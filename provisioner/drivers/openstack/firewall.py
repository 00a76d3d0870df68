"""Firewalls: security groups."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import Any

from provisioner.driver import TAG_TOKEN, Handle, Owner, State, Status, Step
from provisioner.drivers.openstack.cloud import Cloud, at
from provisioner.drivers.openstack.owning import (
    belongs,
    check_description,
    described,
    description,
    full_tags,
    handle,
)
from provisioner.errors import BadRequest, Conflict, NotFound
from provisioner.resources import FirewallSpec, Kind, Resource, Rule

PROTOCOLS = ("tcp", "udp", "icmp")
OUT = ("IPv4", "IPv6")
SAME = ("direction", "ethertype", "protocol", "port_range_min", "port_range_max")
SOURCES = ("remote_ip_prefix", "remote_group_id")
ANYBODY = (None, "0.0.0.0/0", "::/0")


class Firewalls:
    """Security groups, with rules for what comes in; what goes out is free."""

    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud

    def plan(self, want: Resource) -> Step:
        spec, platform = want.spec, self._cloud.platform
        if not isinstance(spec, FirewallSpec):
            raise BadRequest(f"{want.ref}: expected a firewall's specification", platform)
        notes: list[str] = []
        rules = [self.rule(want, rule, notes) for rule in spec.rules]
        check_description(want, platform)
        return Step(
            platform=platform,
            resource=want,
            body={"rules": rules},
            # A security group belongs to no network; it works wherever a machine has it.
            refs=(),
            notes=tuple(dict.fromkeys(notes)),
            wait_s=60.0,
        )

    def rule(self, want: Resource, rule: Rule, notes: list[str]) -> dict[str, Any]:
        """A rule as the API takes it; ``members`` is the group itself, known when it is made."""
        if rule.protocol not in PROTOCOLS:
            message = f"{want.ref}: protocol {rule.protocol!r}, known: {', '.join(PROTOCOLS)}"
            raise BadRequest(message, self._cloud.platform)
        ports: dict[str, Any] = {"port_range_min": None, "port_range_max": None}
        if rule.protocol != "icmp":
            if not 0 <= rule.first_port <= rule.last_port <= 65535:
                message = f"ports {rule.first_port}-{rule.last_port}: expected 0 to 65535, in order"
                raise BadRequest(f"{want.ref}: {message}", self._cloud.platform)
            # Port 0 is no port to neutron: a range begins at 1, and all of them is no range.
            if (rule.first_port, rule.last_port) != (0, 65535):
                ports = {
                    "port_range_min": max(rule.first_port, 1),
                    "port_range_max": max(rule.last_port, 1),
                }
        return {
            "direction": "ingress",
            "protocol": rule.protocol,
            **ports,
            **self._source(want, rule.source, notes),
        }

    def _source(self, want: Resource, source: str, notes: list[str]) -> dict[str, Any]:
        if source == "members":
            return {"ethertype": "IPv4", "members": True}
        if source == "any":
            return {"ethertype": "IPv4", "remote_ip_prefix": "0.0.0.0/0"}
        if source == "harness":
            seen_from = self._cloud.settings.harness_address
            if not seen_from:
                notes.append(
                    "harness_address is not declared: rules for the harness let anybody in"
                )
            source = seen_from or "0.0.0.0/0"
        try:
            block = ipaddress.ip_network(source)
        except ValueError as error:
            message = f"{want.ref}: source {source!r}: expected members, harness, any or a CIDR"
            raise BadRequest(message, self._cloud.platform) from error
        return {"ethertype": f"IPv{block.version}", "remote_ip_prefix": str(block)}

    def create(self, step: Step, token: str) -> Handle:
        want, tags = step.resource, full_tags(step.resource, token)
        what = f"create {want.ref}"
        group = self._made(token)
        if group is None:
            body = {"name": want.name, "description": description(tags)}
            group = self._cloud.call(
                what, "network", "POST", "/security-groups", body={"security_group": body}
            )["security_group"]
        self._like_everywhere(group, what, keep=step.body["rules"])
        for rule in step.body["rules"]:
            self.let_in(group["id"], rule, what)
        return handle(self._cloud.platform, Kind.FIREWALL, group["id"], tags)

    def _made(self, token: str) -> dict[str, Any] | None:
        for item in self._ours():
            if described(item).get(TAG_TOKEN) == token:
                return item
        return None

    def _ours(self) -> Iterator[dict[str, Any]]:
        return self._cloud.each(
            "look for firewalls",
            "network",
            "/security-groups",
            "security_groups",
            query={"project_id": self._cloud.project},
        )

    def _like_everywhere(
        self, group: Mapping[str, Any], what: str, keep: list[dict[str, Any]]
    ) -> None:
        """A new group lets everything out and nothing in; clouds may have it otherwise.

        Source: neutron, extension security-groups-default-rules (2023.2): an administrator can
        change what rules a new group has.
        """
        rules = group.get("security_group_rules") or []
        for rule in rules:
            ours = any(_alike(rule, one, str(group["id"])) for one in keep)
            if rule["direction"] == "ingress" and not ours:
                self._drop(rule["id"], what)
        for ethertype in OUT:
            free = {"direction": "egress", "ethertype": ethertype}
            if not any(_free(rule, ethertype) for rule in rules):
                self.let_in(group["id"], free, what)

    def let_in(self, group: str, rule: Mapping[str, Any], what: str) -> None:
        """Add a rule; one that is there already is no error."""
        with suppress(Conflict):
            self._cloud.call(
                what,
                "network",
                "POST",
                "/security-group-rules",
                body={"security_group_rule": as_body(rule, group)},
            )

    def drop(self, group: str, rule: Mapping[str, Any], what: str) -> None:
        """Take a rule away; one that is not there is no error."""
        query = {"security_group_id": group}
        for item in self._cloud.each(
            what, "network", "/security-group-rules", "security_group_rules", query=query
        ):
            if _alike(item, rule, group):
                self._drop(item["id"], what)

    def _drop(self, rule: str, what: str) -> None:
        with suppress(NotFound):
            self._cloud.call(what, "network", "DELETE", f"/security-group-rules{at(rule)}")

    def read(self, handle: Handle) -> State | None:
        group = self._cloud.one(
            f"read {handle}", "network", f"/security-groups{at(handle.id)}", "security_group"
        )
        if group is None:
            return None
        rules = group.get("security_group_rules") or []
        facts = {
            "rules": sum(rule["direction"] == "ingress" for rule in rules),
            "stateful": group.get("stateful", True),
        }
        return State(status=Status.READY, tags=described(group), facts=facts, raw=group)

    def delete(self, handle: Handle) -> None:
        with suppress(NotFound):
            self._cloud.call(
                f"delete {handle}", "network", "DELETE", f"/security-groups{at(handle.id)}"
            )

    def find(self, owner: Owner) -> Iterator[Handle]:
        for item in self._ours():
            tags = described(item)
            if belongs(tags, owner):
                yield handle(self._cloud.platform, Kind.FIREWALL, item["id"], tags)


class GroupRules:
    """The Rules feature: rules of a security group that exists."""

    def __init__(self, cloud: Cloud, handle: Handle) -> None:
        self._firewalls = Firewalls(cloud)
        self._handle = handle

    def allow(self, rule: Rule) -> None:
        self._firewalls.let_in(self._handle.id, self._as_api(rule), self._what())

    def revoke(self, rule: Rule) -> None:
        self._firewalls.drop(self._handle.id, self._as_api(rule), self._what())

    def _what(self) -> str:
        return f"change rules of {self._handle}"

    def _as_api(self, rule: Rule) -> dict[str, Any]:
        want = Resource(kind=Kind.FIREWALL, name=self._handle.name, spec=FirewallSpec())
        return self._firewalls.rule(want, rule, [])


def as_body(rule: Mapping[str, Any], group: str) -> dict[str, Any]:
    """A planned rule as the body of the call for a group."""
    body = {key: value for key, value in rule.items() if value is not None and key != "members"}
    if rule.get("members"):
        body["remote_group_id"] = group
    return {**body, "security_group_id": group}


def _alike(item: Mapping[str, Any], rule: Mapping[str, Any], group: str) -> bool:
    """Whether a rule of the API is the planned one; any address may be written in three ways."""
    body = as_body(rule, group)
    if any(item.get(key) != body.get(key) for key in SAME):
        return False
    theirs, ours = (
        tuple(None if one.get(key) in ANYBODY else one.get(key) for key in SOURCES)
        for one in (item, body)
    )
    return theirs == ours


def _free(rule: Mapping[str, Any], ethertype: str) -> bool:
    """Whether a rule lets everything out."""
    return (
        rule["direction"] == "egress"
        and rule["ethertype"] == ethertype
        and rule.get("protocol") in (None, "any")
        and all(rule.get(key) in ANYBODY for key in SOURCES)
        and rule.get("port_range_min") is None
    )
