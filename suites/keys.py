"""SSH public keys for checks; nobody has the private halves."""

from __future__ import annotations

import hashlib

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat


def make_public_key(seed: str) -> str:
    """A valid ed25519 public key in OpenSSH format, the same for the same seed."""
    secret = hashlib.sha256(f"interop check {seed}".encode()).digest()
    key = Ed25519PrivateKey.from_private_bytes(secret).public_key()
    return key.public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode() + " interop-check"
