"""The lab's door: a process inside the namespace makes sockets and hands them over.

It listens on a local socket of type SOCK_SEQPACKET that only its user may open. A request is one
JSON datagram; the answer is ``ok`` with one descriptor, or ``{"errno": N, "message": TEXT}``.

* ``{"op": "connect", "host": H, "port": N, "timeout": S}``: a connected TCP socket.
* ``{"op": "bind", "host": H, "port": N, "type": "stream"|"dgram", "listen": BACKLOG}``

The client is ``provisioner.reach.BrokerDialer``.
Run as ``python -P -m provisioner.lab.broker PATH`` within the namespace.
"""

from __future__ import annotations

import errno
import json
import os
import socket
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

LONGEST_S = 600.0
KINDS = {"stream": socket.SOCK_STREAM, "dgram": socket.SOCK_DGRAM}


def serve(path: Path) -> None:
    """Answer requests on *path* until the process is ended; every client has its own thread."""
    path.unlink(missing_ok=True)
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as door:
        before = os.umask(0o177)
        try:
            door.bind(str(path))
        finally:
            os.umask(before)
        door.listen(128)
        while True:
            line, _ = door.accept()
            threading.Thread(target=_converse, args=(line,), daemon=True).start()


def _converse(line: socket.socket) -> None:
    with line:
        while True:
            try:
                datagram = line.recv(4096)
                if not datagram:
                    return
                _answer(line, datagram)
            except OSError:
                return  # the client went away; the socket made for it is closed with us


def _answer(line: socket.socket, datagram: bytes) -> None:
    try:
        made = _make(json.loads(datagram))
    except (ValueError, TypeError, KeyError, AttributeError, OverflowError) as error:
        _refuse(line, errno.EINVAL, f"malformed request: {error}")
    except TimeoutError:
        _refuse(line, errno.ETIMEDOUT, os.strerror(errno.ETIMEDOUT))
    except socket.gaierror as error:
        _refuse(line, errno.EHOSTUNREACH, f"name not resolved: {error}")
    except OSError as error:
        _refuse(line, error.errno or errno.EIO, error.strerror or str(error))
    else:
        with made:
            socket.send_fds(line, [b"ok"], [made.fileno()])


def _refuse(line: socket.socket, number: int, message: str) -> None:
    line.send(json.dumps({"errno": number, "message": message[:500]}).encode())


def _make(request: Mapping[str, Any]) -> socket.socket:
    operation, host, port = request["op"], str(request["host"]), int(request["port"])
    if operation == "connect":
        timeout_s = min(float(request["timeout"]), LONGEST_S)
        made = socket.create_connection((host, port), timeout=timeout_s)
        made.settimeout(None)
        return made
    if operation == "bind":
        kind = KINDS[request.get("type", "stream")]
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        made = socket.socket(family, kind)
        try:
            made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            made.bind((host, port))
            if kind == socket.SOCK_STREAM:
                made.listen(int(request.get("listen", 64)))
        except OSError:
            made.close()
            raise
        return made
    raise ValueError(f"op {operation!r}, expected connect or bind")


if __name__ == "__main__":
    serve(Path(sys.argv[1]))
