"""What was synced survives the plug being pulled."""

from __future__ import annotations

import pytest

from suites.claims import claim
from suites.lifetime import MARK, OFFSETS, Lifetime
from suites.seams import Inside, Observe


@pytest.mark.check("disk-05", needs=("machine", "power"))
@pytest.mark.cost("own")
def test_synced_data_survives_a_hard_power_off(
    lifetime: Lifetime, inside: Inside, observe: Observe
) -> None:
    """Data whose fsync was acknowledged is whole after a hard power-off, on root and volume."""
    turn = lifetime.hard()
    machine = inside(lifetime.member)

    claim(
        turn.after.boot != turn.before.boot,
        "the machine went down hard",
        expected="another boot",
        actual=f"the same boot {turn.after.boot}",
    )
    places = {"root file system": (f"{MARK}-hard", 0)}
    if node := lifetime.volume_path(turn.after.disks):
        places["volume"] = (node, OFFSETS["hard"])
    for place, (path, offset) in places.items():
        seen = machine.observe("read-pattern", path=path, token=turn.token, offset=offset)
        observe(f"survived-{place.replace(' ', '-')}", seen["whole"], member=lifetime.member.name)
        claim(
            seen["whole"],
            f"{lifetime.member.name}: data synced to the {place} ({path}) before the power went",
            expected="whole",
            actual=seen["error"]
            or f"lost: {seen.get('good_sectors', 0)} of {seen.get('sectors', 0)} sectors are right",
        )
