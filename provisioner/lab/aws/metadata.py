"""The instance metadata service: what a guest is told at 169.254.169.254. No I/O in here.

A guest is known by the address it asks from. Tokens are real: they expire, belong to the instance
that asked for them, and an answer to the request for one travels no further than the hop limit.

Source: EC2 user guide, "Use the Instance Metadata Service to access instance metadata".
"""

from __future__ import annotations

import json
import re
import secrets
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from provisioner.lab.aws.world import Instance, Subnet, Vpc, private_name, wrong_name

TOKEN_PATH = "/latest/api/token"  # noqa: S105 - a path
TTL_HEADER = "X-aws-ec2-metadata-token-ttl-seconds"
TOKEN_HEADER = "X-aws-ec2-metadata-token"  # noqa: S105 - a header's name
LONGEST_S = 21600
VERSIONS = (
    "1.0", "2007-01-19", "2007-03-01", "2007-08-29", "2007-10-10", "2007-12-15", "2008-02-01",
    "2008-09-01", "2009-04-04", "2011-01-01", "2011-05-01", "2012-01-12", "2014-02-25",
    "2014-11-05", "2015-10-20", "2016-04-19", "2016-06-30", "2016-09-02", "2018-03-28",
    "2018-08-17", "2018-09-24", "2019-10-01", "2020-10-27", "2021-01-03", "2021-03-23", "latest",
)  # fmt: skip

Tree = Mapping[str, Any]  # leaves are text, the rest is again a Tree


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """All that one instance may be told of itself."""

    instance: Instance
    vpc: Vpc
    subnet: Subnet
    region: str
    account: str
    public_key: str = ""
    user_data: bytes | None = None
    devices: Mapping[str, str] = field(default_factory=dict)  # root, ebs1, ... -> device name


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """An HTTP answer. ``hops`` is the packet's time to live where it is limited."""

    status: int
    body: bytes = b""
    kind: str = "text/plain"
    headers: Mapping[str, str] = field(default_factory=dict)
    hops: int | None = None


class Tokens:
    """Session tokens: who got them and until when. Safe to use from several threads."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._given: dict[str, tuple[str, float]] = {}

    def give(self, instance: str, ttl_s: int) -> str:
        """A new token for *instance*."""
        token = secrets.token_urlsafe(40) + "=="
        now = self._clock()
        with self._lock:
            self._given = {t: held for t, held in self._given.items() if held[1] > now}
            self._given[token] = (instance, now + ttl_s)
        return token

    def good(self, token: str, instance: str) -> bool:
        """Whether *instance* may use *token* now."""
        with self._lock:
            owner, until = self._given.get(token, ("", 0.0))
        return owner == instance and self._clock() < until


class Metadata:
    """Answers requests for one instance at a time."""

    def __init__(self, clock: Callable[[], float], defects: frozenset[str] = frozenset()) -> None:
        self._tokens = Tokens(clock)
        self._defects = defects

    def answer(
        self, method: str, path: str, headers: Mapping[str, str], card: Card | None
    ) -> Reply:
        """The answer to one request of the guest that *card* describes; None: nobody we know."""
        if card is None:
            return Reply(status=404)
        if not card.instance.metadata_enabled:
            return Reply(status=403)
        if path.rstrip("/") == TOKEN_PATH and method == "PUT":
            return self._give_token(headers, card)
        if method not in ("GET", "HEAD"):
            return Reply(status=405, headers={"Allow": "GET, HEAD, OPTIONS"})
        if not self._admitted(headers, card.instance):
            return Reply(status=401)
        return self._read(path, card)

    def _give_token(self, headers: Mapping[str, str], card: Card) -> Reply:
        if "X-Forwarded-For" in headers:
            return Reply(status=403)
        wish = headers.get(TTL_HEADER, "")
        if not re.fullmatch(r"[0-9]{1,6}", wish) or not 1 <= int(wish) <= LONGEST_S:
            return Reply(status=400)
        return Reply(
            status=200,
            body=self._tokens.give(card.instance.id, int(wish)).encode(),
            headers={TTL_HEADER: wish},
            hops=card.instance.hop_limit,
        )

    def _admitted(self, headers: Mapping[str, str], instance: Instance) -> bool:
        if "metadata-ignores-tokens" in self._defects:
            return True
        token = headers.get(TOKEN_HEADER)
        if token is None:
            return not instance.tokens_required
        return self._tokens.good(token, instance.id)

    def _read(self, path: str, card: Card) -> Reply:
        first, _, rest = path.lstrip("/").partition("/")
        if not first:
            return _text("\n".join(VERSIONS))
        if first not in VERSIONS:
            return Reply(status=404)
        tree = self._tree(card)
        if rest.rstrip("/") == "user-data":
            data = card.user_data
            if data is None:
                return Reply(status=404)
            if "user-data-altered" in self._defects:
                data = data[:-1]
            return Reply(status=200, body=data, kind="application/octet-stream")
        return look_up(tree, rest)

    def _tree(self, card: Card) -> Tree:
        tree = _tree(card)
        about = dict(tree["meta-data"])
        if "metadata-wrong-id" in self._defects:
            about["instance-id"] = f"i-{card.instance.id[2:][::-1]}"
        if "wrong-hostname" in self._defects:
            other = wrong_name(card.instance.private, card.region)
            about |= {"local-hostname": other, "hostname": other}
        return {**tree, "meta-data": about}


def look_up(tree: Tree, path: str) -> Reply:
    """The leaf at *path*, or the list of what is below it; names of inner nodes end in a slash."""
    node: Any = tree
    for part in [part for part in path.split("/") if part]:
        if not isinstance(node, Mapping) or part not in node:
            return Reply(status=404)
        node = node[part]
    if isinstance(node, Mapping):
        shown = node.get("", None)  # some lists have a form of their own
        lines = [f"{k}/" if isinstance(v, Mapping) else k for k, v in sorted(node.items()) if k]
        return _text(shown if shown is not None else "\n".join(lines))
    return _text(str(node))


def _text(text: str) -> Reply:
    return Reply(status=200, body=text.encode())


def _tree(card: Card) -> Tree:
    it = card.instance
    name = private_name(it.private, card.region)
    about: dict[str, Any] = {
        "ami-id": it.image,
        "ami-launch-index": str(it.launch_index),
        "ami-manifest-path": "(unknown)",
        "block-device-mapping": {"ami": it.root_device, **card.devices},
        "hostname": name,
        "instance-action": "none",
        "instance-id": it.id,
        "instance-life-cycle": "on-demand",
        "instance-type": it.size,
        "local-hostname": name,
        "local-ipv4": it.private,
        "mac": it.mac,
        "network": {"interfaces": {"macs": {it.mac: _interface(card, name)}}},
        "placement": {"availability-zone": it.zone, "region": card.region},
        "profile": "default-hvm",
        "reservation-id": it.reservation,
        "security-groups": "\n".join(it.group_names),
        "services": {"domain": "amazonaws.com", "partition": "aws"},
    }
    if it.public:
        about |= {"public-ipv4": it.public, "public-hostname": _public_name(card)}
    if card.public_key:
        keys = {"": f"0={it.key}", "0": {"openssh-key": card.public_key}}
        about["public-keys"] = keys
    if it.metadata_tags:
        about["tags"] = {"instance": dict(it.tags)}
    document = {"instance-identity": {"document": json.dumps(identity(card), indent=2)}}
    tree: dict[str, Any] = {"meta-data": about, "dynamic": document}
    if card.user_data is not None:
        tree["user-data"] = ""  # only to be listed; its bytes are answered apart
    return tree


def _interface(card: Card, name: str) -> Tree:
    it = card.instance
    found: dict[str, Any] = {
        "device-number": "0",
        "interface-id": it.interface,
        "local-hostname": name,
        "local-ipv4s": it.private,
        "mac": it.mac,
        "owner-id": card.account,
        "security-group-ids": "\n".join(it.groups),
        "security-groups": "\n".join(it.group_names),
        "subnet-id": it.subnet,
        "subnet-ipv4-cidr-block": card.subnet.cidr,
        "vpc-id": it.vpc,
        "vpc-ipv4-cidr-block": card.vpc.cidr,
        "vpc-ipv4-cidr-blocks": card.vpc.cidr,
    }
    if it.public:
        found |= {
            "public-hostname": _public_name(card),
            "public-ipv4s": it.public,
            "ipv4-associations": {it.public: it.private},
        }
    return found


def _public_name(card: Card) -> str:
    zone = "compute-1" if card.region == "us-east-1" else f"{card.region}.compute"
    return f"ec2-{card.instance.public.replace('.', '-')}.{zone}.amazonaws.com"


def identity(card: Card) -> dict[str, Any]:
    """The instance identity document; it has no signature, because only AWS could sign it."""
    it = card.instance
    return {
        "accountId": card.account,
        "architecture": "x86_64",
        "availabilityZone": it.zone,
        "billingProducts": None,
        "devpayProductCodes": None,
        "imageId": it.image,
        "instanceId": it.id,
        "instanceType": it.size,
        "kernelId": None,
        "marketplaceProductCodes": None,
        "pendingTime": it.launched,
        "privateIp": it.private,
        "ramdiskId": None,
        "region": card.region,
        "version": "2017-09-30",
    }
