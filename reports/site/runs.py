"""Pages of runs: the list of all, one page a run, one page a result."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from pydantic import TypeAdapter

from reports.matrix import check_order
from reports.result import CheckRecord, Result
from reports.site.documents import OUTCOMES, GuidelineDocument, Seen, Summary, slug
from reports.site.history import BAD
from reports.site.render import Renderer, by_chapter, call, dumped, page
from reports.timeline import timeline

if TYPE_CHECKING:
    from reports.site.build import Page, Site

RUNS = 100  # rows of a page of runs
EVIDENCE = TypeAdapter(dict[str, list[CheckRecord]])
DIFFER = 200  # checks that ended differently, on a run's page


def pages(site: Site) -> Iterator[Page]:
    """The list of runs in pages, and a page for each of them."""
    grouped: dict[str, list[Summary]] = {}
    for summary in site.summaries:
        grouped.setdefault(summary.run, []).append(summary)
    for many in grouped.values():
        many.sort(key=lambda s: s.platform.casefold())
    newest = sorted(grouped.items(), key=lambda item: item[1][0].finished, reverse=True)
    sheets = [newest[at : at + RUNS] for at in range(0, len(newest), RUNS)] or [[]]
    for number, sheet in enumerate(sheets, start=1):
        path = f"runs/{'index' if number == 1 else f'page-{number}'}.html"
        shared = {"section": "runs", "main": site.main, "total": len(newest)}
        yield (
            path,
            site.render("runs", path, runs=sheet, number=number, pages=len(sheets), **shared),
        )
    for name, many in newest:
        differ, applies = _differ(many)
        path = f"runs/{slug(name)}/index.html"
        yield (
            path,
            site.render(
                "run",
                path,
                section="runs",
                name=name,
                many=many,
                main=site.main,
                rows=[(summary, took(summary)) for summary in many],
                differ=differ[:DIFFER],
                applies=applies[:DIFFER],
            ),
        )


def result_pages(
    render: Renderer,
    summary: Summary,
    result: Result | None,
    verdicts: Sequence[dict[str, Any]],
    guidelines: Sequence[GuidelineDocument],
) -> Iterator[Page]:
    """The page of one result, its evidence as a script, and its JSON copies.

    Args:
        render: of the site.
        summary: of the result.
        result: the redacted document; none for a result of another tool.
        verdicts: the redacted verdict documents.
        guidelines: for the titles of checks.
    """
    path = page(summary)
    stem = path.removesuffix(".html")
    name = stem.rsplit("/", 1)[1]
    titles = {id_: part.title for g in reversed(guidelines) for id_, part in g.checks.items()}
    reasons = {r.id: r.reason for r in result.checks if r.reason} if result else {}
    reasons = {id_: why for id_, why in reasons.items() if summary.checks[id_].outcome != "passed"}
    for judged in summary.judged:
        for id_, (state, reason) in judged.because.items():
            if id_ in summary.checks and summary.checks[id_].outcome != state:
                reasons[id_] = f"{state} by {judged.guideline}: {reason}"
    chapters = [
        (words, [_row(summary, id_, titles, reasons) for id_ in ids])
        for words, ids in by_chapter(sorted(summary.checks, key=check_order))
    ]
    applies = [any(row[1].outcome != "not-applicable" for row in rows) for _, rows in chapters]
    chapters = [
        *(part for part, does in zip(chapters, applies, strict=True) if does),
        *(
            (f"{words}: nothing of it applies here", rows)
            for (words, rows), does in zip(chapters, applies, strict=True)
            if not does
        ),
    ]
    copies = [(f"{name}.summary.json", "summary"), (f"{name}.verdicts.json", "verdicts")]
    if result is not None:
        copies.insert(0, (f"{name}.result.json", "result as published"))
    bad = [i for i, seen in summary.checks.items() if seen.outcome in BAD]
    used = {seen.outcome for seen in summary.checks.values()}
    yield (
        path,
        render(
            "result",
            path,
            section="runs",
            r=summary,
            took=took(summary),
            chapters=chapters,
            outcomes=[word for word in OUTCOMES if word in used],
            bars=timeline(summary.timings) if summary.timings else None,
            copies=copies,
            again=summary.again("CHECK"),
            again_bad=summary.again(*bad) if bad else "",
        ),
    )
    evidence: dict[str, list[CheckRecord]] = {}
    if result is not None:
        for check in result.checks:
            evidence.setdefault(check.id, []).append(check)
        yield f"{stem}.result.json", result.text()
    text = EVIDENCE.dump_json(evidence, ensure_ascii=True).decode()
    yield f"{stem}.evidence.js", call("interopEvidence", text)
    yield f"{stem}.verdicts.json", dumped(list(verdicts))
    yield f"{stem}.summary.json", summary.model_dump_json(by_alias=True) + "\n"


def _row(
    summary: Summary, id_: str, titles: dict[str, str], reasons: dict[str, str]
) -> tuple[str, Seen, str, str]:
    title, seen = titles.get(id_) or summary.titles.get(id_, ""), summary.checks[id_]
    reason = reasons.get(id_) or (seen.reason if seen.outcome != "passed" else "")
    return id_, seen, title, reason


def took(summary: Summary) -> str:
    """How long a run was, in words."""
    try:
        start = datetime.fromisoformat(summary.started)
        seconds = (datetime.fromisoformat(summary.finished) - start).total_seconds()
    except (ValueError, TypeError):
        return "an unknown time"
    if seconds >= 5400:
        return f"{seconds / 3600:.1f} h"
    return f"{seconds / 60:.1f} min" if seconds >= 90 else f"{seconds:.0f} s"


Differing = tuple[str, str, list[str]]


def _differ(many: Sequence[Summary]) -> tuple[list[Differing], list[Differing]]:
    """Checks of one run that did not end alike, with the outcome on each platform.

    Those apart that differ only in whom they apply to.
    """
    ids = sorted({id_ for summary in many for id_ in summary.checks}, key=check_order)
    weighty: list[Differing] = []
    applies: list[Differing] = []
    for id_ in ids:
        cells = [s.checks[id_].outcome if id_ in s.checks else "missing" for s in many[:12]]
        if len({*cells}) > 1:
            title = next((s.titles[id_] for s in many if s.titles.get(id_)), "")
            weighs = len({*cells} - {"not-applicable", "missing"}) > 1 or {*cells} & {*BAD[:2]}
            (weighty if weighs else applies).append((id_, title, cells))
    weighty.sort(key=lambda row: "failed" not in row[2])
    return weighty, applies
