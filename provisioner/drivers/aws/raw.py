"""One call of AWS's own API with nothing hidden: status, error code, request id."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlencode

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.exceptions import ClientError
from botocore.httpsession import URLLib3Session
from botocore.parsers import ResponseParserError
from defusedxml import ElementTree

from provisioner.drivers.aws.account import plain
from provisioner.drivers.aws.clients import CONNECT_S, READ_S, Clients
from provisioner.drivers.aws.errors import translated
from provisioner.errors import BadRequest, Unauthorized


class Raw:
    """``call("DescribeInstances", {...})``; of another service ``call("s3:HeadBucket", {...})``.

    Operations the SDK knows take the SDK's parameters, unchecked. One it does not know goes to EC2
    as it is, signed, with flat parameters: that is how an unknown action is tried.
    """

    def __init__(self, platform: str, clients: Clients) -> None:
        self._platform = platform
        self._clients = clients

    def call(self, operation: str, parameters: Mapping[str, Any]) -> Mapping[str, Any]:
        service, _, name = operation.rpartition(":")
        client = self._clients.raw(service or "ec2")
        methods = {api: method for method, api in client.meta.method_to_api_mapping.items()}
        if name not in methods:
            return self._unknown(client, name, parameters)
        try:
            with translated(self._platform, f"call {operation}"), _unread(client, service) as seen:
                try:
                    answer = getattr(client, methods[name])(**parameters)
                except ClientError as error:
                    return _failed(error.response)
                except ResponseParserError:
                    return _from_xml(int(seen["status_code"]), bytes(seen["body"]))
        except (TypeError, ValueError, AttributeError) as error:
            # Not even the SDK could put these parameters into a request.
            raise BadRequest(f"cannot call {operation}: {error}", self._platform) from error
        meta = answer.get("ResponseMetadata", {})
        return {
            "status": int(meta.get("HTTPStatusCode", 0)),
            "code": "",
            "message": "",
            "request_id": str(meta.get("RequestId", "")),
            "body": plain({k: v for k, v in answer.items() if k != "Body"}),
        }

    def _unknown(self, client: Any, name: str, parameters: Mapping[str, Any]) -> Mapping[str, Any]:
        credentials = self._clients.session.get_credentials()
        if credentials is None:
            raise Unauthorized(f"cannot call {name}: no credentials", self._platform)
        version = client.meta.service_model.api_version
        body = urlencode({"Action": name, "Version": version, **parameters})
        request = AWSRequest(
            method="POST",
            url=client.meta.endpoint_url + "/",
            data=body,
            headers={"Content-Type": "application/x-www-form-urlencoded; charset=utf-8"},
        )
        service = client.meta.service_model.signing_name
        SigV4Auth(credentials, service, client.meta.region_name).add_auth(request)
        session = URLLib3Session(timeout=(CONNECT_S, READ_S))
        try:
            with translated(self._platform, f"call {name}"):
                answer = session.send(request.prepare())
        finally:
            session.close()
        return _from_xml(answer.status_code, answer.content)


@contextmanager
def _unread(client: Any, service: str) -> Iterator[dict[str, Any]]:
    """Keeps this thread's last answer as it came, should the SDK be unable to read it."""
    seen: dict[str, Any] = {"status_code": 0, "body": b""}
    thread = threading.get_ident()

    def keep(response_dict: dict[str, Any], **_: Any) -> None:
        if threading.get_ident() == thread:
            seen.update(response_dict)

    event, mark = f"before-parse.{service or 'ec2'}", f"interop-raw-{thread}"
    client.meta.events.register(event, keep, unique_id=mark)
    try:
        yield seen
    finally:
        client.meta.events.unregister(event, unique_id=mark)


def _failed(response: Mapping[str, Any]) -> dict[str, Any]:
    """An error answer as the SDK read it."""
    meta, error = response.get("ResponseMetadata", {}), response.get("Error", {})
    return {
        "status": int(meta.get("HTTPStatusCode", 0)),
        "code": str(error.get("Code", "")),
        "message": str(error.get("Message", "")),
        "request_id": str(meta.get("RequestId", "")),
        "body": plain(response),
    }


def _from_xml(status: int, content: bytes) -> dict[str, Any]:
    """An answer that the SDK did not read, taken from its XML if it is any."""
    found = {"Code": "", "Message": "", "RequestID": "", "RequestId": "", "requestId": ""}
    try:
        for element in ElementTree.fromstring(content).iter():
            name = element.tag.rpartition("}")[2]
            if name in found and not found[name]:
                found[name] = element.text or ""
    except ElementTree.ParseError:
        pass  # an answer without XML has none of these; the body shows what it was
    request_id = found["RequestID"] or found["RequestId"] or found["requestId"]
    return {
        "status": status,
        "code": found["Code"],
        "message": found["Message"],
        "request_id": request_id,
        "body": content.decode("utf-8", "backslashreplace"),
    }
