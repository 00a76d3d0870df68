"""A port of the host's loopback whose connections end at the cluster's API.

Only bytes are passed on: TLS is between the client and the API server.
"""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable

from provisioner.errors import Lost
from provisioner.reach import BrokerDialer

CONNECT_S = 5.0
CHUNK = 1 << 16


class Relay:
    """Listens as soon as it is made; two threads for each connection.

    Args:
        connect: makes a connected, blocking socket to where the connections shall end.
    """

    def __init__(self, connect: Callable[[], socket.socket]) -> None:
        self._connect = connect
        self._socket = socket.create_server(("127.0.0.1", 0), backlog=256)
        self.port: int = self._socket.getsockname()[1]
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()
        threading.Thread(target=self._accept, name="relay", daemon=True).start()

    def close(self) -> None:
        """Stop listening and cut what is connected."""
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)  # wakes the thread that accepts
        self._socket.close()
        with self._lock:
            for end in self._open:
                with contextlib.suppress(OSError):
                    end.shutdown(socket.SHUT_RDWR)

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._socket.accept()
            except OSError:
                return  # closed
            threading.Thread(target=self._serve, args=(near,), name="relay", daemon=True).start()

    def _serve(self, near: socket.socket) -> None:
        with contextlib.ExitStack() as ends:
            ends.enter_context(near)
            try:
                far = ends.enter_context(self._connect())
            except (OSError, Lost):
                return  # as if nobody listened
            for end in (near, far):
                end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with self._lock:
                self._open |= {near, far}
            other = threading.Thread(target=_pump, args=(far, near), name="relay", daemon=True)
            other.start()
            _pump(near, far)
            other.join()
            with self._lock:
                self._open -= {near, far}


def _pump(source: socket.socket, target: socket.socket) -> None:
    """Pass on bytes until the source ends, then end the target's half as well."""
    with contextlib.suppress(OSError):
        while data := source.recv(CHUNK):
            target.sendall(data)
    with contextlib.suppress(OSError):
        target.shutdown(socket.SHUT_WR)
    with contextlib.suppress(OSError):
        source.shutdown(socket.SHUT_RD)


def to_api(broker: BrokerDialer, host: str, port: int) -> Callable[[], socket.socket]:
    """Makes connections to *host* within the lab."""
    return lambda: broker.connect(host, port, CONNECT_S)
