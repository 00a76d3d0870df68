"""What the guideline commands print for people."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from guidelines.diff import GuidelineDiff
from guidelines.model import Finding, Guideline
from guidelines.preview import Preview
from guidelines.score import Scores, number_text
from harness.cli.tables import Table


def list_table(guidelines: Sequence[Guideline]) -> Table:
    """Return the shipped guidelines."""
    return Table(
        columns=("guideline", "status", "programs", "title"),
        rows=[(g.id, g.status, ", ".join(g.programs), g.title) for g in guidelines],
    )


def show_line(document: Mapping[str, Any]) -> str:
    """Return the headline of ``show``."""
    status = document["status"] or "no status"
    replaces = f", replaces {document['replaces']}" if document["replaces"] else ""
    return f"{document['id']}: {document['format']} schema {document['schema']}, {status}{replaces}"


def show_tables(document: Mapping[str, Any]) -> list[Table]:
    """Return programs with their capabilities and tests, and versions with their status."""
    programs = []
    for name, program in document["programs"].items():
        capabilities, tests = program["capabilities"], program["tests"]
        programs.append(
            (
                name,
                program["kind"],
                *(capabilities[status] for status in capabilities),
                tests["required"],
                tests["flagged"],
                tests["must_pass"],
                tests["must_pass_distinct"],
            )
        )
    columns = (
        "program",
        "kind",
        "required",
        "advisory",
        "deprecated",
        "removed",
        "tests",
        "flagged",
        "must pass",
        "distinct",
    )
    versions = document.get("versions", {})
    return [
        Table(
            title="programs: capabilities by status, tests required", columns=columns, rows=programs
        ),
        Table(
            title=f"versions on {document.get('at', '')}",
            columns=("version", "status"),
            rows=list(versions.items()),
        ),
    ]


def findings_table(findings: Sequence[Finding]) -> Table:
    """Return findings as a table."""
    return Table(
        columns=("severity", "code", "path", "message"),
        rows=[(f.severity.value, f.code, f.path, f.message) for f in findings],
    )


def findings_line(guideline: str, findings: Sequence[Finding]) -> str:
    """Return how many findings there are."""
    if not findings:
        return f"{guideline}: nothing found"
    counts = Counter(finding.severity.value for finding in findings)
    parts = ", ".join(
        f"{counts[name]} {name}{'' if counts[name] == 1 else 's'}"
        for name in ("error", "warning", "note")
        if counts[name]
    )
    return f"{guideline}: {parts}"


def diff_line(diff: GuidelineDiff) -> str:
    """Return the headline of ``diff``."""
    if diff.empty:
        return f"{diff.old} -> {diff.new}: nothing changed"
    return (
        f"{diff.old} -> {diff.new}: capabilities +{len(diff.capabilities_added)}"
        f" -{len(diff.capabilities_removed)} ~{len(diff.capabilities_changed)};"
        f" tests +{len(diff.tests_added)} -{len(diff.tests_removed)},"
        f" {len(diff.tests_renamed)} renamed, {len(diff.tests_flagged)} flagged,"
        f" {len(diff.tests_unflagged)} unflagged"
    )


def diff_tables(diff: GuidelineDiff) -> list[Table]:
    """Return every change, one a row."""
    rows: list[tuple[str, str, str]] = []
    rows.extend(("capability added", name, "") for name in diff.capabilities_added)
    rows.extend(("capability removed", name, "") for name in diff.capabilities_removed)
    rows.extend(
        ("capability changed", item.id, "; ".join(item.changes))
        for item in diff.capabilities_changed
    )
    rows.extend(("test added", name, "") for name in diff.tests_added)
    rows.extend(("test removed", name, "") for name in diff.tests_removed)
    rows.extend(("test renamed", item.old, f"now {item.new}") for item in diff.tests_renamed)
    rows.extend(("test flagged", name, "") for name in diff.tests_flagged)
    rows.extend(("test unflagged", name, "") for name in diff.tests_unflagged)
    rows.extend(("test changed", item.id, "; ".join(item.changes)) for item in diff.tests_changed)
    rows.extend(("weight changed", item.id, "; ".join(item.changes)) for item in diff.weights)
    rows.extend(("program changed", item.id, "; ".join(item.changes)) for item in diff.programs)
    return [Table(columns=("change", "what", "how"), rows=rows)]


def score_tables(scores: Scores) -> list[Table]:
    """Return totals with their reasons, and what is wrong with the recorded ones."""
    rows = [
        (
            scored.id,
            number_text(scored.total),
            "" if scored.recorded is None else number_text(scored.recorded),
            "yes" if scored.included else "veto" if scored.veto else "no",
            "; ".join(scored.reasons),
        )
        for scored in scores.capabilities
    ]
    cutoff = scores.scoring.cutoff
    title = "scores" if cutoff is None else f"scores, cut-off {number_text(cutoff)}"
    return [
        Table(
            title=title, columns=("capability", "total", "recorded", "included", "why"), rows=rows
        ),
        findings_table(scores.findings),
    ]


def preview_line(preview: Preview) -> str:
    """Return the headline of ``preview``."""
    changed = sum(item.changed for item in preview.items)
    return (
        f"{preview.before.guideline}: {preview.before.verdict.value} ->"
        f" {preview.after.guideline}: {preview.after.verdict.value};"
        f" {changed} of {len(preview.items)} items change"
    )


def preview_table(preview: Preview) -> Table:
    """Return the items that change or stand in the way."""
    return Table(
        columns=("item", "before", "after", "why"),
        rows=[
            (item.id, item.before, item.after, item.why)
            for item in preview.items
            if item.changed or item.after not in {"passed", "flagged"}
        ],
    )
