"""The front page: who stands where, what changed, where platforms disagree, what takes time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from reports.compare.score import Score
from reports.matrix import MEASURED
from reports.site import charts
from reports.site.history import Platform, together
from reports.site.render import drawn
from reports.site.since import failed_later
from reports.site.states import joint

if TYPE_CHECKING:
    from reports.site.build import Page, Site

SHOWN = 10  # changes, and checks that platforms disagree on
DRAWN = 24  # platforms in a chart
STANDINGS = ("compliant", "failed", "did not finish", "expired", "not judged")
# Facts that tell how long an interface lags behind what it promised.
WINDOWS = {
    "read-your-writes": "what was written is read back",
    "attach-seen-after": "an attached volume is seen in the machine",
    "rule-effective-after": "a firewall rule takes effect",
    "rule-removed-after": "a firewall rule is gone",
    "off-told-after": "the controller tells that the power is off",
}
WORDS: dict[str, Any] = {
    "meanings": (
        ("passed", "The platform kept the requirement."),
        ("failed", "It was seen that the platform does not keep it."),
        (
            "blocked",
            "Nobody could tell: not reached, no quota, no time, or a fault of the tool.",
        ),
        ("skipped", "It was left out although it applies. That is never a pass."),
        ("missing", "Nothing at all is known of it."),
        ("waived", "The guideline's owner excused it, for a reason and a time."),
        ("not-applicable", "The platform does not offer what the check is about, and says so."),
    ),
    "standings": (
        ("compliant", "The newest compliant run of all checks still holds."),
        ("failed", "The newest run of all checks was not compliant."),
        ("did not finish", "The newest run could not be judged, and no certificate holds."),
        ("expired", "The last compliant run is older than the guideline allows."),
        ("not judged", "No result speaks of the guideline."),
    ),
    "told_levels": (
        "It can be reached, and says what it offers.",
        "Its interface has the shape that was agreed.",
        "Its interface behaves as was agreed.",
        "Its machines behave as was agreed, from the inside.",
        "The same workload stands up on it as elsewhere.",
        "Nothing of the site shows in the workload, and a rebuild gives the same facts.",
        "One workload spans it and other platforms.",
    ),
}


def pages(site: Site) -> Iterator[Page]:
    """The front page."""
    rows = [(p, site.standings[p.name], len(failed_later(p))) for p in site.platforms]
    rows.sort(key=lambda row: STANDINGS.index(row[1].word))
    number = len(rows)
    changes = together([c for found in site.changes.values() for c in found])
    text = site.render(
        "overview",
        "index.html",
        section="overview",
        heading="Does it really work the same way everywhere?",
        main=site.main,
        day=site.day,
        rows=rows,
        certified=sum(s.certificate.state == "valid" for _, s, _ in rows),
        newest=max((p.latest.day for p in site.platforms), default=""),
        results=len(site.summaries),
        words=[word for word in STANDINGS if any(s.word == word for _, s, _ in rows)],
        kinds=sorted({p.latest.kind for p in site.platforms}),
        changes=changes[:SHOWN],
        worst=_worst(site) if number > 1 else [],
        charts=list(_charts(site.platforms)),
        joint=_joint(site),
    )
    yield "index.html", text


def _joint(site: Site) -> Score | None:
    """On how much of the guideline one can rely on every judged platform at once."""
    main = site.main
    if main is None:
        return None
    judged = [
        p.current
        for p in site.platforms
        if p.current.complete and (j := p.current.by(main.id)) and not j.counts.get("missing")
    ]
    found = joint(judged, main) if len(judged) > 1 else None
    return found if found is not None and found.checks else None


def split(site: Site, check: str) -> list[tuple[str, int]]:
    """How many platforms saw which outcome of a check, the worst first."""
    order = ("failed", "blocked", "missing", "skipped", "waived", "passed", "not-applicable")
    seen = Counter(
        found.outcome for p in site.platforms if (found := p.current.checks.get(check)) is not None
    )
    return sorted(seen.items(), key=lambda item: order.index(item[0]) if item[0] in order else 9)


def _worst(site: Site) -> list[tuple[str, str, list[tuple[str, int]]]]:
    """Checks that some platforms pass and others fail, those with the most failures first."""
    found = []
    for id_, title in site.checks.items():
        counts = dict(split(site, id_))
        bad = counts.get("failed", 0)
        if bad and counts.get("passed"):
            found.append((bad, id_, title, split(site, id_)))
    found.sort(key=lambda item: -item[0])
    return [(id_, title, counts) for _, id_, title, counts in found[:SHOWN]]


def _charts(platforms: tuple[Platform, ...]) -> Iterator[tuple[Any, str]]:
    """Times from the newest results; what nobody measured is not drawn."""
    shown = [p for p in platforms if p.current.timings or p.current.facts][:DRAWN]
    more = f", the first {DRAWN} platforms" if len(shown) == DRAWN < len(platforms) else ""
    for kind, words in (("machine", "a machine is ready"), ("attachment", "a volume is attached")):
        values = {
            p.name: [
                t.seconds for t in p.current.timings if t.kind == kind and t.outcome == "ready"
            ]
            for p in shown
        }
        values = {name: many for name, many in values.items() if many}
        if values:
            told = f"Seconds until {words}; one point each, the line is the median{more}."
            yield drawn(charts.strip(values, unit="seconds", label=told)), told
    for name, words in WINDOWS.items():
        lags = {p.name: numbers for p in shown if (numbers := _numbers(p, name))}
        if len(lags) > 1 or (lags and name == "read-your-writes"):
            told = f"Seconds until {words}{more}."
            yield drawn(charts.strip(lags, unit="seconds", label=told)), told


def _numbers(platform: Platform, name: str) -> list[float]:
    """A measured fact over all results of a platform."""
    return [
        fact.number
        for result in platform.results
        for facts in result.facts.values()
        if (fact := facts.get(name)) is not None
        and fact.number is not None
        and fact.unit in MEASURED
    ]
