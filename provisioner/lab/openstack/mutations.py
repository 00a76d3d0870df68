"""Faults of the APIs: the true service answers, and one kind of answer is altered on the way.

Each stands for a way in which a cloud may differ from the API reference. Only the standard library
is used: this runs in the services' processes.
"""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

Start = Callable[..., Any]
NEW = '"id": "00000000-0000-4000-8000-00000000dead"'  # of what was never made


@dataclass(frozen=True, slots=True, kw_only=True)
class Mutation:
    """Which answers are altered, and how.

    Args:
        service: whose API.
        call: method and path (with query), as a regular expression.
        was: statuses of the true answer that are altered.
        status: the status that is told instead; empty keeps it.
        body: the body that is told instead; None keeps it.
        swap: a pattern in the body, and what is put in its place.
        asked: a text that must be in the request's body.
        checks: what must fail because of it.
    """

    service: str
    call: str
    was: tuple[int, ...]
    status: str = ""
    body: str | None = None
    swap: tuple[str, str] = ("", "")
    asked: str = ""
    checks: tuple[str, ...]


MUTATIONS: Mapping[str, Mutation] = {
    "api-versions-are-secret": Mutation(
        service="keystone", call=r"GET /v3/$", was=(200, 300), status="401 Unauthorized",
        checks=("os-identity-01",),
    ),
    "api-unknown-users-are-told": Mutation(
        service="keystone", call=r"POST /v3/auth/tokens", was=(401,), asked="nobody-of-that-name",
        swap=(r'"message": ?"[^"]*"', '"message": "there is no such user"'),
        checks=("os-identity-02",),
    ),
    "api-any-token-opens": Mutation(
        service="nova", call=r"GET /v2.1/servers", was=(401,), status="200 OK",
        body='{"servers": []}', checks=("os-identity-03",),
    ),
    "api-limit-ignored": Mutation(
        service="nova", call=r"GET /v2.1/servers\?.*limit=", was=(400,), status="200 OK",
        body='{"servers": []}', checks=("os-compute-01",),
    ),
    "api-bad-server-is-our-fault": Mutation(
        service="nova", call=r"POST /v2.1/servers$", was=(400, 404),
        status="500 Internal Server Error", checks=("os-compute-02",),
    ),
    "api-any-moment-will-do": Mutation(
        service="nova", call=r"GET /v2.1/servers\?changes-since", was=(400,), status="200 OK",
        body='{"servers": []}', checks=("os-compute-03",),
    ),
    "api-any-microversion-will-do": Mutation(
        service="nova", call=r"GET /v2.1/servers", was=(406,), status="200 OK",
        body='{"servers": []}', checks=("os-compute-04",),
    ),
    "api-key-names-are-shared": Mutation(
        service="nova", call=r"POST /v2.1/os-keypairs", was=(409,), status="200 OK",
        body='{"keypair": {}}', checks=("os-compute-05",),
    ),
    "api-odd-names-break-it": Mutation(
        service="nova", call=r"GET /v2.1/servers\?name=.*%", was=(200, 400),
        status="500 Internal Server Error", checks=("os-compute-06",),
    ),
    "api-subnets-overlap": Mutation(
        service="neutron", call=r"POST /v2.0/subnets", was=(400, 409), status="201 Created",
        body=f'{{"subnet": {{{NEW}}}}}', checks=("os-network-01",),
    ),
    "api-rules-twice": Mutation(
        service="neutron", call=r"POST /v2.0/security-group-rules", was=(409,),
        status="201 Created", body=f'{{"security_group_rule": {{{NEW}}}}}',
        checks=("os-network-02",),
    ),
    "api-default-group-goes": Mutation(
        service="neutron", call=r"DELETE /v2.0/security-groups/", was=(409,),
        status="204 No Content", body="", checks=("os-network-03",),
    ),
    "api-addresses-anywhere": Mutation(
        service="neutron", call=r"POST /v2.0/ports", was=(400,), status="201 Created",
        body=f'{{"port": {{{NEW}}}}}', checks=("os-network-04",),
    ),
    "api-used-networks-go": Mutation(
        service="neutron", call=r"DELETE /v2.0/networks/", was=(409,), status="204 No Content",
        body="", checks=("os-network-05",),
    ),
    "api-name-servers-sorted": Mutation(
        service="neutron", call=r"GET /v2.0/subnets", was=(200,),
        swap=('"10.92.0.9", ?"10.92.0.8"', '"10.92.0.8", "10.92.0.9"'),
        checks=("os-network-06",),
    ),
    "api-wrong-digest": Mutation(
        service="glance", call=r"GET /v2/images/[^/]+$", was=(200,),
        # only of what the check made: nova looks at the digest of what it boots
        swap=(r'(?s)^(?=.*"interop-os-)(.*"os_hash_value": ?")[0-9a-f]{4}', r"\g<1>0bad"),
        checks=("os-image-01",),
    ),
    "api-protection-is-forgotten": Mutation(
        service="glance", call=r"DELETE /v2/images/", was=(403,), status="204 No Content",
        body="", checks=("os-image-02",),
    ),
    "api-any-format-will-do": Mutation(
        service="glance", call=r"POST /v2/images$", was=(400,), status="201 Created",
        body=f"{{{NEW}}}", checks=("os-image-03",),
    ),
    "api-properties-are-trimmed": Mutation(
        service="glance", call=r"GET /v2/images/[^/]+$", was=(200,),
        swap=('"interop_text": ?"(?:[^"\\\\]|\\\\.)', '"interop_text": "'),
        checks=("os-image-04",),
    ),
    "api-no-size-will-do": Mutation(
        service="cinder", call=r"POST /v3/[^/]*/?volumes$", was=(400,), status="202 Accepted",
        body=f'{{"volume": {{{NEW}}}}}', checks=("os-volume-01",),
    ),
    "api-volumes-shrink": Mutation(
        service="cinder", call=r"POST /v3/.*/action", was=(400,), status="202 Accepted",
        body="", checks=("os-volume-02",),
    ),
    "api-gone-is-accepted": Mutation(
        service="cinder", call=r"DELETE /v3/.*volumes/", was=(404,), status="202 Accepted",
        body="", checks=("os-volume-03",),
    ),
}  # fmt: skip


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
