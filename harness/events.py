"""What a run tells while it goes on: one event a line in a file, and to whoever listens."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Protocol

from harness.mask import Masker


@dataclass(frozen=True, slots=True, kw_only=True)
class RunEvent:
    """Something happened. ``at`` is seconds after the run began.

    ``what`` is ``phase`` (the platform goes on to something else), ``step`` (of provisioning),
    ``check`` (one ended, or with state ``running`` goes on for a while) or ``note``; ``state`` says
    how it is, ``detail`` what is waited for, or which lane a running check is of.
    """

    at: float
    platform: str
    what: str
    name: str
    state: str = ""
    detail: str = ""
    seconds: float = 0.0


class Listener(Protocol):
    """Somebody who shows events."""

    def __call__(self, event: RunEvent) -> None: ...


class Events:
    """Writes each event to the run's file and hands it to the listeners; safe from threads.

    A file that cannot be written ends no run, which still has to take down what it created: the
    listeners are told once, and all that comes after.
    """

    def __init__(
        self,
        file: Path,
        masker: Masker,
        listeners: tuple[Listener, ...] = (),
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._file = file
        self._masker = masker
        self._listeners = listeners
        self._clock = clock
        self._began = clock()
        self._lock = threading.Lock()
        self._writes = True

    def elapsed(self) -> float:
        """Seconds since the run began."""
        return self._clock() - self._began

    def tell(
        self,
        platform: str,
        what: str,
        name: str,
        state: str = "",
        detail: str = "",
        seconds: float = 0.0,
    ) -> None:
        """Something happened now."""
        event = RunEvent(
            at=round(self.elapsed(), 3),
            platform=platform,
            what=what,
            name=name,
            state=state,
            detail=self._masker.text(detail),
            seconds=round(seconds, 3),
        )
        with self._lock:
            told = [event]
            if self._writes and (why := self._unwritten(event)):
                self._writes = False
                lost = replace(event, what="note", name=self._file.name, state="lost", detail=why)
                told.append(lost)
            for listener in self._listeners:
                for one in told:
                    listener(one)

    def _unwritten(self, event: RunEvent) -> str:
        """Write to the file; why that could not be done, or nothing."""
        try:
            with self._file.open("a", encoding="utf-8") as stream:
                stream.write(json.dumps(asdict(event), ensure_ascii=False) + "\n")
        except OSError as error:
            return f"cannot be written any more: {(error.strerror or str(error)).lower()}"
        return ""
