"""One page a platform: where it stands, its certificate, its history, what it says it is."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from reports.compare.debt import flat
from reports.site import charts
from reports.site.documents import Summary
from reports.site.history import Platform, together
from reports.site.render import drawn, dumped, page, states
from reports.site.since import broken, failed_later, moments

if TYPE_CHECKING:
    from reports.site.build import Page, Site

RUNS = 60  # rows of the history; older ones are in the JSON copy
CHANGES = 40
COLUMNS = 40  # runs in the chart


def files(site: Site, platform: Platform) -> list[Page]:
    """One platform's page and JSON copy."""
    path = f"platforms/{platform.slug}.html"
    return [
        (path, _page(site, platform, path)),
        (f"platforms/{platform.slug}.json", dumped(_document(site, platform))),
    ]


def _page(site: Site, platform: Platform, path: str) -> str:
    main = site.main.id if site.main else ""
    runs = list(reversed(platform.results))[:RUNS]
    changes = site.changes[platform.name]
    worse = Counter(c.summary.id for c in changes if c.sort == "worse")
    better = Counter(c.summary.id for c in changes if c.sort == "better")
    other = Counter(c.summary.id for c in changes if c.sort == "other" and not c.fact)
    judged = [(r, j) for r in platform.results if not r.partial and (j := r.by(main))][-COLUMNS:]
    days = Counter(r.day for r, _ in judged)
    columns = [(_moment(r, alone=days[r.day] == 1), states(j.counts)) for r, j in judged]
    name = platform.name
    bad = broken(platform, main)
    return site.render(
        "platform",
        path,
        section="overview",
        p=platform,
        s=site.standings[name],
        main=site.main,
        guidelines=site.guidelines,
        bad=bad,
        later=failed_later(platform),
        again=platform.current.again(*(one.check for one in bad)) if bad else "",
        titles=site.checks,
        moments=moments(bad),
        changes=together(changes)[:CHANGES],
        debt=_debt(site, platform),
        declared=[(k, v) for k, v in platform.latest.declared.items() if k != "emulator"],
        runs=[
            {
                "summary": run,
                "verdicts": [j.verdict if (j := run.by(g.id)) else "" for g in site.guidelines],
                "counts": Counter(seen.outcome for seen in run.checks.values()),
                "worse": worse[run.id],
                "better": better[run.id],
                "other": other[run.id],
            }
            for run in runs
        ],
        chart_history=drawn(
            charts.history(columns, f"Required items of each run of {name} by state")
        ),
        chart_timeline=drawn(
            charts.timeline(platform.current.timings, f"Steps of provisioning on {name}")
        ),
    )


def _moment(run: Summary, *, alone: bool) -> str:
    """The day of a run; with its time if another run ended on that day."""
    return run.day if alone else f"{run.day[5:]} {run.finished[11:16]}"


def _debt(site: Site, platform: Platform) -> list[tuple[str, str, list[str]]]:
    """Parameters set for this platform, their values, and the other platforms that set the same."""
    others = [(p.name, dict(flat(p.current.profile))) for p in site.platforms if p is not platform]
    return [
        (key, value, [name for name, one in others if one.get(key) == value])
        for key, value in flat(platform.current.profile)
    ]


def _document(site: Site, platform: Platform) -> dict[str, Any]:
    """The machine-readable copy."""
    return {
        "schema": "interop.platform/1",
        "name": platform.name,
        "kind": platform.latest.kind,
        "profile": platform.current.profile,
        "standings": {g.id: _standing(site, platform, g.id) for g in site.guidelines},
        "results": [
            {"id": r.id, "finished": r.finished, "complete": r.complete, "page": page(r)}
            for r in platform.results
        ],
        "changes": [
            {
                "result": c.summary.id,
                "day": c.summary.day,
                "check": c.check,
                "fact": c.fact,
                "before": c.before,
                "after": c.after,
                "sort": c.sort,
            }
            for c in site.changes[platform.name]
        ],
    }


def _standing(site: Site, platform: Platform, guideline: str) -> dict[str, Any]:
    standing = platform.standing(guideline, site.day)
    certificate = standing.certificate
    signed = certificate.summary.signed if certificate.summary else None
    return {
        "standing": standing.word,
        "level": standing.last.level if standing.last else None,
        "certificate": {
            "state": certificate.state,
            "program": certificate.program,
            "since": certificate.since,
            "until": certificate.until,
            "result": certificate.summary.id if certificate.summary else "",
            "signed": signed.model_dump(mode="json") if signed else None,
        },
    }
