"""The suites and the guideline know the same checks, and each check is one function."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parent.parent
GUIDELINE = yaml.safe_load((ROOT / "guidelines/data/2026.11.yaml").read_text(encoding="utf-8"))

OF_THE_API = (
    "P", "os-", "k8s-api", "k8s-list", "k8s-limit", "k8s-gone",
    "k8s-conf-01", "k8s-conf-02", "k8s-conf-03",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    id: str
    needs: frozenset[str]
    cost: str
    docstring: str
    where: str
    lines: int


def checks() -> Iterator[Check]:
    """Every function with a check mark."""
    for file in sorted((ROOT / "suites").rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.FunctionDef):
                continue
            marks = {
                call.func.attr: call
                for call in node.decorator_list
                if isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute)
            }
            if "check" not in marks:
                assert not node.name.startswith("test_"), f"{node.name} has no check id"
                continue
            needs = [ast.literal_eval(k.value) for k in marks["check"].keywords if k.arg == "needs"]
            yield Check(
                id=ast.literal_eval(marks["check"].args[0]),
                needs=frozenset(needs[0] if needs else ()),
                cost=ast.literal_eval(marks["cost"].args[0]),
                docstring=ast.get_docstring(node) or "",
                where=f"{file.relative_to(ROOT)}::{node.name}",
                lines=(node.end_lineno or 0) - node.lineno,
            )


ALL = list(checks())


def test_the_suites_and_the_guideline_have_the_same_checks() -> None:
    ours = {check.id for check in ALL}

    assert ours == set(GUIDELINE["checks"])


def test_each_check_is_one_function() -> None:
    assert sorted(check.id for check in ALL) == sorted({check.id for check in ALL})


@pytest.mark.parametrize("check", ALL, ids=lambda check: check.id)
def test_a_check_states_its_requirement_in_one_sentence(check: Check) -> None:
    first = check.docstring.split("\n\n")[0]

    assert first.endswith(".")
    assert 20 < len(first) < 200


@pytest.mark.parametrize("check", ALL, ids=lambda check: check.id)
def test_a_check_needs_what_the_guideline_says(check: Check) -> None:
    """It may need more: what it observes with. It must not run where the guideline says not."""
    said = set(GUIDELINE["checks"][check.id].get("needs", ()))

    assert said <= check.needs


@pytest.mark.parametrize("check", ALL, ids=lambda check: check.id)
def test_checks_without_a_machine_come_first(check: Check) -> None:
    assert check.cost in ("api", "shared", "own")
    if check.id.startswith("os-") and check.cost == "own":
        return  # what is done with one server, and what would be in the way of machines
    assert (check.cost == "api") == (
        check.id.startswith(OF_THE_API) or check.id in ("alloc-02", "alloc-03")
    )
