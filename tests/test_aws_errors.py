"""Every error of AWS's SDK has one class of ours, also those nobody foresaw."""

from __future__ import annotations

import pytest

pytest.importorskip("botocore", reason="boto3 is not installed (extra aws)")

from botocore import exceptions as sdk
from botocore.parsers import ResponseParserError

from provisioner.drivers.aws.errors import CODES, kind_of, translate, translated
from provisioner.errors import (
    COULD_NOT_TELL,
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


def answer(code: str, status: int, message: str = "no") -> sdk.ClientError:
    response = {
        "Error": {"Code": code, "Message": message},
        "ResponseMetadata": {"HTTPStatusCode": status, "RequestId": "req-1"},
    }
    return sdk.ClientError(response, "RunInstances")


@pytest.mark.parametrize("code", sorted(CODES))
@pytest.mark.parametrize("status", [400, 503])
def test_a_known_code_has_its_class_whatever_the_status(code: str, status: int) -> None:
    error = translate(answer(code, status), "lab", "create machine/a")

    assert type(error) is CODES[code]
    assert str(error) == f"lab: cannot create machine/a: {code}: no (request req-1)"


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("InvalidCapacityReservationId.NotFound", NotFound),
        ("InvalidRoute.NotFound", NotFound),
        ("InvalidPlacementGroup.Duplicate", Conflict),
        ("InvalidPlacementGroup.InUse", Conflict),
        ("InvalidInstanceID.Malformed", BadRequest),
        ("InstanceLimitExceeded", Quota),
        ("AddressLimitExceeded", Quota),
        ("VolumeLimitExceeded", Quota),
        ("VpcLimitExceeded", Quota),
        ("SecurityGroupLimitExceeded", Quota),
        ("RulesPerSecurityGroupLimitExceeded", Quota),
        ("MaxSpotInstanceCountExceeded", BadRequest),
        ("RequestLimitExceeded", Throttled),  # not a quota, although it ends like one
    ],
)
def test_families_of_codes_are_told_by_their_ending(
    code: str, expected: type[PlatformError]
) -> None:
    assert kind_of(code, 400) is expected


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (400, BadRequest),
        (401, Unauthorized),
        (403, Unauthorized),
        (404, NotFound),
        (409, Conflict),
        (412, BadRequest),
        (429, Throttled),
        (500, PlatformFault),
        (501, Unsupported),
        (503, PlatformFault),
        (0, PlatformFault),
        (200, PlatformFault),  # an error in an answer that says all is well
    ],
)
def test_an_unknown_code_is_told_by_its_status(status: int, expected: type[PlatformError]) -> None:
    assert kind_of("NobodyEverSawThis", status) is expected


def test_throttling_says_when_to_come_back() -> None:
    error = translate(answer("RequestLimitExceeded", 503), "lab", "read")

    assert isinstance(error, Throttled)
    assert error.retry_after > 0


EVERY_SDK_ERROR = sorted(
    (
        found
        for found in vars(sdk).values()
        if isinstance(found, type) and issubclass(found, sdk.BotoCoreError)
    ),
    key=lambda found: found.__name__,
)


@pytest.mark.parametrize("kind", EVERY_SDK_ERROR, ids=lambda kind: kind.__name__)
def test_no_error_of_the_sdk_gets_out(kind: type[Exception]) -> None:
    with pytest.raises(PlatformError) as caught, translated("lab", "read"):
        raise kind.__new__(kind)

    assert caught.value.message.startswith("cannot read: ")


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (sdk.NoCredentialsError(), Unauthorized),
        (sdk.PartialCredentialsError(provider="env", cred_var="x"), Unauthorized),
        (sdk.ProfileNotFound(profile="nobody"), BadRequest),
        (sdk.NoRegionError(), BadRequest),
        (sdk.EndpointConnectionError(endpoint_url="http://x"), Lost),
        (sdk.ConnectTimeoutError(endpoint_url="http://x"), Lost),
        (sdk.ReadTimeoutError(endpoint_url="http://x"), Lost),
        (sdk.ConnectionClosedError(endpoint_url="http://x"), Lost),
        (ResponseParserError("b'<html>' and a secret"), Lost),
        (ConnectionResetError(104, "reset"), Lost),
    ],
)
def test_without_an_answer_it_is_our_credentials_our_files_or_the_line(
    error: Exception, expected: type[PlatformError]
) -> None:
    with pytest.raises(PlatformError) as caught, translated("lab", "read"):
        raise error

    assert type(caught.value) is expected
    assert "secret" not in str(caught.value)


def test_our_own_errors_pass_unchanged() -> None:
    ours = Capacity("full")

    with pytest.raises(Capacity) as caught, translated("lab", "read"):
        raise ours

    assert caught.value is ours


def test_what_tells_nothing_of_the_platform_is_never_a_fault() -> None:
    quiet = [
        "RequestLimitExceeded",
        "InsufficientInstanceCapacity",
        "InstanceLimitExceeded",
        "UnauthorizedOperation",
    ]

    assert all(issubclass(kind_of(code, 500), COULD_NOT_TELL) for code in quiet)
