"""A run dies anywhere, on a cloud that misbehaves; afterwards nothing is left and nothing is twice.

A schedule is drawn from one seed: how the cloud behaves, which calls fail, and after how many
steps the process dies, each time. ``tests/fuzz_ledger.py`` runs ten thousand of them.
"""

from __future__ import annotations

import random
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from provisioner.clock import ManualClock
from provisioner.creation import place_for
from provisioner.driver import Owner
from provisioner.drivers.fake.cloud import Cloud
from provisioner.drivers.fake.driver import FakeDriver
from provisioner.drivers.fake.faults import Faults, Rule
from provisioner.drivers.fake.settings import Settings
from provisioner.drivers.fake.things import Store
from provisioner.executor import Executor
from provisioner.ledger import Ledger
from provisioner.planner import make_plan
from provisioner.reap import Reaper, Selection
from provisioner.removal import Removal
from provisioner.replay import read_ledger
from provisioner.site import Inputs, Site
from provisioner.workload import Workload, check_workload

OWNER = Owner(run="r1", expires="2040-01-01T00:00:00Z")
WORKLOAD = b"""\
workload: small
version: '1'
networks: {cluster: {}}
firewall: [{from: members, ports: [icmp]}]
volumes: {data: {size: 1GiB, group: store}}
groups: {app: {count: 2}, store: {count: 1}}
"""
ERRORS = ("Lost", "Timeout", "PlatformFault", "Throttled", "Capacity", "Conflict", "NotFound")
VERBS = ("create", "read", "delete", "list")
RESOURCES = 8  # key, network, firewall, three machines, a volume, its attachment


class Crash(BaseException):
    """The process is killed here: nobody handles it, nothing is tidied up."""


class Fuse:
    """Counts steps and burns through at one of them."""

    def __init__(self) -> None:
        self.left: int | None = None

    def step(self, point: str = "") -> None:
        if self.left is not None:
            self.left -= 1
            if self.left <= 0:
                self.left = None
                raise Crash(point)


class MortalLedger(Ledger):
    """A ledger whose process may die before, in the middle of, or after a write."""

    fuse = Fuse()
    dice = random.Random(0)

    def _append(self, record: Mapping[str, Any]) -> None:
        moment = self.dice.choice(("before", "torn", "after"))
        if moment == "after":
            super()._append(record)
        try:
            self.fuse.step("ledger")
        except Crash:
            if moment == "torn":
                self._file.write(b'{"v":1,"event":"inte')
            raise
        if moment != "after":
            super()._append(record)


def small_workload() -> Workload:
    from provisioner.documents import parse_yaml

    return check_workload(parse_yaml(WORKLOAD, "small"), Path())


class World:
    """One cloud, one run, and a clock; processes come and go."""

    def __init__(self, folder: Path, behaviour: Mapping[str, Any], rules: list[Rule]) -> None:
        self.folder = folder
        self.path = folder / "r1" / "ledger.jsonl"
        self.clock = ManualClock()
        self.store = Store()
        self.settings = Settings(**behaviour)
        self.fuse = Fuse()
        self.faults = Faults(rules, "p", hook=self.fuse.step)
        self.workload = small_workload()
        MortalLedger.fuse = self.fuse
        MortalLedger.dice = random.Random(str(behaviour))

    def driver(self) -> FakeDriver:
        """A new process's driver for the same cloud."""
        return FakeDriver(Cloud("p", self.settings, self.store, self.clock, self.faults))

    def apply(self, die_after: int | None = None) -> bool:
        """One process that applies. Returns whether it lived and everything stands."""
        self.fuse.left = die_after
        driver = self.driver()
        try:
            site = Site(driver=driver, description=driver.describe())
            plan = make_plan(self.workload, [site], Inputs(owner=OWNER, public_key="ssh-rsa A"))
            with MortalLedger(self.path, "r1", expires=OWNER.expires, clock=self.clock) as ledger:
                executor = Executor({"p": driver}, ledger, OWNER, clock=self.clock, jobs=1)
                return executor.apply(plan).complete
        except Crash:
            return False
        finally:
            self.fuse.left = None

    def destroy(self, die_after: int | None = None) -> bool:
        """One process that takes everything down. Returns whether it lived."""
        self.fuse.left = die_after
        try:
            with MortalLedger(self.path, "r1", clock=self.clock) as ledger:
                places = {"p": place_for(self.driver(), OWNER, self.clock)}
                removal = Removal(places, ledger, self.clock, jobs=1)
                return not removal.everything().left
        except Crash:
            return False
        finally:
            self.fuse.left = None

    def reap(self) -> tuple[str, ...]:
        """What stays after a reap, in words."""
        reaper = Reaper(self.folder, {"p": self.driver()}, clock=self.clock, jobs=1)
        return reaper.reap(Selection(run="r1")).left

    def living(self) -> list[str]:
        """What truly exists, by kind and name; the cloud's own view, no API in between."""
        now = self.clock.time()
        with self.store.session() as world:
            return [
                f"{thing.kind}/{thing.name}"
                for thing in world.things.values()
                if thing.exists(now) and thing.deleting_at is None
            ]

    def twice(self) -> list[str]:
        """What exists more than once."""
        return [name for name, count in Counter(self.living()).items() if count > 1]


def behaviour(dice: random.Random) -> dict[str, Any]:
    """How a cloud behaves."""
    tokens = dice.random() < 0.5
    return {
        "tokens": tokens,
        "latency": {"default": [0, dice.choice((0, 1, 40))]},
        "delete_s": {"default": [0, dice.choice((0, 2, 20))]},
        "visible_s": dice.choice((0, 0, 1, 10)),
        "list_s": dice.choice((0, 0, 2, 30)),
        "flaps": dice.choice((0, 0, 0.02, 0.1)),
        "root_volumes": dice.random() < 0.3,
        "rate": dice.choice((0, 0, 0, 20)),
        "quotas": dice.choice(({}, {}, {}, {"volume": 0})),
        "capacity": dice.choice(({}, {}, {}, {"machine": 2})),
        "seed": dice.randrange(1000),
    }


def misfortunes(dice: random.Random, *, tokens: bool) -> list[Rule]:
    """Which calls go wrong."""
    rules = []
    for _ in range(dice.choice((0, 1, 2, 4))):
        verb = dice.choice(VERBS)
        moment = dice.choice(("before", "after"))
        error = dice.choice(ERRORS)
        if verb != "create":
            error = dice.choice(ERRORS[:4])
        if moment == "after":
            error = dice.choice(ERRORS[:3])  # a definite no is never told of what was done
        if verb == "create" and moment == "before" and tokens and dice.random() < 0.2:
            error = "duplicate"
        rules.append(
            Rule(
                at=f"{verb}.{dice.choice(('*', 'machine', 'key', 'volume'))}.{moment}",
                do=error,
                nth=dice.randint(1, 6),
                times=dice.randint(1, 3),
            )
        )
    return rules


def run_schedule(seed: int, folder: Path) -> None:
    """One schedule: a few processes that die, then reap. Raises AssertionError with the seed."""
    dice = random.Random(seed)
    how = behaviour(dice)
    world = World(folder, how, misfortunes(dice, tokens=bool(how["tokens"])))
    for _ in range(dice.randint(1, 3)):
        act = world.destroy if dice.random() < 0.2 and world.path.exists() else world.apply
        act(dice.randint(1, 120))
        world.clock.advance(dice.choice((0, 0, 5, 100)))
        assert world.twice() == [], f"seed {seed}"
    if dice.random() < 0.4:
        world.apply()
        assert world.twice() == [], f"seed {seed}"
    left: tuple[str, ...] = ("not reaped",)
    for _ in range(3):  # what cannot be reached today is reaped tomorrow
        left = world.reap()
        if not left:
            break
    world.clock.advance(100)
    assert left == (), f"seed {seed}"
    assert world.living() == [], f"seed {seed}"
    if world.path.exists():
        assert read_ledger(world.path).open_entries() == [], f"seed {seed}"


@pytest.fixture
def ledgers(tmp_path: Path) -> Iterator[Path]:
    """A folder in memory where there is one: what is tried is the order of events, not a disk."""
    shm = Path("/dev/shm")  # noqa: S108 - a fresh folder below it is made
    if not shm.is_dir():
        yield tmp_path
        return
    with tempfile.TemporaryDirectory(dir=shm) as folder:
        yield Path(folder)


@pytest.mark.parametrize("block", range(4))
def test_random_schedules_leave_nothing_and_double_nothing(block: int, ledgers: Path) -> None:
    for seed in range(block * 50, block * 50 + 50):
        run_schedule(seed, ledgers / str(seed))


def crash_points() -> Iterator[int]:
    """Every step of a quiet apply, and one more."""
    yield from range(1, 75, 3)


@pytest.mark.parametrize("point", list(crash_points()))
def test_a_crash_at_any_point_is_carried_on_from(point: int, ledgers: Path) -> None:
    world = World(ledgers, {"visible_s": 3, "list_s": 9, "tokens": False}, [])

    world.apply(die_after=point)

    assert world.apply()
    assert len(world.living()) == RESOURCES
    assert world.twice() == []


class Lives(RuleBasedStateMachine):
    """Processes start, die, apply and destroy in any order; the world stays accountable."""

    folder = Path()
    number = 0

    @initialize(seed=st.integers(0, 10_000))
    def begin(self, seed: int) -> None:
        dice = random.Random(seed)
        how = behaviour(dice)
        Lives.number += 1
        rules = misfortunes(dice, tokens=bool(how["tokens"]))
        self.world = World(Lives.folder / str(Lives.number), how, rules)

    @rule(steps=st.integers(1, 150))
    def apply_and_die(self, steps: int) -> None:
        self.world.apply(steps)

    @rule()
    def apply(self) -> None:
        self.world.apply()

    @rule(steps=st.integers(1, 100))
    def destroy_and_die(self, steps: int) -> None:
        if self.world.path.exists():
            self.world.destroy(steps)

    @rule(seconds=st.sampled_from([1, 30, 600]))
    def time_passes(self, seconds: int) -> None:
        self.world.clock.advance(seconds)

    @rule()
    def reap(self) -> None:
        for _ in range(3):
            if not self.world.reap():
                break
        self.world.clock.advance(100)
        assert self.world.living() == []

    @invariant()
    def nothing_is_twice(self) -> None:
        if hasattr(self, "world"):
            assert self.world.twice() == []

    def teardown(self) -> None:
        if hasattr(self, "world"):
            self.reap()


def test_lives_in_any_order(ledgers: Path) -> None:
    from hypothesis.stateful import run_state_machine_as_test

    Lives.folder = ledgers
    run_state_machine_as_test(
        Lives,
        settings=settings(
            max_examples=15,
            stateful_step_count=8,
            deadline=None,
            derandomize=True,
            suppress_health_check=list(HealthCheck),
        ),
    )
