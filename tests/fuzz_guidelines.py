"""Fuzz of every loader of guidelines and of all that is done with one, for a bounded time.

Run with ``pytest tests/fuzz_guidelines.py``; ``FUZZ_SECONDS`` (default 60) bounds it. A guideline
with anything changed in it is read and lives through lint, diff, scoring, summary and judging, or
it is refused in one line.
"""

from __future__ import annotations

import contextlib
import copy
import datetime
import json
import os
import random
import time
from typing import Any

import pytest
import yaml

from guidelines.catalog import parse_guideline
from guidelines.diff import diff_guidelines
from guidelines.errors import BadDocument
from guidelines.judge import judge
from guidelines.lint import lint
from guidelines.model import Guideline
from guidelines.preview import compare_verdicts
from guidelines.score import OPENSTACK, score_guideline, score_worksheet, worksheet_scoring
from guidelines.summary import summarise
from guidelines.verdict import Conclusion
from guidelines.waivers import read_waivers
from guidelines.worksheet import read_worksheet

pytestmark = pytest.mark.fuzz

SECONDS = float(os.environ.get("FUZZ_SECONDS", "60"))
DAY = datetime.date(2030, 6, 1)
ID = "11111111-2222-3333-4444-555555555555"
FLAG = {"date": "2030-01-01", "reason": "[D401] broken", "action": "fix"}
TESTS = {"t.a": {"idempotent_id": f"id-{ID}", "aliases": ["t.o"]}, "t.b": {"flagged": FLAG}}
CAPABILITY = {
    "achievements": ["stable"],
    "admin": False,
    "description": "d",
    "project": "p",
    "required_since": "2029.11",
    "tests": TESTS,
}
CRITERIA = {"stable": {"name": "Stable", "weight": 9, "description": "d"}}
LISTS = {"required": ["cap"], "advisory": [], "deprecated": [], "removed": ["old"]}
SEEDS: list[Any] = [
    {
        "schema": "interop.guideline/1",
        "id": "2030.01",
        "status": "draft",
        "timeline": [{"date": "2030-01-01", "status": "draft"}],
        "scoring": {"cutoff": 5, "criteria": {"stable": {"name": "Stable", "weight": 10}}},
        "programs": {"p": {"components": ["c"], "holds": "P30D", "requires": ["d"]}},
        "components": {
            "c": {"requires": ["d"], "capabilities": {"required": ["cap"]}},
            "d": {"capabilities": {"advisory": ["cap"]}},
        },
        "capabilities": {"cap": {"checks": ["a"], "when": {"declares": ["x"]}, "level": 1}},
        "checks": {
            "a": {
                "title": "a",
                "level": 1,
                "flag": FLAG,
                "expects": [{"fact": "f", "range": {"low": 1}}, {"fact": "g", "one-of": [1]}],
            }
        },
    },
    {
        "id": "2030.01",
        "schema": "1.5",
        "status": "approved",
        "cutoff_score": "74",
        "platform": {"required": ["compute"]},
        "components": {"compute": LISTS},
        "criteria": CRITERIA,
        "capabilities": {"cap": CAPABILITY, "old": {"tests": ["t.c"], "flagged": ["t.c"]}},
    },
    {
        "metadata": {
            "id": "next",
            "schema": "2.0",
            "scoring": {"cutoff_score": 74, "criteria": CRITERIA},
            "os_trademark_approval": {"status": "draft"},
        },
        "platforms": {"P": {"components": [{"name": "core"}]}},
        "add-ons": {
            "A": {
                "components": [{"name": "core"}],
                "required_platform_components": [{"name": "far", "source": "x.json"}],
            }
        },
        "components": {"core": {"capabilities": LISTS, "designated_sections": {}}},
        "capabilities": {"cap": CAPABILITY},
    },
    [{"testname": "A", "codename": "[sig-a] a [Conformance]", "release": "v1.9", "file": "f.go"}],
    {
        "name": "Scope",
        "scripts": [{"executable": "x", "testcases": [{"id": "a", "lifetime": "year"}]}],
        "modules": [{"id": "m", "targets": {"main": ["a"], "preview": ["a"]}}],
        "versions": [{"version": "v1", "include": ["m", {"ref": "m"}]}],
        "timeline": [{"date": "2030-01-01", "versions": {"v1": "effective"}}],
    },
    {
        "name": "Earlier",
        "modules": [{"id": "m", "run": [{}], "testcases": [{"id": "a", "tags": ["mandatory"]}]}],
        "versions": [
            {"version": "v1", "include": ["m"], "targets": {"main": "mandatory/!x y"}},
            {"version": "v0", "standards": [{"name": "s", "checks": [{"executable": "e"}]}]},
        ],
    },
    {
        "SchemaDefinition": "RedfishInteroperabilityProfile.v1_8_0",
        "ProfileName": "P",
        "RequiredProfiles": {"Q": {}},
        "Resources": {
            "R": {
                "PropertyRequirements": {
                    "A": {"MinSupportValues": ["x"], "WriteRequirement": "Mandatory"},
                    "B": {"Comparison": "AnyOf", "Values": [1], "ReadRequirement": "Recommended"},
                },
                "ActionRequirements": {"Reset": {"Parameters": {"T": {}}}},
            }
        },
    },
    ["t.C.a", f"t.C.b[id-{ID},smoke]"],
]
WAIVERS = [{"check": "a", "owner": "o", "reason": "r", "expires": "2030-01-01", "scope": {}}]
WORKSHEET = """\
Capability Name: [Widely Deployed, Used By Tools], [*Atomic*], [Non-Admin] [Total]
a: [1,0] [*] [1] [8]
b-c: [?,1] [1] [0] [-6]*
"""
JUNK: list[Any] = [
    None, True, False, 0, -1, 1.5, 10**30, "", " ", "x", "t.a", "cap", "id", "\x1b[31m", "\ud7ff",
    "a" * 5000, [], {}, [[]], [None], {"": None}, {"name": {}}, "2030-01-01", "9999-12-31",
    "0001-01-01", "P1D", "year", "v1.9", "*", "**", ".", "[", "]", "[id-x]", "(", "&amp;amp;",
    datetime.date(2030, 1, 1), ["cap", "cap"], {"required": ["cap"]}, {"flagged": True},
]  # fmt: skip


def mutated(value: Any, chance: random.Random) -> Any:
    """Return a copy of *value* with one to four places changed."""
    root = [copy.deepcopy(value)]
    for _ in range(chance.randint(1, 4)):
        places: list[tuple[Any, Any]] = []
        waiting: list[Any] = [root]
        while waiting:
            node = waiting.pop()
            keys = list(node) if isinstance(node, dict) else list(range(len(node)))
            places.extend((node, key) for key in keys)
            waiting.extend(node[key] for key in keys if isinstance(node[key], (dict, list)))
        node, key = chance.choice(places)
        action = chance.randrange(4)
        if node is root or action == 0:
            node[key] = copy.deepcopy(chance.choice(JUNK))
        elif action == 1:
            del node[key]
        elif action == 2 and isinstance(node, dict):
            word = str(key)
            place = chance.randint(0, len(word))
            node[word[:place] + chance.choice("xs_- ") + word[place + 1 :]] = node.pop(key)
        else:
            other, place = chance.choice(places)
            node[key] = copy.deepcopy(other[place])
    return root[0]


def read(document: object) -> Guideline | None:
    """Return the guideline, or nothing if it is refused in one line."""
    try:
        text = json.dumps(document)
    except (TypeError, ValueError):
        text = yaml.safe_dump(document, allow_unicode=True)
    try:
        return parse_guideline(text.encode("utf-8", "replace"), source="f", digest="sha256:f")
    except BadDocument as error:
        if len(str(error).splitlines()) > 1:
            raise AssertionError("more than one line") from error
        return None


def live_through(guideline: Guideline, other: Guideline) -> None:
    """Do with *guideline* all that can be done with one."""
    lint(guideline, previous=other, at=DAY)
    diff_guidelines(other, guideline).to_json()
    json.dumps(summarise(guideline, DAY))
    score_guideline(guideline, guideline.scoring if guideline.scoring.criteria else OPENSTACK)
    for name in guideline.programs:
        found = judge(guideline, [], program=name, at=DAY)
        assert found.verdict is not Conclusion.COMPLIANT
        json.dumps(found.to_json())
        compare_verdicts(guideline, guideline, found, found).to_json()


def test_a_guideline_with_anything_changed_lives_or_is_refused() -> None:
    chance = random.Random(20261121)
    others = [guideline for seed in SEEDS if (guideline := read(seed)) is not None]
    assert len(others) == len(SEEDS)
    end = time.monotonic() + SECONDS
    accepted = tried = 0
    while time.monotonic() < end:
        document = mutated(chance.choice(SEEDS), chance)
        guideline = read(document)
        tried += 1
        if guideline is not None:
            accepted += 1
            try:
                live_through(guideline, chance.choice(others))
            except Exception as error:
                raise AssertionError(f"{document!r}") from error
    assert accepted > tried // 20


def test_a_worksheet_or_waiver_file_with_anything_changed_is_read_or_refused() -> None:
    chance = random.Random(20261122)
    end = time.monotonic() + SECONDS / 10
    while time.monotonic() < end:
        letters = list(WORKSHEET)
        for _ in range(chance.randint(1, 6)):
            letters[chance.randrange(len(letters))] = chance.choice("[]01?*,: \nax-.")
        try:
            worksheet = read_worksheet("".join(letters), "w")
            score_worksheet(worksheet, worksheet_scoring(worksheet)).to_json()
        except BadDocument:
            pass
        with contextlib.suppress(BadDocument):
            read_waivers(mutated(WAIVERS, chance), "w")
