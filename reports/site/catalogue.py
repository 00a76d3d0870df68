"""What the scripts of the pages fetch: the index of the search, and the files of the comparison."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from reports.compare.debt import flat
from reports.matrix import MEASURED
from reports.site.documents import GuidelineDocument, Shown, slug
from reports.site.render import page, script
from reports.site.states import asked, components_of, state_of

if TYPE_CHECKING:
    from reports.site.build import Page, Site


def files(site: Site) -> Iterator[Page]:
    """The comparison's page and data, and the search's index."""
    path = "compare.html"
    yield (
        path,
        site.render(
            "compare",
            path,
            section="compare",
            names=site.platforms,
            first=_first(site),
            main=site.main,
        ),
    )
    names: dict[str, dict[str, None]] = {}
    for platform in site.platforms:
        for id_, facts in platform.current.facts.items():
            names.setdefault(id_, {}).update(dict.fromkeys(facts))
    checks = {
        id_: {"title": title, "slug": slug(id_), "facts": sorted(names.get(id_, ()))}
        for id_, title in site.checks.items()
    }
    main = site.main
    about = {"chapters": site.chapters, "checks": checks, "components": _components(main)}
    yield "compare/catalogue.js", script("interopCatalogue", about)
    for platform in site.platforms:
        summary = platform.current
        wanted = asked(summary, main)
        document = {
            "slug": platform.slug,
            "name": platform.name,
            "page": page(summary),
            "suite": summary.suite,
            "workload": summary.workload,
            "complete": summary.complete,
            "emulator": summary.emulator,
            "leaks": len(summary.leaks),
            "guideline": main.id if main else "",
            "components": components_of(summary, main) if main else None,
            "checks": {id_: state_of(summary, id_, main, wanted) for id_ in site.checks},
            "claims": [
                [claim.standing, claim.what, claim.value, claim.because]
                for claim in summary.claims
                if claim.standing != "proven"
            ],
            "profile": dict(flat(summary.profile)),
            "facts": {
                id_: {name: [_text(shown), _sort(shown)] for name, shown in facts.items()}
                for id_, facts in summary.facts.items()
            },
        }
        yield f"compare/{platform.slug}.js", script("interopPlatform", document)
    yield "assets/search.js", script("interopIndex", list(_entries(site)))


def _components(main: GuidelineDocument | None) -> list[tuple[str, str, list[str]]]:
    """Id, title and required checks of each component that asks for any."""
    found = []
    for key, part in main.components.items() if main else ():
        known = [main.capabilities[name].checks for name in part.required] if main else []
        ids = list(dict.fromkeys(check for checks in known for check in checks))
        if ids:
            found.append((key, part.title or key, ids))
    return found


def _first(site: Site) -> list[str]:
    """The platforms shown until others are chosen: of many kinds, and with many checks."""
    most = sorted(site.platforms, key=lambda p: -len(p.current.checks))
    kinds: dict[str, int] = {}
    ranked = []
    for platform in most:
        kinds[platform.latest.kind] = kinds.get(platform.latest.kind, 0) + 1
        few = 2 * len(platform.current.checks) < len(most[0].current.checks)
        ranked.append((few, kinds[platform.latest.kind], platform.slug))
    return [slug for few, _, slug in sorted(ranked) if not few][:4]


def _text(shown: Shown) -> str:
    return f"{shown.text} {shown.unit}".strip()


def _sort(shown: Shown) -> str:
    if shown.unit in MEASURED:
        return "measurement"
    return "identity" if shown.identity else "behaviour"


def _entries(site: Site) -> Iterator[tuple[str, str, str]]:
    """What can be searched for: words, what it is, where it is."""
    for platform in site.platforms:
        kind = f"platform, {platform.latest.kind}"
        yield platform.name, kind, f"platforms/{platform.slug}.html"
    for id_, title in site.checks.items():
        yield f"{id_} {title}".strip(), "check", f"checks/{slug(id_)}.html"
    for guideline in site.guidelines:
        yield guideline.id, f"guideline, {guideline.title}", f"guidelines/{slug(guideline.id)}.html"
        for key, capability in guideline.capabilities.items():
            told = f"capability of {guideline.id}"
            yield capability.title or key, told, f"guidelines/{slug(guideline.id)}.html#{key}"
    for platform in site.platforms:
        for summary in reversed(platform.results[-40:]):
            yield f"{summary.platform}, {summary.day}", f"result of {summary.run}", page(summary)
