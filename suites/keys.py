"""SSH public keys for checks; nobody has the private halves."""

from __future__ import annotations

import hashlib

from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat


def make_public_key(seed: str) -> str:
    """A valid ed25519 public key in OpenSSH format, the same for the same seed."""
    secret = hashlib.sha256(f"interop check {seed}".encode()).digest()
    key = Ed25519PrivateKey.from_private_bytes(secret).public_key()
    return key.public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode() + " interop-check"


def make_rsa_key() -> str:
    """A new RSA public key of 2048 bits in OpenSSH format, without a comment."""
    key = rsa.generate_private_key(public_exponent=65_537, key_size=2048).public_key()
    return key.public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()
