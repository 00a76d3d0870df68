"""Writing: who owns a field, which version is meant, what a patch does, and what only tries.

Source: Kubernetes documentation, "Server-Side Apply", "Kubernetes API Concepts"; API conventions.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from suites.claims import claim, same
from suites.kubernetes.wire import (
    APPLY,
    CORE,
    JSON_PATCH,
    MAPS,
    MERGE,
    STRATEGIC,
    Answer,
    Object,
    Wire,
)

WRITERS = 6


def applied(wire: Wire, manager: str, data: dict[str, str], *, force: bool = False) -> Answer:
    """Server-side apply of a config map with that data, in the manager's name."""
    body = wire.body(apiVersion="v1", kind="ConfigMap", data=data)
    query: Object = {"fieldManager": manager} | ({"force": "true"} if force else {})
    operation = f"PATCH {MAPS}/{wire.name()}"
    return wire(operation, body=body, query=query, content_type=APPLY)


def data_of(wire: Wire, name: str) -> dict[str, str]:
    """What a config map holds now."""
    return dict((wire.see(MAPS, name) or {}).get("data") or {})


@pytest.mark.check("k8s-api-03", needs=("kubernetes.api.ssa",))
@pytest.mark.cost("api")
def test_a_field_has_an_owner(wire: Wire) -> None:
    """Applying a field that another manager owns is a conflict that names it, unless forced."""
    wire.note(MAPS, wire.name())
    same("first apply", expected=201, actual=applied(wire, "one", {"a": "1"}).status)
    conflict = applied(wire, "two", {"a": "2"})
    same("another's field", expected=409, actual=conflict.status)
    causes = (conflict.body.get("details") or {}).get("causes") or [{}]
    same("its reason", expected="FieldManagerConflict", actual=causes[0].get("reason"))
    same("its field", expected=".data.a", actual=causes[0].get("field"))
    same("value after the conflict", expected={"a": "1"}, actual=data_of(wire, wire.name()))
    same("the same value", expected=200, actual=applied(wire, "two", {"a": "1"}).status)
    same("by force", expected=200, actual=applied(wire, "two", {"a": "2"}, force=True).status)
    same("one lets go", expected=200, actual=applied(wire, "one", {}).status)
    same("what two owns stays", expected={"a": "2"}, actual=data_of(wire, wire.name()))
    same("two lets go", expected=200, actual=applied(wire, "two", {}).status)
    same("what nobody owns goes", expected={}, actual=data_of(wire, wire.name()))


@pytest.mark.check("k8s-api-04", needs=("kubernetes.api",))
@pytest.mark.cost("api")
def test_a_stale_version_is_refused(wire: Wire) -> None:
    """A replacement that names an older version is a conflict and changes nothing."""
    first = wire.make(MAPS, data={"a": "1"})
    path = f"{MAPS}/{first['metadata']['name']}"
    second = wire.given(200, "a change", f"PUT {path}", body={**first, "data": {"a": "2"}})
    was, now = (one["metadata"]["resourceVersion"] for one in (first, second))
    claim(was != now, "version after a change", expected="another", actual=now)
    stale = wire.refused(409, "a stale change", f"PUT {path}", body={**first, "data": {"a": "3"}})
    same("its reason", expected="Conflict", actual=stale.reason)
    after = wire.given(200, "the object", f"GET {path}")
    same("data after it", expected={"a": "2"}, actual=after["data"])
    again = wire.given(200, "a change of nothing", f"PUT {path}", body=second)
    same(
        "version after a change of nothing",
        expected=now,
        actual=again["metadata"]["resourceVersion"],
    )


@pytest.mark.check("k8s-api-05", needs=("kubernetes.api",))
@pytest.mark.cost("api")
def test_one_of_many_writers_wins(wire: Wire) -> None:
    """Of several changes of the same version at the same time exactly one is made."""
    first = wire.make(MAPS, data={"winner": "none"})
    path = f"{MAPS}/{first['metadata']['name']}"

    def write(number: int) -> tuple[int, str]:
        body = {**first, "data": {"winner": str(number)}}
        return wire(f"PUT {path}", quiet=True, body=body).status, str(number)

    with ThreadPoolExecutor(WRITERS) as pool:
        answers = list(pool.map(write, range(WRITERS)))
    won = [number for status, number in answers if status == 200]
    same("changes that were made", expected=1, actual=len(won))
    lost = sorted({status for status, _ in answers if status != 200})
    same("how the others were refused", expected=[409], actual=lost)
    same("what is kept", expected=won[0], actual=data_of(wire, wire.name())["winner"])


@pytest.mark.check("k8s-api-06", needs=("kubernetes.api",))
@pytest.mark.cost("api")
def test_each_patch_is_of_its_kind(wire: Wire) -> None:
    """Merge patches delete by null, JSON patches test first, strategic ones merge lists by key."""
    name = wire.make(MAPS, data={"a": "1", "b": "2"})["metadata"]["name"]
    path = f"{MAPS}/{name}"

    def patch(what: str, status: int, body: Any, kind: str) -> None:
        wire.refused(status, what, f"PATCH {path}", body=body, content_type=kind)

    patch("merge patch", 200, {"data": {"a": None, "c": "3"}}, MERGE)
    same("data after it", expected={"b": "2", "c": "3"}, actual=data_of(wire, name))
    change = {"op": "replace", "path": "/data/b", "value": "9"}
    wrong = {"op": "test", "path": "/data/c", "value": "none"}
    patch("a test that fails", 422, [change, wrong], JSON_PATCH)
    same("data after it", expected={"b": "2", "c": "3"}, actual=data_of(wire, name))
    patch("JSON patch", 200, [change], JSON_PATCH)
    same("data after it", expected={"b": "9", "c": "3"}, actual=data_of(wire, name))
    patch("a patch of no kind", 415, {"data": {}}, "application/interop-patch+json")
    ports = [{"name": "one", "port": 8001}]
    service = wire.make(f"{CORE}/services", spec={"clusterIP": "None", "ports": ports})
    more = {"spec": {"ports": [{"name": "two", "port": 8002}]}}
    operation = f"PATCH {CORE}/services/{service['metadata']['name']}"
    merged = wire.given(200, "strategic patch", operation, body=more, content_type=STRATEGIC)
    told = sorted(port["port"] for port in merged["spec"]["ports"])
    same("ports after a strategic patch", expected=[8001, 8002], actual=told)


@pytest.mark.check("k8s-api-07", needs=("kubernetes.api",))
@pytest.mark.cost("api")
def test_what_only_tries_changes_nothing(wire: Wire) -> None:
    """A request with dryRun=All is judged like any other, and nothing is kept of it."""
    dry = {"dryRun": "All"}
    body = wire.body("dry", data={"a": "1"})
    tried = wire.given(201, "a try", f"POST {MAPS}", body=body, query=dry)
    same("what it would be", expected={"a": "1"}, actual=tried["data"])
    claim(tried["metadata"].get("uid"), "its uid", expected="some", actual="none")
    wire.refused(404, "a read of what was tried", f"GET {MAPS}/{wire.name('dry')}")
    bad = wire.body("dry", metadata={"name": f"{wire.name()}_bad"})
    wire.refused(422, "a try of a bad name", f"POST {MAPS}", body=bad, query=dry)
    kept = wire.make(MAPS, "kept", data={"a": "1"})
    path = f"{MAPS}/{kept['metadata']['name']}"
    wire.given(200, "a tried change", f"PUT {path}", body={**kept, "data": {}}, query=dry)
    wire.given(200, "a tried delete", f"DELETE {path}", query=dry)
    same("data after both", expected={"a": "1"}, actual=data_of(wire, wire.name("kept")))


@pytest.mark.check("k8s-api-08", needs=("kubernetes.api",))
@pytest.mark.cost("api")
def test_generated_names_differ(wire: Wire) -> None:
    """Names that the server makes up begin as asked, differ, and may be as long as any."""
    prefix = f"{wire.group}-"
    made = []
    for start in (*[prefix] * 5, prefix + "x" * (240 - len(prefix))):
        body = wire.body(metadata={"generateName": start})
        del body["metadata"]["name"]
        there = wire.given(201, "a generated name", f"POST {MAPS}", body=body)
        name = str(there["metadata"]["name"])
        wire.note(MAPS, name)
        claim(name.startswith(prefix), "name", expected=f"{prefix}...", actual=name)
        made.append(name)
    same("different names", expected=len(made), actual=len(set(made)))


@pytest.mark.check("k8s-api-09", needs=("kubernetes.api",))
@pytest.mark.cost("api")
def test_unknown_fields_are_not_kept(wire: Wire) -> None:
    """A field that the kind does not have is dropped or refused, and never kept."""
    wire.note(MAPS, wire.name())
    body = wire.body(data={"a": "1"}, surprise={"inside": "a box"})
    answer = wire(f"POST {MAPS}", body=body)
    claim(
        answer.status in (201, 400, 422),
        "an object with a field too many",
        expected="201, 400 or 422",
        actual=answer.status,
    )
    there = wire.see(MAPS, wire.name()) or {}
    claim("surprise" not in there, "the field", expected="not kept", actual=there.get("surprise"))
