"""How long evidence holds: calendar periods as SCS counts them, and ISO 8601 durations."""

from __future__ import annotations

import calendar
import re
from datetime import date, timedelta

_DURATION = re.compile(r"P(\d+)([YMWD])")


def expires_on(seen: date, holds: str) -> date:
    """Return the first day on which evidence seen on *seen* no longer counts.

    A calendar period lasts until the end of the period after the one *seen* is in: evidence of
    any day in May holds, with ``month``, until the last of June.

    Args:
        seen: the day the evidence is from.
        holds: ``day``, ``week``, ``month``, ``quarter``, ``year``, or ``P90D``, ``P6M``, ``P1Y``.

    Raises:
        ValueError: *holds* is neither.

    Source: scs-0004, regulations 2 and 3, as computed by the SCS compliance monitor.
    """
    if holds == "day":
        return seen + timedelta(days=2)
    if holds == "week":
        return seen + timedelta(days=14 - seen.weekday())
    if holds == "month":
        return _months_later(seen.replace(day=1), 2)
    if holds == "quarter":
        return _months_later(date(seen.year, (seen.month - 1) // 3 * 3 + 1, 1), 6)
    if holds == "year":
        return date(seen.year + 2, 1, 1)
    found = _DURATION.fullmatch(holds)
    if found is None:
        raise ValueError(f"{holds!r} is no period; expected day to year, or such as P90D")
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
    year = min(year, date.max.year)
    last = calendar.monthrange(year, month + 1)[1]
    return date(year, month + 1, min(day.day, last))
