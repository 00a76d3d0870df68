"""The cluster's API as JSON, with the official client's configuration, TLS and credentials.

The generated models stand for one version of Kubernetes each; JSON goes from 1.20 to the newest.
"""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

import urllib3
import websocket
import yaml
from kubernetes import config
from kubernetes.stream.ws_client import WSClient

from provisioner.drivers.kubernetes.errors import refusal, translated
from provisioner.drivers.kubernetes.settings import Settings
from provisioner.errors import BadRequest, Lost, NotFound

MANAGER = "interop-harness"  # of the fields we apply
APPLY = "application/apply-patch+yaml"
MERGE = "application/merge-patch+json"
PAGE = 500
NAME = re.compile(
    r"[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?"
)  # nothing else can be the name of a thing
Object = dict[str, Any]
# what the client raises for a file that is no kubeconfig; anything may be in it
UNREADABLE = (config.ConfigException, yaml.YAMLError, OSError, ValueError, TypeError, KeyError,
              AttributeError, IndexError, RecursionError)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What the server said; header names are in lower case."""

    status: int
    headers: Mapping[str, str]
    content: bytes

    def document(self) -> Object:
        """The content as a JSON object; empty where it is none."""
        try:
            read = json.loads(self.content)
        except (ValueError, RecursionError):
            return {}
        return read if isinstance(read, dict) else {}


class Cluster:
    """One context of a kubeconfig. Safe to use from several threads.

    Raises:
        BadRequest: the kubeconfig cannot be read, or has no such context.
    """

    def __init__(self, platform: str, settings: Settings) -> None:
        self.platform = platform
        self.settings = settings
        try:
            load: Any = config.new_client_from_config
            self._client: Any = load(
                str(settings.kubeconfig), context=settings.context, persist_config=False
            )
        except UNREADABLE as error:
            said = (str(error).splitlines() or [type(error).__name__])[0]
            message = f"kubeconfig: context {settings.context!r} of {settings.kubeconfig}: {said}"
            raise BadRequest(message, platform) from error
        self._lock = threading.Lock()

    @property
    def namespaced(self) -> str:
        """The end of the path of everything in our namespace."""
        return f"namespaces/{self.settings.namespace}"

    def ask(
        self,
        what: str,
        method: str,
        path: str,
        *,
        body: Any = None,
        query: Mapping[str, Any] | None = None,
        content: str = "application/json",
        accept: str = "application/json",
        timeout_s: float = 0.0,
    ) -> Answer:
        """One request; whatever the server says is an answer.

        Raises:
            Lost: it does not answer.
            Unauthorized: it is not who it should be.
        """
        headers = {**self._credentials(), "accept": accept}
        data: bytes | None = None
        if body is not None:
            headers["content-type"] = content
            data = body if isinstance(body, bytes) else json.dumps(body).encode()
        address = f"{self._client.configuration.host}{path}"
        if query:
            address += f"?{urlencode(query)}"
        timeout = urllib3.Timeout(connect=5.0, read=timeout_s or self.settings.timeout_s)
        with translated(self.platform, what):
            answer = self._client.rest_client.pool_manager.request(
                method, address, body=data, headers=headers, timeout=timeout, retries=False
            )
            return Answer(
                status=answer.status,
                headers={key.lower(): value for key, value in answer.headers.items()},
                content=answer.data,
            )

    def call(self, what: str, method: str, path: str, **more: Any) -> Object:
        """The document of an answer that is no refusal.

        Raises:
            PlatformError: it is one; see ``errors``.
        """
        answer = self.ask(what, method, path, **more)
        document = answer.document()
        if answer.status >= 400:
            raise refusal(self.platform, what, answer.status, document, answer.headers)
        return document

    def get(self, what: str, top: str, name: str) -> Object | None:
        """The object *name* of the collection at *top*, or None where there is none."""
        if not NAME.fullmatch(name):
            return None
        try:
            return self.call(what, "GET", f"{top}/{name}")
        except NotFound:
            return None

    def apply(self, what: str, path: str, body: Object, manager: str = MANAGER) -> Object:
        """Server-side apply: the object has what *body* says, whoever else writes to it."""
        query = {"fieldManager": manager, "force": "true"}
        return self.call(what, "PATCH", path, body=body, query=query, content=APPLY)

    def delete(
        self,
        what: str,
        top: str,
        name: str,
        policy: str = "Background",
        grace_s: int | None = None,
    ) -> None:
        """Have the object removed; one that is gone is fine. A grace of 0 waits for nobody."""
        if not NAME.fullmatch(name):  # with an empty one the whole collection would go
            return
        body: Object = {"apiVersion": "v1", "kind": "DeleteOptions", "propagationPolicy": policy}
        body |= {} if grace_s is None else {"gracePeriodSeconds": grace_s}
        try:
            self.call(what, "DELETE", f"{top}/{name}", body=body)
        except NotFound:
            return

    def each(self, what: str, path: str, selector: str = "") -> Iterator[Object]:
        """All objects of a collection, page by page."""
        marker = ""
        while True:
            query = {"limit": PAGE, "labelSelector": selector, "continue": marker}
            there = self.call(
                what, "GET", path, query={key: value for key, value in query.items() if value}
            )
            yield from there.get("items") or ()
            marker = str(there.get("metadata", {}).get("continue") or "")
            if not marker:
                return

    def stream(self, what: str, path: str, query: list[tuple[str, str]]) -> Any:
        """A web socket with channels, as exec wants it.

        Raises:
            Lost: the server, or the node behind it, does not answer.
        """
        host = str(self._client.configuration.host).replace("http", "ws", 1)
        address = f"{host}{path}?{urlencode(query)}"
        with translated(self.platform, what):
            try:
                open_line: Any = WSClient
                return open_line(
                    self._client.configuration, address, self._credentials(), False, binary=True
                )
            except websocket.WebSocketBadStatusException as error:
                content = bytes(getattr(error, "resp_body", None) or b"")
                answer = Answer(status=int(error.status_code), headers={}, content=content)
                body = answer.document()
                if "dial" in str(body.get("message", "")):  # the server could not reach the node
                    raise Lost(f"cannot {what}: {body['message']}", self.platform) from error
                raise refusal(self.platform, what, answer.status, body, {}) from error

    def close(self) -> None:
        """Let go of connections; they are made again when needed."""
        self._client.rest_client.pool_manager.clear()

    def _credentials(self) -> dict[str, str]:
        """Headers that say who we are; a token that ends is renewed by the client's own hook."""
        with self._lock:
            known = self._client.configuration.auth_settings()
        return {
            str(item["key"]).lower(): str(item["value"])
            for item in known.values()
            if item.get("in") == "header" and item.get("value")
        }
