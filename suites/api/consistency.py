"""Reads follow writes, and times are told in UTC."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any

import pytest

from provisioner.driver import Handle
from provisioner.errors import Unsupported
from provisioner.features import Metadata
from suites.api.resources import cheap_kinds, made
from suites.claims import claim, same
from suites.seams import Bench, Evidence, NotApplicable, Observe, Patience, Subject
from suites.waits import Stopwatch, until

ROUNDS = 5
AGAIN = 4  # reads after the first that saw the write
RFC3339 = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)")
TIMES = re.compile(r"(creat|launch|updat|modif|start|attach)\w*(time|date|at|ed|ion)$", re.I)
DATE = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d")


@pytest.mark.check("P10")
@pytest.mark.cost("api")
def test_reads_follow_writes(
    subject: Subject, bench: Bench, observe: Observe, not_applicable: NotApplicable
) -> None:
    """What was written is read within the declared time, and once seen it is never unseen."""
    window = float(subject.description.limits.get("visibility_s", 0.0))
    slowest = 0.0
    for kind in cheap_kinds(subject, not_applicable):
        with made(subject, bench, kind, "p10") as (handle, _):
            for number in range(ROUNDS):
                slowest = max(slowest, _write(subject, handle, str(number), window))
            for number in range(AGAIN):
                there = subject.driver.read(handle) is not None
                claim(
                    there,
                    f"{handle} is still there at read {number + 2}",
                    expected="there",
                    actual="gone, though nobody deleted it",
                )
                listed = [h.id for h in subject.driver.find(subject.owner)].count(handle.id)
                same(f"{handle} among the run's, at look {number + 1}", expected=1, actual=listed)
    observe("read-your-writes", slowest, unit="s", source="observed")
    observe("declared-window", window, unit="s", source="api")


def _write(subject: Subject, handle: Handle, value: str, window: float) -> float:
    """Write a tag, and read until it is seen, then a few times more; how long it took."""
    try:
        tags = subject.driver.feature(Metadata, handle)  # type: ignore[type-abstract]
    except Unsupported:
        return 0.0

    def told() -> str:
        state = subject.driver.read(handle)
        return state.tags.get("interop-round", "no tag") if state is not None else "nothing"

    tags.update_tags({"interop-round": value})
    clock = Stopwatch()
    seen = until(told, lambda text: text == value, window)
    took = clock.seconds
    same(
        f"{handle}: a tag read {took:g} s after it was written (declared window {window:g} s)",
        expected=value,
        actual=seen,
    )
    for _ in range(AGAIN):
        same(f"{handle}: the tag read again once it was seen", expected=value, actual=told())
    return took


@pytest.mark.check("P11")
@pytest.mark.cost("api")
def test_times_are_rfc3339_in_utc(
    subject: Subject,
    bench: Bench,
    patience: Patience,
    observe: Observe,
    evidence: Evidence,
    not_applicable: NotApplicable,
) -> None:
    """Times the API tells have a zone, are not before the call, and are in order."""
    told = 0
    for kind in cheap_kinds(subject, not_applicable):
        before = time.time()
        with made(subject, bench, kind, "p11") as (handle, _):
            state = subject.driver.read(handle)
        after = time.time()
        assert state is not None
        moments = {}
        for name, text in [*_times(state.facts), *_times(state.raw)]:
            evidence(f"{handle}: {name}", text)
            claim(
                RFC3339.fullmatch(text),
                f"{handle}: {name}",
                expected="RFC 3339 with a zone",
                actual=text,
            )
            moment = datetime.fromisoformat(text)
            claim(
                moment.utcoffset() == timedelta(0), f"{handle}: {name}", expected="UTC", actual=text
            )
            moments[name] = moment.timestamp()
            slack = patience("clock") + 1  # whole seconds may be cut off
            claim(
                before - slack <= moment.timestamp() <= after + slack,
                f"{handle}: {name}",
                expected=f"between {before:.0f} and {after:.0f}, give or take {slack:g} s",
                actual=f"{moment.timestamp():.0f} ({text})",
            )
            told += 1
        if {"created", "updated"} <= set(moments):
            claim(
                moments["created"] <= moments["updated"],
                f"{handle}: times in order",
                expected="created, then updated",
                actual=moments,
            )
    observe("times-told", told, source="api")
    if not told:
        not_applicable("the API tells no times of keys, volumes or buckets")


def _times(values: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """What looks like a time, by its name and text."""
    for name, value in values.items():
        if isinstance(value, str) and TIMES.search(name) and DATE.match(value):
            yield name, value
