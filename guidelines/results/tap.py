"""TAP, the test anything protocol, versions 12 to 14."""

from __future__ import annotations

import re

from guidelines.evidence import Evidence, Status
from guidelines.results.collector import Collector, reason_of
from guidelines.results.source import Source

FORMAT = "tap"
_DIAGNOSTIC_CHARS = 1000
_POINT = re.compile(r"(?P<not>not )?ok\b\s*(?P<number>\d{1,9})?\s*(?:-\s)?(?P<rest>.*)\Z")
_DIRECTIVE = re.compile(r"(?<!\\)#\s*(?P<mark>skip\w*|todo)\b[:\s]*", re.IGNORECASE)
_PLAN = re.compile(
    r"1\.\.(?P<last>\d{1,9})\s*(?:#\s*(?:skip\w*[:\s]*)?(?P<why>.*))?\Z", re.IGNORECASE
)
_MESSAGE = re.compile(r"\s+(?:message|error):\s*['\"]?(?P<text>[^'\"|>].*?)['\"]?\s*\Z")


def load(source: Source) -> Evidence:
    """Read TAP. A plan that is missing or not fulfilled, or a bail-out, makes it incomplete.

    A failing TODO is failed (the behaviour is not there); lines of subtests are passed over, as
    the point that sums them up follows.

    Raises:
        BadDocument: beyond the limits.
    """
    collector = Collector(source.name, source.limits)
    planned: int | None = None
    nested = 0
    point: tuple[str, Status, str, str] | None = None
    points = 0
    for line in source.lines():
        text = line.decode("utf-8", "replace").rstrip("\r\n")
        if text[:1].isspace():
            if point is not None and point[1] is not Status.PASSED and not point[2]:
                message = _MESSAGE.match(text[:_DIAGNOSTIC_CHARS])
                if message:
                    point = (point[0], point[1], message["text"], point[3])
            nested += text.lstrip().startswith(("ok ", "not ok "))
            continue
        if text.startswith("Bail out!"):
            collector.incomplete(f"bailed out: {text[9:].strip() or 'no reason given'}")
            break
        if plan := _PLAN.match(text):
            planned = int(plan["last"])
            if planned == 0:
                collector.note(f"the whole run was skipped: {plan['why'] or 'no reason given'}")
        elif text.startswith(("ok", "not ok")) and (match := _POINT.match(text)):
            if point is not None:
                _add(collector, point)
            points += 1
            point = _point(match, points, collector)
    if point is not None:
        _add(collector, point)
    if planned is None:
        collector.incomplete("there is no plan (1..N), so what is missing cannot be told")
    elif planned != points:
        collector.incomplete(f"the plan says {planned} tests, found {points}")
    if nested:
        collector.note(f"{nested} results of subtests stand behind the points that sum them up")
    if source.reader.broke_off:
        collector.incomplete("the compressed data breaks off")
    return collector.evidence(FORMAT, source.digest)


def _point(
    match: re.Match[str], position: int, collector: Collector
) -> tuple[str, Status, str, str]:
    rest = match["rest"]
    mark = why = ""
    if directive := _DIRECTIVE.search(rest):
        mark, why = directive["mark"].lower(), rest[directive.end() :].strip()
        rest = rest[: directive.start()]
    name = rest.strip().replace("\\#", "#") or f"test {match['number'] or position}"
    where = f"point[{position}]"
    failed = match["not"] is not None
    if mark.startswith("skip"):
        # "not ok # SKIP" is written by some tools; not a pass either way.
        return name, Status.SKIPPED, why or "skipped without a reason", where
    if mark == "todo":
        collector.count("marked TODO", name)
        if failed:
            return name, Status.FAILED, f"failed as expected (TODO) {why}".strip(), where
    return name, Status.FAILED if failed else Status.PASSED, "", where


def _add(collector: Collector, point: tuple[str, Status, str, str]) -> None:
    name, status, reason, where = point
    if status is Status.FAILED and not reason:
        reason = "not ok"
    collector.add(name, status, where=where, reason=reason_of(reason))
