"""Makes one resource, exactly once, whatever happens on the way.

The ledger has the intent before the call. After an answer that proves nothing (lost, timed out,
5xx) the platform is searched for as long as it may take to show what it has, before anything is
tried again. The same code carries on after a crash.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from provisioner.clock import Clock
from provisioner.driver import TAG_TOKEN, Driver, Handle, Owner, State, Status, Step
from provisioner.errors import (
    Conflict,
    Lost,
    NotFound,
    PlatformError,
    PlatformFault,
    Throttled,
    Timeout,
)
from provisioner.ledger import Ledger
from provisioner.pace import Pace
from provisioner.plan import digest_of
from provisioner.replay import Entry
from provisioner.resources import Ref, Support
from provisioner.waiting import Cancel, Transition, wait

UNSURE = (Lost, Timeout, PlatformFault, Throttled)
ATTEMPTS = 4
# How often a platform is searched at least before something is called absent. One list may miss
# what is there; six that each miss one thing in ten are all wrong once in a million.
LOOKS = 6
MOST_TROUBLE = 20  # looks that gave no answer, before giving up
STALE_S = 3600.0  # no request is sent so long after its intent


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """One platform as the machinery uses it. ``window_s``: what exists is found after so long."""

    driver: Driver
    owner: Owner
    pace: Pace
    window_s: float

    @property
    def name(self) -> str:
        """The platform's name."""
        return self.driver.platform


def place_for(
    driver: Driver,
    owner: Owner,
    clock: Clock,
    cancel: Cancel | None = None,
    limits: Mapping[str, float] | None = None,
) -> Place:
    """A platform with the pace and the window that its description declares.

    *limits* are those of a description that is at hand; describing may take many calls.

    Raises:
        PlatformError: it cannot be described.
    """
    if limits is None:
        limits = driver.describe().limits
    return Place(
        driver=driver,
        owner=owner,
        pace=Pace(clock, limits.get("rate", 0.0), cancel),
        window_s=limits.get("visibility_s", 0.0),
    )


def window_left(place: Place, since: float | None, clock: Clock) -> float:
    """How long what was intended at *since* may still stay unseen, in seconds.

    A request may have been sent long after its intent was written, up to the moment its process
    died; only of an old intent we know that the window is over.
    """
    old = since is not None and since + place.window_s + STALE_S < clock.time()
    return 0.0 if old else place.window_s


class Creation:
    """Creates and awaits resources of one run; safe to use from several threads."""

    def __init__(
        self,
        ledger: Ledger,
        clock: Clock,
        *,
        cancel: Cancel | None = None,
        interval: tuple[float, float] = (0.5, 2.0),
        remove: Callable[[Entry], None] | None = None,
    ) -> None:
        self.ledger = ledger
        self.clock = clock
        self.cancel = cancel if cancel is not None else Cancel()
        self.interval = interval
        self._remove = remove

    def create(
        self,
        place: Place,
        step: Step,
        handles: Mapping[Ref, Handle],
        known: Entry | None = None,
        tell: Callable[[str, str], None] = lambda what, detail: None,
    ) -> tuple[Handle, State]:
        """The resource of *step*, ready: the one that stands, or a new one.

        Args:
            place: where.
            step: what.
            handles: of everything it refers to.
            known: the ledger's newest entry of it.
            tell: told of what happens: ``kept``, ``creating``, ``pending`` ...

        Raises:
            PlatformError: it could not be made, or another thing of that name stands.
            Cancelled: work is to stop.
        """
        bound = step.bind(handles)
        if step.support is not Support.MANAGED:
            handle = place.pace.call(lambda: place.driver.create(bound, ""))
            return handle, self._await(place, step, handle, tell)
        digest = digest_of(step.resource)
        entry = known if known is not None and known.open else None
        if entry is not None and entry.phase == "intent":
            entry = self._settled(place, entry)
        if entry is not None and entry.phase == "deleting":
            self._take_away(entry)
            entry = None
        if entry is not None and entry.handle is not None:
            if entry.digest and entry.digest != digest:
                message = f"{step.resource.ref} stands but was made from another specification"
                raise Conflict(f"{message}; destroy the run first", place.name)
            state = self._standing(place, entry.handle)
            if state is not None and state.status is not Status.FAILED:
                tell("kept", str(entry.handle))
                return entry.handle, self._await(place, step, entry.handle, tell)
            self._take_away(entry)
            entry = None
        handle = self._make(place, bound, digest, entry, tell)
        return handle, self._await(place, step, handle, tell)

    def _make(
        self,
        place: Place,
        step: Step,
        digest: str,
        entry: Entry | None,
        tell: Callable[[str, str], None],
    ) -> Handle:
        """Ask until there is a handle; a definite no closes the intent."""
        want = step.resource
        self.cancel.check()
        if entry is None:
            entry = self.ledger.intent(place.name, want.ref, digest=digest, tags=want.tags)
        token = entry.token
        tell("creating", str(want.ref))
        for attempt in range(1, ATTEMPTS + 1):
            try:
                handle = place.pace.call(lambda: place.driver.create(step, token))
            except UNSURE as error:
                tell("unsure", str(error))
                found = self._look_for(place, want.ref, token)
                if found is None and attempt == ATTEMPTS:
                    raise
                if found is None:
                    continue
                handle = found
            except (NotFound, Conflict) as error:
                # What it refers to may not be visible yet, or an answer to an earlier attempt
                # with this token was lost.
                found = self._look_for(place, want.ref, token)
                if found is None and (attempt == ATTEMPTS or isinstance(error, Conflict)):
                    self.ledger.refused(token, str(error))
                    raise
                if found is None:
                    continue
                handle = found
            except PlatformError as error:
                self.ledger.refused(token, str(error))
                raise
            self.ledger.created(token, handle)
            return handle
        raise AssertionError("the last attempt returns or raises")

    def _settled(self, place: Place, entry: Entry) -> Entry:
        """An intent after a crash: created if the platform has it, else still an intent."""
        found = self._look_for(place, entry.ref, entry.token, since=entry.at)
        if found is not None:
            self.ledger.created(entry.token, found)
        return self.ledger.snapshot().entries[entry.token]

    def _look_for(
        self, place: Place, ref: Ref, token: str, since: float | None = None
    ) -> Handle | None:
        """What was made with *token*, if the platform shows it once its window is over."""
        end = self.clock.time() + window_left(place, since, self.clock)
        looks = trouble = 0
        while looks < LOOKS:
            self.cancel.check()
            late = self.clock.time() >= end
            try:
                for handle in place.pace.call(lambda: list(place.driver.find(place.owner))):
                    if handle.kind != ref.kind or handle.name != ref.name:
                        continue
                    state = self._standing(place, handle)
                    if state is not None and state.tags.get(TAG_TOKEN, token) == token:
                        return handle
                looks += late  # only what is missing after the window is missing
            except UNSURE:
                trouble += 1
                if trouble > MOST_TROUBLE:
                    raise
            self._pause(end)
        return None

    def _standing(self, place: Place, handle: Handle) -> State | None:
        """What is there; None only after several looks when the platform's window is over."""
        end = self.clock.time() + place.window_s
        looks = trouble = 0
        while looks < LOOKS:
            late = self.clock.time() >= end
            try:
                state = place.pace.call(lambda: place.driver.read(handle))
                if state is not None:
                    return None if state.status is Status.DELETING else state
                looks += late
            except UNSURE:
                trouble += 1
                if trouble > MOST_TROUBLE:
                    raise
            self._pause(end)
        return None

    def _pause(self, end: float) -> None:
        """Between two looks: a good part of the window that is left, or a moment."""
        left = end - self.clock.time()
        self.cancel.sleep(max(min(left, left / 3 + 0.1), self.interval[0] / 5), self.clock)

    def _take_away(self, entry: Entry) -> None:
        """Remove what is half gone or failed before making it anew."""
        if self._remove is None:
            raise Conflict(f"{entry.ref} is being deleted or failed", entry.platform)
        self._remove(entry)

    def _await(
        self, place: Place, step: Step, handle: Handle, tell: Callable[[str, str], None]
    ) -> State:
        """Wait until it is ready."""
        ref = step.resource.ref

        def transition(seen: Transition) -> None:
            tell(seen.state, "")

        state, _ = wait(
            lambda: place.pace.call(lambda: place.driver.read(handle)),
            target=[Status.READY],
            fail=[Status.FAILED],
            timeout_s=step.wait_s + place.window_s,
            clock=self.clock,
            why=f"{place.name} {ref} to be ready",
            interval=self.interval,
            not_found_ok=LOOKS + int(2 * place.window_s / self.interval[0]),
            cancel=self.cancel,
            on_transition=transition,
            rng=random.Random(f"{place.name}/{ref}"),  # noqa: S311 - spreads polls, repeatably
        )
        assert state is not None  # noqa: S101 - the target is not gone
        return state
