"""A machine's serial line: what came lately, who listens, and typing on it."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable
from pathlib import Path

KEPT = 1 << 20  # bytes


class SerialLine:
    """The end of a serial cable: QEMU connects to the local socket *path*."""

    def __init__(self, path: Path, name: str) -> None:
        self._lock = threading.Lock()
        self._kept = bytearray()
        self._listeners: list[Callable[[bytes], None]] = []
        self._line: socket.socket | None = None
        path.unlink(missing_ok=True)
        self._door = socket.socket(socket.AF_UNIX)
        self._door.bind(str(path))
        self._door.listen(1)
        threading.Thread(target=self._serve, name=f"serial-{name}", daemon=True).start()

    def clear(self) -> None:
        """Forget what came so far."""
        with self._lock:
            self._kept.clear()

    def kept(self) -> bytes:
        """The last MiB."""
        with self._lock:
            return bytes(self._kept)

    def attach(self, listener: Callable[[bytes], None]) -> Callable[[], None]:
        """Call *listener* with what comes from now on; returns how to stop."""
        with self._lock:
            self._listeners.append(listener)

        def stop() -> None:
            with self._lock, contextlib.suppress(ValueError):
                self._listeners.remove(listener)

        return stop

    def write(self, data: bytes) -> None:
        """Type; lost when nobody is at the other end."""
        line = self._line
        if line is not None:
            with contextlib.suppress(OSError):
                line.sendall(data)

    def close(self) -> None:
        """Unplug."""
        for sock in (self._door, self._line):
            if sock is not None:
                with contextlib.suppress(OSError):
                    sock.shutdown(socket.SHUT_RDWR)
                sock.close()

    def _serve(self) -> None:
        while True:
            try:
                line, _ = self._door.accept()
            except OSError:
                return  # closed
            self._line = line
            with line, contextlib.suppress(OSError):
                while data := line.recv(65536):
                    self._heard(data)
            self._line = None

    def _heard(self, data: bytes) -> None:
        with self._lock:
            self._kept += data
            if len(self._kept) > KEPT:
                del self._kept[: len(self._kept) - KEPT]
            listeners = list(self._listeners)
        for listener in listeners:
            listener(data)
