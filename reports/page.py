"""One self-contained HTML page of a run: no network, no tracker, readable without colour."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib.resources import files
from typing import Any

from jinja2 import Environment, FunctionLoader, StrictUndefined

from reports.compare.grouped import by_weight
from reports.matrix import CHAPTERS, FactRow, Matrix, Row, matrix, show
from reports.reproduce import reproduce
from reports.result import Result
from reports.timeline import timeline
from reports.verdict import VerdictDocument

MARKS = {
    "passed": "✔",
    "failed": "✘",
    "blocked": "!",
    "skipped": "–",
    "missing": "?",
    "waived": "w",
    "not-applicable": "·",
    "compliant": "✔",
    "not-compliant": "✘",
    "inconclusive": "!",
}
LEVELS = (
    "reachable",
    "API-shaped",
    "API-behaved",
    "machine-behaved",
    "workload-portable",
    "site-unaware",
    "spanning",
)


def render(
    results: Sequence[Result],
    verdicts: Mapping[str, VerdictDocument],
    catalogue: Mapping[str, Mapping[str, Any]],
    *,
    title: str,
    made: str,
) -> str:
    """The page's text.

    Args:
        results: one per platform.
        verdicts: per platform name; a platform without one is shown as not judged.
        catalogue: per check id its ``title``, ``level`` and ``references`` of the guideline.
        title: what the run is called.
        made: when the page was made, RFC 3339.
    """
    states = {name: document.states() for name, document in verdicts.items()}
    table = matrix(results, states, catalogue)
    return (
        environment()
        .get_template("page.html.j2")
        .render(
            title=title,
            made=made,
            results=results,
            verdicts=verdicts,
            catalogue=catalogue,
            matrix=table,
            facts=_facts(table),
            chapters=_chapters(table),
            timelines={r.platform.name: timeline(r.timings) for r in results},
            levels=LEVELS,
            again={r.platform.name: _again(r) for r in results},
            totals={r.platform.name: _totals(r) for r in results},
        )
    )


def _again(result: Result) -> dict[str, str]:
    """The command that does each check again, by its id."""
    stood = result.workload.name if result.workload else ""
    name, seed = result.platform.name, result.suite.seed
    ids = {check.id for check in result.checks}
    return {id_: reproduce(name, [id_], seed=seed, workload=stood) for id_ in ids}


def _chapters(table: Matrix) -> list[tuple[str, str, list[Row]]]:
    """Rows by chapter, in the order of the catalogue."""
    order = [*CHAPTERS, *sorted({row.chapter for row in table.rows} - set(CHAPTERS))]
    grouped = [(c, CHAPTERS.get(c, c), [r for r in table.rows if r.chapter == c]) for c in order]
    return [(chapter, name, rows) for chapter, name, rows in grouped if rows]


def _facts(table: Matrix) -> list[tuple[str, list[FactRow]]]:
    """Facts that differ, by how much that says."""
    words = {
        "behaviour": "Behaviour that differs",
        "known": "Behaviour known on some only",
        "measurement": "Measurements that differ",
        "identity": "Identities that differ",
    }
    return [(words[key], rows) for key, rows in by_weight(table.facts).items() if rows]


def _totals(result: Result) -> dict[str, int]:
    """How many checks had which outcome."""
    totals: dict[str, int] = {}
    for check in result.checks:
        totals[check.outcome] = totals.get(check.outcome, 0) + 1
    return totals


def environment() -> Environment:
    """Templates from this package; what is undefined is an error, what is text is escaped."""

    def load(name: str) -> str:
        return (files("reports") / "templates" / name).read_text(encoding="utf-8")

    environment = Environment(
        loader=FunctionLoader(load),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["show"] = show
    environment.globals["marks"] = MARKS
    return environment
