"""Charts: what tells lines apart, what the axis says, and what drawing costs."""

from __future__ import annotations

import re
from collections.abc import Iterator
from importlib import import_module
from typing import Any

import pytest

from reports.site import charts

vl_convert = pytest.importorskip("vl_convert", reason="the extra site is not installed")


@pytest.fixture(autouse=True)
def _drawn_anew() -> Iterator[None]:
    charts._compiled.cache_clear()
    yield
    charts._compiled.cache_clear()


def series(points: int, *, lines: int = 3, days: int = 1) -> dict[str, list[tuple[str, float]]]:
    """Lines with a point every *days* days."""
    when = [f"{2024 + n // 336}-{1 + n // 28 % 12:02d}-{1 + n % 28:02d}" for n in range(9999)]
    return {
        f"line-{line}": [(when[n * days], float(line * 10 + n % 7)) for n in range(points)]
        for line in range(lines)
    }


def test_a_few_points_are_marked_each_line_with_its_shape() -> None:
    drawn = charts.lines(series(5), unit="seconds", label="few")

    assert drawn.count("mark-symbol") >= 3
    assert "stroke-dasharray" not in drawn


def test_many_points_are_lines_told_apart_by_dashes() -> None:
    few = charts.lines(series(20), unit="seconds", label="many")
    drawn = charts.lines(series(48), unit="seconds", label="many")

    lines = [part for part in re.findall(r"<path[^>]*>", drawn) if 'stroke-width="1.5"' in part]
    dashes = {found[1] for part in lines if (found := re.search(r'dasharray="([^"]*)"', part))}
    assert len(dashes) == 3
    assert len(drawn) < len(few)  # not a mark for each point


@pytest.mark.parametrize(("days", "words"), [(1, r">\d+ Jan<"), (28, r">\w{3} 202\d<")])
def test_the_axis_says_days_of_a_short_time_and_months_of_a_long_one(days: int, words: str) -> None:
    drawn = charts.lines(series(12, days=days), unit="seconds", label="when")

    told = re.findall(words, drawn)
    assert len(told) > 1
    assert len(set(told)) == len(told)


def test_charts_that_differ_in_data_alone_are_compiled_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[Any] = []
    real = import_module("vl_convert").vegalite_to_vega

    def compiled(spec: Any) -> Any:
        asked.append(spec)
        return real(spec)

    monkeypatch.setattr(vl_convert, "vegalite_to_vega", compiled)
    early, late = series(4), {name: points[4:] for name, points in series(8).items()}

    drawn = [charts.lines(what, unit="seconds", label="a") for what in (early, late)]
    charts.lines(early, unit="milliseconds", label="a")

    assert drawn[0] != drawn[1]
    assert len(asked) == 2


def test_a_number_in_the_text_stays_as_it_is() -> None:
    name = "lag-0.123456789"

    drawn = charts.strip({name: [1 / 3, 2 / 3]}, unit="seconds", label=name)

    assert f">{name}<" in drawn
    assert not re.search(r'="[^"]*\d\.\d{4,}', drawn.split(">", 1)[1])
