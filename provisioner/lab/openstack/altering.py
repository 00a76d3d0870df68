"""Alters some answers of a service on their way out, as ``mutations`` says.

Only the standard library is used: this runs in the services' processes.
"""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Iterable
from typing import Any

from provisioner.lab.openstack.mutations import MUTATIONS, Mutation

Start = Callable[..., Any]


def mutated(application: Any, service: str, defects: Iterable[str]) -> Any:
    """*application* with the faults among *defects* that are this service's; itself if none is."""
    wanted = [
        mutation
        for name, mutation in MUTATIONS.items()
        if name in frozenset(defects) and mutation.service == service
    ]
    return _Altered(application, wanted) if wanted else application


class _Altered:
    """A WSGI application in front of another."""

    def __init__(self, application: Any, mutations: list[Mutation]) -> None:
        self._application = application
        self._mutations = mutations

    def __call__(self, environ: dict[str, Any], start: Start) -> Iterable[bytes]:
        query = f"?{environ['QUERY_STRING']}" if environ.get("QUERY_STRING") else ""
        path = environ.get("SCRIPT_NAME", "") + environ.get("PATH_INFO", "")
        call = f"{environ['REQUEST_METHOD']} {path}{query}"
        candidates = [one for one in self._mutations if re.match(one.call, call)]
        if not candidates:
            answer: Iterable[bytes] = self._application(environ, start)
            return answer
        asked = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        environ["wsgi.input"] = io.BytesIO(asked)
        said: list[Any] = []

        def begin(status: str, headers: list[tuple[str, str]], info: Any = None) -> None:
            said[:] = [status, headers]

        result = self._application(environ, begin)
        body = b"".join(result)
        if hasattr(result, "close"):
            result.close()
        true, headers = said
        status = true
        for one in candidates:
            if int(true.split()[0]) in one.was and one.asked in asked.decode(errors="replace"):
                status = one.status or status
                body = _body(one, body)
        kept = [(key, value) for key, value in headers if key.lower() != "content-length"]
        start(status, [*kept, ("Content-Length", str(len(body)))])
        return [body]


def _body(one: Mutation, body: bytes) -> bytes:
    if one.body is not None:
        return one.body.encode()
    if one.swap[0]:
        return re.sub(one.swap[0], one.swap[1], body.decode()).encode()
    return body
