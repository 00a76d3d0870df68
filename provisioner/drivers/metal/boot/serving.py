"""The running boot service of a process: web server, dnsmasq, and the door for other processes."""

from __future__ import annotations

import base64
import json
import logging
import os
import secrets
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from werkzeug.serving import BaseWSGIServer, WSGIRequestHandler, make_server

from provisioner.clock import Clock
from provisioner.drivers.metal.boot.dnsmasq import Dnsmasq, Host
from provisioner.drivers.metal.boot.web import BootWeb
from provisioner.drivers.metal.registry import Registry
from provisioner.drivers.metal.settings import MetalSettings
from provisioner.errors import PlatformError, PlatformFault
from provisioner.reach import BrokerDialer

_log = logging.getLogger(__name__)

LINE = 1 << 20  # the longest message through the door, in bytes


class Serving:
    """Serves from its making until ``stop``; holds the lock *lock* meanwhile."""

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
        work = folder / "boot"
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
                made = BrokerDialer(broker).bind(boot.host, boot.http_port, listen=256)
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
        with short_path(self._folder) as folder:
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


@contextmanager
def short_path(folder: Path) -> Iterator[str]:
    """A short name of *folder*: a local socket's path may have 107 bytes only."""
    number = os.open(folder, os.O_PATH | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{number}"
    finally:
        os.close(number)
