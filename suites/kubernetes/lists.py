"""Lists: pages, selectors against our own evaluation of them, and watches that add up.

Source: Kubernetes documentation, "Kubernetes API Concepts", "Labels and Selectors".
"""

from __future__ import annotations

import json
import random
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from suites.api.resources import generated
from suites.claims import claim, same
from suites.kubernetes.wire import LABEL, MAPS, MERGE, Answer, Object, Wire, labels, names
from suites.seams import Observe

PAGED, CHOSEN, CHANGES, EXAMPLES = 7, 12, 14, 40
WATCH_S = 2  # a watch ends by itself after so long
KEYS, VALUES = ("colour", "size", "interop.example/tier"), ("x", "y-2", "")


@pytest.mark.check("k8s-list-01", needs=("kubernetes.api",))
@pytest.mark.cost("api")
def test_pages_add_up(wire: Wire) -> None:
    """For any size of page, pages together are the list in its order, of one version."""
    for number in range(PAGED):
        wire.make(MAPS, str(number))
    whole = names(wire.ours(MAPS))
    same("things in the list", expected=PAGED, actual=len(whole))
    for size in range(1, PAGED + 2):
        seen: list[str] = []
        versions = set()
        marker = ""
        while True:
            query = {"labelSelector": f"{LABEL}={wire.group}", "limit": size}
            query |= {"continue": marker} if marker else {}
            page = wire(f"GET {MAPS}", quiet=True, query=query)
            same(f"a page of {size}", expected=200, actual=page.status)
            found = names(page.body["items"])
            claim(len(found) <= size, "things on a page", expected=size, actual=len(found))
            seen += found
            versions.add(page.body["metadata"]["resourceVersion"])
            marker = page.body["metadata"].get("continue") or ""
            if not marker:
                break
        same(f"pages of {size} together", expected=whole, actual=seen)
        same(f"versions of pages of {size}", expected=1, actual=len(versions))
    foreign = {"limit": 1, "continue": "interop-no-marker"}
    wire.refused(400, "a page after a made-up marker", f"GET {MAPS}", query=foreign)


def requirement() -> st.SearchStrategy[tuple[str, str, tuple[str, ...]]]:
    """One part of a selector: key, operator, values."""
    some = st.lists(st.sampled_from(VALUES), min_size=1, max_size=2, unique=True).map(tuple)
    one = st.sampled_from(VALUES).map(lambda value: (value,))
    sets = st.tuples(st.sampled_from(KEYS), st.sampled_from(("in", "notin")), some)
    equal = st.tuples(st.sampled_from(KEYS), st.sampled_from(("=", "==", "!=")), one)
    exist = st.tuples(st.sampled_from(KEYS), st.sampled_from(("has", "hasnot")), st.just(()))
    return st.one_of(sets, equal, exist)


def written(part: tuple[str, str, tuple[str, ...]]) -> str:
    """A part as the API has it."""
    key, operator, values = part
    if operator in ("has", "hasnot"):
        return key if operator == "has" else f"!{key}"
    if operator in ("in", "notin"):
        return f"{key} {operator} ({','.join(values)})"
    return f"{key}{operator}{values[0]}"


def holds(part: tuple[str, str, tuple[str, ...]], there: Mapping[str, str]) -> bool:
    """Whether labels fit a part; what has no such key is in no set, and differs from any value."""
    key, operator, values = part
    if operator in ("has", "hasnot"):
        return (key in there) == (operator == "has")
    if operator in ("notin", "!="):
        return key not in there or there[key] not in values
    return key in there and there[key] in values


@pytest.mark.check("k8s-list-02", needs=("kubernetes.api",))
@pytest.mark.cost("api")
def test_selectors_choose_what_fits(wire: Wire, seed: int, observe: Observe) -> None:
    """Any label selector chooses exactly those things whose labels fit by its documented rules."""
    observe("seed", seed, source="observed")
    draw = random.Random(seed)  # noqa: S311 - examples, no secrets
    made: dict[str, Mapping[str, str]] = {}
    for number in range(CHOSEN):
        chosen = {key: draw.choice(VALUES) for key in KEYS if draw.random() < 0.6}
        body = {"metadata": {"labels": {**chosen, LABEL: wire.group}}}
        made[wire.make(MAPS, str(number), **body)["metadata"]["name"]] = chosen

    @generated(seed, EXAMPLES)
    @given(parts=st.lists(requirement(), min_size=1, max_size=3))
    def chosen_rightly(parts: list[tuple[str, str, tuple[str, ...]]]) -> None:
        selector = ",".join([f"{LABEL}={wire.group}", *map(written, parts)])
        answer = wire(f"GET {MAPS}", quiet=True, query={"labelSelector": selector})
        same(f"list by {selector}", expected=200, actual=answer.status)
        fits = sorted(n for n, has in made.items() if all(holds(part, has) for part in parts))
        same(f"chosen by {selector}", expected=fits, actual=sorted(names(answer.body["items"])))

    chosen_rightly()
    for bad in ("=x", "a in (", "a b", "a=b=c"):
        query = {"labelSelector": bad}
        wire.refused(400, f"a list by {bad!r}", f"GET {MAPS}", query=query)


@pytest.mark.check("k8s-list-03", needs=("kubernetes.api",))
@pytest.mark.cost("api")
def test_fields_choose_too(wire: Wire) -> None:
    """A list by the field metadata.name has that thing alone; one by a field of none is refused."""
    for ending in ("one", "two"):
        wire.make(MAPS, ending)
    ours = f"{LABEL}={wire.group}"
    for sign, expected in (("=", [wire.name("one")]), ("!=", [wire.name("two")])):
        query = {"labelSelector": ours, "fieldSelector": f"metadata.name{sign}{wire.name('one')}"}
        found = wire.given(200, "a list by name", f"GET {MAPS}", query=query)["items"]
        same(f"those with metadata.name{sign}", expected=expected, actual=names(found))
    bad = {"labelSelector": ours, "fieldSelector": "data.colour=red"}
    wire.refused(400, "a list by a field it has not", f"GET {MAPS}", query=bad)


def events(answer: Answer) -> list[Object]:
    """The events of a watch that has ended; a single one looks like any other object."""
    if isinstance(answer.body, dict):
        return [answer.body] if answer.body else []
    return [json.loads(line) for line in answer.body.splitlines() if line]


def watched(wire: Wire, version: str) -> Answer:
    """A watch of ours from a version on, once it has ended."""
    query = {
        "labelSelector": f"{LABEL}={wire.group}", "watch": "1",
        "resourceVersion": version, "timeoutSeconds": WATCH_S,
    }  # fmt: skip
    return wire(f"GET {MAPS}", query=query)


def folded(start: Mapping[str, str], told: list[Object]) -> dict[str, str]:
    """Names and versions after these events."""
    there = dict(start)
    for event in told:
        about = event["object"]["metadata"]
        if event["type"] == "DELETED":
            there.pop(about["name"], None)
        elif event["type"] in ("ADDED", "MODIFIED"):
            there[about["name"]] = about["resourceVersion"]
    return there


def listed(wire: Wire) -> tuple[dict[str, str], str]:
    """Names and versions of ours, and the version of the list."""
    query = {"labelSelector": f"{LABEL}={wire.group}"}
    body = wire.given(200, "list", f"GET {MAPS}", query=query)
    about = [one["metadata"] for one in body["items"]]
    return {a["name"]: a["resourceVersion"] for a in about}, body["metadata"]["resourceVersion"]


def change(wire: Wire, draw: random.Random, number: int) -> None:
    """Make, change, move out of sight, or delete one thing."""
    there = wire.ours(MAPS)
    choice = draw.choice(("make", "change", "hide", "delete")) if there else "make"
    if choice == "make":
        wire.make(MAPS, f"c{number}")
        return
    name = draw.choice(names(there))
    if choice == "delete":
        same("delete", expected=200, actual=wire.remove(MAPS, name).status)
        return
    told: dict[str, Any] = {"data": {"n": str(number)}}
    if choice == "hide":
        told = {"metadata": {"labels": {LABEL: "hidden"}}}
    wire.given(200, choice, f"PATCH {MAPS}/{name}", body=told, content_type=MERGE)


@pytest.mark.check("k8s-list-04", needs=("kubernetes.api",))
@pytest.mark.cost("api")
def test_a_watch_leads_from_list_to_list(wire: Wire, seed: int, observe: Observe) -> None:
    """A list, and the events of a watch from its version on, are together the list of later."""
    observe("seed", seed, source="observed")
    draw = random.Random(seed)  # noqa: S311 - examples, no secrets
    for number in range(4):
        wire.make(MAPS, str(number))
    before, version = listed(wire)
    for number in range(CHANGES):
        change(wire, draw, number)
    wire.make(MAPS, "last")  # whatever was drawn: one comes, and one goes
    wire.remove(MAPS, names(wire.ours(MAPS))[0])
    after, _ = listed(wire)
    told = events(watched(wire, version))
    claim(told, "events of the watch", expected="some", actual="none")
    same("list and events together", expected=after, actual=folded(before, told))


@pytest.mark.check("k8s-list-05", needs=("kubernetes.api",))
@pytest.mark.cost("api")
def test_a_version_long_gone_is_told_so(wire: Wire, observe: Observe) -> None:
    """A watch from a version long gone says 410, or tells everything; from a new list it goes."""
    wire.make(MAPS, "one")
    there, version = listed(wire)
    old = watched(wire, "1")
    told = events(old) if old.status == 200 else []
    gone = old.status == 410 or any(
        event["type"] == "ERROR" and event["object"].get("code") == 410 for event in told
    )
    observe("old-version", "410" if gone else "told", source="api")
    if not gone:
        same("status of a watch from version 1", expected=200, actual=old.status)
        same("what it tells", expected=there, actual=folded({}, told))
    wire.make(MAPS, "two")
    anew = events(watched(wire, version))
    same("status of what follows a new list", expected=["ADDED"], actual=[e["type"] for e in anew])
    same(
        "what it tells",
        expected={LABEL: wire.group},
        actual=dict(labels(anew[0]["object"])),
    )
