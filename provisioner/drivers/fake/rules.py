"""What the fake cloud's API accepts, and how it says no."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Mapping

PREFIX = {
    "key": "key",
    "image": "img",
    "network": "net",
    "firewall": "fw",
    "address": "addr",
    "volume": "vol",
    "machine": "m",
    "attachment": "att",
    "bucket": "bkt",
    "service": "svc",
    "config": "cfg",
}
IDS = re.compile(f"(?:{'|'.join(PREFIX.values())})-[0-9a-f]{{8}}")
NAME_CHARS, TAGS, TAG_KEY_CHARS, TAG_VALUE_CHARS = 255, 50, 128, 256
USER_DATA_BYTES = 16_384
RESERVED = "fake:"


class ApiError(Exception):
    """The API's own way to say no."""

    def __init__(
        self, status: int, code: str, message: str, request_id: str = "", retry_after: float = 0.0
    ) -> None:
        super().__init__(status, code, message, request_id, retry_after)
        self.status = status
        self.code = code
        self.message = message
        self.request_id = request_id
        self.retry_after = retry_after


def request_id(*parts: object) -> str:
    """An id for one request, the same for the same parts."""
    return "req-" + hashlib.sha256("\0".join(map(str, parts)).encode()).hexdigest()[:12]


def check_name(name: str) -> None:
    """Names are 1 to 255 characters without control characters. Raises ApiError 400."""
    if not name or len(name) > NAME_CHARS:
        raise ApiError(400, "InvalidName", f"name has {len(name)} characters, expected 1 to 255")
    bad = [c for c in name if unicodedata.category(c) in ("Cc", "Cs")]
    if bad:
        raise ApiError(400, "InvalidName", f"name has the character U+{ord(bad[0]):04X}")


def check_tags(tags: Mapping[str, str]) -> None:
    """At most 50 tags, keys to 128 and values to 256 characters. Raises ApiError 400."""
    if len(tags) > TAGS:
        raise ApiError(400, "TooManyTags", f"{len(tags)} tags, expected at most {TAGS}")
    for key, value in tags.items():
        if not key or len(key) > TAG_KEY_CHARS or len(value) > TAG_VALUE_CHARS:
            raise ApiError(400, "InvalidTag", "expected a key of 1 to 128, a value to 256 chars")
        if key.lower().startswith(RESERVED):
            raise ApiError(400, "InvalidTag", f"keys beginning with {RESERVED} are reserved")
        for char in key + value:
            if unicodedata.category(char) in ("Cc", "Cs"):
                raise ApiError(400, "InvalidTag", f"tag has the character U+{ord(char):04X}")


def as_stored(text: str, defects: frozenset[str]) -> str:
    """What the cloud keeps of a text: the text, unless its defect is to alter it silently."""
    return unicodedata.normalize("NFC", text.strip()) if "P4" in defects else text
