"""Random numbers are ready when a machine is."""

from __future__ import annotations

import pytest

from suites.claims import claim, observed_as_declared
from suites.seams import Evidence, Members, Observe, Subject
from suites.sight import Sight


@pytest.mark.check("ent-01", needs=("machine",))
@pytest.mark.cost("shared")
def test_random_numbers_are_ready(
    subject: Subject, members: Members, sight: Sight, observe: Observe, evidence: Evidence
) -> None:
    """Once a machine can be logged in to, getrandom answers without waiting."""
    for member in members:
        seen = sight.of(member, "entropy", evidence)
        observe("entropy-avail", seen["entropy_avail"], unit="bit", member=member.name)
        observe("random-ready", seen["crng_ready_s"], unit="s", member=member.name)
        observed_as_declared(subject, observe, "hwrng", seen["hwrng"], member.name)
        claim(
            seen["getrandom_ready"],
            f"{member.name}: getrandom answers at once",
            expected="16 bytes",
            actual=f"it would block; entropy_avail is {seen['entropy_avail']}",
        )
