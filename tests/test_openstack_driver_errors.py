"""Every error of OpenStack and its SDK has one class of ours, also those nobody foresaw."""

from __future__ import annotations

import json
from typing import Any

import pytest

pytest.importorskip("openstack", reason="openstacksdk is not installed (extra openstack)")

import requests
from keystoneauth1 import exceptions as auth
from openstack import exceptions as sdk

from provisioner.drivers.openstack.errors import (
    CODES,
    fault,
    from_answer,
    kind_of,
    retry_after,
    said,
    translate,
    translated,
)
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


def answer(status: int, body: Any = None, **headers: str) -> requests.Response:
    made = requests.Response()
    made.status_code = status
    made._content = (body if isinstance(body, str) else json.dumps(body)).encode()
    made.headers.update({"x-openstack-request-id": "req-1"})
    made.headers.update({name.replace("_", "-"): value for name, value in headers.items()})
    return made


GLANCE = """<html><head><title>404 Not Found</title></head><body><h1>404 Not Found</h1>
No image found with ID x<br /><br /></body></html>"""
NOVA_QUOTA = {
    "forbidden": {"code": 403, "message": "Quota exceeded for instances: Requested 1, but used 10"}
}
CINDER_QUOTA = {
    "overLimit": {
        "code": 413,
        "message": "VolumeLimitExceeded: Maximum number of volumes allowed (10) exceeded"
        " for quota 'volumes'.",
        "retryAfter": "0",
    }
}


# Recorded of nova 34, neutron 29, cinder 29, glance 33, keystone 30; shortened.
@pytest.mark.parametrize(
    ("status", "body", "expected", "code"),
    [
        (404, {"itemNotFound": {"code": 404, "message": "gone"}}, NotFound, "itemNotFound"),
        (400, {"badRequest": {"code": 400, "message": "no"}}, BadRequest, "badRequest"),
        (409, {"conflictingRequest": {"code": 409, "message": "task"}}, Conflict, None),
        (403, {"forbidden": {"code": 403, "message": "Policy doesn't"}}, Unauthorized, None),
        (403, NOVA_QUOTA, Quota, "forbidden"),
        (403, {"forbidden": {"message": "Maximum number of key pairs exceeded"}}, Quota, None),
        (403, {"forbidden": {"message": "Quota exceeded, too many key pairs."}}, Quota, None),
        (413, CINDER_QUOTA, Quota, "overLimit"),
        (413, {"overLimit": {"code": 413, "message": "slow down"}}, Throttled, None),
        (413, "too large a body for us", Throttled, ""),
        (429, {"overLimit": {"code": 429, "message": "too many"}}, Throttled, None),
        (
            409,
            {"NeutronError": {"type": "OverQuota", "message": "Quota exceeded for resources"}},
            Quota,
            "OverQuota",
        ),
        (
            409,
            {"NeutronError": {"type": "IpAddressGenerationFailure", "message": "No more IP"}},
            Capacity,
            "IpAddressGenerationFailure",
        ),
        (
            409,
            {"NeutronError": {"type": "SecurityGroupRuleExists", "message": "there"}},
            Conflict,
            "SecurityGroupRuleExists",
        ),
        (404, {"NeutronError": {"type": "PortNotFound", "message": "x"}}, NotFound, "PortNotFound"),
        (401, {"error": {"title": "Unauthorized", "message": "a"}}, Unauthorized, "Unauthorized"),
        (404, GLANCE, NotFound, "NotFound"),
        (406, {"computeFault": {"message": "Version 9.9 is not supported"}}, Unsupported, None),
        (500, {"computeFault": {"code": 500, "message": "Unexpected"}}, PlatformFault, None),
        (503, "<html><title>503 Service Unavailable</title></html>", PlatformFault, None),
        (502, "<html><title>502 Bad Gateway</title></html>", Lost, None),
        (504, "", Lost, ""),
        (501, {"computeFault": {"message": "not implemented"}}, Unsupported, None),
        (300, {"choices": []}, PlatformFault, ""),
        (418, {"teapot": {"message": "short and stout"}}, BadRequest, "teapot"),
        (400, {"errors": [{"title": "Bad Request", "detail": "x"}]}, BadRequest, "BadRequest"),
        (400, ["what", "is", "this"], BadRequest, ""),
        (400, 'not { "json', BadRequest, ""),
        (404, {"message": "no route", "code": "x"}, NotFound, ""),
    ],
)
def test_an_answer_has_its_class_and_code(
    status: int, body: Any, expected: type[PlatformError], code: str | None
) -> None:
    reply = answer(status, body)
    error = from_answer(reply, "cloud", "create machine/a")

    assert type(error) is expected
    assert error.request_id == "req-1"
    assert error.message.startswith("cannot create machine/a: ")
    assert "\n" not in str(error)
    if code is not None:
        assert said(reply)[0] == code


@pytest.mark.parametrize("code", sorted(CODES))
@pytest.mark.parametrize("status", [400, 409, 503])
def test_a_known_code_has_its_class_whatever_the_status(code: str, status: int) -> None:
    assert kind_of(status, code, "whatever") is CODES[code]


@pytest.mark.parametrize("status", [*range(400, 432), *range(500, 512), 300, 0, 599])
def test_every_status_has_a_class(status: int) -> None:
    assert issubclass(kind_of(status, "NobodyEverSawThis", ""), PlatformError)


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ("No valid host was found. There are not enough hosts available.", Capacity),
        ("Exceeded maximum number of retries. Exhausted all hosts available", Capacity),
        ("No valid backend was found.", Capacity),
        ("Quota exceeded for cores", Quota),
        ("Build of instance x aborted: the disk is too small", PlatformFault),
        ("", PlatformFault),
    ],
)
def test_the_fault_of_a_machine_has_a_class(message: str, expected: type[PlatformError]) -> None:
    assert fault(message) is expected


@pytest.mark.parametrize(
    ("told", "seconds"),
    [
        ("7", 7.0),
        ("0", 0.5),
        ("", 2.0),
        ("soon", 2.0),
        ("nan", 2.0),
        ("1e9", 300.0),
        ("Thu, 01 Jan 1970 00:01:30 GMT", 30.0),
    ],
)
def test_throttling_says_when_to_come_back(told: str, seconds: float) -> None:
    assert retry_after({"Retry-After": told}, now=60.0) == seconds


def test_a_throttled_answer_carries_the_platforms_own_time() -> None:
    error = from_answer(answer(429, {}, Retry_After="11"), "cloud", "read")

    assert isinstance(error, Throttled)
    assert error.retry_after == 11


def every(module: Any, root: type[Exception]) -> list[type[Exception]]:
    found = [v for v in vars(module).values() if isinstance(v, type) and issubclass(v, root)]
    return sorted(set(found), key=lambda one: one.__name__)


@pytest.mark.parametrize(
    "kind",
    [*every(auth, auth.ClientException), *every(sdk, sdk.SDKException)],
    ids=lambda kind: f"{kind.__module__.partition('.')[0]}-{kind.__name__}",
)
def test_no_error_of_the_sdk_gets_out(kind: type[Exception]) -> None:
    error = kind("why") if issubclass(kind, sdk.HttpException) else kind.__new__(kind)
    for name in ("message", "request_id", "http_status"):
        if not hasattr(error, name):
            setattr(error, name, None)

    with pytest.raises(PlatformError) as caught, translated("cloud", "read"):
        raise error

    assert caught.value.message.startswith("cannot read: ")


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (auth.Unauthorized(), Unauthorized),
        (auth.Forbidden(), Unauthorized),
        (auth.NotFound(), NotFound),
        (auth.ServiceUnavailable(), PlatformFault),
        (auth.TooManyRequests(), Throttled),
        (auth.ConnectFailure("refused"), Lost),
        (auth.ConnectTimeout("slow"), Lost),
        (auth.SSLError("bad certificate"), Unauthorized),
        (auth.EndpointNotFound("no volume"), Unsupported),
        (auth.DiscoveryFailure("no versions"), Lost),
        (auth.MissingRequiredOptions([]), BadRequest),
        (sdk.ConfigException("cloud x was not found"), BadRequest),
        (sdk.ServiceDisabledException("no volume"), Unsupported),
        (sdk.HttpException(response=answer(404, {"itemNotFound": {"message": "x"}})), NotFound),
        (requests.ReadTimeout("slow"), Lost),
        (ConnectionResetError(104, "reset"), Lost),
    ],
)
def test_without_an_answer_it_is_our_credentials_our_files_or_the_line(
    error: Exception, expected: type[PlatformError]
) -> None:
    assert type(translate(error, "cloud", "read")) is expected


def test_our_own_errors_pass_unchanged() -> None:
    ours = Capacity("full")

    with pytest.raises(Capacity) as caught, translated("cloud", "read"):
        raise ours

    assert caught.value is ours
