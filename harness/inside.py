"""The inside of a machine, as checks see it: the probe's observations, commands, testinfra.

Testinfra's own way to a host keeps a cache of hosts by address, so that a machine with a recycled
address would be taken for the dead one; it accepts any host key and has no time limit. Here every
member has its own ``Host`` on our own backend, which runs over a ``Remote`` and records what it
ran.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable
from typing import Any

from testinfra.backend.base import BaseBackend, CommandResult
from testinfra.host import Host

from provisioner.errors import Lost
from provisioner.features import Completed
from provisioner.remote import Remote

PROBE_HOME = "/opt/interop"
PROBE = f"{PROBE_HOME}/probe.py"

Note = Callable[[str, str], None]  # a title and a text to keep as evidence
Mask = Callable[[str], str]  # takes the secrets out of a text


def _nothing(title: str, text: str) -> None:
    """Keep no evidence."""


def _as_is(text: str) -> str:
    """There are no secrets."""
    return text


class Inside:
    """One machine from inside.

    Args:
        remote: the shell in it; stays the caller's to close.
        name: the member's name, shown in evidence.
        note: where the output of each command goes; a check's outcome relies on it.
        mask: applied to everything before it is noted.
        timeout_s: for commands that name no time limit, and for each of testinfra's.
    """

    def __init__(
        self,
        remote: Remote,
        name: str,
        *,
        note: Note = _nothing,
        mask: Mask = _as_is,
        timeout_s: float = 60.0,
    ) -> None:
        self.remote = remote
        self.name = name
        self._note = note
        self._mask = mask
        self._timeout_s = timeout_s
        self._host: Host | None = None
        self._becomes_root: bool | None = None

    def run(
        self,
        command: str,
        timeout_s: float | None = None,
        sudo: bool = False,
        *,
        stdin: bytes = b"",
    ) -> Completed:
        """Run a command for ``sh -c``; its output becomes evidence.

        Raises:
            Timeout, Lost, Unauthorized: as ``Remote.run``; the attempt is noted too.
        """
        limit = self._timeout_s if timeout_s is None else timeout_s
        title = f"{self.name} {'#' if sudo else '$'} {command}"
        try:
            done = self.remote.run(command, stdin=stdin, timeout_s=limit, sudo=sudo)
        except Exception as error:
            self._note(self._mask(title), self._mask(f"{type(error).__name__}: {error}"))
            raise
        self._note(self._mask(title), self._mask(_transcript(done)))
        return done

    def observe(
        self, name: str, *, timeout_s: float | None = None, sudo: bool = False, **args: object
    ) -> dict[str, Any]:
        """What the probe sees: ``probe.py observe NAME [JSON]``, one JSON object.

        It is run as a module, which Python compiles once and not at each start. It runs as root
        where we may become it: it would start itself again by sudo, and starting Python twice is
        half of what a look into an emulated machine costs.

        Raises:
            Lost: the probe did not run or printed something else: nothing was learnt.
        """
        words = ["python3", "-m", "probe", "observe", name]
        if args:
            words.append(json.dumps(args, sort_keys=True))
        if self._becomes_root is None:
            limit = self._timeout_s if timeout_s is None else timeout_s
            self._becomes_root = self.remote.run("true", timeout_s=limit, sudo=True).code == 0
        line = f"cd {PROBE_HOME} && {shlex.join(words)}"
        done = self.run(line, timeout_s, sudo or self._becomes_root)
        if done.code != 0:
            said = (done.stderr or done.stdout).decode("utf-8", "replace").strip()
            last = said.splitlines()[-1] if said else "no output"
            raise Lost(f"{self.name}: probe {name} ended with code {done.code}: {self._mask(last)}")
        try:
            seen = json.loads(done.stdout)
        except ValueError as error:
            raise Lost(f"{self.name}: probe {name} printed no JSON") from error
        if not isinstance(seen, dict):
            raise Lost(f"{self.name}: probe {name} printed no JSON object")
        return seen

    @property
    def host(self) -> Host:
        """Testinfra's host of this very machine: ``.file``, ``.service``, ``.mount_point`` ..."""
        if self._host is None:
            backend = MemberBackend(self)
            self._host = Host(backend)
            backend.set_host(self._host)
        return self._host


class MemberBackend(BaseBackend):  # type: ignore[misc]
    """Testinfra's commands through ``Inside.run``: time limit, evidence and masking included."""

    NAME = "interop"

    def __init__(self, inside: Inside) -> None:
        super().__init__(inside.name)
        self._inside = inside

    def run(self, command: str, *args: str, **kwargs: object) -> CommandResult:
        """Run one of testinfra's commands. ``host.sudo()`` of testinfra is honoured as it is."""
        line = self.get_command(command, *args)
        done = self._inside.run(line)
        return self.result(done.code, line.encode(), done.stdout, done.stderr)

    def get_encoding(self) -> str:
        """UTF-8: asking the guest would cost a command, and a wrong answer a traceback."""
        return "utf-8"

    def decode(self, data: bytes) -> str:
        return data.decode("utf-8", "backslashreplace")

    def result(
        self, rc: int, cmd: bytes, stdout: str | bytes, stderr: str | bytes
    ) -> CommandResult:
        """As testinfra's, but without logging the output, which may hold secrets."""
        return CommandResult(
            backend=self, exit_status=rc, command=cmd, _stdout=stdout, _stderr=stderr
        )


def _transcript(done: Completed) -> str:
    """A finished command as a person would have seen it; empty parts are left out."""
    parts = [done.stdout.decode("utf-8", "backslashreplace")]
    if done.stderr:
        parts.append("[stderr]\n" + done.stderr.decode("utf-8", "backslashreplace"))
    parts.append(f"[code {done.code}, {done.seconds:.2f} s]")
    return "\n".join(part.rstrip("\n") for part in parts if part)
