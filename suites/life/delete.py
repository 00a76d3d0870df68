"""Deleting frees what a machine held, and its name."""

from __future__ import annotations

from typing import Any

import pytest

from provisioner.deployment import Member
from suites.claims import claim, observed_as_declared, same
from suites.lifetime import MARK
from suites.seams import Bench, Inside, Observe, Subject
from suites.waits import Stopwatch

WRITTEN = "by the machine that was deleted"


@pytest.mark.check("life-05", needs=("machine",))
@pytest.mark.cost("own", last=True)
def test_deleting_frees_everything_and_the_name(
    subject: Subject,
    bench: Bench,
    wish: dict[str, Any],
    victim: Member,
    inside: Inside,
    observe: Observe,
) -> None:
    """A deleted machine is gone with what it held, and its name serves a fresh one at once.

    It ends the machine that the destructive checks share, so it is the last of all checks.
    """
    machine = inside(victim)
    machine.observe("write-pattern", path=f"{MARK}-deleted", token=WRITTEN)
    before = machine.observe("identity")
    addresses = dict(victim.state.addresses)

    clock = Stopwatch()
    bench.remove(victim)
    observe("delete-duration", clock.seconds, unit="s", source="observed")

    held = [found for found in subject.driver.find(subject.owner) if found.name == victim.name]
    machines = [str(found) for found in held if found.kind == victim.handle.kind]
    same("machines of that name after deletion", expected=[], actual=machines)
    gone = subject.driver.read(victim.handle)
    claim(
        gone is None, "a deleted machine is gone", expected="nothing", actual=gone and gone.status
    )
    for name, handle in victim.volumes.items():
        state = subject.driver.read(handle)
        left = "deleted" if state is None else str(state.status)
        observed_as_declared(subject, observe, "volume-after-machine", left, name)

    clock = Stopwatch()
    fresh = bench.machine(victim.name, **wish)
    observe("recreate-duration", clock.seconds, unit="s", source="observed")
    again = [name for name, value in fresh.state.addresses.items() if value == addresses.get(name)]
    observe("addresses-given-again", again, source="api")
    seen = inside(fresh).observe("identity")
    old = inside(fresh).observe("read-pattern", path=f"{MARK}-deleted", token=WRITTEN)
    claim(
        not old["there"],
        f"{victim.name}: what the deleted machine of that name had written",
        expected="gone",
        actual="there",
    )
    claim(
        seen["boot"] != before["boot"],
        f"{victim.name}: the machine with the name used again is a fresh one",
        expected="a boot of its own",
        actual=f"the deleted machine's, {seen['boot']}",
    )
