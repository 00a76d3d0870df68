"""The power state told is the power state."""

from __future__ import annotations

import contextlib

import pytest

from provisioner.errors import Timeout
from suites.claims import claim, same
from suites.lifetime import Lifetime
from suites.seams import Observe, Patience


@pytest.mark.check("bmc-01", needs=("machine", "bmc", "power"))
@pytest.mark.cost("own")
def test_the_power_state_told_is_real(
    lifetime: Lifetime, patience: Patience, observe: Observe
) -> None:
    """Within ten seconds of a power action the controller tells the state the guest shows."""
    name = lifetime.member.name
    with contextlib.suppress(Timeout):
        lifetime.hard()
    if lifetime.stuck is not None:
        told = lifetime.stuck.off_status
        same(f"{name}: power told after a hard off", expected="off", actual=told)
    turn = lifetime.hard()

    observe("off-told-after", round(turn.off_at - turn.began, 3), unit="s", source="observed")
    same(f"{name}: power told after a hard off", expected="off", actual=turn.off_status)
    claim(
        turn.off_at - turn.began <= patience("power"),
        f"{name}: off is told in time",
        expected=f"within {patience('power'):g} s",
        actual=f"{turn.off_at - turn.began:.1f} s",
    )
    claim(
        turn.silent,
        f"{name}: the guest does not answer while off is told",
        expected="silence",
        actual="it answers",
    )
    same(f"{name}: power told after on", expected="on", actual=turn.on_status)
    claim(
        turn.after.boot != turn.before.boot,
        f"{name}: off and on again is a new boot",
        expected="another boot",
        actual=f"still {turn.after.boot}",
    )
    again = lifetime.reboot()
    claim(
        again.after.boot != again.before.boot,
        f"{name}: a reset by the controller is a new boot",
        expected="another boot",
        actual=f"still {again.after.boot}",
    )
    same(
        f"{name}: power told while the guest answers",
        expected="on",
        actual=lifetime.power().status(),
    )
