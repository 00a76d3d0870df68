"""One transition of a machine: how it was before and after, and what the API said meanwhile."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from provisioner.driver import State
from provisioner.errors import PlatformError
from provisioner.features import BootChoice

SAMPLE_S = 0.2


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """The victim at one moment, from inside and by API.

    ``clock`` was asked for by itself, between ``asked`` and ``answered``: a look at everything
    takes seconds on a busy machine, and how far the clocks are apart is known to half of that.
    """

    state: State
    identity: Mapping[str, Any]
    addressing: Mapping[str, Any]
    disks: Mapping[str, Any]
    service: Mapping[str, Any]
    clock: Mapping[str, Any]
    asked: float
    answered: float

    @property
    def boot(self) -> str:
        """Identity of the boot."""
        return str(self.identity["boot"])

    @property
    def lag(self) -> float:
        """How far the guest's clock is ahead of ours, in seconds, within the time that took."""
        return float(self.clock["received"]) - (self.asked + self.answered) / 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """What the API called the machine's status, at our time."""

    at: float
    status: str


@dataclass(slots=True, kw_only=True)
class Turn:
    """One transition. Times are ours, epoch seconds; ``off_at`` and ``on_at`` of a stop only.

    ``kept`` is what became of the marks on the root file system (``root``) and on the volume.
    """

    name: str
    before: Look
    after: Look
    token: str
    samples: list[Sample] = field(default_factory=list)
    began: float = 0.0
    off_at: float = 0.0
    off_status: str = ""
    silent: bool | None = None
    state_when_off: str = ""
    on_at: float = 0.0
    on_status: str = ""
    back_at: float = 0.0
    boot_device: dict[str, BootChoice] = field(default_factory=dict)
    kept: dict[str, dict[str, Any]] = field(default_factory=dict)

    @property
    def seconds(self) -> float:
        """From the request until one could work inside again."""
        return round(self.back_at - (self.on_at or self.began), 3)


class Sampler:
    """Asks for the status every fifth of a second, in a thread of its own, while it is open.

    The last question is asked after the end, so that the state that was reached is always told.
    """

    def __init__(self, ask: Callable[[], str], samples: list[Sample]) -> None:
        self._ask = ask
        self._samples = samples
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *error: object) -> None:
        self._end.set()
        self._thread.join()

    def _run(self) -> None:
        last = False
        while not last:
            last = self._end.is_set()
            asked = time.time()
            try:
                status = self._ask()
            except PlatformError as error:
                status = f"({type(error).__name__})"
            self._samples.append(Sample(at=asked, status=status))
            self._end.wait(SAMPLE_S)


def history(turn: Turn) -> str:
    """The statuses of a transition with the second each was first seen."""
    parts: list[str] = []
    last = ""
    for sample in turn.samples:
        if sample.status != last:
            parts.append(f"{sample.status} at {sample.at - turn.began:.1f} s")
            last = sample.status
    return ", ".join(parts)
