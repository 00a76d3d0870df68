"""What the path carries is what the link promises, or the path says so."""

from __future__ import annotations

import pytest

from suites.claims import claim, observed_as_declared, same
from suites.seams import Inside, Members, NotApplicable, Observe, Subject
from suites.sight import peers_of


@pytest.mark.check("path-02", needs=("machine",))
@pytest.mark.cost("shared")
def test_the_path_carries_the_link_mtu_or_says_so(
    subject: Subject,
    members: Members,
    inside: Inside,
    observe: Observe,
    not_applicable: NotApplicable,
) -> None:
    """A datagram of the link's MTU that must not be fragmented passes, or is answered by ICMP."""
    if len(members) < 2:
        not_applicable("there is only one member")
    first = members[0]
    for peer in peers_of(first, members):
        seen = inside(first).observe("path-mtu", address=peer["address"])
        way = f"{first.name} to {peer['name']}"
        observed_as_declared(subject, observe, "link-mtu", seen["link_mtu"], first.name)
        observed_as_declared(subject, observe, "path-mtu", seen["path_mtu"], first.name)
        claim(
            seen["at_link_mtu"] != "silent",
            f"{way}: a datagram of the link's MTU ({seen['link_mtu']} bytes) with DF",
            expected="it arrives, or ICMP says what fits",
            actual=f"silence; {seen['path_mtu']} bytes is the most that passes",
        )
        same(
            f"{way}: a datagram one byte larger with DF",
            expected="refused",
            actual=seen["above_link_mtu"],
        )
