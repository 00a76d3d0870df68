"""The boot service's life: one process of a platform runs it, the others talk to that one.

Whoever gets the lock in the platform's state folder serves until it is closed or dies; a process
that comes later hands its user-data over through a local socket that only its user may open.
"""

from __future__ import annotations

import base64
import fcntl
import json
import logging
import socket
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

from provisioner.clock import Clock
from provisioner.drivers.metal.boot.serving import LINE, Serving, short_path
from provisioner.drivers.metal.registry import Claim, Registry
from provisioner.drivers.metal.settings import MetalSettings
from provisioner.errors import Lost

_log = logging.getLogger(__name__)

TAKE_OVER_S = 15.0


class BootService:
    """Serves, or finds who does. Thread-safe.

    Args:
        settings: inventory and where to serve.
        registry: who has which machine.
        folder: the platform's state folder; holds the lock and the socket.
        broker: path of the broker that binds sockets inside a namespace, or empty.
        platform: the platform's name.
        clock: where time comes from.
    """

    def __init__(
        self,
        settings: MetalSettings,
        registry: Registry,
        folder: Path,
        *,
        broker: str,
        platform: str,
        clock: Clock,
    ) -> None:
        self._settings, self._registry, self._folder = settings, registry, folder
        self._broker, self._platform, self._clock = broker, platform, clock
        self._guard = threading.RLock()
        self._serving: Serving | None = None

    def ensure(self) -> str:
        """See that the service runs somewhere; the id of the one that does.

        Raises:
            PlatformFault, Unsupported: it cannot be started.
            Lost: another process has it and does not answer.
        """
        with self._guard:
            if self._serving is not None and self._serving.alive:
                return self._serving.id
            if self._serving is not None:
                self._serving.stop()
                self._serving = None
            self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            end = time.monotonic() + TAKE_OVER_S
            while True:
                lock = _locked(self._folder / "boot.lock")
                if lock is not None:
                    self._serving = self._start(lock)
                    return self._serving.id
                with suppress(OSError, ValueError):
                    return str(self._tell({"op": "hello"})["id"])
                if time.monotonic() > end:
                    raise Lost("another process has the boot service and is silent", self._platform)
                time.sleep(0.1)

    def expect(self, claim: Claim, user_data: bytes) -> str:
        """Have a claimed machine installed when it boots from the network; who will do it."""
        with self._guard:
            service = self.ensure()
            if self._serving is not None:
                self._serving.expect(claim.instance, user_data)
            else:
                data = base64.b64encode(user_data).decode()
                try:
                    self._tell({"op": "expect", "instance": claim.instance, "data": data})
                except (OSError, ValueError) as error:
                    raise Lost(
                        f"the boot service does not answer: {error}", self._platform
                    ) from None
            return service

    def forget(self, claim: Claim) -> None:
        """A machine was given back."""
        with self._guard:
            if self._serving is not None:
                self._serving.forget(claim.instance)
            else:
                with suppress(OSError, ValueError):
                    self._tell({"op": "forget", "instance": claim.instance})

    def close(self) -> None:
        """End the service if this process runs it."""
        with self._guard:
            if self._serving is not None:
                self._serving.stop()
                self._serving = None

    def _start(self, lock: IO[str]) -> Serving:
        try:
            return Serving(
                self._settings,
                self._registry,
                self._folder,
                broker=self._broker,
                platform=self._platform,
                clock=self._clock,
                lock=lock,
            )
        except BaseException:
            lock.close()
            raise

    def _tell(self, message: dict[str, Any]) -> dict[str, Any]:
        """Ask the process that serves."""
        with short_path(self._folder) as folder, socket.socket(socket.AF_UNIX) as line:
            line.settimeout(5)
            line.connect(f"{folder}/boot.sock")
            line.sendall(json.dumps(message).encode() + b"\n")
            with line.makefile("rb") as answers:
                answer = json.loads(answers.readline(LINE))
        if not isinstance(answer, dict) or "id" not in answer:
            raise ValueError("unreadable answer")
        return answer


def _locked(path: Path) -> IO[str] | None:
    """The open lock file, or None when another process (or driver) holds it."""
    file = path.open("w")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        file.close()
        return None
    return file
