"""Shows a run while it goes on: a live table on a terminal, plain lines elsewhere."""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.live import Live
from rich.table import Table

from harness.events import RunEvent

MARKS = {
    "passed": "green",
    "failed": "red",
    "blocked": "yellow",
    "skipped": "dim",
    "not-applicable": "dim",
}


@dataclass(slots=True)
class Row:
    """What is known of one platform."""

    phase: str = "waiting"
    now: str = ""
    since: float = 0.0
    counts: Counter[str] = field(default_factory=Counter)
    running: dict[str, str] = field(default_factory=dict)  # lane to check

    def waits_for(self) -> str:
        """What is waited for: a step, and the checks that run."""
        return ", ".join(filter(None, (self.now, *self.running.values())))


class Progress:
    """Listens to a run's events."""

    def __init__(self, console: Console, platforms: tuple[str, ...]) -> None:
        self._console = console
        self._rows = {name: Row() for name in platforms}
        self._live = Live(
            console=console, get_renderable=self._table, refresh_per_second=4, transient=True
        )
        self._on_screen = console.is_terminal

    def __enter__(self) -> Self:
        if self._on_screen:
            self._live.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._on_screen:
            self._live.stop()

    def __call__(self, event: RunEvent) -> None:
        row = self._rows.setdefault(event.platform, Row())
        if event.what == "phase":
            if event.name not in ("standing up", "checking"):
                row.running.clear()
            row.phase, row.now, row.since = event.name, event.detail, time.monotonic()
        elif event.what == "check" and event.state == "running":
            row.running[event.detail] = event.name
            row.since = time.monotonic()
        elif event.what == "check":
            row.counts[event.state] += 1
            row.running = {lane: id_ for lane, id_ in row.running.items() if id_ != event.name}
        else:
            row.now = " ".join(part for part in (event.name, event.state, event.detail) if part)
            row.since = time.monotonic()
        if not self._on_screen:
            self._line(event)

    def _line(self, event: RunEvent) -> None:
        """One plain line; passes of checks are not worth one each."""
        if event.what == "check" and event.state in ("passed", "not-applicable", "running"):
            return
        if event.what == "step" and event.state not in ("done", "failed", "blocked"):
            return
        words = [f"{event.at:7.1f}s", f"{event.platform:<12}", event.what, event.name]
        words += [event.state] if event.state else []
        words += [f"({event.seconds:.1f} s)"] if event.seconds else []
        words += [f"- {event.detail}"] if event.detail else []
        self._console.print(" ".join(words), markup=False, highlight=False, soft_wrap=True)

    def _table(self) -> Table:
        """The live table: where each platform is, and what it waits for since when."""
        table = Table(expand=True, box=None, pad_edge=False)
        for title in ("platform", "phase", "checks", "waits for", "since"):
            table.add_column(title, overflow="ellipsis", no_wrap=True)
        for name, row in self._rows.items():
            counts = " ".join(
                f"[{MARKS.get(state, 'white')}]{number} {state}[/]"
                for state, number in sorted(row.counts.items())
            )
            since = f"{time.monotonic() - row.since:.0f} s" if row.since else ""
            table.add_row(name, row.phase, counts, row.waits_for(), since)
        return table
