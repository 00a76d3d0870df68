"""How long evidence holds: calendar periods as SCS counts them, and ISO 8601 durations."""

from __future__ import annotations

import calendar
import re
from datetime import date, timedelta

_DURATION = re.compile(r"P(\d+)([YMWD])")


def expires_on(seen: date, holds: str) -> date:
    """Return the first day on which evidence seen on *seen* no longer counts.

    A calendar period lasts until the end of the period after the one *seen* is in: evidence of
    any day in May holds, with ``month``, until the last of June. A year is a year of months: with
    ``year`` that evidence holds until the last of June of the year after.

    Args:
        seen: the day the evidence is from.
        holds: ``day``, ``week``, ``month``, ``quarter``, ``year``, ``infinite``, or ``P90D``,
            ``P6M``, ``P1Y``.

    Raises:
        ValueError: *holds* is neither.

    Source: scs-0004, regulations 2 and 3, as computed by SCS's add_period.
    """
    try:
        return _expires_on(seen, holds)
    except OverflowError:
        return date.max


def counts_until(seen: date, holds: str) -> date:
    """Return the last day on which evidence seen on *seen* counts; see ``expires_on``."""
    return expires_on(seen, holds) - timedelta(days=1)


def _expires_on(seen: date, holds: str) -> date:
    if holds == "infinite":
        return date.max
    if holds == "day":
        return seen + timedelta(days=2)
    if holds == "week":
        return seen + timedelta(days=14 - seen.weekday())
    if holds == "month":
        return _months_later(seen.replace(day=1), 2)
    if holds == "quarter":
        return _months_later(seen.replace(month=(seen.month - 1) // 3 * 3 + 1, day=1), 6)
    if holds == "year":
        return _months_later(seen.replace(day=1), 14)
    found = _DURATION.fullmatch(holds)
    if found is None:
        raise ValueError(f"{holds!r} is no period; expected day to year, infinite, or such as P90D")
    count, unit = int(found[1]), found[2]
    if unit == "D":
        return seen + timedelta(days=count)
    if unit == "W":
        return seen + timedelta(weeks=count)
    return _months_later(seen, count * (12 if unit == "Y" else 1))


def _months_later(day: date, months: int) -> date:
    """The same day of a later month, or its last: a month after 31 January is 28 February."""
    total = day.year * 12 + day.month - 1 + months
    year, month = divmod(total, 12)
    if year > date.max.year:
        return date.max
    last = calendar.monthrange(year, month + 1)[1]
    return date(year, month + 1, min(day.day, last))
