"""Whole runs on the fake platform: verdict, exit code, clean-up, interruption, resume, rerun."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from harness.cli.run import run_command
from harness.events import Events, RunEvent
from harness.run import Run as HarnessRun
from harness.run_spec import RunSpec
from provisioner.workload import find_workload

INTEROP = str(Path(sys.executable).with_name("interop"))
FEW = "net-09,net-06,ent-01"


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a platforms file, as a user would have."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    write(tmp_path, good={"kind": "fake"}, dead={"kind": "fake", "reachable": False})
    return tmp_path


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """A run that has ended."""

    done: subprocess.CompletedProcess[str]
    folder: Path


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A few checks on a good platform; several tests look at what this left."""
    place = tmp_path_factory.mktemp("good")
    write(place, good={"kind": "fake"})
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(place)
        patch.setenv("XDG_STATE_HOME", str(place / "state"))
        done = interop("run", "-p", "good", "--select", f"{FEW},net-05")
    return Run(done=done, folder=only_run(place))


def write(folder: Path, **platforms: Any) -> None:
    (folder / "platforms.yaml").write_text(json.dumps({"platforms": platforms}))


def interop(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([INTEROP, *words], capture_output=True, text=True, timeout=120)


def only_run(place: Path) -> Path:
    (folder,) = (place / "results").iterdir()
    return folder


def document(folder: Path, platform: str, name: str = "result") -> dict[str, Any]:
    value = json.loads((folder / platform / f"{name}.json").read_text())
    assert isinstance(value, dict)
    return value


def test_a_part_of_the_checks_is_never_compliant(good: Run) -> None:
    result = document(good.folder, "good")

    assert good.done.returncode == 3, good.done.stdout + good.done.stderr
    assert {check["outcome"] for check in result["checks"]} == {"passed"}
    assert result["incomplete"] == "only selected checks ran"


def test_a_platforms_folder_is_judged_like_its_document(good: Run) -> None:
    by = ("--guideline", "2026.11", "--program", "open-infrastructure-metal")
    folder = good.folder / "good"

    told = interop("judge", str(folder), *by)

    assert told.returncode == 3
    assert told.stdout == interop("judge", str(folder / "result.json"), *by).stdout


def test_what_looks_and_what_handles_run_side_by_side(good: Run) -> None:
    """Each check once, in one of two processes, each with a ledger of its own."""
    ids = [check["id"] for check in document(good.folder, "good")["checks"]]
    ledgers = [file.name for file in sorted(good.folder.glob("ledger-checks-*"))]

    events = map(json.loads, (good.folder / "events.jsonl").read_text().splitlines())
    at_work = {e["detail"] for e in events if e["what"] == "check" and e["state"] == "running"}

    assert sorted(ids) == sorted([*FEW.split(","), "net-05"])
    assert at_work == {"handling", "looking"}
    assert ledgers == [f"ledger-checks-good.{lane}.jsonl" for lane in ("handling", "looking")]


def test_checks_take_no_machine_before_the_members_have_theirs(place: Path) -> None:
    write(place, small={"kind": "fake", "quotas": {"machine": 4}})

    interop("run", "-p", "small", "--select", "net-05,net-06")

    found = {check["id"]: check for check in document(only_run(place), "small")["checks"]}
    assert found["net-06"]["outcome"] == "passed"
    assert found["net-05"]["outcome"] == "blocked"
    assert "Quota" in found["net-05"]["reason"]


def test_what_was_created_is_gone_and_counted(good: Run) -> None:
    result = document(good.folder, "good")

    assert result["census"] == {"before": {}, "after": {}, "leaks": []}
    assert any(timing["kind"] == "machine" for timing in result["timings"])


def test_a_platform_that_does_not_answer_is_inconclusive_and_stops_nobody(place: Path) -> None:
    done = interop("run", "-p", "dead", "-p", "good", "--select", FEW)

    folder = only_run(place)
    assert done.returncode == 3
    assert document(folder, "dead", "verdict")["verdict"] == "inconclusive"
    assert "Lost" in document(folder, "dead")["incomplete"]
    assert document(folder, "good")["checks"]


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["-p", "goood"], "did you mean 'good'"),
        (["-p", "good", "--guideline", "1999.01"], "1999.01"),
        (["-p", "good", "--select", "net-99"], "no such check"),
        (["-p", "good", "--set", "x"], "expected KEY=VALUE"),
        (["-p", "good", "--workload", "nonsense"], "no such workload"),
        (["-p", "good", "--program", "p"], "no such program"),
        (["-p", "good", "--platforms", "none.yaml"], "none.yaml"),
        (["-p", "good", "--set", "probe.http=80"], "probe.http"),
    ],
)
def test_bad_input_is_one_line_and_leaves_nothing(
    place: Path, words: list[str], expected: str
) -> None:
    done = interop("run", *words)

    assert done.returncode == 2
    assert expected in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert not list((place / "results").glob("*")) if (place / "results").exists() else True


def start(*words: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [INTEROP, *words], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )


def wait_for(file_of: Any, text: str, timeout_s: float = 60.0) -> None:
    end = time.monotonic() + timeout_s
    while time.monotonic() < end:
        for file in file_of():
            if text in file.read_text():
                return
        time.sleep(0.1)
    raise AssertionError(f"{text!r} did not come within {timeout_s} s")


def test_ctrl_c_takes_everything_down(place: Path) -> None:
    write(place, slow={"kind": "fake", "latency": {"machine": [4, 5]}})
    process = start("run", "-p", "slow", "--select", FEW)
    wait_for(lambda: place.glob("results/*/ledger-*.jsonl"), '"created"')

    process.send_signal(signal.SIGINT)
    output, _ = process.communicate(timeout=60)

    result = document(only_run(place), "slow")
    assert "taking everything down" in output
    assert process.returncode == 3
    assert result["incomplete"] == "interrupted"
    assert result["census"]["leaks"] == []


def budgeted(place: Path, budget: str) -> str:
    """The reference workload with a budget."""
    folder = place / "reference"
    shutil.copytree(find_workload("reference"), folder)
    with (folder / "workload.yaml").open("a") as file:
        file.write(f"budget: {budget}\n")
    return str(folder)


def test_a_run_is_taken_down_when_its_time_is_over(place: Path) -> None:
    write(place, slow={"kind": "fake", "latency": {"machine": [8, 9]}})
    workload = budgeted(place, "{wall: 2s}")

    done = interop("run", "-p", "slow", "--workload", workload, "--select", FEW)

    result = document(only_run(place), "slow")
    assert done.returncode == 3
    assert "the budget's 2s are over: taking everything down" in done.stdout
    assert result["incomplete"] == "the budget's 2s are over"
    assert result["census"]["leaks"] == []


def test_a_budget_bounds_what_is_asked_for(place: Path) -> None:
    workload = budgeted(place, "{wall: 45m, keep_on_failure: 30m}")

    kept = interop("run", "-p", "good", "--workload", workload, "--keep-on-failure", "1")
    applied = interop("apply", workload, "-p", "good")

    assert kept.returncode == applied.returncode == 2
    assert kept.stderr.strip().endswith("--keep-on-failure 1: the budget allows 30m")
    assert applied.stderr.strip().endswith("unmet: --hours 6: the budget allows 45m")


def test_a_run_that_cannot_write_any_more_says_what_removes_its_rest(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = object.__new__(HarnessRun)
    run.folder = tmp_path / "a run"
    run.folder.write_text("in the way, so that nothing can be written")
    run.spec = RunSpec.model_construct(files=[tmp_path / "p.yaml"])

    run._broke_down("good", OSError(28, "No space left on device"))

    first, command = capsys.readouterr().err.splitlines()
    assert "No space left on device; what was created may still stand" in first
    wanted = ["interop", "reap", "--run", str(run.folder), "--platforms", f"{tmp_path}/p.yaml"]
    assert shlex.split(command) == [*wanted, "--yes"]


def test_what_stands_in_the_way_is_answered_with_reap(place: Path) -> None:
    write(place, full={"kind": "fake", "faults": [{"at": "create.key.before", "do": "Conflict"}]})

    done = interop("run", "-p", "full", "--select", "net-09")

    assert done.returncode == 3
    assert "what a run before left, interop reap removes" in done.stdout


def test_a_log_that_cannot_be_written_is_told_and_ends_no_run(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(self: Events, event: RunEvent) -> str:
        return "no space left on device"

    monkeypatch.setattr(Events, "_unwritten", full)

    done = CliRunner().invoke(run_command, ["-p", "good", "--select", "net-09"])

    assert done.output.count("events.jsonl lost - no space left on device") == 1
    assert document(only_run(place), "good")["checks"][0]["outcome"] == "passed"
    assert not document(only_run(place), "good")["census"]["leaks"]


def test_an_error_when_checking_begins_does_not_keep_the_run_from_ending(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tell, before = Events.tell, threading.active_count()

    def broken(self: Events, platform: str, what: str, name: str, *more: Any, **rest: Any) -> None:
        if name == "checking":
            raise OSError(28, "No space left on device")
        tell(self, platform, what, name, *more, **rest)

    monkeypatch.setattr(Events, "tell", broken)
    done = CliRunner().invoke(run_command, ["-p", "good", "--select", "net-09"])

    assert "No space left on device; what was created may still stand" in done.output
    assert threading.active_count() == before


def test_kill_9_then_reap_leaves_nothing(place: Path) -> None:
    write(place, slow={"kind": "fake", "latency": {"machine": [4, 5]}})
    process = start("run", "-p", "slow", "--select", FEW)
    wait_for(lambda: place.glob("results/*/ledger-*.jsonl"), "machine")
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    run = only_run(place).name

    seen = interop("reap", "--run", run)
    reaped = interop("reap", "--run", run, "--yes")
    again = interop("reap", "--run", run)

    assert "machine" in seen.stdout, seen.stdout + seen.stderr
    assert reaped.returncode == 0, reaped.stdout + reaped.stderr
    assert "machine" not in again.stdout


def test_resume_goes_on_where_the_run_stopped(place: Path) -> None:
    write(place, slow={"kind": "fake", "latency": {"machine": [3, 4]}})
    process = start("run", "-p", "slow", "--select", FEW)
    wait_for(lambda: place.glob("results/*/ledger-*.jsonl"), '"created"')
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    folder = only_run(place)

    done = interop("resume", str(folder))

    result = document(folder, "slow")
    assert done.returncode == 3, done.stdout + done.stderr
    assert {check["id"] for check in result["checks"]} == set(FEW.split(","))
    assert result["census"]["leaks"] == []


def test_resume_goes_on_after_an_interrupt(place: Path) -> None:
    write(place, slow={"kind": "fake", "latency": {"machine": [2, 3]}})
    process = start("run", "-p", "slow", "--select", FEW)
    wait_for(lambda: place.glob("results/*/ledger-*.jsonl"), '"created"')
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=60)
    folder = only_run(place)
    stopped = document(folder, "slow")

    done = interop("resume", str(folder))

    result = document(folder, "slow")
    assert (stopped["incomplete"], stopped["checks"]) == ("interrupted", [])
    assert done.returncode == 3, done.stdout + done.stderr
    assert {check["id"] for check in result["checks"]} == set(FEW.split(","))
    assert result["incomplete"] == "only selected checks ran"
    assert document(folder, "slow", "stopped-1.result") == stopped


def test_resume_has_nothing_to_check_where_everything_was(good: Run) -> None:
    (good.folder / "good" / "result.json").unlink()
    before = (good.folder / "good" / "checks.jsonl").read_bytes()

    done = interop("resume", str(good.folder))

    assert done.returncode == 3, done.stdout + done.stderr
    assert (good.folder / "good" / "checks.jsonl").read_bytes() == before
    assert document(good.folder, "good")["incomplete"] == "only selected checks ran"


def test_rerun_repeats_only_what_did_not_pass(place: Path) -> None:
    write(place, odd={"kind": "fake", "defects": ["net-09"]})
    interop("run", "-p", "odd", "--select", FEW)
    first = only_run(place)

    interop("rerun", str(first), "--only", "failed")

    (second,) = set((place / "results").iterdir()) - {first}
    assert {check["id"] for check in document(second, "odd")["checks"]} == {"net-09"}
    assert json.loads((second / "run.json").read_text())["parent"] == first.name


def test_keep_on_failure_lets_the_workload_stand_until_reaped(place: Path) -> None:
    write(place, odd={"kind": "fake", "defects": ["net-09"]})
    interop("run", "-p", "odd", "--select", FEW, "--keep-on-failure", "1")
    run = only_run(place)

    kept = document(run, "odd")["census"]["after"]
    reaped = interop("reap", "--run", run.name, "--yes")

    assert kept["machine"] == 4
    assert reaped.returncode == 0, reaped.stdout + reaped.stderr


def test_no_private_key_reaches_a_document(good: Run) -> None:
    folder = good.folder
    secret = (folder / "key").read_text().splitlines()[2]

    told = [file for file in folder.rglob("*") if file.is_file() and file.name != "key"]

    assert told
    assert [str(file) for file in told if secret in file.read_text(errors="replace")] == []
    assert (folder / "key").stat().st_mode & 0o077 == 0
