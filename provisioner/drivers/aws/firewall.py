"""Firewalls: security groups. Addresses: elastic IPs."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import Any

from provisioner.driver import Handle, Owner, State, Status, Step
from provisioner.drivers.aws.account import (
    Account,
    full_tags,
    label,
    own_tags,
    owned,
    plain,
    tagged,
    tags_of,
)
from provisioner.errors import BadRequest, Conflict, NotFound
from provisioner.resources import AddressSpec, FirewallSpec, Kind, Resource, Rule

ANYBODY = "0.0.0.0/0"
PROTOCOLS = ("tcp", "udp", "icmp")


class Firewalls:
    """Security groups, with rules for what comes in; what goes out is free as EC2 has it."""

    def __init__(self, account: Account) -> None:
        self._account = account

    def plan(self, want: Resource) -> Step:
        spec = want.spec
        if not isinstance(spec, FirewallSpec):
            raise BadRequest(
                f"{want.ref}: expected a firewall's specification", self._account.platform
            )
        notes: list[str] = []
        rules = [self._rule(want, rule, notes) for rule in spec.rules]
        self._account.check_tags(want)
        return Step(
            platform=self._account.platform,
            resource=want,
            body={"rules": rules},
            refs=(spec.network,) if spec.network else (),
            notes=tuple(notes),
            wait_s=60.0,
        )

    def _rule(self, want: Resource, rule: Rule, notes: list[str]) -> dict[str, Any]:
        """A rule as the API takes it; ``members`` is the group itself, known when it is made."""
        if rule.protocol not in PROTOCOLS:
            known = ", ".join(PROTOCOLS)
            message = f"{want.ref}: protocol {rule.protocol!r}, known: {known}"
            raise BadRequest(message, self._account.platform)
        first, last = rule.first_port, rule.last_port
        if rule.protocol == "icmp":
            first = last = -1
        elif not 0 <= first <= last <= 65535:
            message = f"{want.ref}: ports {first}-{last}, expected 0 to 65535, the lower first"
            raise BadRequest(message, self._account.platform)
        return {
            "IpProtocol": rule.protocol,
            "FromPort": first,
            "ToPort": last,
            **self._source(want, rule.source, notes),
        }

    def _source(self, want: Resource, source: str, notes: list[str]) -> dict[str, Any]:
        if source == "members":
            return {"members": True}
        if source == "any":
            return {"IpRanges": [{"CidrIp": ANYBODY}]}
        if source == "harness":
            seen_from = self._account.settings.harness_address
            if not seen_from:
                notes.append(
                    "harness_address is not declared: rules for the harness let anybody in"
                )
            return {"IpRanges": [{"CidrIp": seen_from or ANYBODY}]}
        try:
            block = ipaddress.ip_network(source)
        except ValueError as error:
            message = f"{want.ref}: source {source!r}: expected members, harness, any or a CIDR"
            raise BadRequest(message, self._account.platform) from error
        if block.version == 6:
            return {"Ipv6Ranges": [{"CidrIpv6": str(block)}]}
        return {"IpRanges": [{"CidrIp": str(block)}]}

    def create(self, step: Step, token: str) -> Handle:
        account, want = self._account, step.resource
        tags = full_tags(want, token)
        what = f"create {want.ref}"
        group = account.made_by(token, "a group", "describe_security_groups", "SecurityGroups")
        if group is None:
            vpcs = [h.id for ref, h in step.bound.items() if ref.kind is Kind.NETWORK]
            vpc_id = vpcs[0] if vpcs else account.default_vpc()
            group = account.settled(
                lambda: account.call_once(
                    what,
                    "create_security_group",
                    GroupName=label(token, want.name),
                    Description="made by interop, may be deleted after its run",
                    VpcId=vpc_id,
                    TagSpecifications=tagged("security-group", tags),
                )
            )
        group_id = str(group["GroupId"])
        for rule in step.body["rules"]:
            self._let_in(group_id, rule, what)
        return account.handle(Kind.FIREWALL, group_id, tags)

    def _let_in(self, group_id: str, rule: Mapping[str, Any], what: str) -> None:
        permission = dict(rule)
        if permission.pop("members", False):
            permission["UserIdGroupPairs"] = [{"GroupId": group_id}]
        with suppress(Conflict):  # an earlier try has made this rule already
            self._account.settled(
                lambda: self._account.call(
                    what,
                    "authorize_security_group_ingress",
                    GroupId=group_id,
                    IpPermissions=[permission],
                )
            )

    def read(self, handle: Handle) -> State | None:
        try:
            answer = self._account.call(
                f"read {handle}", "describe_security_groups", GroupIds=[handle.id]
            )
        except NotFound:
            return None
        group = answer["SecurityGroups"][0]
        rules = sum(
            len(p.get("IpRanges", ())) + len(p.get("Ipv6Ranges", ())) + len(p["UserIdGroupPairs"])
            for p in group["IpPermissions"]
        )
        return State(
            status=Status.READY,
            tags=tags_of(group),
            facts={"rules": rules, "network": group.get("VpcId", "")},
            raw=plain(group),
        )

    def delete(self, handle: Handle) -> None:
        with suppress(NotFound):
            self._account.call(f"delete {handle}", "delete_security_group", GroupId=handle.id)

    def find(self, owner: Owner) -> Iterator[Handle]:
        for group in self._account.each(
            "find firewalls", "describe_security_groups", "SecurityGroups", Filters=owned(owner)
        ):
            yield self._account.handle(Kind.FIREWALL, group["GroupId"], tags_of(group))


class GroupRules:
    """Rules of a security group that exists."""

    def __init__(self, account: Account, handle: Handle) -> None:
        self._account = account
        self._handle = handle

    def allow(self, rule: Rule) -> None:
        with suppress(Conflict):  # it is there already
            self._change("authorize_security_group_ingress", rule)

    def revoke(self, rule: Rule) -> None:
        with suppress(NotFound):
            self._change("revoke_security_group_ingress", rule)

    def _change(self, operation: str, rule: Rule) -> None:
        group = self._handle.id
        want = Resource(
            kind=Kind.FIREWALL, name=self._handle.name, spec=FirewallSpec(rules=(rule,))
        )
        permission = dict(Firewalls(self._account).plan(want).body["rules"][0])
        if permission.pop("members", False):
            permission["UserIdGroupPairs"] = [{"GroupId": group}]
        what = f"change rules of {group}"
        self._account.call(what, operation, GroupId=group, IpPermissions=[permission])


class Addresses:
    """Elastic IPs."""

    def __init__(self, account: Account) -> None:
        self._account = account

    def plan(self, want: Resource) -> Step:
        spec = want.spec
        if not isinstance(spec, AddressSpec):
            message = f"{want.ref}: expected an address's specification"
            raise BadRequest(message, self._account.platform)
        self._account.check_tags(want)
        refs = (spec.network,) if spec.network else ()
        return Step(platform=self._account.platform, resource=want, refs=refs, wait_s=30.0)

    def create(self, step: Step, token: str) -> Handle:
        account, tags = self._account, full_tags(step.resource, token)
        found = account.made_by(token, "an address", "describe_addresses", "Addresses")
        if found is None:
            found = account.call_once(
                f"create {step.resource.ref}",
                "allocate_address",
                Domain="vpc",
                TagSpecifications=tagged("elastic-ip", tags),
            )
        return account.handle(Kind.ADDRESS, found["AllocationId"], tags)

    def read(self, handle: Handle) -> State | None:
        try:
            answer = self._account.call(
                f"read {handle}", "describe_addresses", AllocationIds=[handle.id]
            )
        except NotFound:
            return None
        item = answer["Addresses"][0]
        return State(
            status=Status.READY,
            addresses={"public": item["PublicIp"]},
            tags=own_tags(item),
            facts={"machine": item.get("InstanceId", "")},
            raw=plain(item),
        )

    def delete(self, handle: Handle) -> None:
        with suppress(NotFound):
            self._account.call(f"delete {handle}", "release_address", AllocationId=handle.id)

    def find(self, owner: Owner) -> Iterator[Handle]:
        for item in self._account.each(
            "find addresses", "describe_addresses", "Addresses", Filters=owned(owner)
        ):
            yield self._account.handle(Kind.ADDRESS, item["AllocationId"], tags_of(item))
