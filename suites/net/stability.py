"""What stays the same over a reboot."""

from __future__ import annotations

import pytest

from suites.claims import claim, same
from suites.lifetime import Lifetime
from suites.seams import Observe
from suites.sight import address_of


@pytest.mark.check("net-04", needs=("machine",))
@pytest.mark.cost("own")
def test_addresses_survive_a_reboot(lifetime: Lifetime, observe: Observe) -> None:
    """Private and public address are the same after a reboot, by API and in the guest."""
    turn = lifetime.reboot()

    observe("addresses-before-reboot", dict(turn.before.state.addresses), source="api")
    observe("addresses-after-reboot", dict(turn.after.state.addresses), source="api")
    for name, address in turn.before.state.addresses.items():
        same(
            f"{name} address by API after a reboot",
            expected=address,
            actual=turn.after.state.addresses.get(name, "none"),
        )
    inner = [
        sorted(a for i in look.addressing["interfaces"] for a in address_of(i) if ":" not in a)
        for look in (turn.before, turn.after)
    ]
    same("addresses in the guest after a reboot", expected=inner[0], actual=inner[1])
    if (stopped := lifetime.done("hard")) is not None:
        kept = stopped.before.state.addresses == stopped.after.state.addresses
        observe("addresses-survive-stop-and-start", kept, source="api")


@pytest.mark.check("net-05", needs=("machine",))
@pytest.mark.cost("own")
def test_interfaces_survive_a_reboot(lifetime: Lifetime, observe: Observe) -> None:
    """Hardware addresses and interface names are the same after a reboot."""
    turn = lifetime.reboot()

    before, after = (
        {i["name"]: i["mac"] for i in look.addressing["interfaces"]}
        for look in (turn.before, turn.after)
    )
    observe("interfaces", sorted(after))
    same("interfaces and their hardware addresses after a reboot", expected=before, actual=after)
    told = turn.after.state.facts.get("mac")
    if told:
        observe("mac", told, source="api")
        claim(
            str(told).lower() in after.values(),
            "the guest has the hardware address the API tells",
            expected=told,
            actual=sorted(after.values()),
        )
