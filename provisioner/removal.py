"""Removes what a run made, and proves that it is gone.

Attachments go first, then machines, then what they used. Proof of absence is to be missing from
reads several times over the platform's window, and from its lists as well: a platform may say
"not found" of something it is still deleting. What the ledger does not know but the platform
finds under the run's tags is removed too.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from provisioner.clock import Clock
from provisioner.creation import LOOKS, MOST_TROUBLE, UNSURE, Place, window_left
from provisioner.driver import Handle, Status
from provisioner.errors import Conflict, PlatformError
from provisioner.ledger import Ledger
from provisioner.replay import Entry
from provisioner.resources import Kind
from provisioner.waiting import Cancel

ORDER = (
    (Kind.ATTACHMENT, Kind.SERVICE),
    (Kind.MACHINE,),
    (Kind.VOLUME, Kind.ADDRESS, Kind.BUCKET, Kind.CONFIG),
    (Kind.FIREWALL, Kind.IMAGE, Kind.KEY),
    (Kind.NETWORK,),
)
ROUNDS = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class Left:
    """Something that may still be there, and why."""

    entry: Entry
    reason: str

    def __str__(self) -> str:
        what = str(self.entry.handle or f"{self.entry.platform}:{self.entry.ref}")
        return f"{what} ({self.reason})"


@dataclass(frozen=True, slots=True, kw_only=True)
class Removed:
    """How a removal went.

    Attributes:
        gone: how many resources went.
        what: which, so that who asks with several ledgers counts none twice.
        unasked: platforms that could not be searched, with the reason.
    """

    gone: int
    what: frozenset[tuple[str, str, str]]
    left: tuple[Left, ...]
    unasked: tuple[str, ...] = ()


class Removal:
    """Removes resources of one run.

    Args:
        places: the platforms, by name. Entries on others are left, with that reason.
        ledger: of the run, open.
        clock: where time comes from.
        jobs: threads; 1 removes one after the other.
        timeout_s: how long one resource may take to go.
        interval: first and longest pause between two looks, in seconds.
        tell: told of each node: platform, ref, what happens, detail.
        cancel: ends it between two looks.
        proof_s: over how long a resource must be missing; None is the platform's window. Shorter
            is for what ``everything`` looks at again in the end.
    """

    def __init__(
        self,
        places: Mapping[str, Place],
        ledger: Ledger,
        clock: Clock,
        *,
        jobs: int = 16,
        timeout_s: float = 900.0,
        interval: tuple[float, float] = (0.5, 5.0),
        tell: Callable[[str, str, str, str], None] = lambda platform, ref, what, detail: None,
        cancel: Cancel | None = None,
        proof_s: float | None = None,
    ) -> None:
        self.places = places
        self.ledger = ledger
        self.clock = clock
        self.jobs = jobs
        self.timeout_s = timeout_s
        self.interval = interval
        self.tell = tell
        self.cancel = cancel if cancel is not None else Cancel()
        self.proof_s = proof_s
        self._sightings = _Sightings()

    def everything(self) -> Removed:
        """Remove all there is of the run on these platforms, known to the ledger or not."""
        begun = {e.token for e in self.ledger.snapshot().entries.values() if e.phase == "gone"}
        left: tuple[Left, ...] = ()
        problems: dict[str, str] = {}
        for _ in range(ROUNDS):
            problems = {name: self._adopt(place) for name, place in self.places.items()}
            todo = self.ledger.snapshot().open_entries()
            if not todo and not any(problems.values()):
                left = ()
                break
            left = self._remove(todo, problems, listed=False)  # the next round looks at lists
            if left and all("no platform" in one.reason for one in left):
                break
        entries = self.ledger.snapshot().entries.values()
        gone = [e for e in entries if e.phase == "gone" and e.token not in begun]
        unasked = tuple(f"{name}: {why}" for name, why in problems.items() if why)
        what = frozenset(_identity(entry) for entry in gone)
        return Removed(gone=len(gone), what=what, left=left, unasked=unasked)

    def these(self, entries: Iterable[Entry]) -> tuple[Left, ...]:
        """Remove just these; they must be open."""
        return self._remove(list(entries), {})

    def one(self, entry: Entry) -> None:
        """Remove just this one. Raises Conflict when it does not go."""
        left = self.these([entry])
        if left:
            raise Conflict(f"{entry.ref} cannot be removed: {left[0].reason}", entry.platform)

    # -- inside --------------------------------------------------------------------------------

    def _sighted(self, place: Place) -> list[Handle]:
        """Everything of the run that any of several lists shows.

        Over the platform's window where something was intended of which nobody knows whether it
        came to be; without that, everything is in the ledger or older than the window.
        """
        entries = self.ledger.snapshot().entries.values()
        unsettled = [e.at for e in entries if e.platform == place.name and e.phase == "intent"]
        unseen_s = window_left(place, max(unsettled), self.clock) if unsettled else 0.0
        end = self.clock.time() + unseen_s
        seen: dict[tuple[str, str], Handle] = {}
        looks = trouble = 0
        while looks < LOOKS:
            late = self.clock.time() >= end
            try:
                for handle in place.pace.call(lambda: list(place.driver.find(place.owner))):
                    seen[handle.kind, handle.id] = handle
                looks += late
            except UNSURE:
                trouble += 1
                if trouble > MOST_TROUBLE:
                    raise
            left = end - self.clock.time()
            self.cancel.sleep(max(min(left, left / 3 + 0.1), self.interval[0] / 10), self.clock)
        return list(seen.values())

    def _adopt(self, place: Place) -> str:
        """Take what is found into the ledger; close intents that came to nothing."""
        try:
            handles = self._sighted(place)
        except PlatformError as error:
            return f"{type(error).__name__}: {error}"
        entries = list(self.ledger.snapshot().entries.values())
        mine = [e for e in entries if e.platform == place.name]
        known = {(e.handle.kind, e.handle.id): e for e in mine if e.handle is not None}
        waiting = {(e.ref.kind, e.ref.name): e for e in mine if e.phase == "intent"}
        for handle in handles:
            entry = known.get((handle.kind, handle.id))
            if entry is not None and entry.open:
                continue
            intent = waiting.pop((handle.kind, handle.name), None)
            if entry is None and intent is not None:
                self.ledger.created(intent.token, handle)
            elif self._really(place, handle):
                self.ledger.adopt(handle, reason="found on the platform")
                self.tell(place.name, str(handle), "found", "not in the ledger")
        for intent in waiting.values():
            proof = f"not among {len(handles)} found in {LOOKS} looks over {place.window_s:g} s"
            self.ledger.gone(intent.token, proof)
        return ""

    def _really(self, place: Place, handle: Handle) -> bool:
        """Whether something found is more than the shadow of what is gone."""
        for _ in range(LOOKS):
            try:
                if place.pace.call(lambda: place.driver.read(handle)) is not None:
                    return True
            except UNSURE:
                return True
            self.cancel.sleep(self.interval[0] / 10, self.clock)
        return False

    def _remove(
        self, todo: list[Entry], problems: Mapping[str, str], *, listed: bool = True
    ) -> tuple[Left, ...]:
        """Remove what has a handle; *listed*: each must be missing from lists, too."""
        left: list[Left] = []
        mine: list[Entry] = []
        for entry in todo:
            if entry.platform not in self.places:
                left.append(Left(entry=entry, reason="no platform of that name answers"))
            elif entry.handle is None:
                reason = problems.get(entry.platform) or "never seen"
                left.append(Left(entry=entry, reason=reason))
            else:
                mine.append(entry)
        for kinds in ORDER:
            layer = [e for e in mine if e.ref.kind in kinds]
            if self.jobs == 1 or len(layer) < 2:
                results = [self._one(entry, listed) for entry in layer]
            else:
                with ThreadPoolExecutor(min(self.jobs, len(layer))) as pool:
                    results = list(pool.map(self._one, layer, [listed] * len(layer)))
            left += [result for result in results if result is not None]
        return tuple(left)

    def _one(self, entry: Entry, listed: bool) -> Left | None:
        """Ask for deletion until it is proven gone or the time is up."""
        place, handle = self.places[entry.platform], entry.handle
        assert handle is not None  # noqa: S101 - sorted out before
        end = self.clock.monotonic() + self.timeout_s
        pause, reason, trouble = self.interval[0], "still there", 0
        self.ledger.deleting(entry.token)
        self.tell(place.name, str(entry.ref), "deleting", handle.id)
        while True:
            try:
                place.pace.call(lambda: place.driver.delete(handle))
                proof = self._proof(place, handle, end, listed)
                if proof:
                    self.ledger.gone(entry.token, proof)
                    self.tell(place.name, str(entry.ref), "gone", proof)
                    return None
                reason, trouble = "still there", 0
            except (*UNSURE, Conflict) as error:
                reason = f"{type(error).__name__}: {error}"
                trouble += 1
            except PlatformError as error:
                return Left(entry=entry, reason=f"{type(error).__name__}: {error}")
            if self.clock.monotonic() >= end or trouble > 30:
                return Left(entry=entry, reason=reason)
            self.cancel.sleep(pause, self.clock)
            pause = min(self.interval[1], pause * 1.5)

    def _proof(self, place: Place, handle: Handle, end: float, listed: bool) -> str:
        """How we know that it is gone, or an empty text."""
        begun = self.clock.monotonic()
        window_s = place.window_s if self.proof_s is None else min(self.proof_s, place.window_s)
        looks = 0
        while begun < end:
            state = place.pace.call(lambda: place.driver.read(handle))
            if state is not None:
                if state.status is not Status.DELETING:
                    return ""
                looks, begun = 0, self.clock.monotonic()
                self.cancel.sleep(self.interval[0], self.clock)
                continue
            looks += 1
            if looks < LOOKS or self.clock.monotonic() - begun < window_s:
                self.cancel.sleep(max(window_s / LOOKS, self.interval[0] / 10), self.clock)
                continue
            if not listed:
                return f"read as gone {looks} times"
            if (str(handle.kind), handle.id) in self._sightings.since(place, self.clock):
                return ""
            return f"read as gone {looks} times and not found"
        return ""


class _Sightings:
    """Shares lists of a platform among threads that all want one made from now on."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._turns: dict[str, threading.Lock] = {}
        self._last: dict[str, tuple[float, frozenset[tuple[str, str]]]] = {}

    def since(self, place: Place, clock: Clock) -> frozenset[tuple[str, str]]:
        """Kind and id of all that a list shows which was begun after this call."""
        wanted = clock.monotonic()
        with self._lock:
            turn = self._turns.setdefault(place.name, threading.Lock())
        with turn:
            begun, found = self._last.get(place.name, (-1.0, frozenset()))
            if begun > wanted:
                return found
            begun = clock.monotonic()
            handles = place.pace.call(lambda: list(place.driver.find(place.owner)))
            found = frozenset((str(h.kind), h.id) for h in handles)
            self._last[place.name] = (begun, found)
            return found


def _identity(entry: Entry) -> tuple[str, str, str]:
    """Platform, kind and id of a resource; the token of one that never had an id."""
    name = entry.handle.id if entry.handle is not None else entry.token
    return entry.platform, str(entry.ref.kind), name
