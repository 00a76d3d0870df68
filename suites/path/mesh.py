"""Every member reaches every other on the ports the workload asked for."""

from __future__ import annotations

import pytest

from provisioner.deployment import Member
from suites.claims import claim, same
from suites.seams import Inside, Members, Observe
from suites.sight import at_once, peers_of


@pytest.mark.check("path-01", needs=("machine",))
@pytest.mark.cost("shared")
def test_every_member_reaches_every_other(
    members: Members, inside: Inside, observe: Observe
) -> None:
    """From each member, each other one answers over TCP and UDP, and it is the right one."""

    def reach(member: Member) -> dict[str, list[dict[str, object]]]:
        return inside(member).observe("mesh", peers=peers_of(member, members))

    paths = 0
    for member, seen in zip(members, at_once(members, reach), strict=True):
        for result in seen["results"]:
            way = f"{member.name} to {result['peer']} ({result['protocol']}/{result['port']})"
            same(way, expected="open", actual=result["state"])
            same(f"{way}: who answers", expected=result["peer"], actual=result["answered"])
            paths += 1
        slowest = max((float(str(r["seconds"])) for r in seen["results"]), default=0.0)
        observe("slowest-connect", round(slowest, 4), unit="s", member=member.name)
    observe("paths", paths)
    claim(
        paths >= len(members) * (len(members) - 1),
        "the whole mesh was tried",
        expected=f"at least {len(members) * (len(members) - 1)} paths",
        actual=paths,
    )
