"""Whether a connection that was made before a rule went away still carries anything."""

from __future__ import annotations

import fcntl
import socket
import struct
import termios
import time

GREETING = b"SSH-2.0-interop\r\n"  # what a client says first, so no server minds it
WITHIN_S = 5.0
EVERY_S = 0.1


def still_flows(line: socket.socket, within_s: float = WITHIN_S) -> str:
    """``goes on`` if the other side confirms what is sent now, else ``cut``.

    That the kernel takes bytes proves nothing, and servers differ in when they answer; how many
    bytes the other side has not confirmed yet is known to ours (tcp(7), SIOCOUTQ).
    """
    end = time.monotonic() + within_s
    try:
        line.sendall(GREETING)
        while waiting := unconfirmed(line):
            if time.monotonic() > end:
                break
            time.sleep(EVERY_S)
    except OSError:
        return "cut"
    return "cut" if waiting else "goes on"


def unconfirmed(line: socket.socket) -> int:
    """Bytes that were sent and not confirmed.

    Raises:
        OSError: the connection was reset.
    """
    if number := line.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
        raise OSError(number, "the connection is gone")
    found: int = struct.unpack("i", fcntl.ioctl(line, termios.TIOCOUTQ, struct.pack("i", 0)))[0]
    return found
