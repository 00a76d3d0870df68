"""Discovery: what the server says it serves is served.

Source: Kubernetes documentation, "The Kubernetes API"; API conventions.
"""

from __future__ import annotations

import re

import pytest

from suites.claims import claim, same
from suites.kubernetes.wire import CORE, Wire
from suites.seams import Observe

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
