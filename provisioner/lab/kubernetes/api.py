"""The lab's own client of its cluster, with all rights: JSON in, JSON out."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import urllib3

from provisioner.errors import PlatformFault, Timeout

TIMEOUT_S = 10.0
WATCH_S = 300  # a watch is begun anew after it
CONNECTIONS = 16


class Refused(Exception):
    """The API answered with an error."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(status, message)
        self.status = status
        self.message = message

    def __str__(self) -> str:
        return f"{self.status}: {self.message}"


FAILURES = (Refused, urllib3.exceptions.HTTPError, ValueError)


class Api:
    """A user of the cluster.

    Args:
        server: base address.
        pki: folder with ca.crt, USER.crt and USER.key.
        user: whose certificate is shown.
    """

    def __init__(self, server: str, pki: Path, user: str) -> None:
        self._server = server
        self._pool = urllib3.PoolManager(
            maxsize=CONNECTIONS,
            retries=False,
            ca_certs=str(pki / "ca.crt"),
            cert_file=str(pki / f"{user}.crt"),
            key_file=str(pki / f"{user}.key"),
        )

    def call(
        self,
        method: str,
        path: str,
        body: Mapping[str, Any] | None = None,
        *,
        query: Mapping[str, Any] | None = None,
        content: str = "application/json",
    ) -> Any:
        """The answer's document.

        Raises:
            Refused: the API said no.
            urllib3.exceptions.HTTPError: it could not be reached.
            ValueError: its answer is no JSON.
        """
        return json.loads(self._ask(method, path, body, query, content, TIMEOUT_S).data)

    def text(self, path: str) -> str:
        """The answer to a GET as text; empty when the API cannot be reached or refuses."""
        try:
            answer = self._ask("GET", path, None, None, "application/json", 2.0)
            return answer.data.decode(errors="replace")
        except FAILURES:
            return ""

    def apply(self, path: str, body: Mapping[str, Any]) -> Any:
        """Make the object at *path* have what *body* says (server-side apply)."""
        query = {"fieldManager": "interop-lab", "force": "true"}
        return self.call("PATCH", path, body, query=query, content="application/apply-patch+yaml")

    def watch(self, path: str) -> Iterator[tuple[str, dict[str, Any]]]:
        """Events of a collection for ever: first LISTED with the list, then each change.

        A change is ADDED, MODIFIED or DELETED with the object. After a broken watch comes LISTED
        again: what is not in it is there no more.
        """
        while True:
            try:
                listed = self.call("GET", path)
                yield "LISTED", listed
                yield from self._events(path, listed["metadata"]["resourceVersion"])
            except FAILURES:
                time.sleep(0.5)

    def _events(self, path: str, version: str) -> Iterator[tuple[str, dict[str, Any]]]:
        query = {"watch": "1", "resourceVersion": version, "timeoutSeconds": WATCH_S}
        answer = self._ask("GET", path, None, query, "application/json", WATCH_S + 30.0)
        rest = b""
        try:
            for chunk in answer.stream(None, decode_content=True):
                *lines, rest = (rest + chunk).split(b"\n")
                for line in lines:
                    event = json.loads(line)
                    if event["type"] == "ERROR":
                        return
                    yield event["type"], event["object"]
        finally:
            answer.release_conn()

    def _ask(
        self,
        method: str,
        path: str,
        body: Mapping[str, Any] | None,
        query: Mapping[str, Any] | None,
        content: str,
        timeout_s: float,
    ) -> urllib3.BaseHTTPResponse:
        headers = {"Accept": "application/json"}
        if body is not None:
            headers["Content-Type"] = content
        address = f"{self._server}{path}" + (f"?{urlencode(query)}" if query else "")
        answer = self._pool.request(
            method, address, headers=headers, body=None if body is None else json.dumps(body),
            timeout=urllib3.Timeout(connect=5.0, read=timeout_s), preload_content=False,
        )  # fmt: skip
        if answer.status >= 400:
            said = answer.data.decode(errors="replace")
            try:
                said = str(json.loads(said)["message"])
            except (ValueError, KeyError, TypeError):
                said = said[:200]
            raise Refused(answer.status, said)
        return answer


def until(true: Callable[[], bool], what: str, timeout_s: float, check: Callable[[], None]) -> None:
    """Ask ten times a second until *true*; *check* may raise why it never will be.

    Raises:
        Timeout: it was not within *timeout_s*.
    """
    deadline = time.monotonic() + timeout_s
    while not true():
        check()
        if time.monotonic() > deadline:
            raise Timeout(f"kubernetes: {what} not within {timeout_s:.0f} s")
        time.sleep(0.1)


def smoke(api: Api) -> None:
    """Write something: a server with a broken JSON library answers every GET and no POST.

    Raises:
        PlatformFault: what was written did not come back.
    """
    path = "/api/v1/namespaces/kube-system/configmaps"
    body = {"metadata": {"name": "interop-smoke"}, "data": {"written": "yes"}}
    try:
        api.call("POST", path, {"apiVersion": "v1", "kind": "ConfigMap", **body})
        there = api.call("GET", f"{path}/interop-smoke")
        api.call("DELETE", f"{path}/interop-smoke")
    except FAILURES as error:
        raise PlatformFault(f"kube-apiserver cannot write: {str(error).splitlines()[0]}") from error
    if there.get("data") != body["data"]:
        raise PlatformFault("kube-apiserver lost what was written")


def loop(name: str, call: Callable[[], None]) -> threading.Thread:
    """Run *call* in a thread that ends with the process."""
    thread = threading.Thread(target=call, name=name, daemon=True)
    thread.start()
    return thread
