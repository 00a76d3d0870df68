"""Where time comes from, so that tests need no waiting and simulations can run faster."""

from __future__ import annotations

import threading
import time
from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    """Time as seen by everything in the provisioner; safe to use from several threads."""

    def monotonic(self) -> float:
        """Seconds from some origin; never goes back. The same origin in every process."""

    def time(self) -> float:
        """Seconds since the epoch, UTC."""

    def sleep(self, seconds: float) -> None:
        """Return after so many seconds; at once for zero or less."""


class SystemClock:
    """The machine's own clock."""

    def monotonic(self) -> float:
        return time.monotonic()

    def time(self) -> float:
        return time.time()

    def sleep(self, seconds: float) -> None:
        if seconds > 0:
            time.sleep(seconds)


class ScaledClock:
    """A clock that runs *factor* times faster: a simulated minute takes 60 / *factor* seconds.

    Own work counts *factor* times, so what is measured with it is never flattering.
    """

    def __init__(self, factor: float) -> None:
        self.factor = factor
        self._started = time.time()

    def monotonic(self) -> float:
        return time.monotonic() * self.factor

    def time(self) -> float:
        return self._started + (time.time() - self._started) * self.factor

    def sleep(self, seconds: float) -> None:
        if seconds > 0:
            time.sleep(seconds / self.factor)


class ManualClock:
    """A clock that stands still until somebody sleeps or moves it; for one-threaded tests."""

    def __init__(self, start: float = 1_000.0, epoch: float = 1_800_000_000.0) -> None:
        self._elapsed = 0.0
        self._start = start
        self._epoch = epoch
        self._lock = threading.Lock()

    def monotonic(self) -> float:
        return self._start + self._elapsed

    def time(self) -> float:
        return self._epoch + self._elapsed

    def sleep(self, seconds: float) -> None:
        self.advance(max(0.0, seconds))

    def advance(self, seconds: float) -> None:
        """Move time on by *seconds*."""
        with self._lock:
            self._elapsed += seconds


def rfc3339(epoch: float) -> str:
    """*epoch* seconds as ``2026-11-21T03:04:05Z`` (milliseconds are dropped)."""
    return datetime.fromtimestamp(epoch, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def from_rfc3339(text: str) -> float:
    """Seconds since the epoch of an RFC 3339 time. Raises ValueError for anything else."""
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError(f"{text!r} has no time zone")
    return moment.timestamp()
