"""The one way to wait for a platform: poll, note every transition, give up with the history.

No deadline is a literal in a suite: timeouts come from the guideline or the platform's profile.
"""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TypeVar, cast

from provisioner.clock import Clock
from provisioner.driver import State
from provisioner.errors import Lost, NotFound, PlatformFault, Throttled, Timeout

GONE = "gone"  # what a reader's None is called

T = TypeVar("T")


class Cancelled(Exception):
    """Somebody asked to stop; nothing is known about the platform."""


class Cancel:
    """Asks running work to stop between two polls; ``reason`` is the last one given."""

    def __init__(self) -> None:
        self._event = threading.Event()
        self.reason = "cancelled"
        self.requests = 0

    def request(self, reason: str = "cancelled") -> None:
        """Ask everybody who holds this to stop."""
        self.requests += 1
        self.reason = reason
        self._event.set()

    @property
    def requested(self) -> bool:
        """Whether work should stop."""
        return self._event.is_set()

    def check(self) -> None:
        """Raise Cancelled when a stop was requested."""
        if self._event.is_set():
            raise Cancelled(self.reason)

    def sleep(self, seconds: float, clock: Clock) -> None:
        """Sleep in pieces of at most half a second, so that a stop is noticed soon.

        Raises:
            Cancelled: a stop was requested before or during the sleep.
        """
        end = clock.monotonic() + seconds
        self.check()
        while (left := end - clock.monotonic()) > 0:
            clock.sleep(min(0.5, left))
            self.check()


@dataclass(frozen=True, slots=True, kw_only=True)
class Transition:
    """A state that was seen first ``at_s`` seconds after the wait began."""

    state: str
    at_s: float

    def __str__(self) -> str:
        return f"{self.state} at {self.at_s:.1f} s"


@dataclass(frozen=True, slots=True, kw_only=True)
class Waited:
    """How a wait went: seconds, number of polls, and each state in order."""

    seconds: float
    polls: int
    history: tuple[Transition, ...]


def wait(
    read: Callable[[], T],
    *,
    target: Iterable[str],
    timeout_s: float,
    clock: Clock,
    why: str,
    pending: Iterable[str] | None = None,
    fail: Iterable[str] = (),
    name_of: Callable[[T], str] | None = None,
    interval: tuple[float, float] = (1.0, 15.0),
    jitter: float = 0.5,
    not_found_ok: int = 0,
    lost_ok: int = 5,
    stable: int = 1,
    deadline: float | None = None,
    cancel: Cancel | None = None,
    on_transition: Callable[[Transition], None] | None = None,
    describe: Callable[[], str] | None = None,
    rng: random.Random | None = None,
) -> tuple[T, Waited]:
    """Poll *read* until it has reported a *target* state *stable* times in a row.

    ``read`` may return a State (its status counts), None (the state ``gone``) or anything with
    *name_of*. It is asked at once, then after intervals that grow by half from the first to the
    second bound, each shortened by up to *jitter* of itself; the last question falls on the
    deadline, so what becomes ready in the last interval is not late.

    Args:
        read: one observation of the platform.
        target: states that end the wait.
        timeout_s: how long to go on asking, in seconds; 0 asks once.
        clock: where time comes from.
        why: what is waited for, for people: ``machine app-1 to be ready``.
        pending: states to wait through; None means any that is neither target nor fail.
        fail: states after which waiting is pointless.
        name_of: what to call an observation.
        interval: first and longest pause between two questions, in seconds.
        jitter: share of a pause that may be cut off, so that many waiters do not march in step.
        not_found_ok: how many answers NotFound or None to tolerate when gone is no target.
        lost_ok: how many unanswered or failed polls in a row to tolerate.
        stable: how many times in a row the target must be seen.
        deadline: a monotonic time after which nothing waits, whatever the timeout.
        cancel: checked before each poll and during pauses.
        on_transition: told of each new state.
        describe: more to say on a timeout: last raw state, request ids, tail of the console.
        rng: source of the jitter.

    Returns:
        The last observation, and how the wait went.

    Raises:
        Timeout: the deadline passed in another state.
        PlatformFault: a *fail* state, or one that is neither target nor pending.
        NotFound: the thing was not there more than *not_found_ok* times.
        Cancelled: *cancel* was requested.
    """
    targets, failures = set(map(str, target)), set(map(str, fail))
    known = None if pending is None else set(map(str, pending))
    dice = rng if rng is not None else random.Random()  # noqa: S311 - spreads polls, no secret
    begun = clock.monotonic()
    end = begun + timeout_s if deadline is None else min(begun + timeout_s, deadline)
    pause, seen, missing, lost, polls = interval[0], 0, 0, 0, 0
    history: list[Transition] = []
    while True:
        if cancel is not None:
            cancel.check()
        asked = clock.monotonic()
        polls += 1
        extra = 0.0
        try:
            value: T | None = read()
            state = _name(value, name_of)
            lost = 0
        except NotFound:
            value, state, lost = None, GONE, 0
        except Throttled as busy:
            state, extra = "", busy.retry_after
        except (Lost, PlatformFault, Timeout):
            lost += 1
            if lost > lost_ok:
                raise
            state = ""
        if state:
            if not history or history[-1].state != state:
                history.append(Transition(state=state, at_s=round(asked - begun, 3)))
                if on_transition is not None:
                    on_transition(history[-1])
            seen = seen + 1 if state in targets else 0
            if seen >= stable:
                took = clock.monotonic() - begun
                how = Waited(seconds=took, polls=polls, history=tuple(history))
                return cast(T, value), how
            if state in failures:
                raise PlatformFault(_tell(why, f"is {state}", value, history, describe))
            if state == GONE and GONE not in targets and (known is None or GONE not in known):
                missing += 1
                if missing > not_found_ok:
                    raise NotFound(_tell(why, "is not there", value, history, describe))
            elif known is not None and state not in known and state not in targets:
                raise PlatformFault(_tell(why, f"is {state}, unexpected", value, history, describe))
        now = clock.monotonic()
        if asked >= end or now >= end:
            last = history[-1].state if history else "unanswered"
            late = f"still {last} after {now - begun:.0f} s"
            raise Timeout(_tell(why, late, value if state else None, history, describe))
        step = max(pause * (1 - jitter * dice.random()), extra)
        rest = min(step, end - now)
        if cancel is not None:
            cancel.sleep(rest, clock)
        else:
            clock.sleep(rest)
        pause = min(interval[1], pause * 1.5)


def _name(value: T | None, name_of: Callable[[T], str] | None) -> str:
    """What an observation is called."""
    if name_of is not None:
        return str(name_of(cast(T, value)))
    if value is None:
        return GONE
    if isinstance(value, State):
        return str(value.status)
    return str(value)


def _tell(
    why: str,
    what: str,
    value: object,
    history: list[Transition],
    describe: Callable[[], str] | None,
) -> str:
    """One line with everything known: what was awaited, the history, the last reason."""
    parts = [f"waiting for {why}: {what}"]
    if isinstance(value, State) and value.reason:
        parts.append(f"reason: {value.reason}")
    if history:
        parts.append("seen: " + ", ".join(map(str, history[-8:])))
    if describe is not None and (more := describe()):
        parts.append(more)
    return "; ".join(parts)
