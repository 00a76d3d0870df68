"""How a resource says whose it is, from its first moment, where each service lets it.

* machines, volumes, their copies: metadata, in the create call
* networks, routers, firewalls, floating addresses: their description, in the create call (they
  take tags only once they are there)
* keys: the comment of the public key (they have nothing else), and the beginning of their name
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import re
from collections.abc import Mapping
from typing import Any

from provisioner.driver import TAG_EXPIRES, TAG_NAME, TAG_RUN, TAG_TOKEN, Handle, Owner
from provisioner.errors import BadRequest
from provisioner.resources import Kind, Resource

# Attachments have nothing of their own; these are kept on what is attached.
TAG_ATTACHED = "interop-attachment"
TAG_ATTACHED_TOKEN = "interop-attachment-token"  # noqa: S105 - names a tag

MARK = "interop"
TEXT_CHARS = 255  # of a name, description or value in any service; source: their API schemas
KEY = re.compile(r"[a-zA-Z0-9-_:. ]{1,255}")  # of metadata; source: nova, parameter_types
ITEMS = 100  # of metadata; nova's default quota is 128

_SHORT = {
    TAG_RUN: "r",
    TAG_NAME: "n",
    TAG_TOKEN: "t",
    TAG_EXPIRES: "e",
    TAG_ATTACHED: "a",
    TAG_ATTACHED_TOKEN: "at",
}
_LONG = {short: long for long, short in _SHORT.items()}


def digest(text: str, length: int) -> str:
    """A few characters that stand for a text."""
    return hashlib.sha256(text.encode()).hexdigest()[:length]


def full_tags(want: Resource, token: str) -> dict[str, str]:
    """The tags a resource carries from its first moment."""
    return {TAG_NAME: want.name, **want.tags, TAG_TOKEN: token}


def check_metadata(want: Resource, platform: str) -> None:
    """Raise BadRequest for tags that metadata cannot hold."""
    if len(want.tags) + 1 > ITEMS:
        raise BadRequest(f"{want.ref}: {len(want.tags)} tags, at most {ITEMS - 1}", platform)
    for key, value in {TAG_NAME: want.name, **want.tags}.items():
        if not KEY.fullmatch(key):
            message = "expected 1 to 255 letters, digits, spaces and -_:."
            raise BadRequest(f"{want.ref}: tag {key!r}: {message}", platform)
        if len(value) > TEXT_CHARS:
            message = f"{len(value)} characters, at most {TEXT_CHARS}"
            raise BadRequest(f"{want.ref}: tag {key}: {message}", platform)


def check_description(want: Resource, platform: str) -> None:
    """Raise BadRequest for tags that a description cannot hold."""
    others = sorted(set(want.tags) - set(_SHORT))
    if others:
        message = f"tag {others[0]!r}: a {want.kind} here has room for our own tags only"
        raise BadRequest(f"{want.ref}: {message}", platform)
    longest = description(full_tags(want, "0" * 32) | {TAG_ATTACHED_TOKEN: "0" * 32})
    if len(longest) > TEXT_CHARS:
        message = f"name and tags need {len(longest)} characters, a description has {TEXT_CHARS}"
        raise BadRequest(f"{want.ref}: {message}", platform)


def description(tags: Mapping[str, str]) -> str:
    """Our tags as a description."""
    short = {_SHORT[key]: value for key, value in tags.items() if key in _SHORT}
    return MARK + json.dumps(short, ensure_ascii=False, separators=(",", ":"), sort_keys=True)


def described(item: Mapping[str, Any]) -> dict[str, str]:
    """Tags as a description tells them; nothing if it is none of ours."""
    text = str(item.get("description") or "")
    if not text.startswith(MARK + "{"):
        return {}
    return _read(text[len(MARK) :], _LONG)


def key_comment(tags: Mapping[str, str]) -> str:
    """Tags as the comment of a public key: one word."""
    text = json.dumps(dict(tags), separators=(",", ":"), sort_keys=True)
    return f"{MARK}:{base64.urlsafe_b64encode(text.encode()).decode()}"


def commented(public_key: str) -> dict[str, str]:
    """Tags as the comment of a public key tells them."""
    word = public_key.split()[-1] if public_key.split() else ""
    mark, _, coded = word.partition(":")
    if mark != MARK:
        return {}
    try:
        text = base64.urlsafe_b64decode(coded.encode()).decode()
    except (ValueError, binascii.Error):
        return {}
    return _read(text, None)


def _read(text: str, names: Mapping[str, str] | None) -> dict[str, str]:
    """A JSON object of texts; anybody may have written it."""
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    if not isinstance(found, dict):
        return {}
    return {
        (names or {}).get(key, key): value for key, value in found.items() if isinstance(value, str)
    }


def belongs(tags: Mapping[str, str], owner: Owner) -> bool:
    """Whether it is the owner's; without a run, whether it is Interop's at all."""
    if owner.run is None:
        return TAG_RUN in tags
    return tags.get(TAG_RUN) == owner.run


def handle(
    platform: str,
    kind: Kind,
    id_: str,
    tags: Mapping[str, str],
    extra: Mapping[str, str] | None = None,
) -> Handle:
    """A handle with the name and run that the tags say."""
    return Handle(
        platform=platform,
        kind=kind,
        id=id_,
        name=tags.get(TAG_NAME, ""),
        run=tags.get(TAG_RUN, ""),
        extra=dict(extra or {}),
    )


def label(token: str, name: str) -> str:
    """A name made from ours: readable, and found again by the token it was made with."""
    words = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:40].rstrip("-")
    return "-".join(filter(None, (MARK, words, digest(f"{token}\0{name}", 12))))
