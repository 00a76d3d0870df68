"""SSH to one machine, over a dialer's sockets, with the host key pinned."""

from __future__ import annotations

import logging
import select
import socket
import threading
import time
from pathlib import Path

import paramiko

from provisioner.driver import Access
from provisioner.errors import Lost, PlatformFault, Timeout, Unauthorized
from provisioner.features import Completed
from provisioner.reach import Dialer

CONNECT_S = 10.0  # TCP; then as much again for the banner and the log-in
LINGER_S = 1.0  # a daemon may keep the streams open after the command itself has ended
AT_ONCE = 4  # servers refuse many log-ins at once (dropbear: 5 of one address, OpenSSH: 10)
MAX_OUTPUT = 32 * 1024 * 1024  # a machine under test must not fill our memory

# Without a handler the library's tracebacks would be printed between our lines.
logging.getLogger("paramiko").addHandler(logging.NullHandler())

_known_lock = threading.Lock()


class SshSession:
    """Keeps a connection and makes it anew once when it was lost between two commands.

    A connection carries one command at a time: small servers fail at several. Commands of other
    threads meanwhile get connections of their own, up to ``AT_ONCE``.

    Args:
        dialer: who opens the socket.
        access: host, port, user and the host keys the platform told.
        key: private key file, OpenSSH format, no passphrase.
        known: file where a host key seen at first use is kept, as OpenSSH's known_hosts.
        alias: the machine's name there; never its address, which the next machine may get.
    """

    def __init__(
        self, dialer: Dialer, access: Access, key: Path, *, known: Path, alias: str
    ) -> None:
        self._dialer = dialer
        self._access = access
        self._key = key
        self._known = known
        self._alias = alias
        self._lock = threading.Lock()
        self._idle: list[paramiko.Transport] = []
        self._places = threading.BoundedSemaphore(AT_ONCE)
        self.host_key = ""  # of the last connection
        self.host_key_from = access.host_keys_from if access.host_keys else "first use"

    def run(self, line: str, shown: str, stdin: bytes, timeout_s: float) -> Completed:
        """Run *line*; *shown* is what the answer and errors call it."""
        started = time.monotonic()
        if not self._places.acquire(timeout=timeout_s):
            raise Timeout(f"{self._who()}: no connection was free for {shown!r}")
        try:
            transport, channel = self._channel(timeout_s)
            try:
                done = self._converse(channel, line, shown, stdin, started, timeout_s)
            except BaseException:
                # A guest that hangs answers nothing on this connection any more.
                transport.close()
                raise
            with self._lock:
                self._idle.append(transport)
            return done
        finally:
            self._places.release()

    def _converse(
        self,
        channel: paramiko.Channel,
        line: str,
        shown: str,
        stdin: bytes,
        started: float,
        timeout_s: float,
    ) -> Completed:
        """One command on a channel of its own, from its start to its exit status."""
        deadline = started + timeout_s
        try:
            try:
                channel.settimeout(max(0.1, deadline - time.monotonic()))
                channel.exec_command(line)
                if not stdin:
                    channel.shutdown_write()
            except TimeoutError as error:
                raise self._late(shown, timeout_s) from error
            except (paramiko.SSHException, EOFError, OSError) as error:
                raise Lost(f"{self._who()}: connection lost: {_words(error)}") from error
            if stdin:
                threading.Thread(target=_feed, args=(channel, stdin), daemon=True).start()
            out, err = self._collect(channel, deadline, shown, timeout_s)
            code = channel.exit_status if channel.status_event.is_set() else -1
            if code == -1 and not channel.get_transport().is_active():
                raise Lost(f"{self._who()}: connection lost during {shown!r}")
        finally:
            channel.close()
        seconds = time.monotonic() - started
        return Completed(command=shown, code=code, stdout=out, stderr=err, seconds=seconds)

    def close(self) -> None:
        """Close idle connections; the next command makes a new one."""
        with self._lock:
            idle, self._idle = self._idle, []
        for transport in idle:
            transport.close()

    def _who(self) -> str:
        return f"{self._access.user}@{self._access.host} port {self._access.port}"

    def _late(self, shown: str, timeout_s: float) -> Timeout:
        return Timeout(f"{self._who()}: {shown!r} was still running after {timeout_s:g} s")

    def _channel(self, timeout_s: float) -> tuple[paramiko.Transport, paramiko.Channel]:
        """A connection with a new channel; a kept one that is dead is replaced by a fresh one."""
        wait_s = min(CONNECT_S, timeout_s)
        while True:
            with self._lock:
                kept = self._idle.pop() if self._idle else None
            transport = kept or self._connect(wait_s)
            try:
                return transport, transport.open_session(timeout=wait_s)
            except (paramiko.SSHException, EOFError, OSError) as error:
                transport.close()
                if kept is None:
                    raise Lost(f"{self._who()}: no session: {_words(error)}") from error

    def _connect(self, wait_s: float) -> paramiko.Transport:
        try:
            key = paramiko.PKey.from_path(self._key)
        except (paramiko.SSHException, OSError, ValueError) as error:
            raise Unauthorized(f"key file {self._key} cannot be used: {_words(error)}") from error
        pinned = self._pinned()
        try:
            line = self._dialer.connect(self._access.host, self._access.port, wait_s)
        except OSError as error:
            raise Lost(f"{self._who()}: {_words(error)}") from error
        transport: paramiko.Transport | None = None
        try:
            # Else every command waits 40 ms for an acknowledgement that the server delays.
            line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            transport = paramiko.Transport(line)
            transport.banner_timeout = transport.auth_timeout = wait_s
            _ask_for(transport, pinned)
            transport.start_client(timeout=wait_s)
            self._check(transport.get_remote_server_key(), pinned)
            transport.auth_publickey(self._access.user, key)
            transport.set_keepalive(15)
        except paramiko.AuthenticationException as error:
            _drop(transport, line)
            raise Unauthorized(f"{self._who()}: the key is refused") from error
        except (paramiko.SSHException, EOFError, OSError) as error:
            _drop(transport, line)
            raise Lost(f"{self._who()}: no SSH: {_words(error)}") from error
        except BaseException:
            _drop(transport, line)
            raise
        return transport

    def _pinned(self) -> set[str]:
        """``type base64`` of the keys to accept; empty only before the first use."""
        if self._access.host_keys:
            return {" ".join(key.split()[:2]) for key in self._access.host_keys}
        with _known_lock:
            try:
                lines = self._known.read_text("ascii").splitlines()
            except FileNotFoundError:
                return set()
        parts = [line.split() for line in lines]
        return {" ".join(p[1:3]) for p in parts if len(p) >= 3 and p[0] == self._alias}

    def _check(self, key: paramiko.PKey, pinned: set[str]) -> None:
        seen = f"{key.get_name()} {key.get_base64()}"
        if not pinned:
            with _known_lock:
                self._known.parent.mkdir(parents=True, exist_ok=True)
                with self._known.open("a", encoding="ascii") as known:
                    known.write(f"{self._alias} {seen}\n")
        elif seen not in pinned:
            kinds = ", ".join(sorted(p.split()[0] for p in pinned))
            message = f"host key {key.fingerprint} ({key.get_name()}) is not a pinned one ({kinds})"
            raise Unauthorized(f"{self._who()}: {message}")
        self.host_key = seen

    def _collect(
        self, channel: paramiko.Channel, deadline: float, shown: str, timeout_s: float
    ) -> tuple[bytes, bytes]:
        """Both streams to their end, read side by side so that neither can block the other."""
        out, err = bytearray(), bytearray()
        ready = select.poll()
        ready.register(channel.fileno(), select.POLLIN)
        ended: float | None = None
        while True:
            # Asked before the streams are emptied: what came before the end must not be missed.
            finished = channel.exit_status_ready()
            at_end = channel.eof_received or channel.closed
            quiet = True
            while channel.recv_ready():
                out += channel.recv(65536)
                quiet = False
            while channel.recv_stderr_ready():
                err += channel.recv_stderr(65536)
                quiet = False
            if len(out) + len(err) > MAX_OUTPUT:
                raise PlatformFault(f"{self._who()}: {shown!r} printed over {MAX_OUTPUT} bytes")
            now = time.monotonic()
            if finished:
                ended = ended or now
                if quiet and (at_end or now - ended > LINGER_S):
                    return bytes(out), bytes(err)
            if now >= deadline:
                raise self._late(shown, timeout_s)
            if quiet and at_end:
                # The pipe stays readable after EOF; only the exit status is missing now.
                channel.status_event.wait(min(0.5, deadline - now))
            elif quiet:
                pause = 0.1 if ended else min(5.0, deadline - now)
                ready.poll(max(1, int(pause * 1000)))


def _feed(channel: paramiko.Channel, stdin: bytes) -> None:
    """Send *stdin*; a command that ends without reading it is no error."""
    try:
        channel.sendall(stdin)
        if not channel.closed:  # some servers end the connection over a word on a closed channel
            channel.shutdown_write()
    except (OSError, EOFError, paramiko.SSHException):
        return


def _ask_for(transport: paramiko.Transport, pinned: set[str]) -> None:
    """Have the server show a key of a type we know, if any is known."""
    kinds = {key.split()[0] for key in pinned}
    if "ssh-rsa" in kinds:
        kinds |= {"rsa-sha2-512", "rsa-sha2-256"}
    options = transport.get_security_options()
    wanted = tuple(kind for kind in options.key_types if kind in kinds)
    if wanted:
        options.key_types = wanted


def _drop(transport: paramiko.Transport | None, line: socket.socket) -> None:
    """Close what there is, without words."""
    if transport is not None:
        transport.close()
    line.close()


def _words(error: BaseException) -> str:
    """An error's text, or its name when it has none; never empty."""
    if isinstance(error, TimeoutError):
        return "timed out"
    text = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return (text or type(error).__name__).strip().lower()
