"""The services' processes: started, watched, started again when one dies, ended together.

The listening sockets belong to the daemon and outlive a service: what is asked while one is being
started again waits in the socket's queue, and is answered when it is back.
"""

from __future__ import annotations

import logging
import re
import socket
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from provisioner.errors import PlatformFault, Timeout
from provisioner.lab.openstack.place import HOST, SERVICES, VARIABLE, Place
from provisioner.lab.state import State
from provisioner.reach import BrokerDialer

LOG = logging.getLogger(__name__)
# process -> the APIs that it serves
PROCESSES: Mapping[str, tuple[str, ...]] = {
    "keystone": ("keystone",),
    "nova": ("placement", "nova", "metadata"),
    "neutron": ("neutron",),
    "glance": ("glance",),
    "cinder": ("cinder",),
}
BACKLOG = 256
PATIENCE_S = 5.0  # from one try to the next of one that does not run
LEAVE_S = 5.0
TELLING = re.compile(r" CRITICAL |^[\w.]+(Error|Exception|Exit): ")
GENTLE = {
    "MALLOC_ARENA_MAX": "2",  # or each of hundreds of threads keeps memory of its own
    "PYTHONWARNINGS": "ignore",
}


def doors(broker: str) -> dict[str, tuple[socket.socket, socket.socket]]:
    """For each API a listening socket on the host's loopback and its twin in the lab, same port.

    Args:
        broker: the socket of the lab's broker.

    Raises:
        OSError: no port was free on both sides.
    """
    made: dict[str, tuple[socket.socket, socket.socket]] = {}
    for service in SERVICES:
        for attempt in range(10):
            outer = socket.create_server((HOST, 0), backlog=BACKLOG)
            try:
                inner = BrokerDialer(broker).bind(HOST, outer.getsockname()[1], listen=BACKLOG)
            except OSError:
                outer.close()
                if attempt == 9:
                    raise
                continue
            made[service] = (outer, inner)
            break
    return made


class Services:
    """The processes of one lab's OpenStack.

    Args:
        state: of the lab; each process is noted there as ``openstack-NAME``.
        place: where they are.
        sockets: what ``doors`` made.
        link: the folder with which they find our code.
    """

    def __init__(
        self,
        state: State,
        place: Place,
        sockets: Mapping[str, Sequence[socket.socket]],
        link: Path,
    ) -> None:
        self._state = state
        self._place = place
        self._sockets = sockets
        self._variables = {
            **GENTLE,
            VARIABLE: str(place.folder),
            "PYTHONPATH": str(link),
            "XDG_CACHE_HOME": str(link / "cache"),
        }
        self._running: dict[str, subprocess.Popen[bytes]] = {}
        self._started: dict[str, float] = {}
        self._deaths: dict[str, int] = {}

    def python(self, module: str, *arguments: str) -> list[str]:
        """The command that runs a module of ours with the services' interpreter."""
        return [str(self._place.venv / "bin" / "python"), "-P", "-m", module, *arguments]

    def begin_schema(self, step: str) -> subprocess.Popen[bytes]:
        """Start one step of ``schemas``; what it says is in the log ``openstack-schema-STEP``."""
        return self._state.start(
            f"openstack-schema-{step}",
            self.python("provisioner.lab.openstack.schemas", step),
            inside=True,
            environment=self._variables,
        )

    def forget(self, name: str) -> None:
        """Strike a process that ended as it should."""
        self._state.forget(f"openstack-{name}")

    def start(self, *names: str) -> None:
        """Start some of ``PROCESSES``."""
        for name in names:
            doors = {api: self._sockets[api] for api in PROCESSES[name]}
            words = [
                f"{api}={','.join(str(item.fileno()) for item in pair)}"
                for api, pair in doors.items()
            ]
            numbers = [item.fileno() for pair in doors.values() for item in pair]
            self._running[name] = self._state.start(
                f"openstack-{name}",
                self.python("provisioner.lab.openstack.runner", name, *words),
                inside=True,
                environment=self._variables,
                descriptors=numbers,
            )
            self._started[name] = time.monotonic()

    def dead(self) -> list[str]:
        """Those that were started and have ended."""
        return [name for name, process in self._running.items() if process.poll() is not None]

    def mend(self) -> list[str]:
        """Start again what died; returns the names. One that dies at once is left a while."""
        now = time.monotonic()
        mended = []
        for name in self.dead():
            if now - self._started[name] < PATIENCE_S:
                continue
            code = self._running[name].returncode
            self._deaths[name] = self._deaths.get(name, 0) + 1
            LOG.warning("%s ended (%s): starting it again", name, code)
            self.start(name)
            mended.append(name)
        return mended

    def troubles(self) -> list[str]:
        """What there is to say of the services, one item each; nothing when all is well."""
        found = [f"{name} is down: {self.complaint(name)}" for name in self.dead()]
        if self._deaths:
            times = (f"{name} ({count})" for name, count in sorted(self._deaths.items()))
            found.append(f"started again: {' '.join(times)}")
        return found

    def answer(self, timeout_s: float, *names: str) -> None:
        """Return once these APIs answer.

        Raises:
            PlatformFault: a process ended; its last words.
            Timeout: one does not answer.
        """
        deadline = time.monotonic() + timeout_s
        for name in names:
            while not _answers(self._place.ports[name]):
                if dead := self.dead():
                    raise PlatformFault(f"{dead[0]} ended: {self.complaint(dead[0])}")
                if time.monotonic() > deadline:
                    raise Timeout(f"{name}: no answer after {timeout_s:.0f} s")

    def complaint(self, name: str) -> str:
        """The last line a process wrote that says what went wrong, or simply the last."""
        try:
            text = self._state.log(f"openstack-{name}").read_text(errors="replace")
        except OSError:
            return "without a word"
        lines = text.strip().splitlines()
        telling = [line for line in lines if TELLING.search(line)] or lines
        return telling[-1][:500] if telling else "without a word"

    def close(self) -> None:
        """End them all."""
        for process in self._running.values():
            process.terminate()
        deadline = time.monotonic() + LEAVE_S
        for name, process in self._running.items():
            try:
                process.wait(max(0.1, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            self._state.forget(f"openstack-{name}")
        self._running.clear()


def _answers(port: int) -> bool:
    """Whether somebody takes requests there; waits for one second."""
    try:
        with socket.create_connection((HOST, port), timeout=1.0) as line:
            line.sendall(b"GET / HTTP/1.0\r\n\r\n")
            return line.recv(12).startswith(b"HTTP/1.")
    except OSError:
        return False
