"""Whether a result could be true: counts, times and durations, and its log against its JUnit.

None of it proves anything. It finds what was put together by hand, or damaged before signing.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

from defusedxml import DefusedXmlException
from defusedxml.ElementTree import ParseError, fromstring

from reports.attest.holding import Line
from reports.result import CheckRecord, Result

SLACK = timedelta(seconds=2)  # differences are compared; a sum could leave the calendar
TOPIC = "plausibility"


def plausible(result: Result, junit: bytes | None, log: bytes | None) -> list[Line]:
    """What does not fit together in a result, or one line saying that it does.

    Args:
        result: the result document.
        junit: ``junit.xml`` beside it, if it is there.
        log: ``checks.jsonl`` beside it, one record a line as they came, if it is there.
    """
    lines = [Line(state="fails", topic=TOPIC, text=text) for text in _times(result)]
    compared = []
    if log is not None:
        lines += [Line(state="fails", topic=TOPIC, text=text) for text in _log(result, log)]
        compared.append("its log")
    if junit is not None:
        lines += [Line(state="fails", topic=TOPIC, text=text) for text in _junit(result, junit)]
        compared.append("its JUnit")
    if result.census.leaks:
        text = f"{len(result.census.leaks)} resources were left behind: {result.census.leaks[0]}"
        lines.append(Line(state="note", topic=TOPIC, text=text))
    if not lines:
        span = (_moment(result.finished) - _moment(result.started)).total_seconds()
        agrees = f"; agrees with {' and '.join(compared)}" if compared else "; no log is beside it"
        text = f"{len(result.checks)} checks within {span:.0f} s, in order{agrees}"
        lines.append(Line(state="holds", topic=TOPIC, text=text))
    return lines


def _moment(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError(f"{text} is in no time zone")
    return moment


def _times(result: Result) -> Iterator[str]:
    try:
        start, end = _moment(result.started), _moment(result.finished)
        begun = [(check, _moment(check.started)) for check in result.checks]
        span = end - start
    except ValueError as error:
        yield f"a time cannot be read: {error}"
        return
    if span < timedelta():
        yield f"the run ended before it began: {result.started} to {result.finished}"
    for check, moment in begun:
        if check.seconds < 0:
            yield f"{check.id}: took {check.seconds} s"
        elif start - moment > SLACK or moment - end > SLACK:
            yield f"{check.id}: began at {check.started}, outside the run"
        elif check.seconds > (end - moment).total_seconds() + SLACK.total_seconds():
            yield f"{check.id}: took {check.seconds} s, longer than the run went on"
    for timing in result.timings:
        over = timing.started + timing.seconds - span.total_seconds()
        if timing.seconds < 0 or over > SLACK.total_seconds():
            yield f"step {timing.step}: {timing.seconds} s do not fit into the run"


def _log(result: Result, log: bytes) -> Iterator[str]:
    """The log holds the same records, whole."""
    records = []
    for number, line in enumerate(log.splitlines(), 1):
        try:
            records.append(CheckRecord.model_validate(json.loads(line)))
        except (ValueError, RecursionError):
            yield f"checks.jsonl line {number} cannot be read"
            return
    told, logged = (
        Counter((check.id, check.test, check.outcome) for check in checks)
        for checks in (result.checks, records)
    )
    for key in (told - logged).keys() | (logged - told).keys():
        yield f"{key[0]} {key[2]}: {told[key]} times in the result, {logged[key]} in checks.jsonl"
    if told == logged:
        kept = Counter(record.model_dump_json() for record in records)
        for check in result.checks:
            kept[text := check.model_dump_json()] -= 1
            if kept[text] < 0:
                yield f"{check.id} {check.outcome}: checks.jsonl has another record of it"


def _junit(result: Result, data: bytes) -> Iterator[str]:
    try:
        root = fromstring(data)
    except (ParseError, DefusedXmlException, ValueError, LookupError) as error:
        yield f"junit.xml cannot be read: {error}"
        return
    cases = Counter((case.get("name", ""), _outcome(case)) for case in root.iter("testcase"))
    told = Counter((check.id, _plain(check.outcome)) for check in result.checks)
    for key in (told - cases).keys() | (cases - told).keys():
        yield f"{key[0]} {key[1]}: {told[key]} times in the result, {cases[key]} in junit.xml"


def _outcome(case: Any) -> str:
    tags = {child.tag for child in case}
    return next((tag for tag in ("failure", "error", "skipped") if tag in tags), "passed")


def _plain(outcome: str) -> str:
    """An outcome in JUnit's words, which has fewer."""
    words = {"failed": "failure", "blocked": "error", "passed": "passed"}
    return words.get(outcome, "skipped")
