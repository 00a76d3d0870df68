"""The arithmetic of RMCP+: RAKP codes, session keys, integrity and AES-CBC payloads.

Source: IPMI 2.0 revision 1.1, sections 13.20 to 13.33.
"""

from __future__ import annotations

import hashlib
import hmac
import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes


@dataclass(frozen=True, slots=True, kw_only=True)
class Suite:
    """A cipher suite: authentication, integrity and confidentiality algorithm."""

    id: int
    authentication: int
    integrity: int
    confidentiality: int
    digest: Callable[..., Any]
    tag_bytes: int  # of a truncated integrity code

    def mac(self, key: bytes, data: bytes) -> bytes:
        """The keyed hash of this suite, whole."""
        return hmac.new(key, data, self.digest).digest()

    def tag(self, key: bytes, data: bytes) -> bytes:
        """The keyed hash of this suite, cut to the length of an integrity code."""
        return self.mac(key, data)[: self.tag_bytes]


SHA1 = Suite(
    id=3, authentication=1, integrity=1, confidentiality=1, digest=hashlib.sha1, tag_bytes=12
)
SHA256 = Suite(
    id=17, authentication=3, integrity=4, confidentiality=1, digest=hashlib.sha256, tag_bytes=16
)
SUITES = (SHA1, SHA256)


def suite_for(authentication: int, integrity: int, confidentiality: int) -> Suite | None:
    """The suite of these algorithms, if we speak it."""
    for suite in SUITES:
        if (authentication, integrity, confidentiality) == (
            suite.authentication,
            suite.integrity,
            suite.confidentiality,
        ):
            return suite
    return None


def encrypt(key: bytes, payload: bytes) -> bytes:
    """AES-128-CBC with the initialisation vector in front and IPMI's counting padding."""
    vector = os.urandom(16)
    count = -(len(payload) + 1) % 16
    plain = payload + bytes(range(1, count + 1)) + bytes([count])
    working = Cipher(algorithms.AES(key), modes.CBC(vector)).encryptor()
    return vector + working.update(plain) + working.finalize()


def decrypt(key: bytes, data: bytes) -> bytes:
    """The payload of what ``encrypt`` made.

    Raises:
        ValueError: the length or the padding is wrong.
    """
    if len(data) < 32 or len(data) % 16:
        raise ValueError("not a whole number of blocks")
    working = Cipher(algorithms.AES(key), modes.CBC(data[:16])).decryptor()
    plain = working.update(data[16:]) + working.finalize()
    count = plain[-1]
    if count > 15 or plain[-1 - count : -1] != bytes(range(1, count + 1)):
        raise ValueError("wrong padding")
    return plain[: -1 - count]
