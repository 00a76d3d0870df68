"""Badges as SVG: what a platform stands for, and the day on which that stops being true."""

from __future__ import annotations

from html import escape

from reports.site.history import Standing

COLOURS = {
    "compliant": "#1f7a47",
    "failed": "#b5390f",
    "did not finish": "#8a6100",
    "expired": "#6b5b2a",
    "not judged": "#59636e",
}
# About how wide letters are in Verdana 11, so that a badge is as wide as its words; in pixels.
NARROW, WIDE, USUAL = 4.4, 9.6, 6.9


def badge(label: str, standing: Standing) -> str:
    """A badge of one platform and guideline."""
    message = words(standing)
    left, right = _width(label), _width(message)
    colour = COLOURS[standing.word]
    title = escape(f"{label}: {message}")
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{left + right}" height="20" role="img"'
        f' aria-label="{title}"><title>{title}</title>'
        f'<clipPath id="r"><rect width="{left + right}" height="20" rx="4"/></clipPath>'
        f'<g clip-path="url(#r)"><rect width="{left}" height="20" fill="#333b44"/>'
        f'<rect x="{left}" width="{right}" height="20" fill="{colour}"/></g>'
        f'<g fill="#fff" font-family="Verdana,DejaVu Sans,sans-serif" font-size="11"'
        f' text-anchor="middle"><text x="{left / 2}" y="14" textLength="{left - 14}">'
        f"{escape(label)}</text>"
        f'<text x="{left + right / 2}" y="14" textLength="{right - 14}">{escape(message)}</text>'
        "</g></svg>\n"
    )


def words(standing: Standing) -> str:
    """What the badge says, with the day after which nobody should believe it."""
    certificate = standing.certificate
    if standing.word == "compliant":
        return f"compliant until {certificate.until}" if certificate.until else "compliant"
    if standing.word == "expired":
        return f"expired {certificate.until}"
    if standing.word == "failed" and certificate.state == "valid":
        return f"failed, certified until {certificate.until or 'further notice'}"
    return standing.word


def _width(text: str) -> int:
    """How wide *text* is drawn, with its margin, in whole pixels."""
    letters = (
        NARROW if c in " .,-ijlItfr" else WIDE if c in "mwMW@" or ord(c) > 0x2FF else USUAL
        for c in text
    )
    return round(sum(letters)) + 16
