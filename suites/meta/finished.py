"""Initialisation says when it is finished, and without errors."""

from __future__ import annotations

import pytest

from provisioner.deployment import Member
from suites.claims import claim, same
from suites.seams import Inside, Members, Observe, Patience
from suites.sight import at_once
from suites.waits import until

OVER = ("done", "error")


@pytest.mark.check("meta-08", needs=("machine", "cloud-init"))
@pytest.mark.cost("shared")
def test_initialisation_finishes_without_errors(
    members: Members, inside: Inside, patience: Patience, observe: Observe
) -> None:
    """Each member says in time that its initialisation is done, and names no error."""

    def finish(member: Member) -> dict[str, object]:
        return until(
            lambda: inside(member).observe("init"),
            lambda seen: seen["status"] in OVER,
            patience("init"),
        )

    for member, seen in zip(members, at_once(members, finish), strict=True):
        observe("init-system", seen["system"], member=member.name)
        observe("datasource", seen["datasource"], member=member.name)
        observe("init-warnings", seen["warnings"], member=member.name)
        claim(
            not seen["errors"],
            f"{member.name}: {seen['system']} names no error",
            expected=[],
            actual=seen["errors"],
        )
        same(f"{member.name}: {seen['system']} is", expected="done", actual=seen["status"])
