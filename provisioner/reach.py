"""How the harness opens a TCP connection to a machine: directly, or through a lab's broker.

A lab's addresses exist only inside its network namespace. A platform that lives there says
``reach: {broker: PATH}``, and every socket to it is then made by the broker inside the namespace
and handed over; nothing is ever dialled from the host's own network.
"""

from __future__ import annotations

import errno
import json
import os
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from provisioner.errors import BadRequest, Lost

BIND_S = 10.0
GRACE_S = 2.0  # the broker's own answer may come this much later than its connect gave up


class Dialer(Protocol):
    """Opens connections to machines of a platform."""

    def connect(self, host: str, port: int, timeout_s: float) -> socket.socket:
        """A connected, blocking TCP socket.

        Raises:
            OSError: what the network said: ``ConnectionRefusedError``, ``TimeoutError``, no route.
                Checks of firewalls need that difference, so it is not translated here.
            Lost: the way to the network itself is gone (no broker).
        """


@dataclass(frozen=True, slots=True)
class DirectDialer:
    """Connects from the network the harness runs in."""

    def connect(self, host: str, port: int, timeout_s: float) -> socket.socket:
        made = socket.create_connection((host, port), timeout=timeout_s)
        made.settimeout(None)
        return made


@dataclass(frozen=True, slots=True)
class BrokerDialer:
    """Asks the broker that listens on the local socket *path* for sockets, and takes them."""

    path: str

    def connect(self, host: str, port: int, timeout_s: float) -> socket.socket:
        request = {"op": "connect", "host": host, "port": port, "timeout": timeout_s}
        return self._ask(request, timeout_s)

    def bind(self, host: str, port: int, kind: str = "stream", listen: int = 64) -> socket.socket:
        """A socket bound there; one of kind ``stream``, not ``dgram``, listens already.

        Raises:
            OSError: what the kernel said.
            Lost: no broker answers.
        """
        request = {"op": "bind", "host": host, "port": port, "type": kind, "listen": listen}
        return self._ask(request, BIND_S)

    def _ask(self, request: Mapping[str, Any], timeout_s: float) -> socket.socket:
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as line:
            line.settimeout(timeout_s + GRACE_S)
            try:
                line.connect(self.path)
                line.send(json.dumps(request).encode())
                answer, received, _, _ = socket.recv_fds(line, 4096, 1)
            except TimeoutError as error:
                message = f"broker {self.path} did not answer within {timeout_s + GRACE_S:.0f} s"
                raise Lost(message) from error
            except OSError as error:
                reason = (error.strerror or str(error)).lower()
                raise Lost(f"broker {self.path}: {reason}; is the lab up?") from error
        if received:
            made = socket.socket(fileno=received[0])
            made.settimeout(None)
            return made
        raise _refusal(self.path, answer)


def _refusal(path: str, answer: bytes) -> Exception:
    """What the broker's answer without a socket means."""
    try:
        said = json.loads(answer)
        number, message = int(said["errno"]), str(said["message"])
    except (ValueError, KeyError, TypeError):
        return Lost(f"broker {path} gave an unreadable answer of {len(answer)} bytes")
    if number == errno.ETIMEDOUT or (number == 0 and "timed out" in message):
        return TimeoutError(errno.ETIMEDOUT, os.strerror(errno.ETIMEDOUT))
    return OSError(number, message)  # becomes ConnectionRefusedError ... by its number


def dialer_for(settings: Mapping[str, Any]) -> Dialer:
    """The dialer that a platform's settings ask for: ``reach: {broker: PATH}``, else direct.

    A lab says its ``namespace`` there as well, for programs that cannot be handed a socket.

    Raises:
        BadRequest: ``reach`` is something else.
    """
    reach = settings.get("reach")
    if reach is None:
        return DirectDialer()
    if not isinstance(reach, Mapping) or set(reach) - {"namespace"} != {"broker"}:
        raise BadRequest(f"reach: expected {{broker: PATH}} or nothing, got {reach!r}")
    path = reach["broker"]
    if not isinstance(path, str) or not path:
        raise BadRequest(f"reach.broker: expected the path of a broker's socket, got {path!r}")
    return BrokerDialer(path)
