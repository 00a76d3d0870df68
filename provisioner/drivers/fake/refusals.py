"""Turns what the fake cloud's API refuses into the closed set of errors."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from provisioner.drivers.fake.rules import ApiError
from provisioner.errors import (
    BadRequest,
    Capacity,
    Conflict,
    Lost,
    NotFound,
    PlatformError,
    PlatformFault,
    Quota,
    Throttled,
    Unauthorized,
)


@contextlib.contextmanager
def translated(platform: str) -> Iterator[None]:
    """Turn the API's errors into ours."""
    try:
        yield
    except ApiError as error:
        raise to_platform_error(error, platform) from error


def to_platform_error(error: ApiError, platform: str) -> PlatformError:
    """One error of the closed set for every answer of the API."""
    text, request = f"{error.code}: {error.message}", error.request_id
    if error.status == 429:
        return Throttled(text, platform, request, retry_after=error.retry_after or 1.0)
    by_code = {"QuotaExceeded": Quota, "InsufficientCapacity": Capacity}
    by_status = {400: BadRequest, 401: Unauthorized, 403: Unauthorized, 404: NotFound}
    kind = by_code.get(error.code) or by_status.get(error.status)
    if kind is None:
        kind = {409: Conflict, 503: Lost}.get(error.status, PlatformFault)
    return kind(text, platform, request)
