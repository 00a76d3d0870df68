"""Plain HTTP to the services of an OpenStack, so that no client's leniency hides a fault."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from provisioner.driver import Handle
from provisioner.errors import Lost
from provisioner.features import RawCall
from provisioner.resources import Kind
from suites.claims import claim, same
from suites.seams import Evidence, Subject

KEPT = 4000  # characters of an answer that are kept as evidence
UNAVAILABLE = (502, 503, 504)  # somebody says that the service, or one behind it, cannot answer
SECRET = frozenset({"secret", "auth_key", "private_key", "adminPass", "password"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a service said."""

    status: int
    body: Any
    headers: Mapping[str, str]
    code: str
    message: str


class Wire:
    """Calls a service and keeps what it said as evidence."""

    def __init__(self, subject: Subject, evidence: Evidence) -> None:
        nothing = Handle(platform=subject.name, kind=Kind.VOLUME, id="")
        self._api = subject.driver.feature(RawCall, nothing)  # type: ignore[type-abstract]
        self._evidence = evidence
        self._platform = subject.name

    def __call__(self, operation: str, **parameters: Any) -> Answer:
        """One call, such as ``wire("compute GET /servers", query={"limit": "1"})``.

        Raises:
            Lost: no answer of the service itself.
        """
        said = self._api.call(operation, parameters)
        body = without_secrets(said["body"])
        text = json.dumps({"status": said["status"], "body": body}, default=str)
        self._evidence(operation, text[:KEPT])
        if int(said["status"]) in UNAVAILABLE:
            raise Lost(f"{operation}: {said['status']} {said['message']}".strip(), self._platform)
        return Answer(
            status=int(said["status"]),
            body=said["body"],
            headers=said["headers"],
            code=str(said["code"]),
            message=str(said["message"]),
        )

    def refused(
        self, status: int | tuple[int, ...], what: str, operation: str, **more: Any
    ) -> Answer:
        """A call that must be refused, with that status."""
        answer = self(operation, **more)
        allowed = (status,) if isinstance(status, int) else status
        expected = " or ".join(map(str, allowed))
        claim(answer.status in allowed, what, expected=expected, actual=answer.status)
        return answer

    def given(self, status: int, what: str, operation: str, **more: Any) -> Any:
        """The body of a call that must succeed with that status."""
        answer = self(operation, **more)
        same(what, expected=status, actual=answer.status)
        return answer.body


def without_secrets(body: Any) -> Any:
    """An answer as it may be kept: what opens something is not in it."""
    if isinstance(body, dict):
        return {
            key: "(hidden)" if key in SECRET and value else without_secrets(value)
            for key, value in body.items()
        }
    if isinstance(body, list):
        return [without_secrets(item) for item in body]
    return body
