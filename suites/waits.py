"""Waiting in checks: ask until the answer is right or patience is over, then go on with it."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")
EVERY_S = 0.2


def until(ask: Callable[[], T], right: Callable[[T], bool], seconds: float) -> T:
    """The first right answer, or the last one; asks at least once.

    The caller asserts on what comes back, so that a failure says what was seen instead.
    """
    end = time.monotonic() + seconds
    while True:
        answer = ask()
        now = time.monotonic()
        if right(answer) or now >= end:
            return answer
        time.sleep(min(EVERY_S, end - now))


class Stopwatch:
    """Seconds since it was made."""

    def __init__(self) -> None:
        self._started = time.monotonic()

    @property
    def seconds(self) -> float:
        """Elapsed time, to the millisecond."""
        return round(time.monotonic() - self._started, 3)
