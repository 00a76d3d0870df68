"""What can go wrong with a platform; the closed set every driver must raise.

No SDK error crosses a driver's boundary. None of these is a failed requirement by itself:

* PlatformError
  x Unsupported     the platform cannot do this and says so
  x BadRequest      the platform refused the request's content (4xx, malformed, out of range)
  x Unauthorized    credentials are missing, wrong or insufficient
  x NotFound        the thing does not exist (or not yet, or not any more)
  x Conflict        the request contradicts the state of the platform (in use, duplicate)
  x Quota           an account's limit is reached
  x Capacity        the platform has no room
  x Throttled       too many requests; knows after how many seconds to come back
  x Timeout         the platform answered, but the awaited state did not come in time
  x PlatformFault   the platform failed (5xx, a machine in state error)
  x Lost            no answer: unreachable, connection lost, unreadable reply

``COULD_NOT_TELL`` are those after which a check is *blocked*, never failed: nothing was learnt
about the platform's behaviour.
"""

from __future__ import annotations


class PlatformError(Exception):
    """Root of all errors a driver raises."""

    def __init__(self, message: str, platform: str = "", request_id: str = "") -> None:
        super().__init__(message, platform, request_id)
        self.message = message
        self.platform = platform
        self.request_id = request_id

    def __str__(self) -> str:
        where = f"{self.platform}: " if self.platform else ""
        request = f" (request {self.request_id})" if self.request_id else ""
        return f"{where}{self.message}{request}"


class Unsupported(PlatformError):
    """The platform cannot do this; the message is the reason that a report shows."""


class BadRequest(PlatformError):
    """The platform refused the request's content."""


class Unauthorized(PlatformError):
    """Credentials are missing, wrong or insufficient."""


class NotFound(PlatformError):
    """The thing does not exist, not yet or not any more."""


class Conflict(PlatformError):
    """The request contradicts the state of the platform."""


class Quota(PlatformError):
    """An account's limit is reached."""


class Capacity(PlatformError):
    """The platform has no room for this now."""


class Throttled(PlatformError):
    """Too many requests. ``retry_after`` is in seconds."""

    def __init__(
        self, message: str, platform: str = "", request_id: str = "", retry_after: float = 1.0
    ) -> None:
        super().__init__(message, platform, request_id)
        self.args = (message, platform, request_id, retry_after)
        self.retry_after = retry_after


class Timeout(PlatformError):
    """The platform answered, but the awaited state did not come in time."""


class PlatformFault(PlatformError):
    """The platform failed: a 5xx answer, a resource in an error state."""


class Lost(PlatformError):
    """No answer: unreachable, connection lost, or an unreadable reply."""


COULD_NOT_TELL = (Unauthorized, Quota, Capacity, Throttled, Timeout, Lost)
