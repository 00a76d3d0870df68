"""Runs a controller's protocols: IPMI on a UDP port, Redfish on a TLS port, for many controllers.

One thread with an event loop serves every controller's IPMI; each Redfish service has a threaded
HTTPS server with a certificate made for it.
"""

from __future__ import annotations

import asyncio
import datetime
import ipaddress
import logging
import ssl
import tempfile
import threading
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from werkzeug.serving import BaseWSGIServer, WSGIRequestHandler, make_server

from provisioner.clock import Clock
from provisioner.lab.bmc.controller import Controller
from provisioner.lab.bmc.redfish import RedfishService
from provisioner.lab.bmc.server import IpmiServer
from provisioner.lab.machine import LabMachine


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoints:
    """Where a controller answers; ``fingerprint`` is the SHA-256 of its Redfish certificate."""

    controller: Controller
    host: str
    ipmi_port: int
    redfish_port: int
    fingerprint: str


class Rack:
    """Management controllers of one process; a context manager."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="ipmi", daemon=True)
        self._thread.start()
        self._transports: list[asyncio.DatagramTransport] = []
        self._web: list[tuple[BaseWSGIServer, threading.Thread]] = []
        self._controllers: list[Controller] = []

    def __enter__(self) -> Rack:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def serve(
        self,
        board: LabMachine,
        host: str,
        ipmi_port: int,
        users: Iterable[tuple[str, str, int]],
        *,
        redfish_port: int | None = None,
        defects: Iterable[str] = (),
        sessions: int = 8,
        clock: Clock | None = None,
    ) -> Endpoints:
        """Put a controller for *board* on *host*; port 0 takes a free one.

        Args:
            board: the machine.
            host: the address to listen at.
            ipmi_port: the UDP port.
            users: name, password, privilege (2 user, 3 operator, 4 administrator).
            redfish_port: the TCP port of Redfish over TLS; None for a controller without Redfish.
            defects: faults it is to have.
            sessions: how many sessions may be open at once.
            clock: where time comes from.

        Raises:
            OSError: a port cannot be bound.
            ValueError: an unknown defect.
        """
        controller = Controller(board, users, clock=clock, defects=defects, sessions=sessions)
        self._controllers.append(controller)

        async def listen() -> asyncio.DatagramTransport:
            transport, _ = await self._loop.create_datagram_endpoint(
                lambda: IpmiServer(controller), local_addr=(host, ipmi_port)
            )
            return transport

        transport = asyncio.run_coroutine_threadsafe(listen(), self._loop).result(10)
        self._transports.append(transport)
        bound = int(transport.get_extra_info("sockname")[1])
        web, fingerprint = 0, ""
        if redfish_port is not None:
            web, fingerprint = self._serve_redfish(controller, host, redfish_port)
        return Endpoints(
            controller=controller,
            host=host,
            ipmi_port=bound,
            redfish_port=web,
            fingerprint=fingerprint,
        )

    def close(self) -> None:
        """Stop every protocol and controller."""
        for server, thread in self._web:
            server.shutdown()
            thread.join(5)
            server.server_close()
        for transport in self._transports:
            self._loop.call_soon_threadsafe(transport.close)
        for controller in self._controllers:
            controller.close()
        self._loop.call_soon_threadsafe(self._loop.call_soon, self._loop.stop)
        self._thread.join(5)
        self._loop.close()

    def _serve_redfish(self, controller: Controller, host: str, port: int) -> tuple[int, str]:
        context, fingerprint = _certificate(controller.board.name, host)
        server = make_server(
            host,
            port,
            RedfishService(controller),
            threaded=True,
            request_handler=_Quiet,
            ssl_context=context,
        )
        thread = threading.Thread(
            target=server.serve_forever, name=f"redfish-{controller.board.name}", daemon=True
        )
        thread.start()
        self._web.append((server, thread))
        return int(server.server_port), fingerprint


class _Quiet(WSGIRequestHandler):
    """Keeps connections open, and logs quietly: paths only, and never a header."""

    protocol_version = "HTTP/1.1"

    def log(self, type: str, message: str, *args: object) -> None:
        logging.getLogger(__name__).debug(message, *args)


def _certificate(name: str, host: str) -> tuple[ssl.SSLContext, str]:
    """A TLS context with a certificate of its own; the key is on disk only while it is loaded."""
    key = ec.generate_private_key(ec.SECP256R1())
    who = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(who)
        .issuer_name(who)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=365))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(host))]),
            critical=False,
        )
        .sign(key, hashes.SHA256())
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with tempfile.TemporaryDirectory(prefix="interop-bmc-") as folder:
        path = Path(folder) / "pair.pem"
        path.touch(mode=0o600)
        path.write_bytes(
            made.public_bytes(serialization.Encoding.PEM)
            + key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
        )
        context.load_cert_chain(path)
    return context, made.fingerprint(hashes.SHA256()).hex()
