"""Reaping: dry runs, live runs, lost ledgers, expiry, platforms that are away; bench and census."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from provisioner.bench import Bench
from provisioner.census import census, grown
from provisioner.clock import ManualClock
from provisioner.creation import place_for
from provisioner.driver import Handle, Owner, Status
from provisioner.drivers.fake.cloud import Cloud
from provisioner.drivers.fake.driver import FakeDriver
from provisioner.drivers.fake.settings import Settings
from provisioner.drivers.fake.things import Store
from provisioner.errors import BadRequest, NotFound
from provisioner.ledger import Ledger
from provisioner.platform import PlatformConfig, open_driver
from provisioner.reap import Reaper, Selection
from provisioner.removal import Removal
from provisioner.resources import KeySpec, Kind, MachineSpec, Ref, VolumeSpec

LATER = "2040-01-01T00:00:00Z"
PAST = "2020-01-01T00:00:00Z"
KEY = KeySpec(public_key="ssh-ed25519 AAAA")


def drive(clock: ManualClock, store: Store | None = None, **settings: Any) -> FakeDriver:
    return FakeDriver(Cloud("p", Settings(**settings), store or Store(), clock))


def leave(results: Path, driver: FakeDriver, run: str, expires: str = LATER) -> None:
    """A run that makes two things and goes away without a word."""
    owner = Owner(run=run, expires=expires)
    file = results / run / "ledger.jsonl"
    with Ledger(file, run, expires=expires, clock=driver.cloud.clock) as ledger:
        bench = Bench(driver, ledger, owner, KEY.public_key, clock=driver.cloud.clock)
        bench.create(Kind.KEY, f"{run}-key", KEY)
        bench.create(Kind.VOLUME, "data", VolumeSpec(size_gib=1))


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


def test_looking_changes_nothing_and_reaping_leaves_nothing(
    tmp_path: Path, clock: ManualClock
) -> None:
    driver = drive(clock, delete_s={"default": (2, 9)}, list_s=4)
    leave(tmp_path, driver, "r1")
    clock.advance(10)
    reaper = Reaper(tmp_path, {"p": driver}, clock=clock)

    found, _ = reaper.look(Selection(run="r1"))
    assert [left.ref for left in found] == ["key/r1-key", "volume/data"]
    assert census(driver) == {"key": 1, "volume": 1}

    done = reaper.reap(Selection(run="r1"))

    assert (done.gone, done.left) == (2, ())
    assert census(driver) == {}
    assert reaper.look(Selection(mine=True))[0] == []


def test_what_is_removed_is_looked_for_in_lists_once_for_all(
    tmp_path: Path, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Lists of everything are dear: their number must not grow with what is removed."""
    driver = drive(clock, list_s=4)
    asked: list[Owner] = []
    find = driver.find

    def counted(owner: Owner) -> Iterator[Handle]:
        asked.append(owner)
        return find(owner)

    monkeypatch.setattr(driver, "find", counted)
    owner = Owner(run="r1", expires=LATER)
    counts = []
    for number in (2, 40):
        file = tmp_path / str(number) / "ledger.jsonl"
        with Ledger(file, "r1", expires=LATER, clock=clock) as ledger:
            bench = Bench(driver, ledger, owner, KEY.public_key, clock=clock)
            for each in range(number):
                bench.create(Kind.KEY, f"key-{number}-{each}", KEY)
            clock.advance(10)
            asked.clear()
            removed = Removal({"p": place_for(driver, owner, clock)}, ledger, clock).everything()
        assert (removed.gone, removed.left) == (number, ())
        counts.append(len(asked))

    assert counts[0] == counts[1]
    assert census(driver) == {}


def test_a_run_that_lives_is_not_touched(tmp_path: Path, clock: ManualClock) -> None:
    driver = drive(clock)
    leave(tmp_path, driver, "r1")
    reaper = Reaper(tmp_path, {"p": driver}, clock=clock)

    with Ledger(tmp_path / "r1" / "ledger-checks-p.jsonl", "r1", clock=clock):
        done = reaper.reap(Selection(run="r1"))

    assert done.alive == ("r1",)
    assert done.gone == 0
    assert len(list(driver.find(Owner()))) == 2


def test_only_what_has_expired_is_reaped_by_expired(tmp_path: Path, clock: ManualClock) -> None:
    driver = drive(clock)
    leave(tmp_path, driver, "old", PAST)
    leave(tmp_path, driver, "new", LATER)

    done = Reaper(tmp_path, {"p": driver}, clock=clock).reap(Selection(expired=True))

    assert done.gone == 2
    assert {handle.run for handle in driver.find(Owner())} == {"new"}


def test_a_lost_ledger_is_no_hiding_place(tmp_path: Path, clock: ManualClock) -> None:
    driver = drive(clock)
    leave(tmp_path / "elsewhere", driver, "old", PAST)

    reaper = Reaper(tmp_path / "here", {"p": driver}, clock=clock)
    found, _ = reaper.look(Selection(expired=True))
    done = reaper.reap(Selection(expired=True))

    assert {left.known for left in found} == {"platform"}
    assert done.gone == 2
    assert census(driver) == {}


def test_mine_leaves_the_runs_of_others(tmp_path: Path, clock: ManualClock) -> None:
    driver = drive(clock)
    leave(tmp_path / "mine", driver, "r1")
    leave(tmp_path / "theirs", driver, "r2")

    Reaper(tmp_path / "mine", {"p": driver}, clock=clock).reap(Selection(mine=True))

    assert {handle.run for handle in driver.find(Owner())} == {"r2"}


def test_what_is_on_a_platform_that_is_not_there_is_told(
    tmp_path: Path, clock: ManualClock
) -> None:
    leave(tmp_path, drive(clock), "r1")

    done = Reaper(tmp_path, {}, clock=clock).reap(Selection(run="r1"))

    assert done.gone == 0
    assert any("no platform" in text for text in done.left)


def test_a_platform_that_does_not_answer_leaves_everything_and_says_so(
    tmp_path: Path, clock: ManualClock
) -> None:
    store = Store()
    leave(tmp_path, drive(clock, store), "r1")
    away = drive(clock, store, reachable=False)

    done = Reaper(tmp_path, {"p": away}, clock=clock).reap(Selection(run="r1"))

    assert done.gone == 0
    assert "p: Lost: p: the API does not answer" in done.left
    assert (
        Reaper(tmp_path, {"p": drive(clock, store)}, clock=clock).reap(Selection(run="r1")).gone
        == 2
    )


def test_what_several_ledgers_of_a_run_remove_is_counted_once(
    tmp_path: Path, clock: ManualClock
) -> None:
    driver = drive(clock)
    leave(tmp_path, driver, "r1")
    with Ledger(tmp_path / "r1" / "ledger-checks-p.looking.jsonl", "r1", clock=clock) as ledger:
        Bench(driver, ledger, Owner(run="r1"), KEY.public_key, clock=clock).create(
            Kind.KEY, "other", KEY
        )
    there = sum(census(driver).values())

    done = Reaper(tmp_path, {"p": driver}, clock=clock).reap(Selection(run="r1"))

    assert (done.gone, done.left) == (there, ())
    assert census(driver) == {}


def test_a_root_volume_that_outlives_its_machine_is_found_and_removed(
    tmp_path: Path, clock: ManualClock
) -> None:
    driver = drive(clock, root_volumes=True, defects=["volume-outlives-machine"])
    owner = Owner(run="r1")
    with Ledger(tmp_path / "r1" / "ledger.jsonl", "r1", clock=clock) as ledger:
        Bench(driver, ledger, owner, KEY.public_key, clock=clock).machine("m", MachineSpec())

    done = Reaper(tmp_path, {"p": driver}, clock=clock).reap(Selection(run="r1"))

    assert done.left == ()
    assert done.gone == 3
    assert census(driver) == {}


def test_a_bench_makes_a_machine_with_a_volume_and_takes_it_away(
    tmp_path: Path, clock: ManualClock
) -> None:
    driver = drive(clock, latency={"default": (1, 9)})
    with (
        Ledger(tmp_path / "ledger-checks.jsonl", "r1", clock=clock) as ledger,
        Bench(driver, ledger, Owner(run="r1"), KEY.public_key, clock=clock) as bench,
    ):
        member = bench.machine("victim", MachineSpec(), volume_gib=2)
        assert member.state.status is Status.READY
        assert member.state.facts["hostname"] == "victim"
        assert census(driver) == {"attachment": 1, "key": 1, "machine": 1, "volume": 1}

        bench.remove(member)

        assert census(driver) == {"key": 1}
        with pytest.raises(NotFound):
            bench.refresh(member)
        again = bench.machine("victim", MachineSpec(), volume_gib=2)
        assert again.handle != member.handle
    assert census(driver) == {}


def test_a_bench_refuses_what_refers_to_nothing(tmp_path: Path, clock: ManualClock) -> None:
    driver = drive(clock)
    with Ledger(tmp_path / "ledger-checks.jsonl", "r1", clock=clock) as ledger:
        bench = Bench(driver, ledger, Owner(run="r1"), KEY.public_key, clock=clock)

        with pytest.raises(BadRequest, match="network/lan, which was not made here"):
            bench.create("machine", "m", MachineSpec(network=Ref(Kind.NETWORK, "lan")))


def test_only_growth_is_a_leak() -> None:
    assert grown({"key": 1, "machine": 2}, {"key": 2, "volume": 1, "machine": 1}) == {
        "key": 1,
        "volume": 1,
    }


CHILD = """
import sys
from pathlib import Path
from provisioner.bench import Bench
from provisioner.driver import Owner
from provisioner.ledger import Ledger
from provisioner.platform import PlatformConfig, open_driver
from provisioner.resources import MachineSpec
state, results = Path(sys.argv[1]), Path(sys.argv[2])
settings = {"latency": {"machine": 0.02}, "call_s": 0.005, "list_s": 0.1, "tokens": False}
driver = open_driver(PlatformConfig(name="p", kind="fake", settings=settings, state=state))
with Ledger(results / "r1" / "ledger.jsonl", "r1") as ledger:
    bench = Bench(driver, ledger, Owner(run="r1"), "ssh-ed25519 A", interval=(0.02, 0.05))
    print("begun", flush=True)
    for number in range(1000):
        bench.machine(f"m-{number}", MachineSpec(), volume_gib=1)
"""


@pytest.mark.parametrize("delay_s", [0.01, 0.11, 0.23, 0.34, 0.46])
def test_a_killed_process_leaves_nothing_after_reap(tmp_path: Path, delay_s: float) -> None:
    argv = [sys.executable, "-c", CHILD, str(tmp_path / "state"), str(tmp_path / "results")]
    with subprocess.Popen(argv, stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == b"begun\n"
        time.sleep(delay_s)  # the very point: a real process, killed at a real moment
        os.kill(child.pid, signal.SIGKILL)
    settings = {"list_s": 0.1, "tokens": False}
    config = PlatformConfig(name="p", kind="fake", settings=settings, state=tmp_path / "state")
    driver = open_driver(config)

    done = Reaper(tmp_path / "results", {"p": driver}, interval=(0.02, 0.1)).reap(
        Selection(run="r1")
    )

    assert done.left == ()
    time.sleep(0.15)  # whatever the cloud did not show yet, it shows now
    assert census(driver) == {}
