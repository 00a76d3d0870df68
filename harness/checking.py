"""Runs the suites against one platform in pytests of their own, and follows their records.

There are two of them side by side: one asks the API and looks at members that stand, the other
has machines made that it stops, starts and destroys. They share nothing but the platform.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from harness.recorder import running
from harness.session import Session
from provisioner.waiting import Cancel

PRCTL = ctypes.CDLL(None).prctl  # loaded before any fork
POLL_S = 0.2
NOTHING = 5  # pytest's exit code when it had no test
GRACE_S = 180.0  # clean-up of what the checks made, after an interrupt

# No other plugin is loaded: what is installed beside us must not change a run. It also spares
# pytest from rewriting the assertions of everything that registers a plugin.
PLUGINS = ("interop", "allure_pytest", "hypothesispytest")
INI = """[pytest]
python_files = *.py
addopts = --strict-markers -p no:cacheprovider
filterwarnings =
    default
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """What came of it. ``complete`` is false when pytest did not come to its end."""

    records: tuple[dict[str, Any], ...]
    complete: bool
    reason: str = ""


def command(folder: Path, session_file: Path) -> list[str]:
    """The pytest command line; holds no secret."""
    ini = folder / "pytest.ini"
    ini.write_text(INI, encoding="utf-8")
    return [
        sys.executable,
        "-P",
        "-m",
        "pytest",
        *(f"-p{plugin}" for plugin in PLUGINS),
        "--pyargs",
        "suites",
        "-c",
        str(ini),
        f"--rootdir={folder}",
        f"--interop-session={session_file}",
        f"--alluredir={folder / 'allure'}",
        "--allure-no-capture",  # logs are not masked
        "-p",
        "harness.labels",
        "-q",
        "--tb=short",
        "--color=no",
    ]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Lane:
    """One pytest at work, and what it prints."""

    process: subprocess.Popen[bytes]
    log: Path


class Checking:
    """The pytests of one platform's run.

    Each has a ledger of its own, beside the one that *session* names.

    Args:
        folder: the platform's, in the run's.
        session: what the processes are told.
        tell: called with each record as it is written, from a thread of its own.
        begun: called with a lane and the check it is at, when that has changed.
    """

    def __init__(
        self,
        folder: Path,
        session: Session,
        tell: Callable[[dict[str, Any]], None],
        begun: Callable[[str, str], None],
    ) -> None:
        self._folder = folder
        self._session = session
        self._tell, self._begun = tell, begun
        self._lanes: dict[str, _Lane] = {}
        self._over = threading.Event()
        session.checks.touch()
        self._watch = threading.Thread(target=self._watching, args=(session.checks.stat().st_size,))
        self._watch.start()

    def start(self, name: str) -> None:
        """Start the pytest of a lane (``plugin.LANES``)."""
        folder, session = self._folder, self._session
        file = folder / f"session-{name}.json"
        ledger = session.ledger.with_name(f"{session.ledger.stem}.{name}.jsonl")
        replace(session, lane=name, ledger=ledger).save(file)
        environment = {
            **os.environ,
            "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
            "HYPOTHESIS_STORAGE_DIRECTORY": str(folder / "hypothesis"),
        }
        environment.pop("PYTEST_ADDOPTS", None)
        log = folder / f"pytest-{name}.log"
        with log.open("ab") as stream:
            process = subprocess.Popen(
                command(folder, file),
                stdout=stream,
                stderr=subprocess.STDOUT,
                cwd=folder,
                env=environment,
                start_new_session=True,  # Ctrl-C reaches us first; we pass it on
                preexec_fn=_end_with_parent,
            )
        self._lanes[name] = _Lane(process=process, log=log)

    def finish(self, cancel: Cancel) -> Checked:
        """Wait until every pytest has ended; once *cancel* is requested, they are stopped."""
        interrupted = False
        while self._alive():
            if cancel.requested:
                interrupted = True
                self.stop()
            self._alive_for(POLL_S)
        self._settle()
        reason = cancel.reason if interrupted else _why(list(self._lanes.values()))
        records = tuple(read_records(self._session.checks))
        return Checked(records=records, complete=not reason, reason=reason)

    def stop(self) -> None:
        """Interrupt what runs, so that it removes what its checks made, and wait for that.

        After three minutes it is killed, and its ledger is left for ``reap``.
        """
        for lane in self._lanes.values():
            lane.process.send_signal(signal.SIGINT)
        end = time.monotonic() + GRACE_S
        for lane in self._lanes.values():
            try:
                lane.process.wait(max(0.0, end - time.monotonic()))
            except subprocess.TimeoutExpired:
                lane.process.kill()
                lane.process.wait()
        self._settle()

    def alive(self) -> int:
        """How many lanes are at work; each makes one machine at a time."""
        return len(self._alive())

    def _alive(self) -> list[subprocess.Popen[bytes]]:
        return [lane.process for lane in self._lanes.values() if lane.process.poll() is None]

    def _alive_for(self, seconds: float) -> None:
        """Wait a moment, or less if what runs ends."""
        for process in self._alive()[:1]:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(seconds)

    def _settle(self) -> None:
        """What was written last is told."""
        self._over.set()
        self._watch.join()

    def _watching(self, known: int) -> None:
        """Tell what is written, and what is at work; what an earlier process wrote is not told."""
        at: dict[str, str] = {}
        with self._session.checks.open("rb") as stream:
            stream.seek(known)
            rest = b""
            while True:
                last = self._over.is_set()
                rest += stream.read()
                *lines, rest = rest.split(b"\n")
                for line in lines:
                    if line.strip():
                        self._tell(json.loads(line))
                for lane in list(self._lanes):
                    now = running(self._session.checks, lane)
                    if now and at.get(lane) != now:
                        at[lane] = now
                        self._begun(lane, now)
                if last:
                    return
                self._over.wait(POLL_S)


def _end_with_parent() -> None:
    """Have the kernel end this child when the run dies, so that ``reap`` finds nobody alive.

    Source: prctl(2), PR_SET_PDEATHSIG; it holds for the thread that started the child, which
    waits for it.
    """
    PRCTL(1, signal.SIGKILL)


def read_records(file: Path) -> list[dict[str, Any]]:
    """All complete records of the file; a last line cut off by a crash is no record."""
    records = []
    for line in file.read_bytes().splitlines() if file.exists() else ():
        try:
            records.append(json.loads(line))
        except ValueError:
            continue
    return records


def _why(lanes: Sequence[_Lane]) -> str:
    """Why the checking did not come to its end; empty if it did."""
    codes = {lane.process.returncode: lane.log for lane in lanes}
    if codes.keys() == {NOTHING}:
        return f"checking stopped: no check was selected; see {lanes[0].log}"
    for code, log in codes.items():
        if code not in (0, 1, NOTHING):
            reasons = {2: "interrupted", 3: "internal error", 4: "usage error"}
            reason = f"ended by signal {-code}" if code < 0 else f"exit code {code}"
            return f"checking stopped: {reasons.get(code, reason)}; see {log}"
    return ""
