"""An API server in front of the true one: passes everything on, and alters what it is told to.

It ends the client's TLS, so it asks as one user whoever asks it. Only for defects.
"""

from __future__ import annotations

import http.server
import select
import socket
import ssl
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import urllib3

from provisioner.lab.kubernetes.mutations import Mutation, altered

LONGEST_S = 330.0  # of one answer: watches end by themselves
HOP = ("connection", "content-length", "host", "keep-alive", "transfer-encoding",
       "accept-encoding", "content-encoding")  # fmt: skip


class Altering:
    """Listens as soon as it is made.

    Args:
        server: address of the true API server.
        pki: folder with ca.crt, apiserver.crt and .key, USER.crt and .key.
        user: who asks.
        mutations: what is altered.
    """

    def __init__(self, server: str, pki: Path, user: str, mutations: Sequence[Mutation]) -> None:
        pool = urllib3.PoolManager(
            retries=False, maxsize=32, ca_certs=str(pki / "ca.crt"),
            cert_file=str(pki / f"{user}.crt"), key_file=str(pki / f"{user}.key"),
        )  # fmt: skip
        upstream = ssl.create_default_context(cafile=str(pki / "ca.crt"))
        upstream.load_cert_chain(pki / f"{user}.crt", pki / f"{user}.key")

        class Handler(_Handler):
            true, asks, context, faults = server, pool, upstream, tuple(mutations)

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        own = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        own.load_cert_chain(pki / "apiserver.crt", pki / "apiserver.key")
        self._server.socket = own.wrap_socket(
            self._server.socket, server_side=True, do_handshake_on_connect=False
        )
        self.address = f"https://127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, name="altering", daemon=True).start()

    def close(self) -> None:
        """Stop listening."""
        self._server.shutdown()
        self._server.server_close()


class _Handler(http.server.BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    true: str
    asks: urllib3.PoolManager
    context: ssl.SSLContext
    faults: tuple[Mutation, ...]

    def _pass_on(self) -> None:
        if self.headers.get("Upgrade"):
            self._tunnel()
            return
        asked = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        headers = {key: text for key, text in self.headers.items() if key.lower() not in HOP}
        answer = self.asks.request(
            self.command, f"{self.true}{self.path}", body=asked or None, headers=headers,
            timeout=LONGEST_S, redirect=False,
        )  # fmt: skip
        call = f"{self.command} {self.path}"
        status, body = altered(self.faults, call, asked, answer.status, answer.data)
        self.send_response(status)
        for key, text in answer.headers.items():
            if key.lower() not in HOP:
                self.send_header(key, text)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do_HEAD = _pass_on  # noqa: N815

    def _tunnel(self) -> None:
        """Web sockets go through as they are; one thread, as TLS wants it."""
        self.close_connection = True
        place = urlsplit(self.true)
        with (
            socket.create_connection((str(place.hostname), int(place.port or 443))) as plain,
            self.context.wrap_socket(plain, server_hostname=str(place.hostname)) as far,
        ):
            lines = [self.requestline, *(f"{k}: {v}" for k, v in self.headers.items()), "", ""]
            far.sendall("\r\n".join(lines).encode("latin-1"))
            ends: dict[Any, Any] = {self.connection: far, far: self.connection}
            while True:
                ready = [end for end in ends if end.pending()]
                for end in ready or select.select(list(ends), [], [])[0]:
                    data = end.recv(1 << 16)
                    if not data:
                        return
                    ends[end].sendall(data)

    def log_message(self, format: str, *arguments: object) -> None:
        """Requests are in the server's own audit log."""
