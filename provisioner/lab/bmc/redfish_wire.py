"""Bodies, tags and errors of the Redfish service as they go over the wire."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from werkzeug.wrappers import Request, Response

from provisioner.lab.bmc.redfish_resources import Document


class Wrong(Exception):
    """A request ends with this status and a message in Redfish's own form."""

    def __init__(self, status: int, code: str, text: str) -> None:
        super().__init__(status, code, text)
        self.status, self.code, self.text = status, code, text


def body(request: Request) -> dict[str, Any]:
    """The object that was sent; nothing is an empty one."""
    raw = request.get_data()
    if not raw:
        return {}
    try:
        sent = json.loads(raw)
    except ValueError:
        raise Wrong(400, "MalformedJSON", "the body is not JSON") from None
    if not isinstance(sent, dict):
        raise Wrong(400, "MalformedJSON", "the body is not an object")
    return sent


def etag(document: Document) -> str:
    """A tag that changes with the document."""
    return hashlib.sha256(json.dumps(document, sort_keys=True).encode()).hexdigest()[:16]


def match(request: Request, document: Document) -> None:
    """Raise Wrong unless If-Match, where given, fits the document."""
    wanted = request.if_match
    if request.headers.get("If-Match") and not wanted.contains_weak(etag(document)):
        raise Wrong(412, "PreconditionFailed", "the resource has changed")


def shown(request: Request, document: Document) -> Response:
    """The document with its ETag; 304 when the client has it."""
    response = as_json(document, 200)
    response.set_etag(etag(document), weak=True)
    if request.method == "GET":
        response.make_conditional(request)
    return response


def as_json(document: Document, status: int) -> Response:
    """A document as answer."""
    return Response(json.dumps(document), status=status, mimetype="application/json")


def failure(status: int, code: str, text: str) -> Response:
    """An error in Redfish's own form."""
    message = {
        "MessageId": f"Base.1.8.{code}",
        "Message": text,
        "Severity": "Critical" if status >= 500 else "Warning",
        "Resolution": "none",
    }
    answer = {
        "error": {
            "code": f"Base.1.8.{code}",
            "message": text,
            "@Message.ExtendedInfo": [message],
        }
    }
    response = as_json(answer, status)
    if status == 401:
        response.headers["WWW-Authenticate"] = 'Basic realm="redfish"'
    return response
