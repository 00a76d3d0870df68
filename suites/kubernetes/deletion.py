"""Deletion: what holds a thing back, which one is meant, and what goes along.

Source: Kubernetes documentation, "Finalizers", "Garbage Collection", "Owners and Dependents".
"""

from __future__ import annotations

import pytest

from suites.claims import claim, same
from suites.kubernetes.wire import LABEL, MAPS, MERGE, Object, Wire, names
from suites.seams import Observe, Patience
from suites.waits import Stopwatch, until

HELD = "interop.example/held"


@pytest.mark.check("k8s-gone-01", needs=("kubernetes.api",))
@pytest.mark.cost("api")
def test_a_finalizer_holds_back(wire: Wire) -> None:
    """A thing with a finalizer is only marked when deleted, and goes when the last is taken off."""
    name = wire.make(MAPS, metadata={"finalizers": [HELD]})["metadata"]["name"]
    path = f"{MAPS}/{name}"
    same("status of its deletion", expected=200, actual=wire.remove(MAPS, name).status)
    there = wire.given(200, "what is held", f"GET {path}")
    marked = there["metadata"].get("deletionTimestamp")
    claim(marked, "when it was deleted", expected="a time", actual="none")
    same("status of a second one", expected=200, actual=wire.remove(MAPS, name).status)
    same("its finalizers", expected=[HELD], actual=there["metadata"]["finalizers"])
    more = {"metadata": {"finalizers": [HELD, "interop.example/late"]}}
    operation = f"PATCH {path}"
    wire.refused((403, 422), "a late finalizer", operation, body=more, content_type=MERGE)
    wire.given(200, "a change of it", operation, body={"data": {"a": "1"}}, content_type=MERGE)
    off = {"metadata": {"finalizers": None}}
    wire.given(200, "letting go", operation, body=off, content_type=MERGE)
    wire.refused(404, "a read of what was let go", f"GET {path}")


@pytest.mark.check("k8s-gone-02", needs=("kubernetes.api",))
@pytest.mark.cost("api")
def test_only_what_is_meant_is_deleted(wire: Wire) -> None:
    """A deletion that names another uid or version is a conflict, and the thing stays."""
    about = wire.make(MAPS)["metadata"]
    name = about["name"]
    for wrong in ({"uid": "00000000-0000-4000-8000-0000000000ff"}, {"resourceVersion": "1"}):
        refused = wire.remove(MAPS, name, preconditions=wrong)
        same(f"status of a deletion with {wrong}", expected=409, actual=refused.status)
        there = wire.see(MAPS, name)
        claim(there, f"{name} after it", expected="still there", actual="gone")
    right = {"uid": about["uid"], "resourceVersion": about["resourceVersion"]}
    done = wire.remove(MAPS, name, preconditions=right)
    same("status of the right one", expected=200, actual=done.status)
    same("status of a second one", expected=404, actual=wire.remove(MAPS, name).status)


@pytest.mark.check("k8s-gone-03", needs=("kubernetes.api",))
@pytest.mark.cost("api")
def test_a_selection_is_deleted_and_no_more(wire: Wire) -> None:
    """Deleting a collection by selector removes what it chooses and leaves everything else."""
    for ending in ("a", "b", "c"):
        here = {"interop-part": "stays" if ending == "c" else "goes", LABEL: wire.group}
        wire.make(MAPS, ending, metadata={"labels": here})
    query = {"labelSelector": f"{LABEL}={wire.group},interop-part=goes"}
    wire.given(200, "deletion of a selection", f"DELETE {MAPS}", query=query)
    same("what is left", expected=[wire.name("c")], actual=names(wire.ours(MAPS)))


def family(wire: Wire, label: str, *, anchored: bool = False) -> tuple[str, list[str]]:
    """An owner and two that are its own; *anchored* ones have another owner besides."""
    owner = wire.make(MAPS, f"{label}-owner")
    reference = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "name": owner["metadata"]["name"],
        "uid": owner["metadata"]["uid"],
        "blockOwnerDeletion": True,
    }
    others = wire.body()["metadata"]["ownerReferences"] if anchored else []
    own: list[Object] = [
        wire.make(MAPS, f"{label}-{n}", metadata={"ownerReferences": [*others, reference]})
        for n in range(2)
    ]
    return owner["metadata"]["name"], names(own)


@pytest.mark.check("k8s-gone-04", needs=("kubernetes.controllers",))
@pytest.mark.cost("api")
def test_what_is_owned_goes_along(wire: Wire, patience: Patience, observe: Observe) -> None:
    """What a thing owns goes with it in the background, before it in the foreground, or stays."""
    seconds = patience("visible")
    kept_owner, kept = family(wire, "kept", anchored=True)
    wire.remove(MAPS, kept_owner, propagationPolicy="Orphan")
    owner, own = family(wire, "back")
    watch = Stopwatch()
    wire.remove(MAPS, owner, propagationPolicy="Background")
    same("the owner, at once", expected=None, actual=wire.see(MAPS, owner))
    left = until(lambda: [n for n in own if wire.see(MAPS, n)], lambda some: not some, seconds)
    same("what it owned, later", expected=[], actual=left)
    observe("cascade", watch.seconds, unit="s", source="observed")
    owner, own = family(wire, "fore")
    wire.remove(MAPS, owner, propagationPolicy="Foreground")
    while (there := wire.see(MAPS, owner)) and watch.seconds < 3 * seconds:
        held = there["metadata"].get("finalizers") or []
        claim("foregroundDeletion" in held, "what holds it", expected="its own", actual=held)
    same("the owner, in the end", expected=None, actual=wire.see(MAPS, owner))
    left = [n for n in own if wire.see(MAPS, n)]
    same("what it owned, when it was gone", expected=[], actual=left)

    def parents() -> list[str]:
        found = [wire.see(MAPS, name) or {"metadata": {"ownerReferences": []}} for name in kept]
        return [ref["name"] for one in found for ref in one["metadata"]["ownerReferences"]]

    left = until(parents, lambda some: kept_owner not in some, seconds)
    claim(kept_owner not in left, "owners of orphans", expected="not the first", actual=left)
    same("orphans that stay", expected=kept, actual=[n for n in kept if wire.see(MAPS, n)])
