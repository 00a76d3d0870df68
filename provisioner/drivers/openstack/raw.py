"""One call of the cloud's own API with nothing hidden: status, error code, request id, headers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from provisioner.drivers.openstack.cloud import SERVICES, Cloud
from provisioner.drivers.openstack.errors import said
from provisioner.errors import BadRequest

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
PARAMETERS = (
    *("body", "query", "headers", "microversion", "text", "authenticated"),
    *("bearer", "subject", "keep", "tenant"),
)
OWN = "own"  # the name of the token of the session itself
# Of requests and answers: never to be kept as evidence.
HIDDEN = ("x-subject-token", "x-auth-token", "set-cookie")


class Raw:
    """``call("compute GET /servers", {"query": {"limit": 1}})``.

    The operation is service, method and path under the service's endpoint; services are compute,
    image, network, volume, identity and object-store. Parameters, all optional:

    * ``body``: sent as JSON; ``text``: sent as it is instead
    * ``query``, ``headers``: of texts
    * ``microversion``: asked for; without it the service's oldest answers
    * ``authenticated``: False sends no token, or the one in ``headers``
    * ``keep``: the name under which a token that is issued is kept; it is never told
    * ``bearer``: the name of a kept token to come with instead of the session's own
    * ``subject``: the name of the token that the call is about; the session's is ``own``
    * ``tenant``: who asks instead of the platform's own user; one of the setting ``tenants``

    The path may be a whole address, such as one of the catalogue. The answer has ``headers``
    besides what ``RawCall`` promises.
    """

    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud
        self._kept: dict[str, str] = {}

    def call(self, operation: str, parameters: Mapping[str, Any]) -> Mapping[str, Any]:
        service, method, path = self._parts(operation)
        unknown = sorted(set(parameters) - set(PARAMETERS))
        if unknown:
            known = ", ".join(PARAMETERS)
            raise BadRequest(f"{operation}: {unknown[0]}: expected one of {known}", self._platform)
        cloud = self._cloud.tenant(parameters["tenant"]) if "tenant" in parameters else self._cloud
        text, headers = parameters.get("text"), dict(parameters.get("headers") or {})
        authenticated = bool(parameters.get("authenticated", True))
        if name := parameters.get("bearer"):
            headers["X-Auth-Token"], authenticated = self._token(name, cloud), False
        if name := parameters.get("subject"):
            headers["X-Subject-Token"] = self._token(name, cloud)
        answer = cloud.send(
            f"call {operation}",
            service,
            method,
            path,
            body=parameters.get("body"),
            query=parameters.get("query"),
            microversion=parameters.get("microversion"),
            headers=headers,
            data=text.encode() if isinstance(text, str) else text,
            authenticated=authenticated,
        )
        if (name := parameters.get("keep")) and "x-subject-token" in answer.headers:
            self._kept[name] = answer.headers["x-subject-token"]
        code, message = said(answer) if answer.status_code >= 400 else ("", "")
        return {
            "status": answer.status_code,
            "code": code,
            "message": message,
            "request_id": str(answer.headers.get("x-openstack-request-id", "")),
            "headers": {
                name.lower(): value
                for name, value in answer.headers.items()
                if name.lower() not in HIDDEN
            },
            "body": _body(answer),
        }

    def _token(self, name: str, cloud: Cloud) -> str:
        if name == OWN:
            return cloud.token
        if name not in self._kept:
            raise BadRequest(f"token: {name!r} was not kept", self._platform)
        return self._kept[name]

    @property
    def _platform(self) -> str:
        return self._cloud.platform

    def _parts(self, operation: str) -> tuple[str, str, str]:
        words = operation.split(" ", 2)
        if len(words) != 3 or words[0] not in SERVICES or words[1] not in METHODS:
            message = f"{operation!r}: expected SERVICE METHOD /PATH, such as compute GET /servers"
            raise BadRequest(message, self._platform)
        return words[0], words[1], words[2]


def _body(answer: Any) -> Any:
    """The answer's JSON, or its text."""
    try:
        return answer.json()
    except ValueError:
        return answer.text
