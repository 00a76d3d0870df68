"""Discovery: what the server says it serves is served.

Source: Kubernetes documentation, "The Kubernetes API"; API conventions.
"""

from __future__ import annotations

import re

import pytest

from suites.claims import claim, same
from suites.kubernetes.wire import CORE, SPACE, Object, Wire
from suites.seams import NotApplicable, Observe

KINDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
PLURAL = re.compile(r"[a-z0-9]+")  # a kind of thing; its parts have a slash


@pytest.mark.check("k8s-api-01", needs=("kubernetes.api",))
@pytest.mark.cost("api")
def test_discovery_is_whole(wire: Wire, observe: Observe) -> None:
    """Every group and version that discovery names is served, and each kind tells its verbs."""
    version = wire.given(200, "version", "GET /version")
    told = f"v{version['major']}.{version['minor'].rstrip('+')}."
    claim(
        version["gitVersion"].startswith(told),
        "gitVersion",
        expected=f"{told}x",
        actual=version["gitVersion"],
    )
    core = wire.given(200, "versions of the core group", "GET /api")
    claim("v1" in core["versions"], "core versions", expected="v1", actual=core["versions"])
    groups = wire.given(200, "groups", "GET /apis")["groups"]
    places = ["/api/v1"]
    for group in groups:
        versions = [one["groupVersion"] for one in group["versions"]]
        best = group["preferredVersion"]["groupVersion"]
        claim(best in versions, f"preferred of {group['name']}", expected=versions, actual=best)
        places += [f"/apis/{one}" for one in versions]
    observe("api-groups", len(places), source="api")
    for place in places:
        answer = wire(f"GET {place}", quiet=True)
        same(f"status of {place}", expected=200, actual=answer.status)
        spoken = place.removeprefix("/apis/").removeprefix("/api/")
        same(f"version told by {place}", expected=spoken, actual=answer.body["groupVersion"])
        for kind in answer.body["resources"]:
            claim(kind["verbs"], f"verbs of {kind['name']}", expected="some", actual="none")


@pytest.mark.check("k8s-api-02", needs=("kubernetes.api",))
@pytest.mark.cost("api")
def test_what_can_be_listed_is_listed(wire: Wire, observe: Observe) -> None:
    """Each namespaced kind of the core group that says it can be listed answers with a list."""
    kinds = wire.given(200, "core kinds", "GET /api/v1")["resources"]
    listed = []
    for kind in kinds:
        if not (kind["namespaced"] and "list" in kind["verbs"] and PLURAL.fullmatch(kind["name"])):
            continue
        answer = wire(f"GET {CORE}/{kind['name']}", quiet=True, query={"limit": 1})
        what = f"list of {kind['name']}"
        claim(answer.status in (200, 403), what, expected="200 or 403", actual=answer.status)
        if answer.status == 200:
            same(f"kind of the {what}", expected=f"{kind['kind']}List", actual=answer.body["kind"])
            listed.append(kind["name"])
    observe("core-kinds-listed", sorted(listed), source="api")
    claim("configmaps" in listed, "kinds we may list", expected="configmaps", actual=listed)
    gone = wire("GET /api/v1/namespaces/{namespace}/transmogrifiers", quiet=True)
    claim(
        gone.status in (403, 404),
        "list of a kind that is none",
        expected="404 or 403",
        actual=gone.status,
    )


def established(one: Object) -> bool:
    """Whether a kind of one's own is served."""
    conditions = one.get("status", {}).get("conditions") or ()
    return any(each["type"] == "Established" and each["status"] == "True" for each in conditions)


@pytest.mark.check("k8s-api-10", needs=("kubernetes.api.crd",))
@pytest.mark.cost("api")
def test_kinds_of_ones_own_are_served(
    wire: Wire, observe: Observe, not_applicable: NotApplicable
) -> None:
    """Each version in which a custom kind is served is in discovery, and lists as that kind."""
    answer = wire(f"GET {KINDS}", query={"limit": 50})
    if answer.status == 403:
        not_applicable("custom kinds may not be listed")
    same("status of the list of custom kinds", expected=200, actual=answer.status)
    found = [one for one in answer.body["items"] if established(one)]
    observe("custom-kinds", len(found), source="api")
    if not found:
        not_applicable("the cluster has no custom kinds")
    for one in found:
        spec, names = one["spec"], one["spec"]["names"]
        stored = [version["name"] for version in spec["versions"] if version["storage"]]
        same(f"versions that {names['plural']} are stored in", expected=1, actual=len(stored))
        for version in (each["name"] for each in spec["versions"] if each["served"]):
            place = f"/apis/{spec['group']}/{version}"
            told = wire.given(200, f"kinds of {place}", f"GET {place}", quiet=True)["resources"]
            kinds = [kind["kind"] for kind in told if kind["name"] == names["plural"]]
            same(f"kind of {names['plural']}", expected=[names["kind"]], actual=kinds)
            inner = f"/{SPACE}" if spec["scope"] == "Namespaced" else ""
            path = f"GET {place}{inner}/{names['plural']}"
            listed = wire(path, quiet=True, query={"limit": 1})
            what = f"list of {names['plural']}"
            claim(listed.status in (200, 403), what, expected="200 or 403", actual=listed.status)
            if listed.status == 200:
                expected = names.get("listKind") or f"{names['kind']}List"
                same(f"kind of the {what}", expected=expected, actual=listed.body["kind"])
