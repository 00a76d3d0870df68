"""The Atom feed: one entry a result, saying what changed with it (RFC 4287)."""

from __future__ import annotations

import re
import uuid
from collections.abc import Mapping, Sequence
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from reports.junit import NOT_XML
from reports.site.documents import Summary
from reports.site.history import Change
from reports.site.render import page

ATOM = "http://www.w3.org/2005/Atom"
NAMESPACE = uuid.UUID("6f6d1f6e-6d0c-5b1c-9d43-3c0d6f5d8a11")  # of this feed's entry ids
ENTRIES = 60
RFC3339 = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)")
LONG_AGO = "1970-01-01T00:00:00Z"


def feed(
    title: str,
    summaries: Sequence[Summary],
    changed: Mapping[str, Sequence[Change]],
    guideline: str,
    base: str,
) -> str:
    """The feed's text.

    Args:
        title: of the site.
        summaries: all results.
        changed: what changed with each result, by the result's id.
        guideline: whose verdicts the titles tell.
        base: address the site is published at, with its last slash; empty for relative links.
    """
    newest = sorted(summaries, key=lambda s: (s.finished, s.id), reverse=True)[:ENTRIES]
    root = Element("feed", xmlns=ATOM)
    if base:
        root.set("xml:base", base)
    _text(root, "title", f"{title}: changes")
    _text(root, "id", f"urn:uuid:{uuid.uuid5(NAMESPACE, base or title)}")
    _text(root, "updated", _time(newest[0].finished) if newest else LONG_AGO)
    _text(SubElement(root, "author"), "name", title)
    SubElement(root, "link", rel="self", type="application/atom+xml", href=f"{base}feed.xml")
    SubElement(root, "link", rel="alternate", type="text/html", href=f"{base}index.html")
    for summary in newest:
        _entry(root, summary, changed.get(summary.id, ()), guideline, base)
    indent(root)
    return '<?xml version="1.0" encoding="utf-8"?>\n' + tostring(root, encoding="unicode") + "\n"


def _entry(
    root: Element, summary: Summary, changes: Sequence[Change], guideline: str, base: str
) -> None:
    """One result."""
    judged = summary.by(guideline)
    entry = SubElement(root, "entry")
    verdict = judged.verdict.replace("-", " ") if judged else "not judged"
    worse = sum(change.sort == "worse" for change in changes)
    better = sum(change.sort == "better" for change in changes)
    news = [f"{worse} worse"] if worse else []
    news += [f"{better} better"] if better else []
    _text(entry, "title", f"{summary.platform}: {', '.join([verdict, *news])}")
    _text(entry, "id", f"urn:uuid:{uuid.uuid5(NAMESPACE, summary.id)}")
    _text(entry, "updated", _time(summary.finished))
    SubElement(entry, "link", rel="alternate", type="text/html", href=base + page(summary))
    lines = [
        f"{c.check}{' ' + c.fact if c.fact else ''}: {c.before} -> {c.after}" for c in changes[:40]
    ]
    _text(entry, "summary", "\n".join(lines) or "no check ended otherwise than before")


def _time(text: str) -> str:
    return text if RFC3339.fullmatch(text) else LONG_AGO


def _text(parent: Element, name: str, text: str) -> None:
    SubElement(parent, name).text = NOT_XML.sub("\N{REPLACEMENT CHARACTER}", text)
