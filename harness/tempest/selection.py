"""Which of Tempest's tests a guideline asks for, and which of those it does not have any more."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from guidelines.model import CheckDef

IDENTIFIER = re.compile(r"\bid-([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})\b")


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """What is to be run.

    Attributes:
        tests: full names, as Tempest lists them, each once.
        by_check: the tests that answer for each of the guideline's.
        absent: checks this Tempest has no test for.
        renamed: checks whose test has another name now; found by its idempotent id.
    """

    tests: tuple[str, ...]
    by_check: dict[str, tuple[str, ...]] = field(default_factory=dict)
    absent: tuple[str, ...] = ()
    renamed: tuple[str, ...] = ()


def bare(test: str) -> str:
    """A test's name without its attributes: ``a.b.C.test_x[id-...,smoke]`` gives ``a.b.C.test_x``.

    A scenario in brackets of its own is no attribute and stays.
    """
    found = re.search(r"\[[^\[\]]*\bid-[0-9a-f-]{36}[^\[\]]*\]", test)
    return test if found is None else test[: found.start()] + test[found.end() :]


def select(checks: Iterable[CheckDef], known: Sequence[str]) -> Selection:
    """The tests for *checks* among those Tempest lists.

    A name or an alias decides; where neither is there any more, the idempotent id does.
    """
    by_name: dict[str, list[str]] = defaultdict(list)
    by_id: dict[str, list[str]] = defaultdict(list)
    for test in known:
        by_name[bare(test)].append(test)
        for found in IDENTIFIER.findall(test):
            by_id[found].append(test)
    chosen: dict[str, None] = {}
    by_check: dict[str, tuple[str, ...]] = {}
    absent: list[str] = []
    renamed: list[str] = []
    for check in checks:
        named = [test for name in (check.id, *check.aliases) for test in by_name.get(name, ())]
        found = named or by_id.get((check.idempotent_id or "").removeprefix("id-"), [])
        if not found:
            absent.append(check.id)
            continue
        if not named:
            renamed.append(check.id)
        by_check[check.id] = tuple(found)
        chosen |= dict.fromkeys(found)
    return Selection(
        tests=tuple(chosen), by_check=by_check, absent=tuple(absent), renamed=tuple(renamed)
    )
