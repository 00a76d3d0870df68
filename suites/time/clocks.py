"""Clocks are right, and agree."""

from __future__ import annotations

import time

import pytest

from provisioner.deployment import Member
from suites.claims import claim, observed_as_declared
from suites.seams import Evidence, Inside, Members, NotApplicable, Observe, Patience, Subject
from suites.sight import at_once, peers_of

SAMPLES = 3


@pytest.mark.check("time-01", needs=("machine",))
@pytest.mark.cost("shared")
def test_the_clock_is_right(
    subject: Subject,
    members: Members,
    inside: Inside,
    patience: Patience,
    observe: Observe,
    evidence: Evidence,
) -> None:
    """Each member's clock agrees with the harness's, as far as four timestamps can tell."""
    for member in members:
        offset, doubt, source = 0.0, float("inf"), ""
        for _ in range(SAMPLES):
            sent = time.time()
            seen = inside(member).observe("clock")
            came = time.time()
            trip = (came - sent) - (seen["sent"] - seen["received"])
            if trip / 2 < doubt:
                offset = ((seen["received"] - sent) + (seen["sent"] - came)) / 2
                doubt, source = trip / 2, seen["clocksource"]
        evidence(f"{member.name}: offset", f"{offset:.4f} s, give or take {doubt:.4f} s")
        observe("clock-offset", round(offset, 4), unit="s", source="observed", member=member.name)
        observe("clock-offset-doubt", round(doubt, 4), unit="s", source="observed")
        observed_as_declared(subject, observe, "clocksource", source, member.name)
        limit = patience("clock")
        claim(
            abs(offset) - doubt <= limit,
            f"{member.name}: offset of the clock to the harness's",
            expected=f"at most {limit:g} s",
            actual=f"{offset:.3f} s, give or take {doubt:.3f} s",
        )


@pytest.mark.check("time-05", needs=("machine",))
@pytest.mark.cost("shared")
def test_the_clocks_of_members_agree(
    members: Members,
    inside: Inside,
    patience: Patience,
    observe: Observe,
    not_applicable: NotApplicable,
) -> None:
    """Between any two members, four timestamps show hardly any skew."""
    if len(members) < 2:
        not_applicable("there is only one member")

    def measure(member: Member) -> dict[str, list[dict[str, float]]]:
        return inside(member).observe("skew", peers=peers_of(member, members))

    worst, limit = 0.0, patience("clock")
    for member, seen in zip(members, at_once(members, measure), strict=True):
        for result in seen["results"]:
            way = f"{member.name} to {result['peer']}: skew of the clocks"
            offset = result["offset_s"]
            claim(offset is not None, way, expected="a measurement", actual="no answer")
            worst = max(worst, abs(offset))
            claim(
                abs(offset) - result["round_trip_s"] / 2 <= limit,
                way,
                expected=f"at most {limit:g} s",
                actual=f"{offset:.3f} s",
            )
    observe("member-skew", round(worst, 6), unit="s", source="observed")
