"""Errors of AWS in our words: every code has exactly one class, also those nobody foresaw."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from botocore import exceptions as sdk
from botocore.parsers import ResponseParserError

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

RETRY_AFTER_S = 2.0  # EC2 does not say; its buckets refill within seconds

# Source: EC2 API reference, "Error codes"; S3 API reference, "Error responses".
CODES: dict[str, type[PlatformError]] = {
    # who is asking
    "AuthFailure": Unauthorized,
    "UnauthorizedOperation": Unauthorized,
    "OptInRequired": Unauthorized,
    "Blocked": Unauthorized,
    "PendingVerification": Unauthorized,
    "AccessDenied": Unauthorized,
    "AccessDeniedException": Unauthorized,
    "InvalidAccessKeyId": Unauthorized,
    "InvalidClientTokenId": Unauthorized,
    "SignatureDoesNotMatch": Unauthorized,
    "ExpiredToken": Unauthorized,
    "ExpiredTokenException": Unauthorized,
    "RequestExpired": Unauthorized,
    "RequestTimeTooSkewed": Unauthorized,
    "MissingAuthenticationToken": Unauthorized,
    "UnrecognizedClientException": Unauthorized,
    # too fast, too much, no room
    "RequestLimitExceeded": Throttled,
    "Throttling": Throttled,
    "ThrottlingException": Throttled,
    "ThrottledException": Throttled,
    "RequestThrottled": Throttled,
    "TooManyRequestsException": Throttled,
    "SlowDown": Throttled,
    "Client.RequestLimitExceeded": Throttled,
    "EC2ThrottledException": Throttled,
    "BandwidthLimitExceeded": Throttled,
    "PriorRequestNotComplete": Throttled,
    "SnapshotCreationPerVolumeRateExceeded": Throttled,
    "VcpuLimitExceeded": Quota,
    "TooManyBuckets": Quota,
    "TagLimitExceeded": BadRequest,  # of one resource, not of the account
    "InsufficientAddressCapacity": Capacity,
    "InsufficientCapacity": Capacity,
    "InsufficientFreeAddressesInSubnet": Capacity,
    "InsufficientHostCapacity": Capacity,
    "InsufficientInstanceCapacity": Capacity,
    "InsufficientReservedInstanceCapacity": Capacity,
    "InsufficientVolumeCapacity": Capacity,
    "Unsupported": Unsupported,
    "UnsupportedOperation": Unsupported,
    "UnsupportedOperationException": Unsupported,
    "NotImplemented": Unsupported,
    # the state of things
    "DependencyViolation": Conflict,
    "IncorrectInstanceState": Conflict,
    "IncorrectState": Conflict,
    "IncorrectStateException": Conflict,
    "InvalidState": Conflict,
    "VolumeInUse": Conflict,
    "IdempotentParameterMismatch": Conflict,
    "IdempotentInstanceTerminated": Conflict,
    "OperationNotPermitted": Conflict,
    "RouteAlreadyExists": Conflict,
    "NetworkAclEntryAlreadyExists": Conflict,
    "EntityAlreadyExists": Conflict,
    "AddressInUse": Conflict,
    "InvalidIPAddress.InUse": Conflict,
    "InvalidNetworkInterface.InUse": Conflict,
    "InvalidSnapshot.InUse": Conflict,
    "InvalidGroup.InUse": Conflict,
    "InvalidGroup.Duplicate": Conflict,
    "InvalidKeyPair.Duplicate": Conflict,
    "InvalidPermission.Duplicate": Conflict,
    "InvalidAMIName.Duplicate": Conflict,
    "InvalidSubnet.Conflict": Conflict,
    "Resource.AlreadyAssociated": Conflict,
    "BucketAlreadyExists": Conflict,
    "BucketAlreadyOwnedByYou": Conflict,
    "BucketNotEmpty": Conflict,
    "OperationAborted": Conflict,
    "InvalidBucketState": Conflict,
    # not there
    "InvalidAMIID.NotFound": NotFound,
    "InvalidAMIID.Unavailable": NotFound,
    "InvalidAddress.NotFound": NotFound,
    "InvalidAllocationID.NotFound": NotFound,
    "InvalidAssociationID.NotFound": NotFound,
    "InvalidAttachment.NotFound": NotFound,
    "InvalidGroup.NotFound": NotFound,
    "InvalidInstanceID.NotFound": NotFound,
    "InvalidInternetGatewayID.NotFound": NotFound,
    "InvalidKeyPair.NotFound": NotFound,
    "InvalidNetworkInterfaceID.NotFound": NotFound,
    "InvalidRouteTableID.NotFound": NotFound,
    "InvalidSnapshot.NotFound": NotFound,
    "InvalidSubnetID.NotFound": NotFound,
    "InvalidVolume.NotFound": NotFound,
    "InvalidVpcID.NotFound": NotFound,
    "Gateway.NotAttached": NotFound,
    "NoSuchBucket": NotFound,
    "NoSuchKey": NotFound,
    "NoSuchTagSet": NotFound,
    "NoSuchUpload": NotFound,
    "NoSuchVersion": NotFound,
    "NoSuchEntity": NotFound,
    # the request itself
    "VPCIdNotSpecified": BadRequest,
    "VPCResourceNotSpecified": BadRequest,
    "DefaultVpcDoesNotExist": BadRequest,
    # the platform
    "InternalError": PlatformFault,
    "InternalFailure": PlatformFault,
    "ServerInternal": PlatformFault,
    "ServiceUnavailable": PlatformFault,
    "Unavailable": PlatformFault,
}

# What whole families of codes mean, for those not named above; the first that fits.
_ENDINGS: tuple[tuple[str, type[PlatformError]], ...] = (
    (".NotFound", NotFound),
    (".Duplicate", Conflict),
    (".InUse", Conflict),
    (".Malformed", BadRequest),
    ("LimitExceeded", Quota),
    ("QuotaExceeded", Quota),
)

_BY_STATUS: dict[int, type[PlatformError]] = {
    401: Unauthorized,
    403: Unauthorized,
    404: NotFound,
    409: Conflict,
    429: Throttled,
    501: Unsupported,
}

# Errors of the SDK without an answer of the platform; the first that fits, else ``Lost``.
_WITHOUT_ANSWER: tuple[tuple[type[Exception], type[PlatformError]], ...] = (
    (sdk.NoCredentialsError, Unauthorized),
    (sdk.PartialCredentialsError, Unauthorized),
    (sdk.CredentialRetrievalError, Unauthorized),
    (sdk.SSOError, Unauthorized),
    (sdk.TokenRetrievalError, Unauthorized),
    (sdk.NoAuthTokenError, Unauthorized),
    (sdk.UnauthorizedSSOTokenError, Unauthorized),
    (sdk.SSLError, Unauthorized),
    (sdk.ProfileNotFound, BadRequest),
    (sdk.ConfigNotFound, BadRequest),
    (sdk.ConfigParseError, BadRequest),
    (sdk.NoRegionError, BadRequest),
    (sdk.InvalidRegionError, BadRequest),
    (sdk.ParamValidationError, BadRequest),
    (sdk.ValidationError, BadRequest),
    (sdk.UnknownServiceError, Unsupported),
    (sdk.OperationNotPageableError, Unsupported),
)


def kind_of(code: str, status: int) -> type[PlatformError]:
    """The class of an error the platform answered with; total: there is always one."""
    if code in CODES:
        return CODES[code]
    for ending, kind in _ENDINGS:
        if code.endswith(ending):
            return kind
    if status in _BY_STATUS:
        return _BY_STATUS[status]
    return PlatformFault if status >= 500 or status < 400 else BadRequest


def translate(error: Exception, platform: str, what: str) -> PlatformError:
    """An error of the SDK as one of ours. *what* was being done: "create volume data"."""
    if isinstance(error, sdk.ClientError):
        meta = error.response.get("ResponseMetadata", {})
        said = error.response.get("Error", {})
        code, text = str(said.get("Code", "")), str(said.get("Message", ""))
        kind = kind_of(code, int(meta.get("HTTPStatusCode") or 0))
        message = f"cannot {what}: {code}: {text}" if text else f"cannot {what}: {code}"
        request = str(meta.get("RequestId", ""))
        if kind is Throttled:
            return Throttled(message, platform, request, RETRY_AFTER_S)
        return kind(message, platform, request)
    for foreign, kind in _WITHOUT_ANSWER:
        if isinstance(error, foreign):
            return kind(f"cannot {what}: {_plain(error)}", platform)
    if isinstance(error, ResponseParserError):
        # Its text is the whole answer, of which nobody could read a word.
        return Lost(f"cannot {what}: the answer is not one of the API", platform)
    return Lost(f"cannot {what}: {_plain(error)}", platform)


def _plain(error: Exception) -> str:
    """The SDK's words on one line."""
    return " ".join(str(error).split()) or type(error).__name__


@contextmanager
def translated(platform: str, what: str) -> Iterator[None]:
    """Lets no error of the SDK out; ours pass unchanged."""
    try:
        yield
    except PlatformError:
        raise
    except (sdk.ClientError, sdk.BotoCoreError, ResponseParserError, OSError) as error:
        raise translate(error, platform, what) from error
