"""No two machines share an identity."""

from __future__ import annotations

import pytest

from suites.claims import claim
from suites.seams import Evidence, Members, Observe
from suites.sight import Sight


@pytest.mark.check("meta-07", needs=("machine",))
@pytest.mark.cost("shared")
def test_identities_differ_between_machines(
    members: Members, sight: Sight, observe: Observe, evidence: Evidence
) -> None:
    """Machine id, SSH host keys and DHCP id of each member are its own."""
    holders: dict[tuple[str, str], list[str]] = {}
    for name, seen in sight.all(members, "identity", evidence).items():
        observe("machine-id", seen["machine_id"], member=name)
        observe("host-keys", sorted(seen["host_keys"]), member=name)
        for kind, values in (
            ("machine id", [seen["machine_id"]] if seen["machine_id"] else []),
            ("host key", list(seen["host_keys"].values())),
            ("DHCP id", seen["dhcp_ids"]),
        ):
            for value in values:
                holders.setdefault((kind, value), []).append(name)
    for (kind, value), names in holders.items():
        claim(
            len(names) == 1,
            f"{kind} {value} belongs to one machine",
            expected="one holder",
            actual=names,
        )
