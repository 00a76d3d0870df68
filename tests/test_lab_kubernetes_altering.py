"""The API server in front of the true one passes on what it is not told to alter."""

from __future__ import annotations

import http.server
import json
import socket
import ssl
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import urllib3

from provisioner.lab.kubernetes import pki
from provisioner.lab.kubernetes.altering import Altering
from provisioner.lab.kubernetes.mutations import Mutation

FAULT = Mutation(call="GET /altered", swap=("true", "false"), checks=("none",))


class TrueServer(http.server.BaseHTTPRequestHandler):
    """Says who asks and what; takes a line for a web socket and says it back."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        if self.headers.get("Upgrade"):
            self.wfile.write(b"HTTP/1.1 101 Switching Protocols\r\n\r\n")
            self.wfile.write(self.rfile.readline().upper())
            self.close_connection = True
            return
        assert isinstance(self.connection, ssl.SSLSocket)
        shown: Any = self.connection.getpeercert()
        names = [value for part in shown["subject"] for key, value in part if key == "commonName"]
        asked = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
        told = {"it is": "true", "user": names[0], "asked": asked, "path": self.path}
        body = json.dumps(told).encode()
        self.send_response(200)
        self.send_header("X-Kept", self.headers.get("X-Asked", ""))
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_POST = do_GET  # noqa: N815

    def log_message(self, format: str, *arguments: object) -> None:
        return


@pytest.fixture(scope="module")
def front(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    """Its address, and the folder with the certificates."""
    folder = pki.make(tmp_path_factory.mktemp("pki") / "pki", []).folder
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), TrueServer) as true:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(folder / "apiserver.crt", folder / "apiserver.key")
        context.load_verify_locations(folder / "ca.crt")
        context.verify_mode = ssl.CERT_REQUIRED
        true.socket = context.wrap_socket(true.socket, server_side=True)
        threading.Thread(target=true.serve_forever, daemon=True).start()
        server = f"https://127.0.0.1:{true.server_port}"
        altering = Altering(server, folder, pki.HARNESS, [FAULT])
        yield altering.address, folder
        altering.close()
        true.shutdown()


def test_one_answer_is_altered_and_others_are_not(front: tuple[str, Path]) -> None:
    address, folder = front
    pool = urllib3.PoolManager(ca_certs=str(folder / "ca.crt"))

    kept = pool.request("POST", f"{address}/kept?a=b", body=b"words", headers={"X-Asked": "yes"})
    other = pool.request("GET", f"{address}/altered")

    assert kept.json() == {
        "it is": "true",
        "user": pki.HARNESS,
        "asked": "words",
        "path": "/kept?a=b",
    }
    assert kept.headers["X-Kept"] == "yes"
    assert other.json()["it is"] == "false"


def test_a_web_socket_goes_through(front: tuple[str, Path]) -> None:
    address, folder = front
    context = ssl.create_default_context(cafile=str(folder / "ca.crt"))
    port = int(address.rpartition(":")[2])
    with (
        socket.create_connection(("127.0.0.1", port), timeout=10) as plain,
        context.wrap_socket(plain, server_hostname="127.0.0.1") as line,
    ):
        line.sendall(b"GET /exec HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\n\r\n")
        heard = b""
        while b"\r\n\r\n" not in heard:
            heard += line.recv(1024)
        line.sendall(b"hello\n")
        said = line.recv(1024)

    assert heard.startswith(b"HTTP/1.1 101 ")
    assert said == b"HELLO\n"
