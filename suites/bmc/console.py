"""The serial console shows what the guest prints."""

from __future__ import annotations

import secrets

import pytest

from provisioner.features import Console
from suites.claims import claim
from suites.seams import Evidence, Inside, Members, Observe, Patience, Subject
from suites.waits import Stopwatch, until


@pytest.mark.check("bmc-07", needs=("machine", "bmc", "console"))
@pytest.mark.cost("shared")
def test_the_serial_console_shows_what_the_guest_prints(
    subject: Subject,
    members: Members,
    inside: Inside,
    patience: Patience,
    observe: Observe,
    evidence: Evidence,
) -> None:
    """A line the guest prints on its console is shown by the controller."""
    member = members[0]
    console = subject.driver.feature(Console, member.handle)  # type: ignore[type-abstract]
    console.read()  # some controllers show only what comes after somebody looks
    line = f"interop-sol-{secrets.token_hex(6)}"
    inside(member).observe("say", text=line)
    clock = Stopwatch()

    seen = until(console.read, lambda text: line in text, patience("console"))

    evidence("serial console, its end", seen[-4000:])
    observe("sol-latency", clock.seconds, unit="s", source="observed", member=member.name)
    claim(
        line in seen,
        f"{member.name}: a printed line shows on the serial console",
        expected=line,
        actual=f"{len(seen)} characters without it",
    )
