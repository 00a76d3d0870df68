"""Members of a group have the same processor."""

from __future__ import annotations

import pytest

from suites.claims import claim, observed_as_declared
from suites.seams import Evidence, Members, Observe, Subject
from suites.sight import Sight


@pytest.mark.check("kern-03", needs=("machine",))
@pytest.mark.cost("shared")
def test_processor_flags_are_equal_in_a_group(
    subject: Subject, members: Members, sight: Sight, observe: Observe, evidence: Evidence
) -> None:
    """All members of a group offer the same processor flags, and as many processors as told."""
    sights = sight.all(members, "cpu", evidence)
    for member in members:
        seen = sights[member.name]
        observe("cpu-model", seen["model"], member=member.name)
        observe("cpu-flags", seen["flags"], member=member.name)
        observe("cpu-steal", seen["steal_percent"], unit="%", member=member.name)
        observed_as_declared(subject, observe, "cpu-count", seen["count"], member.name)
    for group in sorted({member.group for member in members}):
        first, *others = [member for member in members if member.group == group]
        base = set(sights[first.name]["flags"])
        for other in others:
            flags = set(sights[other.name]["flags"])
            claim(
                base == flags,
                f"processor flags of {first.name} and {other.name}, both of group {group}",
                expected="the same",
                actual=f"only one has {sorted(base ^ flags)}",
            )
