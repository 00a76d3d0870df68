"""The console log holds what was printed."""

from __future__ import annotations

import pytest

from provisioner.features import Console
from suites.claims import claim, observed_as_declared
from suites.lifetime import Lifetime
from suites.newcomer import SPOKEN
from suites.seams import Evidence, Inside, Observe, Patience, Subject
from suites.waits import Stopwatch, until


@pytest.mark.check("life-04", needs=("machine", "console", "reboot"))
@pytest.mark.cost("own")
def test_the_console_shows_what_was_printed(
    subject: Subject,
    lifetime: Lifetime,
    inside: Inside,
    patience: Patience,
    observe: Observe,
    evidence: Evidence,
) -> None:
    """A line printed on the console is in the console log in time; what a reboot does is known."""
    turn = lifetime.reboot()
    console = subject.driver.feature(Console, lifetime.member.handle)  # type: ignore[type-abstract]
    line = f"interop-after-{turn.token}"
    inside(lifetime.member).observe("say", text=line)
    clock = Stopwatch()

    log = until(console.read, lambda text: line in text, patience("console"))

    evidence("console log, its end", log[-4000:])
    observe("console-latency", clock.seconds, unit="s", source="observed")
    observe("console-characters", len(log), source="api")
    claim(
        line in log,
        f"{lifetime.member.name}: a line printed on the console is in the log within"
        f" {patience('console'):g} s",
        expected=line,
        actual=f"a log of {len(log)} characters without it",
    )
    survives = f"interop-before-{turn.token}" in log
    observed_as_declared(subject, observe, "console-survives-reboot", survives)
    observed_as_declared(subject, observe, "console-from-kernel", "Linux version" in log)
    observed_as_declared(subject, observe, "console-has-user-data", SPOKEN in log)
