"""Finds and removes what dead runs left behind.

What to remove is told by the ledgers of runs, and by the platforms themselves, which carry our
tags also when a ledger is lost. A run whose process is alive is never touched, and nothing
without our tags is ever seen.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from provisioner.clock import Clock, SystemClock, from_rfc3339
from provisioner.creation import Place, place_for
from provisioner.driver import TAG_EXPIRES, Driver, Handle, Owner
from provisioner.errors import PlatformError
from provisioner.ledger import Ledger
from provisioner.removal import Removal
from provisioner.replay import Entry, Replay, in_use, read_ledger


@dataclass(frozen=True, slots=True, kw_only=True)
class Leftover:
    """Something that a run left. ``age_s`` is in seconds, 0 where nobody knows."""

    run: str
    platform: str
    ref: str
    handle: Handle | None
    age_s: float
    expires: str
    known: str  # where we know it from: ledger, platform


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """Which runs: one by id, those that are expired, or all that have a ledger here."""

    run: str = ""
    expired: bool = False
    mine: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Reaped:
    """How it went. ``left`` are lines for people; ``alive`` runs were not touched."""

    gone: int = 0
    left: tuple[str, ...] = ()
    alive: tuple[str, ...] = ()
    unasked: tuple[str, ...] = ()


class Reaper:
    """Looks for leftovers, and removes them.

    Args:
        results: the folder with a folder for each run.
        drivers: open drivers by platform name; only these are asked.
        clock: where time comes from.
        jobs: threads for removal.
        interval: first and longest pause between two looks, in seconds.
        tell: told of each thing: platform, ref, what happens, detail.
    """

    def __init__(
        self,
        results: Path,
        drivers: Mapping[str, Driver],
        *,
        clock: Clock | None = None,
        jobs: int = 16,
        interval: tuple[float, float] = (0.5, 5.0),
        tell: Callable[[str, str, str, str], None] = lambda platform, ref, what, detail: None,
    ) -> None:
        self.results = results
        self.drivers = drivers
        self.clock: Clock = clock if clock is not None else SystemClock()
        self.jobs = jobs
        self.interval = interval
        self.tell = tell

    def look(self, which: Selection) -> tuple[list[Leftover], Reaped]:
        """What would be removed, and which runs are alive; changes nothing."""
        now = self.clock.time()
        found: dict[tuple[str, str, str], Leftover] = {}
        alive: dict[str, None] = {}
        unasked: list[str] = []
        for run, files in self._ledgers(which).items():
            if any(in_use(file) for file in files):
                alive[run] = None
                continue
            for file in files:
                replay = read_ledger(file)
                for entry in replay.open_entries():
                    left = _of_entry(entry, replay, now)
                    if entry.platform not in self.drivers:
                        unasked.append(f"{left.ref} of run {run}: no platform {entry.platform}")
                    identity = entry.handle.id if entry.handle is not None else entry.token
                    found[run, entry.platform, identity] = left
        for name, driver in self.drivers.items():
            try:
                for left in self._on_platform(driver, which, now):
                    key = (left.run, left.platform, left.handle.id if left.handle else "")
                    if left.run not in alive and key not in found:
                        found[key] = left
            except PlatformError as error:
                unasked.append(f"{name}: {type(error).__name__}: {error}")
        runs = {left.run for left in found.values()}
        for run in runs:
            if any(in_use(file) for file in self._files(run)):
                alive[run] = None
        leftovers = [left for left in found.values() if left.run not in alive]
        leftovers.sort(key=lambda left: (left.run, left.platform, left.ref))
        return leftovers, Reaped(alive=tuple(alive), unasked=tuple(unasked))

    def reap(self, which: Selection) -> Reaped:
        """Remove what ``look`` shows. Each run's ledger tells afterwards what became of it."""
        leftovers, seen = self.look(which)
        runs = sorted({left.run for left in leftovers} | set(self._ledgers(which)))
        gone: set[tuple[str, str, str]] = set()
        left: list[str] = list(seen.unasked)
        for run in runs:
            if run in seen.alive:
                continue
            files = self._files(run) or [self.results / run / "ledger.jsonl"]
            for file in files:
                with Ledger(file, run, clock=self.clock) as ledger:
                    places, away = self._places(run)
                    removal = Removal(
                        places,
                        ledger,
                        self.clock,
                        jobs=self.jobs,
                        interval=self.interval,
                        tell=self.tell,
                    )
                    done = removal.everything()
                gone |= done.what
                left += away
                left += [str(one) for one in done.left] + list(done.unasked)
        return Reaped(
            gone=len(gone), left=tuple(dict.fromkeys(left)), alive=seen.alive, unasked=seen.unasked
        )

    # -- inside --------------------------------------------------------------------------------

    def _places(self, run: str) -> tuple[dict[str, Place], list[str]]:
        """The platforms that answer, and why the others do not; what is on those is left."""
        places: dict[str, Place] = {}
        away: list[str] = []
        for name, driver in self.drivers.items():
            try:
                places[name] = place_for(driver, Owner(run=run), self.clock)
            except PlatformError as error:
                away.append(f"{name}: {type(error).__name__}: {error}")
        return places, away

    def _files(self, run: str) -> list[Path]:
        return sorted((self.results / run).glob("ledger*.jsonl")) if run else []

    def _ledgers(self, which: Selection) -> dict[str, list[Path]]:
        """The runs of the selection that have ledgers here."""
        found: dict[str, list[Path]] = {}
        folders: Sequence[Path] = [self.results / which.run] if which.run else []
        if not which.run and self.results.is_dir():
            folders = sorted(path for path in self.results.iterdir() if path.is_dir())
        for folder in folders:
            files = self._files(folder.name)
            if not files:
                continue
            replays = [read_ledger(file) for file in files]
            run = next((replay.run for replay in replays if replay.run), folder.name)
            if run != folder.name:
                continue
            if which.run or which.mine or any(self._expired(r.expires) for r in replays):
                found[run] = files
        return found

    def _expired(self, expires: str) -> bool:
        """Whether the time is over; what has no time, or an unreadable one, is kept."""
        try:
            return bool(expires) and from_rfc3339(expires) < self.clock.time()
        except ValueError:
            return False

    def _on_platform(self, driver: Driver, which: Selection, now: float) -> list[Leftover]:
        """What the platform itself shows of the selection."""
        found = []
        mine = self._ledgers(which) if which.mine and not which.run else {}
        for handle in driver.find(Owner(run=which.run or None)):
            if not handle.run or (which.mine and handle.run not in mine):
                continue
            expires = ""
            if which.expired:
                state = driver.read(handle)
                expires = state.tags.get(TAG_EXPIRES, "") if state is not None else ""
                if not self._expired(expires):
                    continue
            found.append(
                Leftover(
                    run=handle.run,
                    platform=driver.platform,
                    ref=f"{handle.kind}/{handle.name or handle.id}",
                    handle=handle,
                    age_s=0.0,
                    expires=expires,
                    known="platform",
                )
            )
        return found


def _of_entry(entry: Entry, replay: Replay, now: float) -> Leftover:
    return Leftover(
        run=replay.run,
        platform=entry.platform,
        ref=str(entry.ref),
        handle=entry.handle,
        age_s=max(0.0, now - entry.at),
        expires=replay.expires,
        known=f"ledger ({entry.phase})",
    )
