"""What stays the same over a reboot."""

from __future__ import annotations

import pytest

from suites.claims import claim, observed_as_declared, same
from suites.lifetime import Lifetime
from suites.seams import Observe, Subject
from suites.sight import address_of, holder_of


@pytest.mark.check("net-04", needs=("machine", "reboot"))
@pytest.mark.cost("own")
def test_addresses_survive_a_reboot(subject: Subject, lifetime: Lifetime, observe: Observe) -> None:
    """Addresses are the same after a reboot, and after stop and start what the API tells is so."""
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
    if "power" not in subject.description.features:
        return
    stopped = lifetime.hard()
    kept = stopped.before.state.addresses == stopped.after.state.addresses
    observed_as_declared(subject, observe, "addresses-survive-stop-and-start", kept)
    told = stopped.after.state.addresses.get("private", "")
    claim(
        holder_of(told, stopped.after.addressing),
        "after stop and start the guest holds the private address the API tells",
        expected=told,
        actual=[a for i in stopped.after.addressing["interfaces"] for a in address_of(i)],
    )


@pytest.mark.check("net-05", needs=("machine", "reboot"))
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
