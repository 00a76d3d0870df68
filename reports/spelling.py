"""How a value that is to be found may be written where somebody else wrote it."""

from __future__ import annotations

import base64
import html
import ipaddress
import json
from collections.abc import Iterator
from urllib.parse import quote

INSIDE = 8  # characters; less of a base64 says nothing
URLSAFE = str.maketrans("+/", "-_")


def ip(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """The address that *text* is, if it is one."""
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        return None


def spellings(value: str) -> Iterator[str]:
    """*value* as it is, quoted for a URL, JSON or HTML, in hexadecimal and in base64.

    Of base64 that holds more than the value, the characters that are the value's alone.
    """
    data = value.encode("utf-8", "surrogatepass")
    yield value
    yield from (quote(data, safe=""), quote(data), "".join(f"%{byte:02x}" for byte in data))
    yield from (value.encode("unicode_escape").decode(), json.dumps(value)[1:-1])
    yield from ("".join(f"\\u{ord(one):04x}" for one in value), html.escape(value))
    yield from ("".join(f"&#{ord(one)};" for one in value), data.hex())
    alone = base64.b64encode(data).decode().rstrip("=")
    inside = [alone]
    for before in range(3):  # bytes of something else in the value's first three
        encoded = base64.b64encode(b"\0" * before + data).decode()
        whole = encoded[-(-before * 8 // 6) : (before + len(data)) * 8 // 6]
        if len(whole) >= INSIDE:
            inside.append(whole)
    for form in inside:
        yield from (form, form.translate(URLSAFE))
    address = ip(value)
    if address is not None:
        yield address.reverse_pointer
