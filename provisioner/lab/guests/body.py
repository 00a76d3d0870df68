"""The process that is a guest: started by one of us, found again by another.

A shell stands above it and writes down how it ended, so that this is known even to somebody who
did not start it: nova is started anew while its servers go on.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

from provisioner.lab.guests.guest import CONSOLE_KEPT, CONSOLE_MAX
from provisioner.lab.pids import children, start_time

# $1 where the code goes; the rest is the command. The trap keeps the shell until it has written.
WATCH = """
trap : TERM INT
out=$1
shift
"$@" &
wait $!
code=$?
while kill -0 $! 2> /dev/null; do wait $!; code=$?; done
echo $code > "$out"
exit $code
"""
GONE = -1  # ended, and nobody wrote how: the shell was killed, too
PATIENCE_S = 10.0


class Body:
    """The process of the guest whose files are in *folder*."""

    def __init__(self, folder: Path) -> None:
        self._note = folder / "process"
        self._code = folder / "ended"
        self._log = folder / "console.log"
        self._child: subprocess.Popen[bytes] | None = None
        self._pid, self._started = self._noted()

    def _noted(self) -> tuple[int, int]:
        try:
            noted = json.loads(self._note.read_text(encoding="ascii"))
            return int(noted["pid"]), int(noted["started"])
        except (OSError, ValueError, KeyError, TypeError):
            return 0, 0

    def start(self, argv: Sequence[str], held: Sequence[int] = ()) -> None:
        """Start it in a session of its own; what it says goes to the end of the console's file.

        The shell above it holds the descriptors *held* for as long as it runs.
        """
        self._code.unlink(missing_ok=True)
        if self._log.exists() and self._log.stat().st_size > CONSOLE_MAX:
            self._log.write_bytes(self._log.read_bytes()[-CONSOLE_KEPT:])
        with self._log.open("ab") as log:
            self._child = subprocess.Popen(
                ["sh", "-c", WATCH, "sh", str(self._code), *argv],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
                pass_fds=held,
            )  # fmt: skip
        self._pid = self._child.pid
        self._started = start_time(self._pid) or 0
        fresh = self._note.with_suffix(".new")
        fresh.write_text(json.dumps({"pid": self._pid, "started": self._started}))
        fresh.replace(self._note)

    @property
    def on(self) -> bool:
        """Whether it runs."""
        if self._child is not None and self._child.poll() is not None:
            return False
        return bool(self._pid) and start_time(self._pid) == self._started

    @property
    def inner(self) -> int | None:
        """The guest's own process, below the shell."""
        found = children(self._pid) if self.on else []
        return found[0] if found else None

    def ended(self) -> int | None:
        """Its exit code; None while it runs, and when there is none to speak of."""
        if not self._pid or self.on:
            return None
        try:
            return int(self._code.read_text(encoding="ascii"))
        except (OSError, ValueError):
            return GONE

    def signal(self, number: int) -> None:
        """Send the guest's own process a signal; one that is gone does not mind."""
        inner = self.inner
        if inner is not None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(inner, number)

    def wait(self, patience_s: float) -> None:
        """Return once it is gone, or after so many seconds."""
        deadline = time.monotonic() + patience_s
        while self.on and time.monotonic() < deadline:
            time.sleep(0.01)

    def kill(self) -> None:
        """End it at once; returns when it is gone."""
        self.signal(signal.SIGKILL)
        self.wait(PATIENCE_S)
        if self.on:  # the shell itself is stuck
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._pid, signal.SIGKILL)
        if self._child is not None:
            self._child.wait()

    def forget(self) -> None:
        """Drop an ended process."""
        if not self.on:
            if self._child is not None:
                self._child.wait()
            self._child, self._pid, self._started = None, 0, 0
            self._note.unlink(missing_ok=True)
            self._code.unlink(missing_ok=True)

    def words(self) -> tuple[bytes, float]:
        """The end of the console's file, and when it was written."""
        try:
            with self._log.open("rb") as file:
                status = self._log.stat()
                file.seek(max(0, status.st_size - CONSOLE_KEPT))
                return file.read(), status.st_mtime
        except OSError:
            return b"", time.time()
