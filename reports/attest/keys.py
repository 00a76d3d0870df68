"""Keys as people have them: PEM and OpenSSH in, securesystemslib's signers and keys out.

Whom to trust is written as OpenSSH writes it. Source: ssh-keygen(1), ALLOWED SIGNERS: a line has
principals, options and a public key; here a public key alone, or one in PEM, will do as well.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ec import (
    EllipticCurvePrivateKey,
    EllipticCurvePublicKey,
)
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey
from securesystemslib.signer import CryptoSigner, SSlibKey

from reports.errors import BadReport

NAMESPACE = "interop"  # what `namespaces=` of an allowed signer must hold, if it is there
RSA_BITS = 2048  # anything shorter is refused
KEY_TYPES = (
    "ssh-ed25519", "ssh-rsa", "ecdsa-sha2-nistp256", "ecdsa-sha2-nistp384", "ecdsa-sha2-nistp521",
)  # fmt: skip
MOMENT = re.compile(r"(\d{8})(\d{4}(?:\d{2})?)?(Z?)")
Public = Ed25519PublicKey | RSAPublicKey | EllipticCurvePublicKey


@dataclass(frozen=True, slots=True, kw_only=True)
class Signer:
    """A public key and whose it is; ``since`` and ``until`` bound when its signatures count."""

    name: str
    fingerprint: str  # SHA256:..., as ssh-keygen -l prints it
    key: SSlibKey
    line: str  # the key as OpenSSH writes it, without a comment
    since: datetime | None = None
    until: datetime | None = None


def private_key(data: bytes, passphrase: bytes | None, source: str) -> CryptoSigner:
    """The signer for a private key in PEM (PKCS 8, traditional) or in OpenSSH's format.

    Raises:
        BadReport: it is none, needs a passphrase, has another one, or is too weak.
    """
    if data.startswith((b"-----BEGIN PUBLIC KEY", *(kind.encode() for kind in KEY_TYPES))):
        raise BadReport(source, "key", "this is a public key; expected the private one")
    ssh = b"BEGIN OPENSSH PRIVATE KEY" in data
    load = serialization.load_ssh_private_key if ssh else serialization.load_pem_private_key
    try:
        key = load(data, passphrase)
    except TypeError as error:
        expected = "a passphrase" if passphrase is None else "no passphrase; the key has none"
        raise BadReport(source, "key", f"expected {expected}") from error
    except (ValueError, UnsupportedAlgorithm) as error:
        raise BadReport(source, "key", "not a private key, or not its passphrase") from error
    if not isinstance(key, Ed25519PrivateKey | RSAPrivateKey | EllipticCurvePrivateKey):
        raise BadReport(source, "key", "expected an ed25519, ECDSA or RSA key")
    signer = _signer(key.public_key(), "", source)
    return CryptoSigner(key, signer.key)


def is_encrypted(data: bytes) -> bool:
    """Whether a private key needs a passphrase."""
    ssh = b"BEGIN OPENSSH PRIVATE KEY" in data
    load = serialization.load_ssh_private_key if ssh else serialization.load_pem_private_key
    try:
        load(data, None)
    except TypeError:
        return True
    except (ValueError, UnsupportedAlgorithm):
        return False
    return False


def openssh(signer: CryptoSigner, source: str) -> str:
    """The public half of a signer's key, as OpenSSH writes it."""
    return _signer(_public(signer.public_key), "", source).line


def public_keys(text: str, source: str) -> list[Signer]:
    """The keys in a PEM file, a ``.pub`` file or a file of allowed signers.

    Raises:
        BadReport: no key is in it, or a line cannot be read.
    """
    if "-----BEGIN" in text:
        if "PRIVATE KEY-----" in text:
            raise BadReport(source, "", "this is a private key; expected the public one")
        try:
            key = serialization.load_pem_public_key(text.encode())
        except (ValueError, UnsupportedAlgorithm) as error:
            raise BadReport(source, "", "not a public key in PEM or OpenSSH's format") from error
        return [_signer(key, "", source)]
    found: list[Signer] = []
    for number, line in enumerate(text.splitlines(), 1):
        if line.strip() and not line.lstrip().startswith("#"):
            found += _allowed(line.strip(), source, f"line {number}")
    if not found:
        raise BadReport(source, "", "no public key in it")
    return found


def _allowed(line: str, source: str, where: str) -> Iterator[Signer]:
    """The signer of one line; none if its namespaces do not hold ours."""
    words = re.findall(r'(?:[^\s"]|"[^"]*")+', line)
    at = next((i for i, word in enumerate(words) if word in KEY_TYPES), None)
    if at is None or at + 1 >= len(words):
        known = ", ".join(KEY_TYPES)
        raise BadReport(source, where, f"expected [WHO [OPTIONS]] TYPE KEY; types: {known}")
    comment = " ".join(words[at + 2 :])
    name = words[0] if at else comment
    since = until = None
    for option in re.findall(r'(?:[^,"]|"[^"]*")+', ",".join(words[1:at])) if at > 1 else ():
        key, _, value = option.partition("=")
        value = value.strip('"')
        if key == "namespaces" and NAMESPACE not in value.split(","):
            return
        if key == "valid-after":
            since = _moment(value, source, where)
        elif key == "valid-before":
            until = _moment(value, source, where)
        elif key not in ("namespaces", ""):
            raise BadReport(source, where, f"option {key!r} is not known")
    try:
        public = serialization.load_ssh_public_key(" ".join(words[at : at + 2]).encode())
    except (ValueError, UnsupportedAlgorithm) as error:
        raise BadReport(source, where, "not an OpenSSH public key") from error
    yield _signer(public, name, source, since, until)


def _moment(text: str, source: str, where: str) -> datetime:
    """``YYYYMMDD[HHMM[SS]][Z]``; taken as UTC, so that it means the same everywhere."""
    found = MOMENT.fullmatch(text)
    try:
        if found is None:
            raise ValueError
        digits = found[1] + (found[2] or "").ljust(6, "0")
        return datetime.strptime(digits, "%Y%m%d%H%M%S").replace(tzinfo=UTC)
    except ValueError as error:
        raise BadReport(source, where, f"{text!r}: expected YYYYMMDD[HHMM[SS]]") from error


def _public(key: SSlibKey) -> object:
    """The key as cryptography knows it; securesystemslib keeps ed25519 as hex, others as PEM."""
    value = key.keyval["public"]
    if key.keytype == "ed25519":
        return Ed25519PublicKey.from_public_bytes(bytes.fromhex(value))
    return serialization.load_pem_public_key(value.encode())


def _signer(
    key: object,
    name: str,
    source: str,
    since: datetime | None = None,
    until: datetime | None = None,
) -> Signer:
    if not isinstance(key, Public):
        raise BadReport(source, "key", "expected an ed25519, ECDSA or RSA key")
    if isinstance(key, RSAPublicKey) and key.key_size < RSA_BITS:
        raise BadReport(source, "key", f"RSA key of {key.key_size} bits; expected {RSA_BITS}")
    try:
        line = key.public_bytes(
            serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH
        ).decode()
        digest = hashlib.sha256(base64.b64decode(line.split()[1])).digest()
        mark = "SHA256:" + base64.b64encode(digest).decode().rstrip("=")
        known = SSlibKey.from_crypto(key, keyid=mark)
    except ValueError as error:
        raise BadReport(source, "key", str(error)) from error
    return Signer(
        name=name or mark, fingerprint=mark, key=known, line=line, since=since, until=until
    )


def unique(signers: Iterable[Signer]) -> dict[str, Signer]:
    """Signers by fingerprint; the first to name a key names it."""
    found: dict[str, Signer] = {}
    for signer in signers:
        found.setdefault(signer.fingerprint, signer)
    return found
