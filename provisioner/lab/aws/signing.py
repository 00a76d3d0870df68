"""Checks a request's signature, and signs it again after something was added to it.

moto checks signatures over the body as it arrives. Where the lab must complete a request (moto's
elastic addresses are unusable), it may do so only for somebody whose key it knows and whose
signature is good; everybody else's request goes on as it is.

Source: AWS general reference, "Signature Version 4 signing process".
"""

from __future__ import annotations

import hmac
import re
from collections.abc import Mapping
from typing import Any

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

AUTHORIZATION = re.compile(
    r"AWS4-HMAC-SHA256 Credential=(?P<key>[^/]+)/\d+/(?P<region>[^/]+)/(?P<service>[^/]+)/"
    r"aws4_request, ?SignedHeaders=(?P<headers>[^,]+), ?Signature=(?P<signature>[0-9a-f]{64})"
)


class Signer:
    """Knows some access keys: id to secret."""

    def __init__(self, keys: Mapping[str, str]) -> None:
        self._keys = dict(keys)

    def good(self, environ: Mapping[str, Any], body: bytes) -> bool:
        """Whether one of our keys signed this request."""
        found = AUTHORIZATION.match(environ.get("HTTP_AUTHORIZATION", ""))
        if found is None or found["key"] not in self._keys:
            return False
        return hmac.compare_digest(self._signature(environ, body, found), found["signature"])

    def again(self, environ: Mapping[str, Any], body: bytes) -> dict[str, Any]:
        """The same request with another body; it must have been ``good`` before.

        Raises:
            KeyError: it is not signed by a key of ours.
        """
        text = environ["HTTP_AUTHORIZATION"]
        found = AUTHORIZATION.match(text)
        if found is None:
            raise KeyError("Authorization")
        signature = self._signature(environ, body, found)
        return {
            **environ,
            "HTTP_AUTHORIZATION": text[: found.start("signature")] + signature,
            "CONTENT_LENGTH": str(len(body)),
        }

    def _signature(self, environ: Mapping[str, Any], body: bytes, found: re.Match[str]) -> str:
        auth = SigV4Auth(
            Credentials(found["key"], self._keys[found["key"]]), found["service"], found["region"]
        )
        headers = {name: _header(environ, name) for name in found["headers"].split(";")}
        request = AWSRequest(
            method=environ["REQUEST_METHOD"],
            url=f"http://{_header(environ, 'host')}{environ.get('PATH_INFO', '/')}",
            data=body,
            headers=headers,
        )
        request.context["timestamp"] = _header(environ, "x-amz-date")
        text = auth.string_to_sign(request, auth.canonical_request(request))
        signature: str = auth.signature(text, request)
        return signature


def _header(environ: Mapping[str, Any], name: str) -> str:
    """A header of the request by its lower-case name."""
    plain = name.upper().replace("-", "_")
    return str(environ.get(plain if name == "content-type" else f"HTTP_{plain}", ""))
