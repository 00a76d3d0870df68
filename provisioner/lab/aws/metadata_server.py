"""Serves the metadata of a VPC's guests on 169.254.169.254 inside its namespace."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterable
from typing import Any

from werkzeug.datastructures import Headers
from werkzeug.serving import BaseWSGIServer, WSGIRequestHandler, make_server
from werkzeug.wrappers import Request, Response

from provisioner.lab.aws.metadata import Card, Metadata
from provisioner.lab.aws.namespaces import listen
from provisioner.lab.aws.rules import METADATA

PORT = 80


class _Quiet(WSGIRequestHandler):
    """Requests are not logged: a path may name a token some day."""

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        return


class _Canonical(dict[str, str]):
    """Header fields found whatever the case of their names."""

    def __init__(self, headers: Iterable[tuple[str, str]]) -> None:
        super().__init__({name.lower(): value for name, value in headers})

    def get(self, name: str, default: Any = None) -> Any:
        return super().get(name.lower(), default)

    def __contains__(self, name: object) -> bool:
        return super().__contains__(str(name).lower())


class MetadataServer:
    """One listening socket and the threads behind it.

    Args:
        namespace: where to listen.
        metadata: knows the answers.
        card: who has the address that asks, if anybody.
    """

    def __init__(
        self, namespace: str, metadata: Metadata, card: Callable[[str], Card | None]
    ) -> None:
        self._metadata = metadata
        self._card = card
        self._socket = listen(namespace, METADATA, PORT)
        self._server: BaseWSGIServer = make_server(
            METADATA,
            PORT,
            self._application,
            threaded=True,
            request_handler=_Quiet,
            fd=self._socket.fileno(),
        )
        threading.Thread(
            target=self._server.serve_forever, name=f"metadata-{namespace}", daemon=True
        ).start()

    def _application(self, environ: dict[str, Any], start: Any) -> Iterable[bytes]:
        request = Request(environ)
        card = self._card(request.remote_addr or "")
        reply = self._metadata.answer(
            request.method, request.path, _Canonical(request.headers), card
        )
        if reply.hops is not None:
            line: socket.socket = environ["werkzeug.socket"]
            line.setsockopt(socket.IPPROTO_IP, socket.IP_TTL, reply.hops)
        response = Response(
            reply.body,
            status=reply.status,
            headers=Headers([("Server", "EC2ws"), *reply.headers.items()]),
            content_type=reply.kind,
        )
        return response(environ, start)

    def close(self) -> None:
        """Stop answering."""
        self._server.shutdown()
        self._server.server_close()
        self._socket.close()
