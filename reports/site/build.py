"""Everything of a site that speaks of several results, as pairs of path and text; no I/O."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import Any

from reports.matrix import check_order
from reports.site import (
    catalogue,
    check_pages,
    feed,
    guideline_pages,
    overview,
    platform_pages,
    runs,
)
from reports.site.badges import badge
from reports.site.documents import GuidelineDocument, Summary, slug
from reports.site.history import Change, Platform, Standing, platforms
from reports.site.render import Renderer, asset, by_chapter, dumped, page

ASSETS = ("site.css", "site.js", "evidence.js", "compare.js", "mark.svg")
Page = tuple[str, str | bytes]


@dataclass(frozen=True, kw_only=True)
class Site:
    """What is published.

    Args:
        summaries: one per result.
        guidelines: the first is the one that certificates and the overview go by.
        day: states are as of this day, ISO 8601.
        title: of the site.
        base: address it is published at, with its last slash; only the feed needs it.
    """

    summaries: Sequence[Summary]
    guidelines: Sequence[GuidelineDocument]
    day: str
    title: str = "Interop"
    base: str = ""
    render: Renderer = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "render", Renderer({"site_title": self.title}))

    @property
    def main(self) -> GuidelineDocument | None:
        """The guideline that certificates go by."""
        return self.guidelines[0] if self.guidelines else None

    @cached_property
    def platforms(self) -> tuple[Platform, ...]:
        """Results by platform."""
        return platforms(self.summaries)

    @cached_property
    def changes(self) -> dict[str, tuple[Change, ...]]:
        """What changed on each platform, newest first."""
        return {platform.name: platform.changes() for platform in self.platforms}

    @cached_property
    def standings(self) -> dict[str, Standing]:
        """Where each platform stands by the main guideline."""
        main = self.main.id if self.main else ""
        return {platform.name: platform.standing(main, self.day) for platform in self.platforms}

    @cached_property
    def checks(self) -> dict[str, str]:
        """Every check's title by id, in the order of the chapters."""
        titles: dict[str, str] = {}
        for guideline in self.guidelines:
            for id_, about in guideline.checks.items():
                titles.setdefault(id_, about.title)
        for platform in self.platforms:
            for id_ in platform.current.checks:
                titles.setdefault(id_, platform.current.titles.get(id_, ""))
        return {id_: titles[id_] for id_ in sorted(titles, key=check_order)}

    def changes_by_check(self) -> dict[str, list[Change]]:
        """What changed on any platform, by check."""
        by_check: dict[str, list[Change]] = {}
        for found in self.changes.values():
            for change in found:
                by_check.setdefault(change.check, []).append(change)
        return by_check

    @cached_property
    def chapters(self) -> list[tuple[str, list[str]]]:
        """The checks' ids by the name of their chapter."""
        return by_chapter(list(self.checks))


def parts(site: Site) -> list[Callable[[], list[Page]]]:
    """What makes the files of each platform and of each check, in whatever order and process."""
    changes = site.changes_by_check()
    _ = site.standings  # made once, here, and not in each process
    return [
        *(partial(platform_pages.files, site, platform) for platform in site.platforms),
        *(partial(check_pages.files, site, id_, changes) for id_ in site.checks),
    ]


def build(site: Site) -> Iterator[Page]:
    """Every file of the site that is not in its parts or of a result; the front page is last."""
    for name in ASSETS:
        yield f"assets/{name}", asset(name)
    yield "checks/index.html", check_pages.index(site)
    yield from guideline_pages.pages(site)
    yield from runs.pages(site)
    yield from catalogue.files(site)
    for platform in site.platforms:
        for guideline in site.guidelines:
            standing = platform.standing(guideline.id, site.day)
            is_main = guideline is site.main
            name = platform.slug if is_main else f"{platform.slug}~by~{slug(guideline.id)}"
            yield f"badges/{name}.svg", badge(f"interop {guideline.id}", standing)
    changed: dict[str, list[Change]] = {}
    for changes in site.changes.values():
        for change in changes:
            changed.setdefault(change.summary.id, []).append(change)
    main = site.main.id if site.main else ""
    yield "feed.xml", feed.feed(site.title, site.summaries, changed, main, site.base)
    yield "about.html", site.render("about", "about.html", section="about", **overview.WORDS)
    yield "index.json", dumped(_index(site))
    yield from overview.pages(site)


def _index(site: Site) -> dict[str, Any]:
    """Where every document is."""
    return {
        "schema": "interop.site/1",
        "title": site.title,
        "as_of": site.day,
        "guidelines": [
            {"id": g.id, "status": g.status, "document": f"guidelines/{slug(g.id)}.json"}
            for g in site.guidelines
        ],
        "platforms": [
            {
                "name": p.name,
                "kind": p.latest.kind,
                "standing": site.standings[p.name].word,
                "certificate": {
                    "state": site.standings[p.name].certificate.state,
                    "until": site.standings[p.name].certificate.until,
                },
                "document": f"platforms/{p.slug}.json",
                "badge": f"badges/{p.slug}.svg",
            }
            for p in site.platforms
        ],
        "checks": [{"id": id_, "document": f"checks/{slug(id_)}.json"} for id_ in site.checks],
        "results": [
            {
                "id": s.id,
                "platform": s.platform,
                "run": s.run,
                "finished": s.finished,
                "digest": s.digest,
                "page": page(s),
                "summary": page(s).replace(".html", ".summary.json"),
            }
            for p in site.platforms
            for s in p.results
        ],
    }
