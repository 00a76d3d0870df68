"""A BMC as the driver sees it: calls with deadlines, carried out by a process of its own."""

from __future__ import annotations

import json
import select
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from provisioner.drivers.metal.settings import BmcModel
from provisioner.errors import (
    BadRequest,
    Capacity,
    Conflict,
    Lost,
    PlatformError,
    PlatformFault,
    Unauthorized,
    Unsupported,
)

CALL_S, LOGIN_S = 30.0, 15.0
IDLE_S = 45.0  # controllers end a session after 60 s of silence (IPMI 2.0, 6.12.15), unannounced
KEPT = 1024 * 1024  # bytes of console output kept for each machine
ERRORS: Mapping[str, type[PlatformError]] = {
    "unauthorized": Unauthorized,
    "conflict": Conflict,
    "unsupported": Unsupported,
    "lost": Lost,
    "full": Capacity,
    "fault": PlatformFault,
    "bug": PlatformFault,
}


class Bmc:
    """One BMC. Calls are made one at a time; one that is late ends the process that makes it."""

    def __init__(self, model: BmcModel, machine: str, platform: str) -> None:
        self._model, self._machine, self._platform = model, machine, platform
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._used = 0.0

    def call(self, what: str, timeout_s: float = CALL_S, /, **arguments: Any) -> Any:
        """One call of the worker.

        Raises:
            Unauthorized, Conflict, Unsupported, Capacity, PlatformFault: the BMC refused.
            Lost: it did not answer within *timeout_s* seconds.
        """
        with self._lock:
            process = self._running()
            line = json.dumps({"do": what, "with": arguments}).encode() + b"\n"
            answer = _exchange(process, line, timeout_s)
            self._used = time.monotonic()
            if answer is None:
                self._end()
                raise self._error(Lost, f"{what} not answered within {timeout_s:.0f} s")
        if "error" in answer:
            kind = ERRORS.get(str(answer["error"]), PlatformFault)
            raise self._error(kind, f"{what}: {answer['message']}")
        return answer["ok"]

    def login(self, user: str, password: str) -> str:
        """Try credentials on every protocol: ``ok``, ``refused`` or ``no-answer``."""
        answers = [self._try(role, user, password) for role in self.protocols()]
        for verdict in ("ok", "refused"):
            if verdict in answers:
                return verdict
        return "no-answer"

    def protocols(self) -> tuple[str, ...]:
        """What it speaks, as far as we are told."""
        second = ("redfish",) if self._model.redfish else ()
        return second if self._model.protocol == "redfish" else ("ipmi", *second)

    def close(self) -> None:
        """End the process."""
        with self._lock:
            self._end()

    def about(self, role: str) -> dict[str, Any]:
        """What a worker is told first."""
        return {
            "role": role,
            "host": self._model.address,
            "port": self._model.port,
            "redfish": self._model.redfish,
            "fingerprint": self._model.fingerprint,
            "user": self._model.user,
            "password": self._model.password.get_secret_value(),
        }

    def _try(self, role: str, user: str, password: str) -> str:
        process = start_worker({**self.about(role), "user": user, "password": password})
        try:
            answer = _exchange(process, b'{"do": "login", "with": {}}\n', LOGIN_S)
        finally:
            end_worker(process)
        if answer is None or answer.get("error") == "lost":
            return "no-answer"
        if "error" in answer and answer["error"] != "unauthorized":
            kind = ERRORS.get(str(answer["error"]), PlatformFault)
            raise self._error(kind, f"login: {answer['message']}")
        return "refused" if "error" in answer else "ok"

    def _running(self) -> subprocess.Popen[bytes]:
        """The process; a new one where the old one's session may have ended in the meantime.

        pyghmi would ask in that session for 20 s before it gave up.
        """
        idle = time.monotonic() - self._used > IDLE_S
        if self._process is None or self._process.poll() is not None or idle:
            self._end()
            self._process = start_worker(self.about(self._model.protocol))
        return self._process

    def _end(self) -> None:
        if self._process is not None:
            end_worker(self._process)
            self._process = None

    def _error(self, kind: type[PlatformError], text: str) -> PlatformError:
        return kind(f"bmc of {self._machine}: {text}", self._platform)


class SerialLog:
    """What a machine prints on its serial console, gathered over SOL into a file."""

    def __init__(self, about: Callable[[str], Mapping[str, Any]], path: Path) -> None:
        self._about, self._path = about, path
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._thread: threading.Thread | None = None

    def start(self, *, fresh: bool = False) -> None:
        """Listen, unless somebody in this process does; a *fresh* log begins empty."""
        with self._lock:
            if fresh:
                self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
                self._path.write_bytes(b"")
            if self._process is None or self._process.poll() is not None:
                if self._process is not None:
                    end_worker(self._process)
                self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
                self._process = start_worker(self._about("console"))
                self._thread = threading.Thread(
                    target=self._gather, args=(self._process,), daemon=True
                )
                self._thread.start()

    def read(self) -> str:
        """Everything kept, oldest first."""
        try:
            data = self._path.read_bytes()
        except FileNotFoundError:
            return ""
        return data[-KEPT:].decode("utf-8", "replace")

    def close(self) -> None:
        """Stop listening."""
        with self._lock:
            if self._process is not None:
                end_worker(self._process)
                self._process = None
        if self._thread is not None:
            self._thread.join(2)

    def _gather(self, process: subprocess.Popen[bytes]) -> None:
        out = process.stdout
        if out is None:
            return
        with suppress(OSError, ValueError):
            while data := out.read1(65536):  # type: ignore[attr-defined]  # it is buffered
                if self._path.exists() and self._path.stat().st_size > 2 * KEPT:
                    self._path.write_bytes(self._path.read_bytes()[-KEPT:])
                with self._path.open("ab") as file:
                    file.write(data)


def start_worker(about: Mapping[str, Any]) -> subprocess.Popen[bytes]:
    """A worker that knows whom to talk to; credentials go through its standard input only."""
    process = subprocess.Popen(
        [sys.executable, "-P", "-m", "provisioner.drivers.metal.worker"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    with suppress(OSError):
        _write(process, json.dumps(about).encode() + b"\n")
    return process


def end_worker(process: subprocess.Popen[bytes]) -> None:
    """End a worker now; what it was doing is lost."""
    process.kill()
    with suppress(OSError):
        if process.stdin is not None:
            process.stdin.close()
    process.wait(5)
    if process.stdout is not None and not process.stdout.closed:
        with suppress(OSError, ValueError, RuntimeError):
            process.stdout.close()


def _exchange(
    process: subprocess.Popen[bytes], line: bytes, timeout_s: float
) -> dict[str, Any] | None:
    """Send a line and read one; None when there was no answer in time."""
    out = process.stdout
    if out is None:
        return None
    try:
        _write(process, line)
    except OSError:
        return None
    end, got = time.monotonic() + timeout_s, b""
    while not got.endswith(b"\n"):
        ready, _, _ = select.select([out], [], [], max(0.0, end - time.monotonic()))
        if not ready:
            return None
        piece = out.read1(65536)  # type: ignore[attr-defined]  # it is buffered
        if not piece:
            return None
        got += piece
    found = json.loads(got)
    return found if isinstance(found, dict) else None


def _write(process: subprocess.Popen[bytes], line: bytes) -> None:
    if process.stdin is None:
        raise BadRequest("worker without standard input")
    process.stdin.write(line)
    process.stdin.flush()
