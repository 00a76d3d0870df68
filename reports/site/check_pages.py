"""One page a check: the requirement, how it is observed, outcomes everywhere, facts over time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from reports.matrix import CHAPTERS, MEASURED, chapter_of
from reports.site import charts
from reports.site.documents import CheckPart, Shown, slug
from reports.site.history import Change, Platform
from reports.site.overview import split
from reports.site.render import drawn, dumped, page

if TYPE_CHECKING:
    from reports.site.build import Page, Site

BEFORE = 10  # earlier outcomes beside each platform's newest
VALUES = 12  # distinct values of a fact on the page
CHANGES = 30
UNITS = {"s": "seconds", "ms": "milliseconds", "B/s": "bytes a second"}
CHARTS = 3  # measured facts that are drawn
SERIES = 6


def files(site: Site, id_: str, changes: Mapping[str, Sequence[Change]]) -> list[Page]:
    """One check's page and JSON copy; *changes* are all of the site's by check."""
    path = f"checks/{slug(id_)}.html"
    return [
        (path, _page(site, id_, path, changes.get(id_, ()))),
        (f"checks/{slug(id_)}.json", dumped(_document(site, id_))),
    ]


def index(site: Site) -> str:
    """The list of checks."""
    levels = {id_: part.level for g in reversed(site.guidelines) for id_, part in g.checks.items()}
    chapters = []
    for name, ids in site.chapters:
        rows = []
        for id_ in ids:
            counts = split(site, id_)
            words = [word for word, _ in counts]
            has = [*words, *(["differs"] if len(words) > 1 else [])]
            rows.append(
                {
                    "id": id_,
                    "title": site.checks[id_],
                    "level": levels.get(id_),
                    "split": counts,
                    "has": " ".join(has),
                }
            )
        chapters.append((name, rows))
    return site.render(
        "checks",
        "checks/index.html",
        section="checks",
        chapters=chapters,
        total=len(site.checks),
        used_levels=sorted({level for level in levels.values() if level is not None}),
    )


def _page(site: Site, id_: str, path: str, changes: Sequence[Change]) -> str:
    about = next((g.checks[id_] for g in site.guidelines if id_ in g.checks), CheckPart())
    main = site.main.id if site.main else ""
    rows = [row for p in site.platforms if (row := _row(p, id_, main)) is not None]
    seconds = sorted(row["seconds"] for row in rows)
    sources = {
        source
        for p in site.platforms
        for fact in p.current.facts.get(id_, {}).values()
        for source in fact.source.split(", ")
        if source
    }
    return site.render(
        "check",
        path,
        section="checks",
        id=id_,
        title=site.checks[id_],
        about=about,
        chapter=CHAPTERS.get(chapter_of(id_), "Other checks"),
        test=about.test,
        held=[(g, where) for g in site.guidelines if (where := _where(g.capabilities, id_))],
        sources=sorted(sources),
        seconds=f"{seconds[0]:.1f} to {seconds[-1]:.1f} s" if seconds else "",
        rows=rows,
        main=main,
        outcomes=sorted({row["outcome"] for row in rows}),
        facts=_facts(site, id_),
        charts=list(_charts(site, id_)),
        changes=sorted(changes, key=lambda c: c.summary.finished, reverse=True)[:CHANGES],
    )


def _where(capabilities: dict[str, Any], check: str) -> str:
    """Which capabilities hold a check, and how they stand."""
    held = [c for c in capabilities.values() if check in c.checks]
    return "; ".join(f"{c.status or 'in'}: {c.title or 'a capability'}" for c in held)


def _row(platform: Platform, check: str, guideline: str) -> dict[str, Any] | None:
    """One platform's newest outcome, with those before it."""
    seen = [(r, r.checks[check]) for r in platform.results[-40:] if check in r.checks]
    if not seen:
        return None
    summary, newest = seen[-1]
    judged = summary.by(guideline)
    because = judged.because.get(check) if judged else None
    return {
        "platform": platform,
        "summary": summary,
        "outcome": newest.outcome,
        "reason": newest.reason if newest.outcome != "passed" else "",
        "judged": because if because and because[0] != newest.outcome else None,
        "seconds": newest.seconds,
        "before": [(r.day, s.outcome, page(r)) for r, s in seen[-BEFORE - 1 : -1]],
    }


def _facts(site: Site, check: str) -> list[dict[str, Any]]:
    """Each fact with its values and who has which, facts that differ first."""
    values: dict[str, dict[str, list[Platform]]] = {}
    about: dict[str, Shown] = {}
    for platform in site.platforms:
        for name, shown in platform.current.facts.get(check, {}).items():
            about.setdefault(name, shown)
            values.setdefault(name, {}).setdefault(shown.text, []).append(platform)
    rows = []
    for name, groups in values.items():
        ordered = sorted(groups.items(), key=lambda item: -len(item[1]))
        rows.append(
            {
                "name": name,
                "unit": about[name].unit,
                "identity": about[name].identity,
                "agree": len(ordered) == 1,
                "count": sum(len(names) for names in groups.values()),
                "groups": ordered[:VALUES],
                "more": max(0, len(ordered) - VALUES),
            }
        )
    rows.sort(key=lambda row: (row["identity"], row["unit"] in MEASURED, row["agree"], row["name"]))
    return rows


def _charts(site: Site, check: str) -> Iterator[tuple[Any, str]]:
    """Measured facts over time, where a platform measured one more than once."""
    series: dict[str, dict[str, list[tuple[str, float]]]] = {}
    units: dict[str, str] = {}
    for platform in site.platforms:
        for result in platform.results[-60:]:
            for name, shown in result.facts.get(check, {}).items():
                if shown.number is not None and shown.unit in MEASURED:
                    units[name] = shown.unit
                    lines = series.setdefault(name, {})
                    lines.setdefault(platform.name, []).append((result.day, shown.number))
    drawn_so_far = 0
    for name in sorted(series):
        lines = {n: points for n, points in series[name].items() if len({d for d, _ in points}) > 1}
        if len({number for points in lines.values() for _, number in points}) > 1:
            drawn_so_far += 1
            if drawn_so_far > CHARTS:
                return
            first = dict(sorted(lines.items(), key=lambda item: -len(item[1]))[:SERIES])
            more = f", {SERIES} of {len(lines)} platforms" if len(lines) > SERIES else ""
            told = f"{name} in {units[name]}{more}"
            yield (
                drawn(
                    charts.lines(
                        first, unit=UNITS.get(units[name], units[name]), label=f"{told}, over time"
                    )
                ),
                told,
            )


def _document(site: Site, check: str) -> dict[str, Any]:
    """The machine-readable copy: every outcome and fact of the newest runs."""
    return {
        "schema": "interop.check/1",
        "id": check,
        "title": site.checks[check],
        "guidelines": {
            g.id: g.checks[check].model_dump(mode="json")
            for g in site.guidelines
            if check in g.checks
        },
        "platforms": {
            p.name: {
                "result": p.current.id,
                **asdict(p.current.checks[check]),
                "facts": {
                    name: asdict(shown) for name, shown in p.current.facts.get(check, {}).items()
                },
            }
            for p in site.platforms
            if check in p.current.checks
        },
    }
