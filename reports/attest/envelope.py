"""A statement in its envelope: DSSE by securesystemslib, in one form only.

An envelope has one way to be written. What is read and written again must be the same bytes, so
that a changed space, a changed unused bit of base64 or a changed key id does not go unnoticed.

Source: DSSE v1.0.2 (envelope, pre-authentication encoding); in-toto Attestation v1 (payload type).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError
from securesystemslib.dsse import Envelope
from securesystemslib.exceptions import UnverifiedSignatureError, VerificationError
from securesystemslib.signer import CryptoSigner

from reports.attest.keys import Signer
from reports.attest.statement import Statement
from reports.errors import BadReport

PAYLOAD_TYPE = "application/vnd.in-toto+json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Signature:
    """One signature of an envelope: whose key, and whether it fits (None: the key is not here)."""

    fingerprint: str
    fits: bool | None


class Sealed:
    """A statement with its signatures."""

    def __init__(self, envelope: Envelope, statement: Statement) -> None:
        self._envelope = envelope
        self.statement = statement

    @classmethod
    def of(cls, statement: Statement) -> Sealed:
        """A statement nobody has signed yet."""
        payload = json.dumps(statement.dump(), ensure_ascii=False, sort_keys=True).encode()
        return cls(Envelope(payload, PAYLOAD_TYPE, {}), statement)

    @classmethod
    def parse(cls, data: bytes, value: Mapping[str, Any], source: str) -> Sealed:
        """An envelope that was read: its bytes, and the JSON object that they are.

        Raises:
            BadReport: it is no envelope, or is not written as envelopes are.
        """
        try:
            envelope = Envelope.from_dict(json.loads(json.dumps(value)))
            statement = Statement.model_validate_json(envelope.payload)
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(("payload", *map(str, first["loc"])))
            raise BadReport(source, where, str(first["msg"]).lower()) from error
        except Exception as error:  # the library raises whatever it meets on the way
            raise BadReport(source, "", f"not a DSSE envelope: {error!r}") from error
        if envelope.payload_type != PAYLOAD_TYPE:
            raise BadReport(source, "payloadType", f"expected {PAYLOAD_TYPE}")
        found = cls(envelope, statement)
        if found.dump() != data or cls.of(statement)._envelope.payload != envelope.payload:
            raise BadReport(source, "", "not written as it was signed: changed after signing")
        return found

    def dump(self) -> bytes:
        """The envelope's file."""
        value = self._envelope.to_dict()
        value["signatures"].sort(key=lambda signature: signature["keyid"])
        return (json.dumps(value, indent=1, sort_keys=True) + "\n").encode()

    def sign(self, signer: CryptoSigner) -> None:
        """Add a signature; the same key again changes nothing that counts."""
        self._envelope.sign(signer)

    def signatures(self, keys: Mapping[str, Signer]) -> list[Signature]:
        """Every signature of it, tried with the keys that are at hand."""
        return [
            Signature(fingerprint=name, fits=self._fits(name, keys.get(name)))
            for name in sorted(self._envelope.signatures)
        ]

    def _fits(self, name: str, signer: Signer | None) -> bool | None:
        if signer is None:
            return None
        try:
            signer.key.verify_signature(self._envelope.signatures[name], self._envelope.pae())
        except (UnverifiedSignatureError, VerificationError):
            return False
        return True
