"""What broke on a platform, since when, and what else was new when it broke."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from reports.matrix import IDENTITY, check_order, show
from reports.site.documents import Seen, Summary
from reports.site.history import BAD, Platform
from reports.site.states import came_to

MOST = 12  # things that were new
VALUE = 120  # characters of one of them


@dataclass(frozen=True, slots=True, kw_only=True)
class Broken:
    """A check that does not pass now: ``first`` is the run since which, ``last`` the one before.

    ``last`` is the last run that saw it otherwise; none has if it is ``None``.
    """

    check: str
    seen: Seen
    first: Summary
    last: Summary | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """Two runs between which checks broke, and what else differs: name, before, after."""

    last: Summary
    first: Summary
    checks: tuple[str, ...]
    news: tuple[tuple[str, str, str], ...]


def broken(platform: Platform, guideline: str = "") -> list[Broken]:
    """Checks of the newest full run that did not pass, what failed first.

    Those that *guideline* takes for failed, or requires and misses, are among them.
    """
    found = []
    judged = platform.current.by(guideline)
    until = platform.results[: platform.results.index(platform.current) + 1]
    for id_ in dict.fromkeys((*platform.current.checks, *(judged.states if judged else ()))):
        seen = came_to(platform.current, id_, guideline)
        if seen is None or seen.outcome not in BAD:
            continue
        first, last = platform.current, None
        for result in reversed(until):
            old = came_to(result, id_, guideline)
            if old is not None and old.outcome not in BAD:
                last = result
                break
            first = result if old is not None else first
        found.append(Broken(check=id_, seen=seen, first=first, last=last))
    found.sort(key=lambda one: (one.seen.outcome != "failed", check_order(one.check)))
    return found


def failed_later(platform: Platform) -> list[tuple[str, Summary]]:
    """Checks that failed after the newest full run and did not pass since, and who saw it last.

    Runs of chosen checks do not count for a certificate, but nobody should read over them.
    """
    found: dict[str, Summary] = {}
    full = platform.current
    known = {id_ for id_, seen in full.checks.items() if seen.outcome == "failed"}
    for result in platform.results[platform.results.index(full) + 1 :]:
        for id_, seen in result.checks.items():
            if seen.outcome == "failed" and id_ not in known:
                found[id_] = result
            elif seen.outcome == "passed":
                found.pop(id_, None)
    return sorted(found.items(), key=lambda item: check_order(item[0]))


def moments(many: list[Broken]) -> list[Moment]:
    """When they broke, the newest moment first; what never passed has none."""
    grouped: dict[tuple[str, str], list[Broken]] = {}
    for one in many:
        if one.last is not None:
            grouped.setdefault((one.first.finished, one.last.id), []).append(one)
    return [
        Moment(
            last=last,
            first=group[0].first,
            checks=tuple(one.check for one in group),
            news=tuple(news(last, group[0].first)),
        )
        for _, group in sorted(grouped.items(), reverse=True)
        if (last := group[0].last) is not None
    ]


def news(before: Summary, after: Summary) -> list[tuple[str, str, str]]:
    """What is said of the platform, and what tested it, where two results differ."""
    old, new = dict(_told(before)), dict(_told(after))
    differ = [
        key for key in (*old, *(k for k in new if k not in old)) if old.get(key) != new.get(key)
    ]
    return [(key, old.get(key, "nothing"), new.get(key, "nothing")) for key in differ][:MOST]


def _told(summary: Summary) -> Iterator[tuple[str, str]]:
    """Name and value of everything that may be new, declared before described."""
    yield from _flat("", summary.declared)
    yield from _flat("", summary.described)
    yield "features", ", ".join(sorted(summary.features))
    yield "kind", summary.kind
    yield "tool", summary.tool
    yield "suites", summary.suite[:19]
    yield "workload", summary.workload[:60]


def _flat(path: str, value: Any) -> Iterator[tuple[str, str]]:
    """Plain values with their dotted names; addresses and ids differ anyway."""
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield from _flat(f"{path}.{key}" if path else str(key), item)
        return
    text = show(value)
    if not IDENTITY.fullmatch(text):
        yield path, text if len(text) <= VALUE else text[: VALUE - 1] + "…"
