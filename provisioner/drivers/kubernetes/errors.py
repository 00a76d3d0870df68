"""Errors of Kubernetes in our words: every answer has exactly one class.

Source: Kubernetes API conventions, "Response Status Kind" and "HTTP Status codes".
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import urllib3
import websocket

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
    Timeout,
    Unauthorized,
    Unsupported,
)

RETRY_AFTER_S = 1.0  # when the server does not say
BY_STATUS: dict[int, type[PlatformError]] = {
    400: BadRequest, 401: Unauthorized, 403: Unauthorized, 404: NotFound, 405: Unsupported,
    406: Unsupported, 409: Conflict, 410: Conflict, 412: Conflict, 413: BadRequest,
    415: Unsupported, 422: BadRequest, 501: Unsupported, 502: Lost, 504: Timeout, 507: Capacity,
}  # fmt: skip


def refusal(
    platform: str, what: str, status: int, body: Mapping[str, Any], headers: Mapping[str, str]
) -> PlatformError:
    """The error for an answer of 400 or more.

    Args:
        platform: name of the platform.
        what: what was being done: "cannot ..." is said of it.
        status: the HTTP status.
        body: a Status object, if the server sent one.
        headers: the answer's, with names in lower case.
    """
    reason, said = str(body.get("reason") or ""), str(body.get("message") or "")
    text = f"cannot {what}: {said or reason or f'status {status}'}"
    request = headers.get("audit-id", "")
    if status == 429 or (status == 503 and "retry-after" in headers):
        try:
            wait_s = float(headers.get("retry-after", RETRY_AFTER_S))
        except ValueError:
            wait_s = RETRY_AFTER_S
        return Throttled(text, platform, request, retry_after=max(wait_s, RETRY_AFTER_S))
    if status == 403 and "exceeded quota" in said:
        return Quota(text, platform, request)
    if reason == "ServerTimeout":
        return Timeout(text, platform, request)
    return BY_STATUS.get(status, BadRequest if status < 500 else PlatformFault)(
        text, platform, request
    )


@contextmanager
def translated(platform: str, what: str) -> Iterator[None]:
    """Errors of the libraries below become ours."""
    try:
        yield
    except PlatformError:
        raise
    except urllib3.exceptions.SSLError as error:
        raise Unauthorized(f"cannot {what}: TLS: {_said(error)}", platform) from error
    except urllib3.exceptions.ReadTimeoutError as error:
        raise Lost(f"cannot {what}: no answer in time", platform) from error
    except (urllib3.exceptions.HTTPError, websocket.WebSocketException, OSError) as error:
        raise Lost(f"cannot {what}: {_said(error)}", platform) from error


def _said(error: BaseException) -> str:
    """The innermost error in one short line."""
    while isinstance(getattr(error, "reason", None), BaseException):
        error = error.reason  # type: ignore[attr-defined]
    lines = str(error).splitlines() or [type(error).__name__]
    return lines[0][:200]
