"""A reboot is a reboot, and data and services survive it."""

from __future__ import annotations

import pytest

from suites.claims import claim
from suites.lifetime import Lifetime
from suites.seams import Observe


@pytest.mark.check("life-01", needs=("machine", "reboot"))
@pytest.mark.cost("own")
def test_a_reboot_keeps_data_and_services(lifetime: Lifetime, observe: Observe) -> None:
    """After a reboot the boot's identity is new, data is there and the service runs again."""
    turn = lifetime.reboot()
    name = lifetime.member.name

    observe("reboot-duration", turn.seconds, unit="s", source="observed", member=name)
    claim(
        turn.after.boot != turn.before.boot,
        f"{name}: identity of the boot after a reboot",
        expected="another than before",
        actual=f"still {turn.after.boot}",
    )
    shared = turn.after.boot.split("/")[0] == turn.before.boot.split("/")[0]
    observe("kernel-rebooted", not shared, member=name)
    mark = turn.kept["root"]
    claim(
        mark["whole"],
        f"{name}: a file written before the reboot",
        expected="there, whole",
        actual=mark["error"] or "other content",
    )
    claim(
        turn.after.service["running"],
        f"{name}: the service that was enabled runs after a reboot",
        expected="running",
        actual="not running",
    )
    claim(
        turn.after.identity["machine_id"] == turn.before.identity["machine_id"],
        f"{name}: machine id after a reboot",
        expected=turn.before.identity["machine_id"],
        actual=turn.after.identity["machine_id"],
    )
