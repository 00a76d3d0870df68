"""What was synced survives the plug being pulled."""

from __future__ import annotations

import pytest

from suites.claims import claim
from suites.lifetime import Lifetime
from suites.seams import Observe


@pytest.mark.check("disk-05", needs=("machine", "power"))
@pytest.mark.cost("own")
def test_synced_data_survives_a_hard_power_off(lifetime: Lifetime, observe: Observe) -> None:
    """Data whose fsync was acknowledged is whole after a hard power-off, on root and volume."""
    turn = lifetime.hard()

    claim(
        turn.after.boot != turn.before.boot,
        "the machine went down hard",
        expected="another boot",
        actual=f"the same boot {turn.after.boot}",
    )
    for place, seen in turn.kept.items():
        observe(f"survived-{place}", seen["whole"], member=lifetime.member.name)
        claim(
            seen["whole"],
            f"{lifetime.member.name}: data synced to the {place} ({seen['path']}) before the power"
            " went",
            expected="whole",
            actual=seen["error"]
            or f"lost: {seen.get('good_sectors', 0)} of {seen.get('sectors', 0)} sectors are right",
        )
