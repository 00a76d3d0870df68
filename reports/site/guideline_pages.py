"""One page a guideline: who passes, who would still pass, what changed, capabilities and scores."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from reports.site.documents import CapabilityPart, GuidelineDocument, slug
from reports.site.render import dumped

if TYPE_CHECKING:
    from reports.site.build import Page, Site

IN_THE_WAY = ("failed", "blocked", "missing", "skipped")
STATUSES = ("required", "advisory", "deprecated", "removed")


def pages(site: Site) -> Iterator[Page]:
    """The list of guidelines, their pages and JSON copies."""
    rows = []
    for guideline in site.guidelines:
        seen = Counter(
            judged.verdict for p in site.platforms if (judged := p.current.by(guideline.id))
        )
        rows.append((guideline, seen.most_common()))
    yield (
        "guidelines/index.html",
        site.render(
            "guidelines",
            "guidelines/index.html",
            section="guidelines",
            guidelines=site.guidelines,
            rows=rows,
        ),
    )
    for guideline in site.guidelines:
        path = f"guidelines/{slug(guideline.id)}.html"
        yield path, _page(site, guideline, path)
        yield path.replace(".html", ".json"), dumped(guideline.model_dump(mode="json"))


def _page(site: Site, guideline: GuidelineDocument, path: str) -> str:
    rows: list[dict[str, Any]] = []
    for platform in site.platforms:
        judged = platform.current.by(guideline.id)
        if judged is None:
            continue
        before = platform.current.by(guideline.previous)
        away = [id_ for id_, state in judged.states.items() if state in IN_THE_WAY]
        rows.append(
            {
                "platform": platform,
                "judged": judged,
                "before": before.verdict if before else "",
                "away": away,
            }
        )
    rows.sort(key=lambda row: (row["judged"].verdict == "compliant", -len(row["away"])))
    components: dict[str, list[tuple[str, CapabilityPart]]] = {}
    for key, capability in guideline.capabilities.items():
        components.setdefault(capability.component or "In no component", []).append(
            (key, capability)
        )
    used = {capability.status for capability in guideline.capabilities.values()}
    return site.render(
        "guideline",
        path,
        section="guidelines",
        g=guideline,
        rows=rows,
        components=list(components.items()),
        statuses=[word for word in STATUSES if word in used],
        changes=list(_changes(guideline.changes or {})),
    )


def _changes(changes: dict[str, Any]) -> Iterator[tuple[str, list[str]]]:
    """The difference to the guideline before in words, what is empty left out."""
    for part, words in (("capabilities", "Capabilities"), ("tests", "Checks")):
        for key in ("added", "removed", "flagged", "unflagged"):
            items = changes.get(part, {}).get(key) or []
            if items:
                yield f"{words} {key}", [str(item) for item in items]
        renamed = changes.get(part, {}).get("renamed") or []
        if renamed:
            yield f"{words} renamed", [f"{item['from']} → {item['to']}" for item in renamed]
        changed = changes.get(part, {}).get("changed") or []
        if changed:
            yield f"{words} changed", [_told(item) for item in changed]
    for key, words in (("weights", "Weights"), ("programs", "Programs")):
        if changes.get(key):
            yield words, [_told(item) for item in changes[key]]


def _told(item: dict[str, Any]) -> str:
    return f"{item['id']}: {'; '.join(item['changes'])}"
