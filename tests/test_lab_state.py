"""A lab's processes are told from others of the same number, and ended all and only."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from provisioner.errors import BadRequest
from provisioner.lab import defects, space
from provisioner.lab.pids import start_time
from provisioner.lab.space import Space
from provisioner.lab.state import DEFECTS, Process, State, end

SLEEP = [sys.executable, "-c", "import time; time.sleep(600)"]


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[State]:
    """The state of a lab that has a folder and no namespace."""
    monkeypatch.setattr(space, "RUN", tmp_path)
    made = State(Space(name="unit"))
    made.create()
    yield made
    made.end_processes()


def test_a_later_process_of_the_same_number_is_not_ours(state: State) -> None:
    pid = state.spawn("sleeper", SLEEP)
    started = start_time(pid)
    assert started is not None
    other = Process(name="sleeper", pid=pid, started=started - 1)

    end([other])

    assert not other.alive()
    assert Process(name="sleeper", pid=pid, started=started).alive()


def test_ending_ends_children_that_nobody_noted(state: State) -> None:
    script = f"import subprocess; subprocess.run({SLEEP!r})"
    parent = state.start("parent", [sys.executable, "-c", script])
    while len(state.running()) < 2:
        assert parent.poll() is None

    left = state.end_processes()
    parent.wait()

    assert left == []
    assert state.running() == []


def test_a_process_that_ignores_sigterm_is_killed(state: State) -> None:
    script = (
        "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN);"
        " print('deaf', flush=True); time.sleep(600)"
    )
    state.spawn("deaf", [sys.executable, "-c", script])
    while "deaf" not in state.log("deaf").read_text():
        pass

    end(state.running(), leave_s=0.2)

    assert state.running() == []


def test_processes_of_others_are_not_ours(state: State) -> None:
    stranger = subprocess.Popen(SLEEP)
    try:
        found = state.running()
    finally:
        stranger.kill()
        stranger.wait()

    assert found == []


def test_a_half_written_note_of_a_process_is_passed_over(state: State) -> None:
    (state.path / "processes" / "cut.json").write_text('{"pid": 1')

    assert state.processes() == []


def test_platforms_yaml_holds_those_that_are_ready(state: State) -> None:
    state.ready("metal", {"kind": "metal", "emulator": True})

    document = yaml.safe_load(state.write_platforms().read_text())

    assert document == {"platforms": {"lab-metal": {"kind": "metal", "emulator": True}}}


def test_a_defect_is_asked_of_one_platform(state: State, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(DEFECTS, "lab-metal:clock-skew, lab-aws:other,")

    assert state.defects("metal") == {"clock-skew"}


def test_an_unknown_defect_is_refused_with_the_known_ones() -> None:
    with pytest.raises(BadRequest, match=r"'no-such'.*expected one of.*clock-skew"):
        defects.split({"clock-skew", "no-such"})


@pytest.mark.parametrize("name", ["", "A", "-a", "a/b", "a" * 25, "..", "a_b"])
def test_a_name_that_is_no_name_of_a_lab_is_refused(name: str) -> None:
    with pytest.raises(BadRequest, match="lab name"):
        Space(name=name)


def test_the_start_time_of_a_process_that_is_gone_is_none() -> None:
    gone = subprocess.Popen(["true"])
    gone.wait()

    assert start_time(gone.pid) is None
    assert start_time(os.getpid()) is not None
