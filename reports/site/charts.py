"""Charts as SVG text, drawn by Vega-Lite when the site is built; no script is left in them.

Colours are the page's own custom properties, so that a chart follows light and dark; what differs
in colour differs in shape or order, too. Lengths are CSS pixels.
"""

from __future__ import annotations

import hashlib
import html
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from contextvars import ContextVar
from functools import lru_cache
from importlib import import_module
from importlib.metadata import version
from typing import Any

from reports.junit import NOT_XML
from reports.result import TimingRecord

WIDTH = 640
STATES = ("passed", "waived", "not-applicable", "skipped", "missing", "blocked", "failed")
OTHER = "other"
KINDS = {
    "machine": "var(--c1)",
    "volume": "var(--c2)",
    "attachment": "var(--c4)",
    "role": "var(--c3)",
    OTHER: "var(--c6)",
}
SERIES = 6  # colours and shapes that can be told apart
SHAPES = ("circle", "square", "triangle-up", "diamond", "cross", "triangle-down")
DASHES: tuple[list[int], ...] = ([1, 0], [6, 3], [2, 2], [8, 3, 2, 3], [1, 3], [12, 4])
DENSE = 24  # points of a line up to which each is marked
CONFIG: dict[str, Any] = {
    "background": None,
    "padding": {"left": 24, "right": 16, "top": 4, "bottom": 4},
    "font": "system-ui, -apple-system, Segoe UI, Roboto, sans-serif",
    "view": {"stroke": None},
    "axis": {
        "labelColor": "var(--ink-2)",
        "titleColor": "var(--ink-2)",
        "gridColor": "var(--line)",
        "domainColor": "var(--line-2)",
        "tickColor": "var(--line-2)",
        "labelFontSize": 12,
        "titleFontSize": 12,
        "titleFontWeight": "normal",
        "labelLimit": 150,
    },
    "axisQuantitative": {"labelOverlap": True, "labelSeparation": 8},
    "legend": {
        "labelColor": "var(--ink-2)",
        "titleColor": "var(--ink-2)",
        "labelFontSize": 12,
        "orient": "top",
        "title": None,
        "labelLimit": 240,
        "columnPadding": 20,
        "symbolStrokeColor": "var(--ink-2)",
    },
    "header": {"labelColor": "var(--ink)", "labelFontSize": 12, "title": None},
}
# Drawings of earlier pages by what they show; drawing one anew costs 50 ms.
KEPT: ContextVar[Mapping[str, str]] = ContextVar("kept", default={})  # noqa: B039 - only read
DRAWING = re.compile(r'<svg class="chart" data-of="([0-9a-f]{32})".*?</svg>', re.DOTALL)
DATA = "rows"  # what a chart's data are called until they are there
UNDRAWABLE = ("\\u00", "\\ud", "\\uff")  # how JSON writes what may be no character of XML
LONG = re.compile(r"-?\d+\.\d{4,}")


def draw(spec: Mapping[str, Any], label: str) -> str:
    """The picture of a Vega-Lite specification, named *label* for those who cannot see it."""
    shown = json.dumps([spec, CONFIG, label, version("vl-convert-python")], sort_keys=True)
    if any(mark in shown for mark in UNDRAWABLE):
        spec, label = _drawable(spec), _drawable(label)
    of = hashlib.sha256(shown.encode()).hexdigest()[:32]
    kept = KEPT.get().get(of)
    if kept is not None:
        return kept
    named = json.dumps({**spec, "data": {"name": DATA}, "config": CONFIG}, sort_keys=True)
    shape = json.loads(_compiled(named))
    shape["data"][0] |= spec["data"]
    text = str(import_module("vl_convert").vega_to_svg(shape))
    # What a mark says of itself is for a chart one can walk through; here the label says it all.
    text = re.sub(r' (?:role|aria-[a-z]+)="[^"]*"', "", text)
    text = re.sub(r'<path class="(?:background|foreground)"[^>]*/>', "", text)
    text = LONG.sub(_rounded, text)
    # Vega counts its clip paths over the whole process; the same chart is to be the same text.
    mark = hashlib.sha256(label.encode("utf-8", "replace")).hexdigest()[:8]
    names = dict.fromkeys(re.findall(r'id="(clip\d+)"', text))
    marks = {name: f"{mark}-{number}" for number, name in enumerate(names)}
    text = re.sub(r"\bclip\d+\b", lambda found: marks.get(found[0], found[0]), text)
    told = html.escape(label, quote=True)
    head = f'<svg class="chart" data-of="{of}" role="img" aria-label="{told}"'
    return text.replace(' class="marks"', "", 1).replace("<svg", head, 1)


def _drawable(value: Any) -> Any:
    """*value* without characters that a picture cannot hold: the library ends the process."""
    if isinstance(value, str):
        return NOT_XML.sub("\N{REPLACEMENT CHARACTER}", value)
    if isinstance(value, Mapping):
        return {_drawable(key): _drawable(item) for key, item in value.items()}
    if isinstance(value, Sequence):
        return [_drawable(item) for item in value]
    return value


def drawings(page: str) -> Iterator[tuple[str, str]]:
    """The charts on a page of ours by what they show, as ``KEPT`` takes them."""
    for found in DRAWING.finditer(page):
        yield found[1], found[0]


@lru_cache(maxsize=64)
def _compiled(spec: str) -> str:
    """The Vega specification of a Vega-Lite one whose data are still to come, both as JSON."""
    return json.dumps(import_module("vl_convert").vegalite_to_vega(json.loads(spec)))


def _rounded(number: re.Match[str]) -> str:
    """A length as exact as anybody sees; 87.99999999999999 reads like an account's number.

    What is written between the tags stays as it is.
    """
    text, place = number.string, number.start()
    if text.rfind("<", 0, place) < text.rfind(">", 0, place):
        return number[0]
    return f"{float(number[0]):.3f}".rstrip("0").rstrip(".")


def shade(number: int) -> str:
    """The colour of a series."""
    return f"var(--c{number % SERIES + 1})"


def strip(values: Mapping[str, Sequence[float]], *, unit: str, label: str) -> str:
    """One row a group, one point a value: how long the same thing takes on each platform."""
    rows = [{"g": name, "v": value} for name, many in values.items() for value in many]
    if not rows:
        return ""
    x = {
        "field": "v",
        "type": "quantitative",
        "title": unit,
        "axis": {"tickCount": 6},
    }
    y = {"field": "g", "type": "nominal", "title": None, "sort": list(values)}
    point = {"type": "point", "filled": True, "size": 64, "opacity": 0.75, "color": shade(0)}
    middle = {"type": "tick", "thickness": 2, "size": 18, "color": "var(--ink)"}
    median = {**x, "aggregate": "median"}
    return draw(
        {
            "data": {"values": rows},
            "width": WIDTH - 260,
            "height": {"step": 30},
            "layer": [
                {"mark": point, "encoding": {"x": x, "y": y}},
                {"mark": middle, "encoding": {"x": median, "y": y}},
            ],
        },
        label,
    )


def history(runs: Sequence[tuple[str, Mapping[str, int]]], label: str) -> str:
    """Stacked columns, one a run: how many required items were in which state."""
    rows = [
        {"r": f"{index:04d} {day}", "s": state, "n": number, "o": STATES.index(state)}
        for index, (day, counts) in enumerate(runs)
        for state in STATES
        if (number := counts.get(state, 0))
    ]
    if not rows:
        return ""
    used = [state for state in STATES if any(row["s"] == state for row in rows)]
    colour = {"domain": used, "range": [f"var(--s-{state})" for state in used]}
    told = "slice(datum.value, 5)"
    step = min(60, max(10, 560 // len(runs)))
    axis = {"labelExpr": told, "labelAngle": -40, "labelOverlap": True, "ticks": False}
    return draw(
        {
            "data": {"values": rows},
            "width": {"step": step},
            "height": 150,
            "mark": {"type": "bar", "cornerRadius": 1, "stroke": "var(--paper)", "strokeWidth": 1},
            "encoding": {
                "x": {"field": "r", "type": "ordinal", "title": None, "axis": axis},
                "y": {"field": "n", "type": "quantitative", "title": "required items"},
                "color": {"field": "s", "type": "nominal", "scale": colour},
                "order": {"field": "o", "type": "quantitative"},
            },
        },
        label,
    )


def lines(series: Mapping[str, Sequence[tuple[str, float]]], *, unit: str, label: str) -> str:
    """One line a platform over the days: how a measured fact went."""
    names = list(series)[:SERIES]
    rows = [{"p": n, "d": day, "v": value} for n in names for day, value in series[n]]
    if not rows:
        return ""
    days = {day for name in names for day, _ in series[name]}
    words = "%-d %b" if len({day[:7] for day in days}) < 4 else "%b %Y"
    scale = {"domain": names, "range": [shade(i) for i in range(len(names))]}
    # Many points would hide each other; then lines are told apart by their dashes.
    dashed = len(rows) > DENSE * len(names)
    told = ("strokeDash", DASHES) if dashed else ("shape", SHAPES)
    marked = {"domain": names, "range": list(told[1][: len(names)])}
    points = {} if dashed else {"point": {"filled": True, "size": 60}}
    return draw(
        {
            "data": {"values": rows},
            "width": WIDTH - 120,
            "height": 150,
            "mark": {"type": "line", "strokeWidth": 1.5, **points},
            "encoding": {
                "x": {
                    "field": "d",
                    "type": "temporal",
                    "title": None,
                    "axis": {"format": words, "tickCount": min(len(days), 4)},
                },
                "y": {
                    "field": "v",
                    "type": "quantitative",
                    "title": unit,
                    "axis": {"tickCount": 4},
                },
                "color": {"field": "p", "type": "nominal", "scale": scale},
                told[0]: {"field": "p", "type": "nominal", "scale": marked},
            },
        },
        label,
    )


def timeline(timings: Sequence[TimingRecord], label: str) -> str:
    """One bar a step of provisioning, from its start to its end."""
    shown = sorted(timings, key=lambda t: (t.started, t.step))[:60]
    if not shown:
        return ""
    kinds = [k for k in KINDS if any(_kind(t) == k for t in shown)]
    rows = [
        {
            "s": t.step,
            "a": t.started,
            "b": t.started + t.seconds,
            "k": _kind(t),
            "t": _seconds(t.seconds),
        }
        for t in shown
    ]
    y = {"field": "s", "type": "nominal", "title": None, "sort": None}
    x = {"field": "a", "type": "quantitative", "title": "seconds since the run began"}
    scale = {"domain": kinds, "range": [KINDS[kind] for kind in kinds]}
    bar = {"type": "bar", "height": 10, "cornerRadius": 2, "minBandSize": 2}
    words = {"type": "text", "align": "left", "dx": 4, "fontSize": 11, "color": "var(--ink-2)"}
    return draw(
        {
            "data": {"values": rows},
            "width": WIDTH - 200,
            "height": {"step": 19},
            "layer": [
                {
                    "mark": bar,
                    "encoding": {
                        "x": x,
                        "x2": {"field": "b"},
                        "y": y,
                        "color": {"field": "k", "type": "nominal", "scale": scale},
                    },
                },
                {
                    "mark": words,
                    "encoding": {
                        "x": {"field": "b", "type": "quantitative"},
                        "y": y,
                        "text": {"field": "t"},
                    },
                },
            ],
        },
        label,
    )


def _kind(timing: TimingRecord) -> str:
    return timing.kind if timing.kind in KINDS else OTHER


def _seconds(value: float) -> str:
    if value < 0.1:
        return f"{value * 1000:.0f} ms"
    return f"{value:.0f} s" if value >= 10 else f"{value:.1f} s"
