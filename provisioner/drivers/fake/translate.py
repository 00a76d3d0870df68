"""Translates a wish into the body of the fake cloud's create call."""

from __future__ import annotations

import base64
from typing import Any

from provisioner.driver import TAG_RUN, Step
from provisioner.drivers.fake.offers import choose_image, choose_size
from provisioner.drivers.fake.rules import NAME_CHARS, USER_DATA_BYTES
from provisioner.drivers.fake.settings import Settings
from provisioner.errors import BadRequest, Unsupported
from provisioner.resources import (
    AddressSpec,
    AttachmentSpec,
    BucketSpec,
    FirewallSpec,
    KeySpec,
    MachineSpec,
    NetworkSpec,
    Ref,
    Resource,
    VolumeSpec,
)


def translate(
    want: Resource, settings: Settings, platform: str
) -> tuple[dict[str, Any], tuple[Ref, ...], tuple[str, ...], float]:
    """The API's body, what must exist first, notes, and the price an hour."""
    spec = want.spec
    body: dict[str, Any]
    match spec:
        case KeySpec():
            if not spec.public_key.startswith(("ssh-", "ecdsa-")):
                raise BadRequest(f"{want.ref}: expected an OpenSSH public key", platform)
            return {"public_key": spec.public_key}, (), (), 0.0
        case NetworkSpec():
            return {"cidr": spec.cidr, "ipv6": spec.ipv6}, (), (), 0.0
        case FirewallSpec():
            rules = [
                [rule.source, rule.protocol, rule.first_port, rule.last_port] for rule in spec.rules
            ]
            return {"rules": rules, "network": spec.network}, _refs(spec.network), (), 0.0
        case AddressSpec():
            return {"network": spec.network}, _refs(spec.network), (), 0.0
        case VolumeSpec():
            if not 1 <= spec.size_gib <= 16_384:
                message = f"{want.ref}: size is {spec.size_gib} GiB, expected 1 to 16384"
                raise BadRequest(message, platform)
            return {"size_gib": spec.size_gib}, (), (), 0.0001 * spec.size_gib
        case AttachmentSpec():
            body = {"machine": spec.machine, "what": spec.what}
            return body, (spec.machine, spec.what), (), 0.0
        case BucketSpec():
            return {"public": spec.public}, (), (), 0.0
        case MachineSpec():
            if len(spec.user_data) > USER_DATA_BYTES:
                told = f"{len(spec.user_data)} bytes, at most {USER_DATA_BYTES}"
                message = f"{want.ref}: user-data has {told}"
                raise BadRequest(message, platform)
            if len(spec.hostname) > NAME_CHARS:
                raise BadRequest(f"{want.ref}: hostname is too long", platform)
            image = choose_image(settings, spec.image, platform)
            size, price = choose_size(settings, spec, platform)
            body = {
                "image": image,
                "size": size,
                "cpu": spec.cpu,
                "memory_mib": spec.memory_mib,
                "disk_gib": spec.disk_gib,
                "key": spec.key,
                "network": spec.network,
                "firewalls": list(spec.firewalls),
                "user_data": base64.b64encode(spec.user_data).decode(),
                "hostname": spec.hostname or want.name,
            }
            refs = _refs(spec.key, spec.network, *spec.firewalls)
            return body, refs, (f"image {image}", f"size {size}"), price
    raise Unsupported(f"there is no {want.kind} on this platform", platform)


def bucket_name(want: Resource) -> str:
    """Buckets share one name space: the run's id makes ours unique."""
    run = want.tags.get(TAG_RUN, "")
    return f"{run}-{want.name}" if run else want.name


def _refs(*refs: Ref | None) -> tuple[Ref, ...]:
    return tuple(ref for ref in refs if ref is not None)


def bound(step: Step) -> dict[str, Any]:
    """The step's body with ids in place of references."""

    def put(value: object) -> object:
        if isinstance(value, Ref):
            return step.bound[value].id
        if isinstance(value, list):
            return [put(item) for item in value]
        return value

    return {key: put(value) for key, value in step.body.items()}
