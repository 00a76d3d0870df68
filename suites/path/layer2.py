"""Who answers ARP, and what becomes of broadcast and multicast."""

from __future__ import annotations

import pytest

from suites.claims import claim, observed_as_declared
from suites.seams import Evidence, Inside, Members, NotApplicable, Observe, Subject
from suites.sight import Sight, holder_of, peers_of


@pytest.mark.check("path-04", needs=("machine",))
@pytest.mark.cost("shared")
def test_who_answers_arp_is_known(
    subject: Subject,
    members: Members,
    sight: Sight,
    inside: Inside,
    observe: Observe,
    evidence: Evidence,
    not_applicable: NotApplicable,
) -> None:
    """A peer is answered for by itself or by the fabric, never by another member."""
    if len(members) < 2:
        not_applicable("there is only one member")
    macs = {}
    for member in members:
        held = holder_of(member.address("private"), sight.of(member, "addressing", evidence))
        macs[member.name] = str(held["mac"]).lower() if held else ""
    first = members[0]
    seen = inside(first).observe("layer2", peers=peers_of(first, members))
    answers, broadcast, multicast = set(), True, True
    for result in seen["results"]:
        told = result["arp"].lower()
        others = {mac: name for name, mac in macs.items() if name != result["peer"] and mac}
        claim(
            told not in others,
            f"{first.name} asks who has {result['address']} ({result['peer']})",
            expected=f"{macs[result['peer']]} or the fabric",
            actual=f"{told}, which is {others.get(told)}",
        )
        mine = told == macs[result["peer"]]
        answers.add("peer" if told and mine else "fabric" if told else "nobody")
        broadcast = broadcast and result["broadcast"]
        multicast = multicast and result["multicast"]
    observed_as_declared(subject, observe, "arp-answered-by", "+".join(sorted(answers)))
    observed_as_declared(subject, observe, "broadcast", broadcast)
    observed_as_declared(subject, observe, "multicast", multicast)
