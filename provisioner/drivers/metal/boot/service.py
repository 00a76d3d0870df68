"""The boot service's life: one process of a platform runs it, the others talk to that one.

Whoever gets the lock in the platform's state folder serves until it is closed or dies; a process
that comes later hands its user-data over through a local socket that only its user may open.
"""

from __future__ import annotations

import base64
import fcntl
import json
import logging
import os
import secrets
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any

from werkzeug.serving import BaseWSGIServer, WSGIRequestHandler, make_server

from provisioner.clock import Clock
from provisioner.drivers.metal.boot.dnsmasq import Dnsmasq, Host
from provisioner.drivers.metal.boot.web import BootWeb
from provisioner.drivers.metal.registry import Claim, Registry
from provisioner.drivers.metal.settings import MetalSettings
from provisioner.errors import Lost, PlatformError, PlatformFault

_log = logging.getLogger(__name__)

TAKE_OVER_S = 15.0
LINE = 1 << 20


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
        self._serving: _Serving | None = None

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

    def _start(self, lock: IO[str]) -> _Serving:
        try:
            return _Serving(
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
        with _short(self._folder) as folder, socket.socket(socket.AF_UNIX) as line:
            line.settimeout(5)
            line.connect(f"{folder}/boot.sock")
            line.sendall(json.dumps(message).encode() + b"\n")
            with line.makefile("rb") as answers:
                answer = json.loads(answers.readline(LINE))
        if not isinstance(answer, dict) or "id" not in answer:
            raise ValueError("unreadable answer")
        return answer


class _Serving:
    """The running service: web server, dnsmasq and the socket for other processes."""

    def __init__(
        self,
        settings: MetalSettings,
        registry: Registry,
        folder: Path,
        *,
        broker: str,
        platform: str,
        clock: Clock,
        lock: IO[str],
    ) -> None:
        self.id = secrets.token_hex(6)
        self._settings, self._registry, self._folder = settings, registry, folder
        self._lock = lock
        self._web = BootWeb(settings, registry, clock, service=self.id, changed=self._refresh)
        work = settings.boot.work or folder / "boot"
        self._dnsmasq = Dnsmasq(settings.boot, work, platform) if settings.boot.dhcp else None
        if self._dnsmasq is not None:
            work.mkdir(parents=True, exist_ok=True)
            self._dnsmasq.configure(self._hosts())
        self._server = self._bind(broker, platform)
        self._door = self._open_door()
        self._failed: list[PlatformError] = []
        self._up = threading.Event()
        self._threads = [
            threading.Thread(target=self._run, name=f"boot-{platform}", daemon=True),
            threading.Thread(target=self._answer, name=f"boot-door-{platform}", daemon=True),
        ]
        for thread in self._threads:
            thread.start()
        self._up.wait(30)
        if self._failed:
            self.stop()
            raise self._failed[0]

    @property
    def alive(self) -> bool:
        """Whether everything still serves."""
        return self._threads[0].is_alive() and (self._dnsmasq is None or self._dnsmasq.running)

    def expect(self, instance: str, user_data: bytes) -> None:
        """Keep the user-data of an installation."""
        self._web.user_data[instance] = user_data
        self._refresh()

    def forget(self, instance: str) -> None:
        """Drop what is known of an installation."""
        self._web.user_data.pop(instance, None)
        self._refresh()

    def stop(self) -> None:
        """End everything; the lock goes last."""
        self._server.shutdown()
        self._door.close()
        for thread in self._threads:
            thread.join(5)
        self._server.server_close()
        with suppress(OSError):
            (self._folder / "boot.sock").unlink(missing_ok=True)
        self._lock.close()

    def _run(self) -> None:
        """The thread that dnsmasq lives and dies with."""
        try:
            if self._dnsmasq is not None:
                self._dnsmasq.start()
        except PlatformError as error:
            self._failed.append(error)
        self._up.set()
        try:
            self._server.serve_forever(poll_interval=0.1)
        finally:
            if self._dnsmasq is not None:
                self._dnsmasq.stop()

    def _refresh(self) -> None:
        if self._dnsmasq is not None:
            self._dnsmasq.refresh(self._hosts())

    def _hosts(self) -> list[Host]:
        """Every machine's address; the hostname of those that somebody has."""
        hosts = []
        claims = {claim.machine: claim for claim in self._registry.claims()}
        for machine in self._settings.inventory:
            claim = claims.get(machine.name)
            life = self._registry.life(claim) if claim else None
            macs = machine.macs or tuple(life.hardware.get("macs", ()) if life else ())
            seen = str(life.hardware.get("address", "")) if life else ""
            address = seen or self._settings.address_of(machine.name)
            hostname = claim.hostname if claim else machine.name
            hosts.append(Host(machine=machine.name, macs=macs, address=address, hostname=hostname))
        return hosts

    def _bind(self, broker: str, platform: str) -> BaseWSGIServer:
        """The web server, on a socket inside the namespace where there is one."""
        boot = self._settings.boot
        try:
            if broker:
                from provisioner.lab.broker import Broker

                made = Broker(broker).bind(boot.host, boot.http_port, listen=256)
            else:
                made = socket.create_server((boot.host, boot.http_port), backlog=256)
        except OSError as error:
            reason = (error.strerror or str(error)).lower()
            place = f"{boot.host}:{boot.http_port}"
            raise PlatformFault(
                f"boot service cannot listen on {place}: {reason}", platform
            ) from None
        with made:
            return make_server(
                boot.host,
                boot.http_port,
                self._web,
                threaded=True,
                request_handler=_Quiet,
                fd=made.fileno(),
            )

    def _open_door(self) -> socket.socket:
        door = socket.socket(socket.AF_UNIX)
        with _short(self._folder) as folder:
            Path(f"{folder}/boot.sock").unlink(missing_ok=True)
            before = os.umask(0o177)
            try:
                door.bind(f"{folder}/boot.sock")
            finally:
                os.umask(before)
        door.listen(16)
        door.settimeout(0.2)
        return door

    def _answer(self) -> None:
        """What other processes of this platform want."""
        while True:
            try:
                line, _ = self._door.accept()
            except TimeoutError:
                if not self._threads[0].is_alive():
                    return
                continue
            except OSError:
                return
            with line, suppress(OSError, ValueError, KeyError):
                line.settimeout(5)
                with line.makefile("rb") as words:
                    asked = json.loads(words.readline(LINE))
                if asked["op"] == "expect":
                    self.expect(str(asked["instance"]), base64.b64decode(asked["data"]))
                elif asked["op"] == "forget":
                    self.forget(str(asked["instance"]))
                line.sendall(json.dumps({"id": self.id}).encode() + b"\n")


class _Quiet(WSGIRequestHandler):
    """Logs paths only; tokens are in headers and bodies."""

    protocol_version = "HTTP/1.1"

    def log(self, type: str, message: str, *args: object) -> None:
        _log.debug(message, *args)


def _locked(path: Path) -> IO[str] | None:
    """The open lock file, or None when another process (or driver) holds it."""
    file = path.open("w")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        file.close()
        return None
    return file


@contextmanager
def _short(folder: Path) -> Iterator[str]:
    """A short name of *folder*: a local socket's path may have 107 bytes only."""
    number = os.open(folder, os.O_PATH | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{number}"
    finally:
        os.close(number)
