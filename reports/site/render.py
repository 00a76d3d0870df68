"""The templates and what they may call; text is escaped, and what is undefined is an error."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from importlib.resources import files
from typing import Any

from jinja2 import Environment, FunctionLoader, StrictUndefined
from markupsafe import Markup

from reports.matrix import CHAPTERS, chapter_of, show
from reports.page import LEVELS
from reports.site.documents import OUTCOMES, Summary, slug

# Which shape a word has; see the sprite in parts.html.j2.
MARKS = {
    **{word: word for word in OUTCOMES},
    "compliant": "passed",
    "valid": "passed",
    "not-compliant": "failed",
    "inconclusive": "blocked",
    "did not finish": "blocked",
    "expired": "expired",
    "unproven": "blocked",
    "proven": "passed",
    "contradicted": "failed",
}
WEB = re.compile(r"https?://[^\s\"'<>]+")


class Renderer:
    """Renders pages of one site. ``shared`` is what every template may use."""

    def __init__(self, shared: Mapping[str, Any]) -> None:
        environment = Environment(
            loader=FunctionLoader(_template),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        environment.filters.update(
            show=show, slug=slug, page=page, css=css, states=states, web=is_web
        )
        environment.globals.update(marks=MARKS, levels=LEVELS, **shared)
        self._environment = environment

    def __call__(self, template: str, path: str, **values: Any) -> str:
        """The text of the page at *path*, whose links go up as far as it lies deep."""
        root = "../" * path.count("/")
        return self._environment.get_template(f"{template}.html.j2").render(root=root, **values)


def page(summary: Summary) -> str:
    """Where the page of a result is, seen from the site's root."""
    return f"runs/{slug(summary.run)}/{slug(summary.platform)}.html"


@lru_cache(maxsize=256)
def css(word: str) -> str:
    """A state as the name of a class."""
    return re.sub(r"[^a-z-]", "-", word.lower())


def states(counts: Mapping[str, int]) -> dict[str, int]:
    """Counts of a verdict by state, in the order in which they are shown."""
    return {word: counts.get(word.replace("-", "_"), 0) for word in OUTCOMES}


def is_web(url: str) -> bool:
    """Whether *url* may become a link: http and https only."""
    return WEB.fullmatch(url) is not None


def drawn(svg: str) -> Markup:
    """A chart of ours; its texts were escaped when it was drawn."""
    return Markup(svg)  # noqa: S704 - made by reports.site.charts, never taken from a document


def asset(name: str) -> str:
    """A file that every page uses: style, scripts, mark."""
    return (files("reports") / "site" / "assets" / name).read_text(encoding="utf-8")


def by_chapter(ids: Sequence[str]) -> list[tuple[str, list[str]]]:
    """Ids, sorted already, by the name of their chapter."""
    grouped: dict[str, list[str]] = {}
    for id_ in ids:
        chapter = chapter_of(id_)
        known = chapter in CHAPTERS
        grouped.setdefault(CHAPTERS[chapter] if known else "Other checks", []).append(id_)
    return list(grouped.items())


def dumped(value: Any) -> str:
    """*value* as JSON."""
    return json.dumps(value, ensure_ascii=False, allow_nan=False) + "\n"


def script(function: str, value: Any) -> str:
    """*value* handed to a function of a page, as a script that is safe on any page."""
    return call(function, json.dumps(value, separators=(",", ":"), allow_nan=False))


def call(function: str, text: str) -> str:
    """The value that the JSON *text* is, in ASCII, handed to a function of a page."""
    safe = text.replace("<", "\\u003c")
    return f"{function}({safe});\n"


def _template(name: str) -> str:
    return (files("reports") / "site" / "templates" / name).read_text(encoding="utf-8")
