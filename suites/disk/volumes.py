"""Volumes show inside, exact and recognisable, and stay so over a reboot."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

import pytest

from provisioner.deployment import Member
from provisioner.driver import Handle
from suites.claims import claim, observed_as_declared, same
from suites.lifetime import Lifetime
from suites.seams import Inside, NotApplicable, Observe, Patience, Subject
from suites.volumes import Found, find_volume
from suites.waits import Stopwatch, until


@pytest.mark.check("disk-02", needs=("machine", "volume", "attachment", "block-volume"))
@pytest.mark.cost("own")
def test_an_attached_volume_is_seen_exact_and_known(
    subject: Subject, victim: Member, inside: Inside, patience: Patience, observe: Observe
) -> None:
    """An attached volume shows in time, in the size told, under the identity told."""
    claim(victim.volumes, f"{victim.name} has its volume", expected="one", actual="none")
    for name, handle in victim.volumes.items():
        state = subject.driver.read(handle)
        claim(state, f"the API has volume {name}", expected="a volume", actual="nothing")
        assert state is not None
        facts, clock = state.facts, Stopwatch()
        look = partial(_look, victim, inside, handle, facts)
        found = until(look, lambda seen: seen is not None, patience("attach"))
        observe("attach-seen-after", clock.seconds, unit="s", source="observed")
        claim(
            found,
            f"{victim.name}: volume {handle.id} shows inside within {patience('attach'):g} s",
            expected="a block device",
            actual="none that is known by its id, serial, device or size",
        )
        assert found is not None
        _told(subject, observe, found)
        size = int(facts.get("size_gib") or 0) << 30
        observe("volume-bytes", found.device["bytes"], unit="B", member=victim.name)
        same(
            f"{victim.name}: bytes of volume {handle.id}",
            expected=size,
            actual=found.device["bytes"],
        )
        claim(
            found.by == "identity",
            f"{victim.name}: volume {handle.id} can be recognised",
            expected=f"a serial or by-id name with {facts.get('serial') or handle.id}",
            actual=f"recognised by {found.by} only; serial {found.device['serial'] or 'empty'},"
            f" by-id {found.device['by_id']}",
        )


@pytest.mark.check("disk-03", needs=("machine", "volume", "attachment", "block-volume", "reboot"))
@pytest.mark.cost("own")
def test_volumes_are_found_again_after_a_reboot(
    subject: Subject,
    lifetime: Lifetime,
    observe: Observe,
    not_applicable: NotApplicable,
) -> None:
    """After a reboot the same identity leads to the same volume, with what was written to it."""
    turn = lifetime.reboot()
    if not lifetime.member.volumes:
        not_applicable("the machine has no volume")
    for handle in lifetime.member.volumes.values():
        state = subject.driver.read(handle)
        facts = state.facts if state is not None else {}
        before, after = (
            find_volume(look.disks, handle, facts) for look in (turn.before, turn.after)
        )
        claim(before, f"volume {handle.id} before the reboot", expected="a device", actual="none")
        claim(after, f"volume {handle.id} after the reboot", expected="a device", actual="none")
        assert before is not None
        assert after is not None
        same(
            f"volume {handle.id} is recognised after a reboot by its",
            expected=before.by,
            actual=after.by,
        )
        kept = before.device["node"] == after.device["node"]
        observe("device-name-kept", kept, member=lifetime.member.name)
        content = turn.kept.get("volume", {"whole": False, "error": "no volume was found"})
        claim(
            content["whole"],
            f"what was written to volume {handle.id} before the reboot is on"
            f" {after.device['node']} after it",
            expected="the same content",
            actual=content["error"] or "other content",
        )


def _look(member: Member, inside: Inside, handle: Handle, facts: Mapping[str, Any]) -> Found | None:
    """The volume inside, now."""
    return find_volume(inside(member).observe("disks"), handle, facts)


def _told(subject: Subject, observe: Observe, found: Found) -> None:
    """What a volume looks like inside."""
    observe("volume-node", found.device["node"])
    observe("volume-by-id", found.device["by_id"])
    observed_as_declared(subject, observe, "volume-recognised-by", found.by)
