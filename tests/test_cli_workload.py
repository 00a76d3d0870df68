"""The commands plan, apply, destroy, explain and reap, as a person types them."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from harness.cli.main import cli
from provisioner.documents import BadWorkload

WORKLOAD = """\
workload: small
version: '1'
params: {app.port: {type: integer, default: 8080, minimum: 1024}}
groups: {app: {count: 2, set: {app.port: 8081}}}
"""
PLATFORMS = """\
platforms:
  p: {kind: fake, latency: {machine: 0.1}, profile: {app.port: 9090}}
"""


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder with a workload and a platform, and no state elsewhere."""
    (tmp_path / "small").mkdir()
    (tmp_path / "small" / "workload.yaml").write_text(WORKLOAD, encoding="utf-8")
    (tmp_path / "platforms.yaml").write_text(PLATFORMS, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.delenv("INTEROP_PLATFORMS", raising=False)
    return tmp_path


def interop(*words: str) -> tuple[int, str]:
    """Exit code and output of a command that does not raise."""
    result: Result = CliRunner().invoke(cli, list(words), standalone_mode=False)
    if result.exception is not None:
        raise result.exception
    code = result.return_value
    return (code if isinstance(code, int) else 0), result.output


def test_a_plan_tells_everything_and_creates_nothing(here: Path) -> None:
    code, text = interop("plan", "small", "-p", "p")

    assert code == 0
    assert "machine/app-2" in text
    assert "2 members, 3 steps on p" in text
    assert not (here / "results").exists()
    assert interop("reap", "--mine")[1] == "nothing to remove\n"


def test_everything_unmet_is_told_with_exit_code_2(here: Path) -> None:
    text = WORKLOAD + "needs: {machines: {count: 5}, features: [teleport]}\n"
    (here / "small" / "workload.yaml").write_text(text, encoding="utf-8")

    code, told = interop("plan", "small", "-p", "p", "--set", "colour=blue")

    assert code == 2
    assert told.splitlines() == [
        "unmet: --set: colour is no parameter of small; known: app.port",
        "unmet: needs 5 machines, groups have 2",
        "unmet: p: needs teleport: its description does not offer it",
    ]


def test_a_value_that_is_out_of_range_is_unmet_with_its_place(here: Path) -> None:
    code, told = interop("plan", "small", "-p", "p", "--set", "app.port=80")

    assert code == 2
    assert "--set: app.port: 80 is less than the minimum 1024" in told


def test_an_unknown_workload_is_one_line(here: Path) -> None:
    with pytest.raises(BadWorkload, match="no such workload; known: none, reference"):
        interop("plan", "nonsense", "-p", "p")


def test_explain_names_the_winner_and_the_losers(here: Path) -> None:
    code, text = interop("explain", "small", "app-1", "app.port", "-p", "p")

    assert code == 0
    assert text.splitlines() == [
        "app.port on p = 8081",
        "  from group, small/workload.yaml:4",
        "  not 9090 from platform, platforms.p.profile",
        "  not 8080 from default, small/workload.yaml:3",
    ]


def test_apply_twice_then_destroy(here: Path) -> None:
    code, _ = interop("apply", "small", "-p", "p", "--run", "r1")
    assert code == 0
    before = (here / "state" / "interop" / "p" / "cloud.json").read_text(encoding="utf-8")
    lease = json.loads((here / "results" / "r1" / "lease.json").read_text(encoding="utf-8"))
    assert [member["name"] for member in lease["members"]] == ["app-1", "app-2"]

    code, _ = interop("apply", "small", "-p", "p", "--run", "r1")
    assert code == 0
    after = (here / "state" / "interop" / "p" / "cloud.json").read_text(encoding="utf-8")
    assert _without_reads(after) == _without_reads(before)

    code, text = interop("destroy", "r1")
    assert code == 0
    assert text.endswith("3 gone, 0 left\n")
    assert interop("reap", "--run", "r1")[1] == "nothing to remove\n"


def test_what_cannot_stand_ends_with_3_and_stays_until_destroyed(here: Path) -> None:
    text = PLATFORMS.replace("latency", "capacity: {machine: 1}, latency")
    (here / "platforms.yaml").write_text(text, encoding="utf-8")

    code, told = interop("apply", "small", "-p", "p", "--run", "r1")

    assert code == 3
    assert "machine/app-2: Capacity: p: InsufficientCapacity" in told
    assert "small stands in part: 1 members" in told
    assert interop("destroy", "r1")[0] == 0


def test_reap_is_a_dry_run_unless_told_otherwise(here: Path) -> None:
    interop("apply", "small", "-p", "p", "--run", "r1")

    code, text = interop("reap", "--run", str(here / "results" / "r1"))
    assert code == 0
    assert "machine/app-1" in text
    assert "3 would be removed; repeat with --yes to do it" in text

    code, text = interop("reap", "--run", "r1", "--yes")
    assert (code, text.splitlines()[-1]) == (0, "3 gone, 0 left")


def test_reap_wants_to_know_which(here: Path) -> None:
    with pytest.raises(Exception, match="exactly one of --run, --expired and --mine"):
        interop("reap")


def test_an_interrupt_stops_creating_and_what_stands_can_be_destroyed(here: Path) -> None:
    text = PLATFORMS.replace("machine: 0.1", "machine: 600")
    (here / "platforms.yaml").write_text(text, encoding="utf-8")
    argv = [sys.executable, "-c", "from harness.cli.main import main; main()"]
    argv += ["apply", "small", "-p", "p", "--run", "r1"]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        for line in child.stdout:
            if "machine/app-2  pending" in line:
                break
        os.kill(child.pid, signal.SIGINT)
        _, errors = child.communicate(timeout=60)  # a tenth of what a machine takes

    assert child.returncode == 3
    assert "nothing more is created" in errors
    assert interop("destroy", "r1")[0] == 0


def _without_reads(text: str) -> object:
    document = json.loads(text)
    for thing in document["things"]:
        for own in ("reads", "guest"):
            thing.pop(own)
    return document
