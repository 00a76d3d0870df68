"""One call of the fake cloud's own API, with nothing hidden."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from provisioner.drivers.fake.cloud import Cloud
from provisioner.drivers.fake.rules import PREFIX, ApiError, request_id
from provisioner.drivers.fake.things import Thing
from provisioner.errors import PlatformError

OPERATIONS = ("create", "read", "delete", "list", "tag")


class FakeRawCall:
    """See ``provisioner.features.RawCall``.

    Operations are create {kind, name, spec, tags, token}, read and delete {kind, id}, tag {kind,
    id, tags} and list {kind, size, marker, filters}.
    """

    def __init__(self, cloud: Cloud) -> None:
        self.cloud = cloud

    def call(self, operation: str, parameters: Mapping[str, Any]) -> Mapping[str, Any]:
        """Answers ``{"status", "code", "message", "request_id", "body"}``."""
        told = request_id(self.cloud.name, self.cloud.calls, operation)
        if "P9" in self.cloud.defects:
            told = ""
        answer = {"status": 200, "code": "", "message": "", "request_id": told, "body": {}}
        try:
            answer["body"] = self._do(operation, dict(parameters))
        except ApiError as error:
            answer |= {"status": error.status, "code": error.code, "message": error.message}
        except PlatformError as error:  # injected faults
            answer |= {"status": 500, "code": type(error).__name__, "message": error.message}
        return answer

    def _do(self, operation: str, given: dict[str, Any]) -> dict[str, Any]:
        kind = given.pop("kind", None)
        if operation not in OPERATIONS:
            raise ApiError(400, "InvalidOperation", f"{operation!r} is no operation")
        if kind not in PREFIX:
            raise ApiError(400, "InvalidParameter", f"kind is {kind!r}, which is none")
        cloud = self.cloud
        try:
            if operation == "create":
                spec = given.pop("spec", {})
                tags, token = given.pop("tags", {}), given.pop("token", "")
                return told(cloud.create(kind, given.pop("name"), spec, tags, token, **given))
            if operation == "read":
                return told(cloud.read(kind, given.pop("id"), **given))
            if operation == "delete":
                cloud.delete(kind, given.pop("id"), **given)
                return {}
            if operation == "tag":
                cloud.tag(kind, given.pop("id"), given.pop("tags"), **given)
                return {}
            things, marker = cloud.list(kind, **given)
            return {"items": [told(thing) for thing in things], "next": marker}
        except KeyError as error:
            raise ApiError(400, "MissingParameter", f"expected {error.args[0]}") from error
        except TypeError as error:
            raise ApiError(400, "InvalidParameter", f"{operation} takes no such thing") from error


def told(thing: Thing) -> dict[str, Any]:
    """A thing as the API tells it."""
    return {"id": thing.id, "name": thing.name, "tags": dict(thing.tags), "version": thing.version}
