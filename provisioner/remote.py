"""A shell inside a machine: over SSH with a pinned host key, or through the driver's Exec feature.

Nothing of the SSH library crosses this seam: callers see ``provisioner.errors`` only.
"""

from __future__ import annotations

import contextlib
import shlex
from pathlib import Path
from typing import Protocol

from provisioner.driver import Access, Driver, Handle
from provisioner.errors import BadRequest, PlatformFault, Unauthorized
from provisioner.features import Completed, Exec
from provisioner.platform import PlatformConfig
from provisioner.reach import dialer_for
from provisioner.ssh import SshSession


class Remote(Protocol):
    """Runs commands in one machine. Safe to call from several threads.

    Every command is text for ``sh -c``. A command is sent at most once: when the connection is
    lost after that, ``Lost`` is raised and nobody knows whether it ran.
    """

    def run(
        self,
        command: str,
        *,
        stdin: bytes = b"",
        timeout_s: float = 60.0,
        sudo: bool = False,
    ) -> Completed:
        """Run *command* to its end; a code other than 0 is an answer, not an error.

        Raises:
            Timeout: it was still running after *timeout_s*; it may go on in the machine.
            Lost: the machine cannot be reached, or the connection broke meanwhile.
            Unauthorized: the key is refused, or the host key is not the pinned one.
        """

    def put(self, data: bytes, path: str, mode: int = 0o644, sudo: bool = False) -> None:
        """Write a file; readers see the old content or the whole new one.

        Raises:
            PlatformFault: the machine could not write it; the message has its words.
        """

    def close(self) -> None:
        """Let go of the connection; the machine stays as it is."""


def as_root(command: str) -> str:
    """*command* run by root: as it is if we are root, else by ``sudo`` without a password."""
    quoted = shlex.quote(command)
    return f'if [ "$(id -u)" = 0 ]; then exec sh -c {quoted}; else exec sudo -n sh -c {quoted}; fi'


def _put(remote: Remote, data: bytes, path: str, mode: int, sudo: bool) -> None:
    """Write through ``cat`` (small guests have no sftp), then move into place."""
    target = shlex.quote(path)
    fresh = shlex.quote(f"{path}.interop-new")
    command = (
        f"set -e; umask 077; mkdir -p -m 755 -- {shlex.quote(str(Path(path).parent))};"
        f" cat > {fresh}; [ $(wc -c < {fresh}) -eq {len(data)} ];"
        f" chmod {mode:o} {fresh}; mv -f -- {fresh} {target}"
    )
    done = remote.run(command, stdin=data, sudo=sudo, timeout_s=60.0 + len(data) / 100_000)
    if done.code != 0:
        said = done.stderr.decode("utf-8", "replace").strip() or f"exit code {done.code}"
        raise PlatformFault(f"cannot write {path} ({len(data)} bytes): {said}")


class SshRemote:
    """A machine over SSH. The session keeps one connection; see ``provisioner.ssh``."""

    def __init__(self, session: SshSession) -> None:
        self.session = session

    def run(
        self,
        command: str,
        *,
        stdin: bytes = b"",
        timeout_s: float = 60.0,
        sudo: bool = False,
    ) -> Completed:
        text = as_root(command) if sudo else command
        # The login shell may be anything; what runs the command is always sh.
        return self.session.run(f"exec sh -c {shlex.quote(text)}", command, stdin, timeout_s)

    def put(self, data: bytes, path: str, mode: int = 0o644, sudo: bool = False) -> None:
        _put(self, data, path, mode, sudo)

    def close(self) -> None:
        self.session.close()


class ExecRemote:
    """A machine through the driver's Exec feature (pods, the fake platform)."""

    def __init__(self, feature: Exec) -> None:
        self._feature = feature

    def run(
        self,
        command: str,
        *,
        stdin: bytes = b"",
        timeout_s: float = 60.0,
        sudo: bool = False,
    ) -> Completed:
        text = as_root(command) if sudo else command
        done = self._feature.run(["sh", "-c", text], stdin, timeout_s)
        return Completed(
            command=command,
            code=done.code,
            stdout=done.stdout,
            stderr=done.stderr,
            seconds=done.seconds,
        )

    def put(self, data: bytes, path: str, mode: int = 0o644, sudo: bool = False) -> None:
        _put(self, data, path, mode, sudo)

    def close(self) -> None:
        with contextlib.suppress(AttributeError):
            self._feature.close()  # type: ignore[attr-defined]


def open_remote(
    config: PlatformConfig, driver: Driver, handle: Handle, access: Access, key: Path
) -> Remote:
    """A shell inside the machine *handle*, by the way its ``State.access`` names.

    Nothing is dialled before the first command. *key* is the private key; a host key that the
    platform did not tell is taken at first use and kept in ``known_hosts`` beside it.

    Raises:
        BadRequest: the access says neither ``ssh`` nor ``exec``, or has no host or user.
        Unsupported: ``exec``, but the driver has no Exec for it.
    """
    if access.how == "exec":
        return ExecRemote(driver.feature(Exec, handle))  # type: ignore[type-abstract]
    if access.how != "ssh":
        raise BadRequest(f"{handle}: access is {access.how!r}, expected ssh or exec", config.name)
    if not access.host:
        raise BadRequest(f"{handle}: the platform gave no address to log in to", config.name)
    if not access.user:
        raise BadRequest(f"{handle}: nobody knows which user to log in as", config.name)
    if not key.is_file():
        raise Unauthorized(f"{handle}: there is no key file {key}", config.name)
    dialer = dialer_for(config.settings)
    known = key.parent / "known_hosts"
    return SshRemote(SshSession(dialer, access, key, known=known, alias=str(handle)))
