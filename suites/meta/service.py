"""The metadata service tells the truth, and takes its tokens seriously."""

from __future__ import annotations

import pytest

from suites.claims import claim, observed_as_declared, same
from suites.seams import Evidence, Members, Observe, Subject
from suites.sight import Sight

REFUSED = (401, 403)


@pytest.mark.check("meta-01", needs=("machine", "metadata"))
@pytest.mark.cost("shared")
def test_metadata_tells_the_id_of_the_api(
    subject: Subject, members: Members, sight: Sight, observe: Observe, evidence: Evidence
) -> None:
    """The metadata service of each member tells the instance id that the API tells."""
    for member in members:
        seen = sight.of(member, "metadata", evidence)
        told = str(member.state.facts.get("instance_id") or member.handle.id)
        observe("instance-id", seen["instance_id"], member=member.name)
        observe("instance-id", told, source="api", member=member.name)
        observed_as_declared(subject, observe, "metadata-formats", seen["formats"], member.name)
        claim(
            seen["reachable"],
            f"{member.name} reaches the metadata service",
            expected=f"an answer of {seen['url']}",
            actual="none",
        )
        same(f"{member.name}: instance id", expected=told, actual=seen["instance_id"])


@pytest.mark.check("meta-02", needs=("machine", "metadata"))
@pytest.mark.cost("shared")
def test_the_need_for_a_token_is_as_told(
    subject: Subject, members: Members, sight: Sight, observe: Observe, evidence: Evidence
) -> None:
    """A made-up token is refused where tokens exist, and no token where they are required."""
    for member in members:
        seen = sight.of(member, "metadata", evidence)
        claim(seen["reachable"], f"{member.name} reaches it", expected="an answer", actual="none")
        required = seen["without_token"] in REFUSED
        observed_as_declared(subject, observe, "token-offered", seen["token_offered"], member.name)
        observed_as_declared(subject, observe, "token-required", required, member.name)
        need = "required" if required else "optional" if seen["token_offered"] else "none"
        observed_as_declared(subject, observe, "metadata-token", need, member.name)
        if seen["token_offered"]:
            claim(
                seen["with_bogus_token"] in REFUSED,
                f"{member.name}: a made-up session token is refused",
                expected="status 401",
                actual=f"status {seen['with_bogus_token']}",
            )
        told = str(member.state.facts.get("metadata_tokens", ""))
        if told:
            observe("token-required", told == "required", source="api", member=member.name)
            same(
                f"{member.name}: metadata without a token, where the API says tokens are {told}",
                expected="refused" if told == "required" else "answered",
                actual="refused" if required else "answered",
            )
