"""Points in time as result formats write them; always with a time zone."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta

# Seconds since 1970 stay below this until the year 5138, milliseconds passed it in 1973.
_MILLISECONDS_FROM = 100_000_000_000


def from_text(text: str | None) -> datetime | None:
    """The instant of an ISO 8601 or RFC 3339 text; without a zone it is taken as UTC."""
    if not text:
        return None
    try:
        instant = datetime.fromisoformat(text.strip())
    except ValueError:
        return None
    return in_utc(instant)


def from_epoch(number: float | None) -> datetime | None:
    """The instant of a count since 1970, in milliseconds, or seconds where it is that small."""
    if number is None or not math.isfinite(number) or number <= 0:
        return None
    seconds = number / 1000 if number >= _MILLISECONDS_FROM else number
    try:
        return datetime.fromtimestamp(seconds, UTC)
    except (OverflowError, ValueError, OSError):
        return None


def in_utc(instant: datetime) -> datetime:
    """*instant* in UTC; one without a zone is taken as UTC."""
    if instant.tzinfo is None:
        return instant.replace(tzinfo=UTC)
    try:
        return instant.astimezone(UTC)
    except OverflowError:
        return instant.replace(tzinfo=UTC)


def after(start: datetime | None, seconds: float | None) -> datetime | None:
    """*seconds* after *start*, as far as both are known."""
    if start is None or seconds is None:
        return start
    try:
        return start + timedelta(seconds=seconds)
    except OverflowError:
        return start


def duration(text: str | None) -> float | None:
    """Seconds from a decimal text (``1,234.5`` included); none where it is no sensible number."""
    if not text:
        return None
    try:
        seconds = float(text.replace(",", ""))
    except ValueError:
        return None
    return seconds if math.isfinite(seconds) and seconds >= 0 else None
