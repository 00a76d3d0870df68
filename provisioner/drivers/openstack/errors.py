"""Errors of OpenStack in our words: every answer has exactly one class, also unforeseen ones."""

from __future__ import annotations

import math
import re
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from email.utils import parsedate_to_datetime
from typing import Any, Protocol

import requests
from keystoneauth1 import exceptions as auth
from openstack import exceptions as sdk

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
    Unsupported,
)

RETRY_AFTER_S = 2.0  # when the platform does not say

# Codes that mean something else than their status. Source: neutron and neutron-lib, their
# exceptions modules; the code is the error's ``type`` there.
CODES: dict[str, type[PlatformError]] = {
    "OverQuota": Quota,
    "IpAddressGenerationFailure": Capacity,
    "IpAddressGenerationFailureAllSubnets": Capacity,
    "ExternalIpAddressExhausted": Capacity,
    "NoNetworkAvailable": Capacity,
    "RouterInUse": Conflict,
    "ServiceUnavailable": PlatformFault,
}

BY_STATUS: dict[int, type[PlatformError]] = {
    401: Unauthorized,
    403: Unauthorized,
    404: NotFound,
    405: Unsupported,
    406: Unsupported,  # a microversion the service does not speak
    408: Lost,
    409: Conflict,
    412: Conflict,
    429: Throttled,
    501: Unsupported,
    502: Lost,  # the balancer's words: the service behind it did not answer
    504: Lost,
}

# A quota is told by words only: nova and glance say 403, cinder and old novas 413, neutron 409.
QUOTA = re.compile(
    r"quota[s]? (?:exceeded|limit)|exceeded for quota|exceeds? (?:allowed )?\w* ?quota"
    r"|maximum number of [\w -]+ exceeded|limit exceeded|too many snapshots",
    re.IGNORECASE,
)
NO_ROOM = re.compile(
    r"no valid host|no valid backend|not enough (?:hosts|available)"
    r"|exceeded maximum number of retries"
    r"|insufficient (?:compute )?resources|no more ip addresses",
    re.IGNORECASE,
)

# Errors of the SDK without an answer of the platform; the first that fits, else ``Lost``.
WITHOUT_ANSWER: tuple[tuple[type[Exception], type[PlatformError]], ...] = (
    (auth.SSLError, Unauthorized),
    (auth.EndpointNotFound, Unsupported),
    (auth.VersionNotAvailable, Unsupported),
    (auth.CatalogException, Unsupported),
    (auth.AuthorizationFailure, Unauthorized),
    (auth.MissingAuthMethods, Unauthorized),
    (auth.AuthPluginException, BadRequest),
    (auth.ServiceProviderNotFound, BadRequest),
    (auth.ImpliedVersionMismatch, BadRequest),
    (sdk.ServiceDisabledException, Unsupported),
    (sdk.ConfigException, BadRequest),
    (sdk.NotSupported, Unsupported),
    (sdk.EndpointNotFound, Unsupported),
    (sdk.MethodNotSupported, Unsupported),
    (sdk.ValidationException, BadRequest),
    (sdk.InvalidRequest, BadRequest),
    (sdk.InvalidResourceQuery, BadRequest),
    (sdk.DuplicateResource, Conflict),
    (sdk.ResourceFailure, PlatformFault),
)
FOREIGN = (sdk.SDKException, auth.ClientException, requests.RequestException, OSError)


class Answer(Protocol):
    """What is read of an HTTP response."""

    @property
    def status_code(self) -> int: ...
    @property
    def headers(self) -> Mapping[str, str]: ...
    @property
    def text(self) -> str: ...
    def json(self) -> Any: ...


def said(answer: Answer) -> tuple[str, str]:
    """Code and message of an error answer, whichever service it is from.

    nova and cinder ``{"itemNotFound": {"message"}}``, neutron ``{"NeutronError": {"type",
    "message"}}``, keystone ``{"error": {"title", "message"}}``, placement ``{"errors": [...]}``,
    glance HTML with a title.
    """
    try:
        body = answer.json()
    except ValueError:
        return _from_text(answer.text)
    if not isinstance(body, Mapping):
        return "", _one_line(str(body))
    for name, inner in body.items():
        if name == "errors" and isinstance(inner, list) and inner:
            inner, name = inner[0], ""
        if isinstance(inner, Mapping):
            title = inner.get("type") or (inner.get("title") if name in ("error", "") else name)
            text = inner.get("message") or inner.get("detail") or ""
            return _word(str(title or name)), _one_line(str(text))
        if isinstance(inner, str) and name in ("message", "error", "NeutronError"):
            return "", _one_line(inner)
    return "", ""


def _from_text(text: str) -> tuple[str, str]:
    """An answer that is no JSON: HTML as webob writes it, or a balancer's page."""
    title = re.search(r"<title>(?:\d+ )?(.*?)</title>", text, re.DOTALL | re.IGNORECASE)
    body = re.sub(r"<head>.*?</head>|<[^>]+>", " ", text, flags=re.DOTALL | re.IGNORECASE)
    return _word(title.group(1) if title else ""), _one_line(body)


def _word(text: str) -> str:
    """``Not Found`` as ``NotFound``, like a code of the services that have codes."""
    return "".join(text.split())[:80]


def _one_line(text: str) -> str:
    return " ".join(text.split())[:500]


def kind_of(status: int, code: str, message: str) -> type[PlatformError]:
    """The class of an error the platform answered with; total: there is always one."""
    if code in CODES:
        return CODES[code]
    if status in (403, 409, 413) and QUOTA.search(message):
        return Quota
    if status == 413:  # ``overLimit``: a rate, or a body that is too large
        return Throttled if code in ("overLimit", "") else BadRequest
    if NO_ROOM.search(message) and status != 404:
        return Capacity
    if status in BY_STATUS:
        return BY_STATUS[status]
    return PlatformFault if status >= 500 or status < 400 else BadRequest


def fault(message: str) -> type[PlatformError]:
    """What the fault of a machine or volume in state error means."""
    if QUOTA.search(message):
        return Quota
    return Capacity if NO_ROOM.search(message) else PlatformFault


def from_answer(answer: Answer, platform: str, what: str) -> PlatformError:
    """The error an answer tells. *what* was being done: "create volume data"."""
    code, text = said(answer)
    kind = kind_of(answer.status_code, code, text)
    about = ": ".join(filter(None, (code or f"status {answer.status_code}", text)))
    message = f"cannot {what}: {about}"
    request = str(answer.headers.get("x-openstack-request-id", ""))
    if kind is Throttled:
        return Throttled(message, platform, request, retry_after(answer.headers))
    return kind(message, platform, request)


def retry_after(headers: Mapping[str, str], now: float | None = None) -> float:
    """Seconds to wait: ``Retry-After`` as seconds or as a date, else a little; never nothing."""
    value = str(headers.get("Retry-After", "")).strip()
    try:
        seconds = float(value)
    except ValueError:
        try:
            moment = parsedate_to_datetime(value)
        except (ValueError, TypeError):
            return RETRY_AFTER_S
        seconds = moment.timestamp() - (time.time() if now is None else now)
    return min(max(seconds, 0.5), 300.0) if math.isfinite(seconds) else RETRY_AFTER_S


def translate(error: Exception, platform: str, what: str) -> PlatformError:
    """An error of the SDK as one of ours."""
    response = getattr(error, "response", None)
    if isinstance(response, requests.Response):
        return from_answer(response, platform, what)
    if isinstance(error, auth.HttpError):
        status = int(error.http_status or 0)
        kind = kind_of(status, "", str(error.message or ""))
        message = f"cannot {what}: {_one_line(str(error))}"
        if kind is Throttled:
            return Throttled(message, platform, str(error.request_id or ""), RETRY_AFTER_S)
        return kind(message, platform, str(error.request_id or ""))
    for foreign, kind in WITHOUT_ANSWER:
        if isinstance(error, foreign):
            return kind(f"cannot {what}: {_one_line(str(error))}", platform)
    return Lost(f"cannot {what}: {_one_line(str(error)) or type(error).__name__}", platform)


@contextmanager
def translated(platform: str, what: str) -> Iterator[None]:
    """Lets no error of the SDK out; ours pass unchanged."""
    try:
        yield
    except PlatformError:
        raise
    except FOREIGN as error:
        raise translate(error, platform, what) from error
