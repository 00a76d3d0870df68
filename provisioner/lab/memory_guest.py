"""A guest for a machine in memory: speaks to a boot service and answers as sshd, over loopback."""

from __future__ import annotations

import contextlib
import http.client
import json
import re
import socket
import threading
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from provisioner.features import BootChoice
from provisioner.lab.memory import MemoryMachine

HOST_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIKJbjmMr2HLvgGr6cHsJZEkN2ovJY5Gq8EvWpSF5Yccz"


@dataclass(slots=True, kw_only=True, eq=False)
class MemoryGuest:
    """Boots *machine* as the small guest does: script, registration, seed, disk, sshd.

    Attributes:
        machine: which machine; its ``booted`` is to be ``guest.boot``.
        url: the boot service.
        address: the loopback address this guest has.
        told: what it says of itself instead of the machine's own label.
        log: what it did and was answered.
        installed: whether its disk boots.
        meta, user_data: its seed.
    """

    machine: MemoryMachine
    url: str
    address: str
    told: dict[str, Any] = field(default_factory=dict)
    log: list[str] = field(default_factory=list)
    installed: bool = False
    meta: dict[str, Any] = field(default_factory=dict)
    user_data: bytes = b""
    _sshd: socket.socket | None = None

    def boot(self, choice: BootChoice) -> None:
        """What happens after power-on; ends when sshd listens or nothing can be booted."""
        self.off()
        self.machine.say(b"firmware\r\n")
        network = choice.device == "network" or not self.installed
        if network and not self._from_network():
            return
        self.machine.say(b"booted\r\n")
        self._listen()

    def off(self) -> None:
        """The guest is gone."""
        sshd, self._sshd = self._sshd, None
        if sshd is not None:
            with contextlib.suppress(OSError):
                sshd.shutdown(socket.SHUT_RDWR)
            sshd.close()

    def ask(
        self, method: str, path: str, body: bytes | None = None, token: str = ""
    ) -> tuple[int, bytes]:
        """One request from this guest's address."""
        place = urlsplit(self.url)
        line = http.client.HTTPConnection(
            place.hostname or "", place.port, timeout=10, source_address=(self.address, 0)
        )
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        try:
            line.request(method, path, body, headers)
            answer = line.getresponse()
            return answer.status, answer.read()
        finally:
            line.close()

    def script(self) -> str:
        """The boot script for this machine."""
        _, text = self.ask("GET", f"/ipxe/{self.machine.macs[0].replace(':', '-')}")
        return text.decode()

    def register(self, token: str) -> tuple[int, bytes]:
        """Say who this is."""
        body = {
            "token": token,
            "macs": list(self.machine.macs),
            "serial": self.machine.serial,
            "uuid": self.machine.uuid,
            "ssh_host_keys": [HOST_KEY],
            "cpus": self.machine.cpu,
            "memory_mib": self.machine.memory_mib,
            "boot_device": "network",
            "firmware": "bios",
            **self.told,
        }
        return self.ask("POST", "/register", json.dumps(body).encode())

    def _from_network(self) -> bool:
        try:
            text = self.script()
        except OSError as error:
            self.log.append(f"no boot service: {error}")
            return False
        token = re.search(r"interop\.token=(\S+)", text)
        if token is None:
            self.log.append("told to boot from disk")
            return self.installed
        status, answer = self.register(token[1])
        self.log.append(f"register: {status} {'' if status == 201 else answer.decode().strip()}")
        if status != 201:
            return False
        mine = json.loads(answer)["member_token"]
        self.meta = json.loads(self.ask("GET", "/meta-data", token=mine)[1])
        self.user_data = self.ask("GET", "/user-data", token=mine)[1]
        done = json.dumps({"phase": "installed", "text": "in memory"}).encode()
        self.ask("POST", "/progress", done, mine)
        self.installed = True
        return True

    def _listen(self) -> None:
        sshd = socket.create_server((self.address, 22))
        self._sshd = sshd

        def greet() -> None:
            with contextlib.suppress(OSError):
                while self.machine.power():
                    line, _ = sshd.accept()
                    with line, contextlib.suppress(OSError):
                        line.sendall(b"SSH-2.0-memory\r\n")

        threading.Thread(target=greet, daemon=True).start()
