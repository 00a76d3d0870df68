"""Counts what there is of ours on a platform, to compare before and after."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from provisioner.driver import Driver, Owner
from provisioner.resources import Kind


def census(driver: Driver, owner: Owner | None = None, looks: int = 3) -> dict[str, int]:
    """How many resources of each kind a platform shows; without *owner* all that Interop tagged.

    One list may miss something, so that several are joined. Kinds of which there are none are
    not in the answer.

    Raises:
        PlatformError: the platform cannot be asked.
    """
    seen: set[tuple[Kind, str]] = set()
    for _ in range(looks):
        seen |= {(handle.kind, handle.id) for handle in driver.find(owner or Owner())}
    return dict(sorted(Counter(str(kind) for kind, _ in seen).items()))


def grown(before: Mapping[str, int], after: Mapping[str, int]) -> dict[str, int]:
    """Kinds of which there are more than before, and how many more. Fewer is nobody's leak."""
    more = {kind: count - before.get(kind, 0) for kind, count in after.items()}
    return {kind: count for kind, count in more.items() if count > 0}
