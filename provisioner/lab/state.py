"""What a running lab knows of itself: its processes, their readiness, and how to end it all.

Everything is in the lab's folder under /run/interop, so that ``lab down`` needs nobody's memory
and works after every daemon was killed.
"""

from __future__ import annotations

import json
import os
import secrets
import signal
import subprocess
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from provisioner.lab.pids import start_time
from provisioner.lab.space import Space

MARK = "INTEROP_LAB_STATE"  # in the environment of every process of a lab, children included
DEFECTS = "INTEROP_LAB_DEFECTS"
BULK = Path("/var/lib/interop")
LEAVE_S = 10.0  # how long a process may take to leave after SIGTERM


@dataclass(frozen=True, slots=True, kw_only=True)
class Process:
    """One process, told from a later one of the same number by its start time."""

    name: str
    pid: int
    started: int  # clock ticks after boot, field 22 of /proc/PID/stat

    def alive(self) -> bool:
        """Whether this very process still runs; a zombie does not."""
        return start_time(self.pid) == self.started


class State:
    """The folder of one lab."""

    def __init__(self, space: Space) -> None:
        self.space = space
        self.path = space.state_dir

    def create(self) -> None:
        """Make the folder; only its owner may look into it."""
        self.path.mkdir(parents=True, mode=0o700, exist_ok=True)
        self.path.chmod(0o700)
        (self.path / "processes").mkdir(exist_ok=True)
        (self.path / "log").mkdir(exist_ok=True)

    def folder(self, name: str) -> Path:
        """A folder of one's own within the lab's state."""
        path = self.path / name
        path.mkdir(mode=0o700, exist_ok=True)
        return path

    def bulk(self, name: str) -> Path:
        """A folder for what is large, such as disks; /run is memory on most systems."""
        path = BULK / self.space.name / name
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        return path

    def log(self, name: str) -> Path:
        """Where the process *name* writes what it has to say."""
        return self.path / "log" / f"{name}.log"

    # -- processes -----------------------------------------------------------------------------

    def spawn(self, name: str, argv: Sequence[str], *, inside: bool = False) -> int:
        """Like ``start``, for a process nobody waits for; returns its pid."""
        started = self.start(name, argv, inside=inside)
        started.returncode = 0  # so that it is not missed: it outlives us, or `end` collects it
        return started.pid

    def start(
        self,
        name: str,
        argv: Sequence[str],
        *,
        inside: bool = False,
        environment: Mapping[str, str] | None = None,
        descriptors: Sequence[int] = (),
    ) -> subprocess.Popen[bytes]:
        """Start a process of the lab in a session of its own and note it.

        Args:
            name: what it is called in the registry and its log file.
            argv: the command.
            inside: start it within the lab's network namespace.
            environment: variables it has beside ours.
            descriptors: open files it inherits under the same numbers, such as sockets.
        """
        command = self.space.inside(argv) if inside else list(argv)
        variables = {**os.environ, **(environment or {}), MARK: str(self.path)}
        with self.log(name).open("ab") as log:
            started = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=variables,
                start_new_session=True, close_fds=True, pass_fds=descriptors,
            )  # fmt: skip
        self.record(name, started.pid)
        return started

    def record(self, name: str, pid: int) -> None:
        """Note a process that somebody else started; one that is gone already is not noted."""
        started = start_time(pid)
        if started is not None:
            self._write(f"processes/{name}.json", json.dumps({"pid": pid, "started": started}))

    def forget(self, name: str) -> None:
        """Strike a process that was seen to end."""
        (self.path / "processes" / f"{name}.json").unlink(missing_ok=True)

    def processes(self) -> list[Process]:
        """Those noted, alive or not, by name."""
        found = []
        for path in sorted((self.path / "processes").glob("*.json")):
            try:
                noted = json.loads(path.read_text(encoding="utf-8"))
                found.append(Process(name=path.stem, pid=noted["pid"], started=noted["started"]))
            except (OSError, ValueError, KeyError, TypeError):
                continue  # being replaced, or cut short by a crash; the mark finds the process
        return found

    def running(self) -> list[Process]:
        """Every live process of the lab: noted, marked by its environment, or in its namespace."""
        found = {process.pid: process for process in self.processes() if process.alive()}
        for pid in sorted(self.space.pids() | marked(self.path)):
            started = start_time(pid)
            if pid not in found and started is not None:
                found[pid] = Process(name=_command(pid), pid=pid, started=started)
        return list(found.values())

    def end_processes(self) -> list[Process]:
        """End every process of the lab, first politely; returns those that would not leave."""
        daemons = [process for process in self.running() if process.name.startswith("serve-")]
        end(daemons)  # they end their guests in an orderly way
        end(self.running())
        return self.running()

    # -- readiness -----------------------------------------------------------------------------

    def progress(self, platform: str, text: str) -> None:
        """Say in a few words what *platform* is doing or waiting for."""
        self._write(f"{platform}.progress", text)

    def doing(self, platform: str) -> str:
        """What *platform* said last."""
        try:
            return (self.path / f"{platform}.progress").read_text(encoding="utf-8")
        except OSError:
            return "starting"

    def ready(self, platform: str, entry: Mapping[str, Any]) -> None:
        """Say that *platform* serves, and what its entry in platforms.yaml is."""
        self._write(f"{platform}.ready", json.dumps(entry))

    def entry(self, platform: str) -> dict[str, Any] | None:
        """The entry of a platform that is ready."""
        try:
            said = json.loads((self.path / f"{platform}.ready").read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None
        return said if isinstance(said, dict) else None

    def platforms(self) -> dict[str, dict[str, Any]]:
        """The entries of all platforms that are ready, by the platform's name in the file."""
        names = sorted(path.stem for path in self.path.glob("*.ready"))
        return {f"lab-{name}": entry for name in names if (entry := self.entry(name)) is not None}

    def write_platforms(self) -> Path:
        """Write platforms.yaml for the platforms that are ready."""
        document = {"platforms": self.platforms()}
        self._write("platforms.yaml", yaml.safe_dump(document, sort_keys=False))
        return self.path / "platforms.yaml"

    def keep_defects(self, asked: Sequence[str]) -> None:
        """Note the defects the lab is to have, each ``lab-PLATFORM:NAME``."""
        self._write("defects", "".join(f"{item}\n" for item in sorted(asked)))

    def kept_defects(self) -> list[str]:
        """What ``keep_defects`` noted, sorted; nothing for a lab that never was."""
        try:
            return (self.path / "defects").read_text(encoding="utf-8").split()
        except FileNotFoundError:
            return []

    def defects(self, platform: str) -> frozenset[str]:
        """The defects *platform* was asked to have, such as ``volume-loses-fsync``."""
        asked = self.kept_defects() if (self.path / "defects").exists() else asked_defects()
        pairs = (item.partition(":") for item in asked)
        return frozenset(name for where, _, name in pairs if where == f"lab-{platform}")

    def _write(self, name: str, text: str) -> None:
        """Replace a file of the state at once: a reader sees the old or the new one."""
        path = self.path / name
        fresh = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
        fresh.write_text(text, encoding="utf-8")
        fresh.replace(path)


def asked_defects() -> list[str]:
    """The items of ``INTEROP_LAB_DEFECTS``: ``lab-metal:NAME,lab-aws:NAME``."""
    items = (item.strip() for item in os.environ.get(DEFECTS, "").split(","))
    return [item for item in items if item]


def marked(path: Path, mark: str = MARK) -> set[int]:
    """The processes whose environment carries the mark of the lab at *path*."""
    needle = f"{mark}={path}".encode()
    found = set()
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            try:
                environment = (entry / "environ").read_bytes()
            except OSError:
                continue
            if needle in environment.split(b"\0"):
                found.add(int(entry.name))
    return found


def end(processes: Iterable[Process], leave_s: float = LEAVE_S) -> None:
    """Ask processes to end, and kill those that still run after *leave_s* seconds."""
    left = list(processes)
    for number, patience_s in ((signal.SIGTERM, leave_s), (signal.SIGKILL, 5.0)):
        for process in left:
            if process.alive():
                try:
                    os.kill(process.pid, number)
                except ProcessLookupError:
                    continue
        deadline = time.monotonic() + patience_s
        while left and time.monotonic() < deadline:
            for process in left:
                _reap(process.pid)
            left = [process for process in left if process.alive()]
            time.sleep(0.05 if left else 0)


def _reap(pid: int) -> None:
    """Collect a child of ours that ended, so that no zombie stays."""
    try:
        os.waitpid(pid, os.WNOHANG)
    except ChildProcessError:
        return


def _command(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/comm").read_text(encoding="utf-8").strip()
    except OSError:
        return "?"
