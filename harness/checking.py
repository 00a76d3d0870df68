"""Runs the suites against one platform in a pytest of their own, and follows its records."""

from __future__ import annotations

import ctypes
import hashlib
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from harness.session import Session
from provisioner.waiting import Cancel

PRCTL = ctypes.CDLL(None).prctl  # loaded before any fork
POLL_S = 0.2
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


def suites_digest() -> str:
    """Digest over the suites' files: which checks these were, byte for byte."""
    digest = hashlib.sha256()
    root = suites_folder()
    for file in sorted(root.rglob("*.py")):
        digest.update(str(file.relative_to(root)).encode() + b"\0" + file.read_bytes() + b"\0")
    return f"sha256:{digest.hexdigest()}"


def suites_folder() -> Path:
    """Where the suites are installed; they are handed to pytest by name, never imported here."""
    spec = find_spec("suites")
    assert spec is not None  # noqa: S101 - part of this distribution
    assert spec.submodule_search_locations  # noqa: S101
    return Path(next(iter(spec.submodule_search_locations)))


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
        "-p",
        "harness.labels",
        "-q",
        "--tb=short",
        "--color=no",
    ]


def check(
    folder: Path,
    session: Session,
    tell: Callable[[dict[str, Any]], None],
    cancel: Cancel,
) -> Checked:
    """Run the suites, telling each record as it is written.

    Once *cancel* is requested, pytest is interrupted, so that it removes what its checks made;
    after three minutes it is killed and the ledger is left for ``reap``.
    """
    session_file = folder / "session.json"
    session.save(session_file)
    session.checks.touch()
    environment = {
        **os.environ,
        "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
        "HYPOTHESIS_STORAGE_DIRECTORY": str(folder / "hypothesis"),
    }
    environment.pop("PYTEST_ADDOPTS", None)
    with (folder / "pytest.log").open("ab") as log:
        process = subprocess.Popen(
            command(folder, session_file),
            stdout=log,
            stderr=subprocess.STDOUT,
            cwd=folder,
            env=environment,
            start_new_session=True,  # Ctrl-C reaches us first; we pass it on
            preexec_fn=_end_with_parent,
        )
    interrupted = False
    killer: threading.Timer | None = None
    for record in _follow(session.checks, process):
        if record is not None:
            tell(record)
        if cancel.requested and not interrupted and process.poll() is None:
            interrupted = True
            process.send_signal(signal.SIGINT)
            killer = threading.Timer(GRACE_S, process.kill)
            killer.start()
    if killer is not None:
        killer.cancel()
    return Checked(
        records=tuple(read_records(session.checks)),
        complete=process.returncode in (0, 1) and not interrupted,
        reason=cancel.reason if interrupted else _why(process.returncode, folder),
    )


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


def _follow(file: Path, process: subprocess.Popen[bytes]) -> Iterator[dict[str, Any] | None]:
    """Each new record, and None now and then, until the process has ended."""
    with file.open("rb") as stream:
        rest = b""
        ended = False
        while True:
            ended = process.poll() is not None
            rest += stream.read()
            *lines, rest = rest.split(b"\n")
            for line in lines:
                if line.strip():
                    yield json.loads(line)
            if ended:
                return
            yield None
            try:
                process.wait(POLL_S)
            except subprocess.TimeoutExpired:
                continue


def _why(code: int, folder: Path) -> str:
    """Why the checking did not come to its end; empty if it did."""
    if code in (0, 1):
        return ""
    reasons = {2: "interrupted", 3: "internal error", 4: "usage error", 5: "no check was selected"}
    reason = reasons.get(code, f"ended by signal {-code}" if code < 0 else f"exit code {code}")
    return f"checking stopped: {reason}; see {folder / 'pytest.log'}"
