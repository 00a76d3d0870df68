"""The SSH key of a run: made for it, kept in its folder, known to nobody else."""

from __future__ import annotations

import os
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

FILE = "key"


def run_key(folder: Path) -> Path:
    """The private key's file in *folder*; made, with ``key.pub`` beside it, if not there yet."""
    file = folder / FILE
    if file.exists():
        return file
    key = Ed25519PrivateKey.generate()
    private = key.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption())
    public = key.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH)
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as stream:
        stream.write(private)
    file.with_suffix(".pub").write_bytes(public + b" interop\n")
    return file


def public_key(file: Path) -> str:
    """The public key beside a private key's file, in OpenSSH format."""
    return file.with_suffix(".pub").read_text(encoding="ascii").strip()
