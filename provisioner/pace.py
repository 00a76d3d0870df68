"""How fast a platform may be asked: its declared rate, and slower whenever it says so."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TypeVar

from provisioner.clock import Clock
from provisioner.errors import Throttled
from provisioner.waiting import Cancel

T = TypeVar("T")

SLOWEST = 0.2  # calls a second
RECOVERY = 1.1  # how much faster after each untroubled second


class Pace:
    """A token bucket for one platform, adaptive on Throttled. Shared by all its threads.

    Without a declared rate there is no limit until the platform throttles; then the limit is half
    of what was just done, and grows again by a tenth each second without trouble.

    Args:
        clock: where time comes from.
        rate: calls a second the platform declares; 0 is none declared.
        cancel: ends a wait for a turn.
        attempts: how often a throttled call is made again.
    """

    def __init__(
        self, clock: Clock, rate: float = 0.0, cancel: Cancel | None = None, attempts: int = 12
    ) -> None:
        self.clock = clock
        self.declared = rate
        self.cancel = cancel if cancel is not None else Cancel()
        self.attempts = attempts
        self.throttled = 0
        self._limit = rate
        self._next = 0.0
        self._recent: list[float] = []
        self._calm_since = 0.0
        self._lock = threading.Lock()

    @property
    def limit(self) -> float:
        """Calls a second now allowed; 0 is no limit."""
        return self._limit

    def call(self, act: Callable[[], T]) -> T:
        """Run *act* in its turn; again, later, when the platform throttles it.

        Raises:
            Throttled: after the last attempt.
            Cancelled: while waiting for a turn.
        """
        for attempt in range(1, self.attempts + 1):
            self._turn()
            try:
                return act()
            except Throttled as busy:
                self._slow_down(busy.retry_after, attempt)
                if attempt == self.attempts:
                    raise
        raise AssertionError("the last attempt returns or raises")

    def _turn(self) -> None:
        with self._lock:
            now = self.clock.monotonic()
            self._recent = [t for t in self._recent[-500:] if now - t < 1.0] + [now]
            if self._limit and self._limit != self.declared and now - self._calm_since >= 1.0:
                self._limit *= RECOVERY
                self._calm_since = now
                if self.declared and self._limit > self.declared:
                    self._limit = self.declared
            at = max(self._next, now)
            self._next = at + (1.0 / self._limit if self._limit else 0.0)
        if at > now:
            self.cancel.sleep(at - now, self.clock)

    def _slow_down(self, retry_after: float, attempt: int) -> None:
        with self._lock:
            now = self.clock.monotonic()
            self.throttled += 1
            done = float(len([t for t in self._recent if now - t < 1.0]))
            self._limit = max(SLOWEST, (self._limit or done) / 2)
            self._calm_since = now
            pause = max(retry_after, min(30.0, 0.25 * 2**attempt))
            self._next = max(self._next, now + pause)
