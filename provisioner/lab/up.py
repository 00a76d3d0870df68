"""Bring a lab up, take it down, and say how it is."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from provisioner.errors import BadRequest, Conflict, Lost, PlatformFault, Timeout
from provisioner.lab import cgroups, limits, serve, traces
from provisioner.lab.lock import locked
from provisioner.lab.space import RUN, Space
from provisioner.lab.state import BULK, State, asked_defects, end
from provisioner.reach import BrokerDialer

READY_S = 1200.0  # images are built within it when nothing is cached
BROKER_S = 10.0
Say = Callable[[str, str], None]  # platform, what it does now


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """One line of a lab's status."""

    name: str
    state: str  # ready, starting, dead
    detail: str


def up(space: Space, only: Sequence[str], say: Say, *, defects: Sequence[str] = ()) -> Path:
    """Start the platforms of *only* (all that are installed, if empty); returns platforms.yaml.

    A platform that is ready already is kept, so that a second ``up`` does nothing.

    Raises:
        BadRequest: no such platform or defect.
        PlatformFault: something could not be started; what was started is ended again.
        Timeout: a platform was not ready in time.
    """
    platforms = _chosen(only)
    asked = [*asked_defects(), *defects]
    for item in asked:
        if item.partition(":")[0] not in {f"lab-{name}" for name in serve.PLATFORMS}:
            raise BadRequest(
                f"defect {item!r}: expected PLATFORM:NAME, such as lab-metal:clock-skew"
            )
    if os.geteuid():
        raise PlatformFault("lab: needs root: namespaces, bridges and taps are made")
    for name in () if only else serve.PLATFORMS:
        if why := serve.lacking(name):
            say(name, f"left out: {why}")
    with _alone(space):
        state = State(space)
        alive = {process.name for process in state.running()} if space.exists() else set()
        broken = "broker" not in alive or not _answers(str(space.broker_socket))
        if space.exists() and broken:
            say("lab", "removing what a dead lab left")
            _clear(space)
            alive = set()
        if not space.exists():
            space.create()
        elif state.kept_defects() != sorted(asked):
            has = ", ".join(state.kept_defects()) or "none"
            raise Conflict(f"lab {space.name} is up with other defects ({has}); take it down first")
        state.create()
        state.keep_defects(asked)
        try:
            _start(state, platforms, alive)
            _await(state, platforms, say)
        except BaseException:
            say("lab", "taking it down again")
            if alive:  # what was up before stays up
                fresh = {f"serve-{name}" for name in platforms} - alive
                end(process for process in state.processes() if process.name in fresh)
            else:
                _clear(space, keep_logs=True)
            raise
        return state.write_platforms()


def down(space: Space) -> list[str]:
    """End the lab and remove every trace of it; returns what could not be removed."""
    with _alone(space):
        return _clear(space)


def status(space: Space) -> list[Health]:
    """How each part of the lab is; empty when there is no lab of that name."""
    state = State(space)
    if not state.path.exists():
        return []
    found = []
    for process in state.processes():
        name = process.name.removeprefix("serve-")
        if not process.alive():
            health = Health(name=name, state="dead", detail=f"pid {process.pid} is gone")
        elif process.name.startswith("serve-") and state.entry(name) is None:
            health = Health(name=name, state="starting", detail=state.doing(name))
        else:
            doing = f", {state.doing(name)}" if process.name.startswith("serve-") else ""
            health = Health(name=name, state="ready", detail=f"pid {process.pid}{doing}")
        found.append(health)
    return found


def labs() -> list[str]:
    """The names of the labs that have any state."""
    if not RUN.is_dir():
        return []
    return sorted(path.name for path in RUN.iterdir() if path.is_dir() and path.name[0] != ".")


def leftovers(space: Space) -> list[str]:
    """What is there of the lab, in words: processes, namespaces, mounts, loop devices, folders."""
    state = State(space)
    found = [f"process {process.pid} ({process.name})" for process in state.running()]
    found += [f"namespace {name}" for name in space.namespaces()]
    found += [f"mount {path}" for path in traces.mounts(_folders(space))]
    found += [f"loop device {device}" for device in traces.loops(_folders(space))]
    found += [f"control group {path}" for path in cgroups.of(space)]
    return found + [f"folder {path}" for path in _folders(space) if path.exists()]


def _chosen(only: Sequence[str]) -> list[str]:
    there = serve.available()
    for name in only:
        if name not in serve.PLATFORMS:
            known = ", ".join(serve.PLATFORMS)
            raise BadRequest(f"lab: no platform {name!r}; expected one of {known}")
        if name not in there:
            raise BadRequest(f"lab: {serve.lacking(name) or f'platform {name} is not installed'}")
    return list(dict.fromkeys(only)) or there


def _start(state: State, platforms: Sequence[str], alive: set[str]) -> None:
    python = [sys.executable, "-P", "-m"]
    socket = state.space.broker_socket
    if "broker" not in alive:
        state.spawn("broker", [*python, "provisioner.lab.broker", str(socket)], inside=True)
    for name in platforms:
        if f"serve-{name}" not in alive:
            (state.path / f"{name}.ready").unlink(missing_ok=True)
            module = [*python, "provisioner.lab.serve", name, "--lab", state.space.name]
            state.spawn(f"serve-{name}", module)
    deadline = time.monotonic() + BROKER_S
    while not _answers(str(socket)):
        if time.monotonic() > deadline:
            raise PlatformFault(f"broker: no answer after {BROKER_S:.0f} s; see its log")
        time.sleep(0.05)


def _answers(path: str) -> bool:
    """Whether the broker makes sockets."""
    try:
        BrokerDialer(path).bind("127.0.0.1", 0).close()
    except (OSError, Lost):
        return False
    return True


def _await(state: State, platforms: Sequence[str], say: Say) -> None:
    deadline = time.monotonic() + READY_S
    told: dict[str, str] = {}
    waiting = list(platforms)
    while waiting:
        alive = {process.name for process in state.processes() if process.alive()}
        for name in list(waiting):
            if state.entry(name) is not None:
                waiting.remove(name)
                say(name, "ready")
                continue
            if f"serve-{name}" not in alive:
                raise PlatformFault(
                    f"lab: {name} ended while it started: {_complaint(state, name)}"
                )
            doing = state.doing(name)
            if told.get(name) != doing:
                told[name] = doing
                say(name, doing)
        if waiting and time.monotonic() > deadline:
            raise Timeout(f"lab: {', '.join(waiting)} not ready after {READY_S:.0f} s")
        if waiting:
            time.sleep(0.2)


def _complaint(state: State, name: str) -> str:
    """The last line a daemon said."""
    try:
        lines = state.log(f"serve-{name}").read_text(errors="replace").strip().splitlines()
    except OSError:
        lines = []
    if not lines:
        return "without a word"
    told = re.sub(r"^[\w.]+: ", "", lines[-1])  # the class of an error is no news to a user
    return f"{told} (logs are in {_kept(state.space)})"


def _clear(space: Space, *, keep_logs: bool = False) -> list[str]:
    state = State(space)
    left = [f"process {process.pid} ({process.name})" for process in state.end_processes()]
    traces.clear(_folders(space))
    space.remove()
    cgroups.remove(space)
    kept = _kept(space)
    shutil.rmtree(kept, ignore_errors=True)
    if keep_logs and (state.path / "log").is_dir():
        (state.path / "log").rename(kept)
    if not traces.mounts(_folders(space)):  # never walk into something still mounted
        for path in _folders(space):
            shutil.rmtree(path, ignore_errors=True)
    if not labs():
        limits.restore_limit()
    return left + leftovers(space)


def _kept(space: Space) -> Path:
    """Where the logs of a lab that could not be started are."""
    return RUN / f".{space.name}.logs"


def _folders(space: Space) -> tuple[Path, Path]:
    return space.state_dir, BULK / space.name


@contextlib.contextmanager
def _alone(space: Space) -> Iterator[None]:
    """Only one command at a time changes a lab; also tidies the empty folders of all labs.

    Raises:
        Conflict: another command is at it.
    """
    busy = f"lab {space.name}: another `lab up` or `lab down` is at work"
    try:
        with locked(RUN / f".{space.name}.lock", busy):
            yield
    finally:
        for folder in (BULK, RUN):
            with contextlib.suppress(OSError):
                folder.rmdir()  # only an empty one goes
