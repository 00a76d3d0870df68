"""169.254.169.254 on every network: passes questions on to nova, signed, as neutron's agent does.

Nova answers for the server whose id the header names, so who asks is found here: the network or
router on whose address the question came in, and the address it came from, name one port.

Source: neutron, "Metadata Service"; nova, [neutron] metadata_proxy_shared_secret.
"""

from __future__ import annotations

import hashlib
import hmac
import http.client
import logging
import selectors
import socket
import threading
from http.server import BaseHTTPRequestHandler
from typing import Any
from urllib.parse import urlsplit

from provisioner.lab.aws.namespaces import listen
from provisioner.lab.openstack.net import wires
from provisioner.lab.openstack.net.rules import METADATA
from provisioner.lab.openstack.net.world import DHCP, INTERFACE, Port, World
from provisioner.lab.openstack.place import Place
from provisioner.lab.space import NETNS

LOG = logging.getLogger(__name__)
PORT = 80
ASK_S = 30.0
READ_S = 10.0
AT_ONCE = 64
MOST = 64 * 1024  # bytes of a question's body: a password is the only thing ever sent


class Metadata:
    """Listens in the namespaces of networks and routers; one thread accepts for all of them."""

    def __init__(self, place: Place) -> None:
        self._place = place
        self._world = World()
        self._sockets: dict[str, tuple[socket.socket, int]] = {}
        self._waiting = selectors.DefaultSelector()
        self._lock = threading.Lock()
        self._room = threading.BoundedSemaphore(AT_ONCE)
        self._wake, self._told = socket.socketpair()
        self._waiting.register(self._told, selectors.EVENT_READ, "")
        self._thread = threading.Thread(target=self._accept, name="interop-metadata", daemon=True)
        self._thread.start()

    def converge(self, world: World, failed: set[str]) -> None:
        """Listen where the world has networks and routers, and stop where it has them no more."""
        self._world = world
        space = self._place.space
        wanted = {
            port.network: wires.network_namespace(space, port.network)
            for port in world.ports.values()
            if port.owner == DHCP and port.addresses
        }
        wanted |= {r.id: wires.router_namespace(space, r.id) for r in world.routers.values()}
        there = {
            key: (NETNS / name).stat().st_ino
            for key, name in wanted.items()
            if key not in failed and (NETNS / name).exists()
        }
        with self._lock:
            for key, (held, inode) in list(self._sockets.items()):
                if there.get(key) != inode:
                    self._waiting.unregister(held)
                    held.close()
                    del self._sockets[key]
            for key, inode in there.items():
                if key not in self._sockets:
                    made = self._listen(wanted[key])
                    if made is not None:
                        self._sockets[key] = made, inode
                        self._waiting.register(made, selectors.EVENT_READ, key)
        self._wake.send(b"!")

    def _listen(self, namespace: str) -> socket.socket | None:
        try:
            made = listen(namespace, METADATA, PORT)
        except OSError as error:  # the next pass tries again
            LOG.info("metadata in %s: %s", namespace, error)
            return None
        made.setblocking(False)
        return made

    def close(self) -> None:
        """Stop answering."""
        self.converge(World(), set())
        self._wake.close()
        self._thread.join()
        self._waiting.close()
        self._told.close()

    def _accept(self) -> None:
        while True:
            for key, _ in self._waiting.select():
                if not key.data:
                    if not self._told.recv(4096):
                        return
                    continue
                with self._lock:
                    held = self._sockets.get(key.data)
                    try:
                        line, asker = held[0].accept() if held else (None, None)
                    except OSError:
                        continue
                if line is not None:
                    self._room.acquire()
                    threading.Thread(
                        target=self._answer, args=(line, key.data, asker), daemon=True
                    ).start()

    def _answer(self, line: socket.socket, where: str, asker: Any) -> None:
        try:
            line.settimeout(READ_S)
            _Handler(line, asker, self, where)
        except OSError as error:
            LOG.debug("metadata for %s: %s", asker[0], error)
        finally:
            line.close()
            self._room.release()

    def server(self, where: str, address: str) -> Port | None:
        """The port of the server that asks from *address* on a network, or through a router."""
        found = find(self._world, where, address)
        if found is not None and "metadata-wrong-instance" in self._place.defects:
            return _another(self._world, found)
        return found

    def ask(self, method: str, path: str, body: bytes, port: Port, asker: str) -> Any:
        """Nova's answer: status, type of content, content.

        Raises:
            OSError: nova does not answer.
        """
        secret = self._place.secret("metadata").encode()
        signature = hmac.new(secret, port.device.encode(), hashlib.sha256).hexdigest()
        to = urlsplit(self._place.url("metadata"))
        line = http.client.HTTPConnection(to.hostname or "", to.port, timeout=ASK_S)
        try:
            line.request(
                method,
                path,
                body=body or None,
                headers={
                    "X-Forwarded-For": asker,
                    "X-Instance-ID": port.device,
                    "X-Tenant-ID": port.project,
                    "X-Instance-ID-Signature": signature,
                },
            )
            answer = line.getresponse()
            kind = answer.getheader("Content-Type", "text/plain; charset=UTF-8")
            return answer.status, kind, answer.read()
        except http.client.HTTPException as error:
            raise OSError(str(error)) from error
        finally:
            line.close()


def find(world: World, where: str, address: str) -> Port | None:
    """The one server's port that has *address* on the network, or on the router's networks."""
    networks = {where}
    if where in world.routers:
        networks = {port.network for port in world.of(where) if port.owner == INTERFACE}
    found = [
        port
        for port in world.ports.values()
        if port.network in networks and port.guest
        and address in (held for _, held in port.addresses)
    ]  # fmt: skip
    return found[0] if len(found) == 1 else None


def _another(world: World, asker: Port) -> Port:
    others = sorted(
        (port for port in world.ports.values() if port.guest and port.device != asker.device),
        key=lambda port: port.id,
    )
    return others[0] if others else asker


class _Handler(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    server_version = "metadata"
    sys_version = ""
    timeout = READ_S

    def __init__(self, line: socket.socket, asker: Any, metadata: Metadata, where: str) -> None:
        self._metadata = metadata
        self._where = where
        super().__init__(line, asker, None)  # type: ignore[arg-type]

    def _pass_on(self) -> None:
        length = self.headers.get("Content-Length", "0")
        if not length.isdecimal() or int(length) > MOST:
            self._say(413, "text/plain", b"")
            return
        body = self.rfile.read(int(length))
        asker = str(self.client_address[0])
        port = self._metadata.server(self._where, asker)
        if port is None:
            self._say(404, "text/plain", b"")
            return
        try:
            status, kind, content = self._metadata.ask(self.command, self.path, body, port, asker)
        except OSError as error:
            LOG.warning("nova's metadata API: %s", error)
            self._say(503, "text/plain", b"")
            return
        self._say(status, kind, content)

    do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = _pass_on  # noqa: N815 (names of the base)

    def _say(self, status: int, kind: str, content: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def log_message(self, format: str, *arguments: Any) -> None:
        return
