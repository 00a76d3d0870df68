"""A machine that names no network gets one."""

from __future__ import annotations

import pytest

from provisioner.resources import Kind, MachineSpec, Support
from suites.claims import claim, observed_as_declared
from suites.seams import Bench, Members, Observe, Subject


@pytest.mark.check("alloc-04", needs=("machine",))
@pytest.mark.cost("own")
def test_a_machine_comes_up_without_naming_a_network(
    subject: Subject, bench: Bench, members: Members, observe: Observe
) -> None:
    """A request that names no network succeeds, and which network came is known."""
    if subject.description.kinds.get(Kind.NETWORK) is Support.IMPLICIT:
        state = subject.driver.read(members[0].handle)  # every machine here names none
    else:
        handle = bench.create(Kind.MACHINE, "no-network", MachineSpec())
        state = subject.driver.read(handle)
        subject.driver.delete(handle)  # the bench proves later that it is gone
    claim(state, "a machine without a network comes up", expected="a machine", actual="nothing")
    assert state is not None

    network = str(state.facts.get("network") or "implicit")
    observed_as_declared(subject, observe, "default-network", network)
    observe("address-names", sorted(state.addresses), source="api")
    claim(
        state.addresses.get("private"),
        "a machine that named no network has an address",
        expected="a private address",
        actual="none",
    )
