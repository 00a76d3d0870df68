"""User data arrives unchanged, runs once, and too much of it is refused."""

from __future__ import annotations

import hashlib

import pytest

from provisioner.deployment import Member
from provisioner.errors import BadRequest
from provisioner.resources import Kind, MachineSpec
from suites.claims import claim, same
from suites.lifetime import Lifetime
from suites.newcomer import user_data
from suites.seams import Bench, Inside, Observe, Patience, Subject
from suites.waits import until


@pytest.mark.check("meta-04", needs=("machine", "user-data"))
@pytest.mark.cost("own")
def test_user_data_arrives_and_too_much_is_refused(
    subject: Subject, bench: Bench, victim: Member, inside: Inside, observe: Observe
) -> None:
    """User data of all sorts of bytes arrives whole; one byte over the limit is refused."""
    sent = user_data(subject.description)
    seen = inside(victim).observe("user-data")
    observe("user-data-bytes", seen["bytes"], unit="B", member=victim.name)
    observe("user-data-source", seen["source"], member=victim.name)
    same(
        f"{victim.name}: digest of the user data ({len(sent)} bytes sent, {seen['bytes']} arrived)",
        expected=hashlib.sha256(sent).hexdigest(),
        actual=seen["sha256"],
    )

    limit = int(subject.description.limits.get("user_data_bytes", 0))
    observe("user-data-limit", limit or None, unit="B", source="api")
    if limit:
        try:
            made = bench.create(Kind.MACHINE, "too-much", MachineSpec(user_data=b"#" * (limit + 1)))
        except BadRequest as refused:
            observe("user-data-over-limit", f"refused: {refused.message}"[:200], source="api")
        else:
            bench.remove(made)
            claim(
                holds=False,
                requirement=f"user data of {limit + 1} bytes is refused",
                expected="a refusal",
                actual="a machine",
            )


@pytest.mark.check("meta-05", needs=("machine", "user-data"))
@pytest.mark.cost("own")
def test_user_data_runs_once_per_instance(
    victim: Member, lifetime: Lifetime, inside: Inside, patience: Patience, observe: Observe
) -> None:
    """The user data's script runs at the first boot, and not again after a reboot."""
    until(
        lambda: int(inside(victim).observe("user-data")["runs"]),
        lambda runs: runs > 0,
        patience("init"),
    )
    lifetime.reboot()
    runs = int(inside(lifetime.member).observe("user-data")["runs"])

    observe("user-data-runs", runs, member=victim.name)
    same(
        f"{victim.name}: runs of the user data's script, by its own count, after several boots",
        expected=1,
        actual=runs,
    )
