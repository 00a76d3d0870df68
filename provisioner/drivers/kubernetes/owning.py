"""How an object says whose it is: labels to find it by, an annotation with the tags as they are.

Labels take 63 plain characters, so they carry digests; the annotation carries everything.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from typing import Any

from provisioner.driver import TAG_NAME, TAG_RUN, Handle, Owner
from provisioner.errors import BadRequest
from provisioner.resources import Kind, Resource

PREFIX = "interop-harness/"
KIND, RUN, NAME = f"{PREFIX}kind", f"{PREFIX}run", f"{PREFIX}name"
MACHINE, NETWORK = f"{PREFIX}machine", f"{PREFIX}network"  # of a machine's pod
FIREWALL = f"{PREFIX}firewall-"  # likewise; one for each firewall, with its digest
TAGS = f"{PREFIX}tags"
TOKEN = f"{PREFIX}token"
TAGS_BYTES = 65536  # all annotations of an object together: 256 KiB


def digest(text: str, length: int = 16) -> str:
    """A few characters that stand for a text."""
    return hashlib.sha256(text.encode()).hexdigest()[:length]


def slug(name: str, length: int = 40) -> str:
    """A name as a DNS label can have it; "x" where nothing of it is left."""
    words = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:length].strip("-")
    return words or "x"


def object_name(want: Resource, token: str) -> str:
    """The same for the same token, so that a creation sent twice makes one object."""
    return f"{slug(want.name)}-{digest(f'{want.kind}/{token}', 12)}"


def metadata(want: Resource, token: str) -> dict[str, Any]:
    """Name, labels and annotations of a new object."""
    tags = {TAG_NAME: want.name, **want.tags}
    labels = {KIND: str(want.kind), NAME: digest(tags[TAG_NAME])}
    if tags.get(TAG_RUN):
        labels[RUN] = digest(tags[TAG_RUN])
    return {
        "name": object_name(want, token),
        "labels": labels,
        "annotations": {TAGS: encoded(tags), TOKEN: digest(token)},
    }


def check_tags(want: Resource, platform: str) -> None:
    """Raise BadRequest for tags that an annotation cannot hold."""
    size = len(encoded({TAG_NAME: want.name, **want.tags}).encode())
    if size > TAGS_BYTES:
        message = f"{want.ref}: name and tags have {size} bytes, at most {TAGS_BYTES}"
        raise BadRequest(message, platform)


def encoded(tags: Mapping[str, str]) -> str:
    """Tags as an annotation's value."""
    return json.dumps(dict(tags), ensure_ascii=False, sort_keys=True)


def decoded(text: object) -> dict[str, str]:
    """Tags of an annotation; anybody may have written it."""
    try:
        found = json.loads(str(text))
    except (ValueError, RecursionError):
        return {}
    if not isinstance(found, dict):
        return {}
    return {key: value for key, value in found.items() if isinstance(value, str)}


def tags_of(item: Mapping[str, Any]) -> dict[str, str]:
    """The tags of an object."""
    return decoded((item["metadata"].get("annotations") or {}).get(TAGS, ""))


def created(item: Mapping[str, Any]) -> str:
    """When an object was made: RFC 3339, in UTC, by the server's clock."""
    return str(item["metadata"].get("creationTimestamp") or "")


def selector(owner: Owner, kind: Kind) -> str:
    """The label selector of the owner's objects of a kind."""
    parts = [f"{KIND}={kind}"]
    if owner.run is not None:
        parts.append(f"{RUN}={digest(owner.run)}")
    return ",".join(parts)


def handle(platform: str, kind: Kind, name: str, tags: Mapping[str, str]) -> Handle:
    """A handle with the name and run that the tags say."""
    return Handle(
        platform=platform,
        kind=kind,
        id=name,
        name=tags.get(TAG_NAME, ""),
        run=tags.get(TAG_RUN, ""),
    )


def plain(item: Mapping[str, Any]) -> dict[str, Any]:
    """An object for evidence, without the noise of who owns which field."""
    kept = {key: value for key, value in item.items() if key != "metadata"}
    about = {key: value for key, value in item["metadata"].items() if key != "managedFields"}
    return {**kept, "metadata": about}
