"""The timeline of provisioning as a picture: one bar a step, drawn as SVG without scripts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from reports.result import TimingRecord

BAR = 18  # pixels a row
LABEL = 190  # pixels for the names
WIDTH = 900
LONGEST = 10.0**9  # seconds; what says that it took longer is drawn to the edge
STEPS = (1, 2, 5, 10, 20, 30, 60, 120, 300, 600, *(10**power for power in range(3, 9)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """One step, in pixels."""

    label: str
    text: str
    kind: str
    failed: bool
    x: float
    y: float
    width: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeline:
    """All bars of one platform, with the ticks of its axis in seconds."""

    bars: tuple[Bar, ...]
    ticks: tuple[tuple[float, str], ...]
    width: int
    height: int
    label: int = LABEL
    row: int = BAR


def timeline(timings: Sequence[TimingRecord], total_s: float = 0.0) -> Timeline:
    """Lay the steps out on an axis of at least *total_s* seconds."""
    end = min(max([total_s, 1.0, *(t.started + t.seconds for t in timings)]), LONGEST)
    scale = (WIDTH - LABEL - 60) / end
    bars = tuple(
        Bar(
            label=timing.step,
            text=f"{timing.seconds:.1f} s",
            kind=timing.kind,
            failed=timing.outcome not in ("ready", "done", "implicit", "gone", "passed", "active"),
            x=round(min(LABEL + max(timing.started, 0.0) * scale, WIDTH), 1),
            y=row * BAR,
            width=max(round(min(timing.seconds, LONGEST) * scale, 1), 1.5),
        )
        for row, timing in enumerate(sorted(timings, key=lambda t: (t.started, t.step)))
    )
    step = next(s for s in STEPS if end / s <= 10)
    ticks = tuple(
        (round(LABEL + second * scale, 1), f"{second} s") for second in range(0, int(end) + 1, step)
    )
    return Timeline(bars=bars, ticks=ticks, width=WIDTH, height=len(bars) * BAR + 24)
