"""A guideline in plain values: scores, changes, and what the suites say of its checks."""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from guidelines.diff import diff_guidelines
from guidelines.lint_transition import strongest_statuses
from guidelines.model import CheckDef, Expectation, ExpectationKind, Guideline
from guidelines.score import score_guideline
from reports.site.documents import GuidelineDocument


def guideline_documents(guidelines: Sequence[Guideline]) -> list[GuidelineDocument]:
    """The guidelines in the order given, each with the changes since the one before it."""
    return [_document(one, _previous(one, guidelines)) for one in guidelines]


def _previous(guideline: Guideline, known: Sequence[Guideline]) -> Guideline | None:
    """The guideline it replaces, else the newest older one of its format."""
    named = [g for g in known if g.id == guideline.replaces]
    older = [g for g in known if g.format == guideline.format and g.id < guideline.id]
    return named[0] if named else max(older, key=lambda g: g.id, default=None)


def _document(guideline: Guideline, previous: Guideline | None) -> GuidelineDocument:
    statuses = strongest_statuses(guideline)
    scores = {s.id: s for s in score_guideline(guideline, guideline.scoring).capabilities}
    scored = bool(guideline.scoring.criteria)
    component_of: dict[str, str] = {}
    for component in guideline.components.values():
        for names in component.capabilities.values():
            for name in names:
                component_of.setdefault(name, component.title or component.id)
    capabilities = {
        id_: {
            "title": capability.title,
            "level": capability.level,
            "status": statuses[id_].value if id_ in statuses else "",
            "component": component_of.get(id_, ""),
            "checks": [check.id for check in capability.checks],
            "score": scores[id_].total if scored and id_ in scores else None,
            "included": scores[id_].included if id_ in scores else False,
            "reasons": list(scores[id_].reasons) if scored and id_ in scores else [],
        }
        for id_, capability in guideline.capabilities.items()
    }
    return GuidelineDocument.model_validate(
        {
            "id": guideline.id,
            "title": guideline.title,
            "status": guideline.status,
            "format": guideline.format,
            "digest": guideline.digest,
            "previous": previous.id if previous else "",
            "cutoff": guideline.scoring.cutoff if scored else None,
            "timeline": [(entry.date.isoformat(), entry.status) for entry in guideline.timeline],
            "programs": {
                id_: {
                    "title": program.title,
                    "components": list(program.components),
                    "holds": program.holds or "",
                }
                for id_, program in guideline.programs.items()
            },
            "components": {
                id_: {
                    "title": component.title,
                    **{
                        status.value: list(names)
                        for status, names in component.capabilities.items()
                        if status.value in ("required", "advisory")
                    },
                }
                for id_, component in guideline.components.items()
            },
            "capabilities": capabilities,
            "checks": {id_: _check(check) for id_, check in guideline.checks.items()},
            "changes": diff_guidelines(previous, guideline).to_json() if previous else None,
        }
    )


def _check(check: CheckDef) -> dict[str, Any]:
    told = suite_texts().get(check.id, {})
    return {
        "title": check.title,
        "level": check.level,
        "needs": sorted(check.needs),
        "when": sorted(check.when),
        "expects": [expected(expectation) for expectation in check.expects],
        "references": [{"title": r.title, "url": r.url} for r in check.references],
        "flag": check.flag.reason if check.flag else "",
        **told,
    }


def expected(expectation: Expectation) -> str:
    """What a guideline expects of a fact, in words."""
    values = ", ".join(_word(value) for value in expectation.values)
    unit = f" {expectation.unit}" if expectation.unit else ""
    bounds = [
        f"{word} {bound:g}{unit}"
        for word, bound in (("at least", expectation.low), ("at most", expectation.high))
        if bound is not None
    ]
    words = {
        ExpectationKind.EQUALS: f"is {values}",
        ExpectationKind.ONE_OF: f"is one of {values}",
        ExpectationKind.CONTAINS: f"contains {values}",
        ExpectationKind.RANGE: f"is {' and '.join(bounds)}",
        ExpectationKind.SAME_ACROSS: "is the same on all members",
        ExpectationKind.RECORDED: "is recorded",
    }
    return f"{expectation.fact} {words[expectation.kind]}"


def _word(value: object) -> str:
    return {True: "yes", False: "no"}[value] if isinstance(value, bool) else str(value)


@cache
def suite_texts() -> Mapping[str, dict[str, str]]:
    """What the installed suites say of each check, read from their files without running them.

    Per check id its ``sentence``, the ``chapter`` it stands in, and the name of the ``test``.
    """
    found: dict[str, dict[str, str]] = {}
    spec = find_spec("suites")
    for place in spec.submodule_search_locations or () if spec else ():
        for file in sorted(Path(place).rglob("*.py")):
            module = ".".join(("suites", *file.relative_to(place).with_suffix("").parts))
            tree = ast.parse(file.read_text(encoding="utf-8"))
            chapter = (ast.get_docstring(tree) or "").partition("\n")[0]
            for node in tree.body:
                if isinstance(node, ast.FunctionDef) and (id_ := _check_id(node)):
                    sentence = " ".join((ast.get_docstring(node) or "").split("\n\n")[0].split())
                    test = f"{module}::{node.name}"
                    found[id_] = {"sentence": sentence, "chapter": chapter, "test": test}
    return found


def _check_id(function: ast.FunctionDef) -> str:
    """The id in ``@pytest.mark.check("ID", ...)``."""
    for decorator in function.decorator_list:
        if (
            isinstance(decorator, ast.Call)
            and isinstance(decorator.func, ast.Attribute)
            and decorator.func.attr == "check"
            and decorator.args
            and isinstance(decorator.args[0], ast.Constant)
        ):
            return str(decorator.args[0].value)
    return ""
