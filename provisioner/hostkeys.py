"""The SSH host keys that a machine prints on its console, between two marks of cloud-init."""

from __future__ import annotations

import re

HOST_KEYS = re.compile(
    r"-----BEGIN SSH HOST KEY KEYS-----(.*?)-----END SSH HOST KEY KEYS-----", re.DOTALL
)
HOST_KEY = re.compile(r"(?:ssh-|ecdsa-)[a-z0-9@.-]+ [A-Za-z0-9+/]+=*")


def host_keys(console: str) -> tuple[str, ...]:
    """The keys of the last boot that printed any, in OpenSSH format."""
    found = HOST_KEYS.findall(console)
    return tuple(HOST_KEY.findall(found[-1])) if found else ()
