"""The API's front: answers made true, tokens honoured, signatures checked; moto is played here."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from provisioner.lab import limits
from provisioner.lab.aws import wire
from provisioner.lab.aws.defects import DEFECTS, known
from provisioner.lab.aws.front import ELASTIC, Front
from provisioner.lab.aws.signing import Signer

KEY, SECRET = "AKIALAB", "secret"
HEAD = '<{0} xmlns="http://ec2.amazonaws.com/doc/2016-11-15">'
INSTANCES = (
    HEAD.format("DescribeInstancesResponse") + "<reservationSet><item><instancesSet>"
    "<item><instanceId>i-1</instanceId><instanceState><code>16</code><name>running</name>"
    "</instanceState></item><item><instanceId>i-2</instanceId><instanceState><code>16</code>"
    "<name>running</name></instanceState></item></instancesSet></item></reservationSet>"
    "</DescribeInstancesResponse>"
).encode()
NO_ADDRESSES = (
    HEAD.format("DescribeAddressesResponse") + "<addressesSet><item><publicIp>"
    f"{ELASTIC[0]}</publicIp></item></addressesSet></DescribeAddressesResponse>"
).encode()


class Guests:
    """The truth: i-1 still boots, i-2 is up."""

    def __init__(self) -> None:
        self.calls: list[str] = []

    def state(self, instance: str, told: str) -> str:
        return "pending" if instance == "i-1" and told == "running" else told

    def health(self, instance: str) -> str:
        return "ok"

    def console(self, instance: str) -> tuple[bytes, float]:
        return f"console of {instance}".encode(), 0.0

    def wake(self) -> None:
        self.calls.append("wake")

    def settle(self, timeout_s: float) -> bool:
        self.calls.append("settle")
        return True

    def settle_volumes(self, timeout_s: float) -> None:
        self.calls.append("volumes")

    def stop_hard(self, instance: str) -> None:
        self.calls.append(f"hard {instance}")

    def reboot(self, instance: str) -> None:
        self.calls.append(f"reboot {instance}")


class Moto:
    """Answers everything with one document and keeps what it was asked."""

    def __init__(self, body: bytes = INSTANCES) -> None:
        self.body = body
        self.asked: list[dict[str, str]] = []

    def __call__(self, environ: dict[str, Any], start: Any) -> Iterable[bytes]:
        length = int(environ["CONTENT_LENGTH"])
        self.asked.append(wire.parameters(environ["wsgi.input"].read(length)))
        assert Signer({KEY: SECRET}).good(environ, urlencode(self.asked[-1]).encode())
        start("200 OK", [("Content-Type", "text/xml")])
        return [self.body]


def request(fields: Mapping[str, str], secret: str = SECRET) -> dict[str, Any]:
    """A signed request as a server sees it."""
    body = urlencode(fields).encode()
    signed = AWSRequest(
        method="POST", url="http://127.0.0.1:5000/", data=body,
        headers={"Content-Type": "application/x-www-form-urlencoded", "Host": "127.0.0.1:5000"},
    )  # fmt: skip
    SigV4Auth(Credentials(KEY, secret), "ec2", "us-east-1").add_auth(signed)
    return {
        "REQUEST_METHOD": "POST",
        "PATH_INFO": "/",
        "CONTENT_TYPE": signed.headers["Content-Type"],
        "CONTENT_LENGTH": str(len(body)),
        "HTTP_HOST": "127.0.0.1:5000",
        "HTTP_X_AMZ_DATE": signed.headers["X-Amz-Date"],
        "HTTP_AUTHORIZATION": signed.headers["Authorization"],
        "wsgi.input": io.BytesIO(body),
    }


class Desk:
    """A front with its two sides."""

    def __init__(self, answer: bytes = INSTANCES, own: bytes = INSTANCES) -> None:
        self.guests, self.moto = Guests(), Moto(answer)
        self.front = Front(self.moto, self.guests, lambda fields: own, Signer({KEY: SECRET}))

    def ask(self, secret: str = SECRET, **fields: str) -> tuple[str, wire.Document]:
        got: list[str] = []
        named = {k.replace("__", "."): v for k, v in fields.items()}
        body = b"".join(
            self.front(request(named, secret), lambda status, headers: got.append(status))
        )
        return got[0], wire.Document(body)


def states(document: wire.Document) -> dict[str, str]:
    path = "reservationSet/item/instancesSet/item"
    return {
        document.text("instanceId", item): document.text("instanceState/name", item)
        for item in document.all(path)
    }


def test_an_instance_is_pending_until_its_guest_is_up() -> None:
    _, document = Desk().ask(Action="DescribeInstances")

    assert states(document) == {"i-1": "pending", "i-2": "running"}


@pytest.mark.parametrize(("wanted", "ids"), [("pending", {"i-1"}), ("running", {"i-2"})])
def test_the_state_filter_goes_by_the_true_state(wanted: str, ids: set[str]) -> None:
    _, document = Desk().ask(
        Action="DescribeInstances",
        Filter__1__Name="instance-state-name",
        Filter__1__Value__1=wanted,
    )

    assert set(states(document)) == ids


def test_the_console_is_the_guests() -> None:
    _, document = Desk().ask(Action="GetConsoleOutput", InstanceId="i-2")

    assert base64.b64decode(document.text("output")) == b"console of i-2"


@pytest.mark.parametrize(
    ("fields", "calls"),
    [
        ({"Action": "StopInstances", "InstanceId.1": "i-1", "Force": "true"}, ["hard i-1", "wake"]),
        ({"Action": "StopInstances", "InstanceId.1": "i-1"}, ["wake"]),
        ({"Action": "RebootInstances", "InstanceId.1": "i-2"}, ["reboot i-2", "wake"]),
        ({"Action": "AttachVolume"}, ["volumes"]),
        ({"Action": "AuthorizeSecurityGroupIngress"}, ["settle"]),
        ({"Action": "DescribeVpcs"}, []),
    ],
)
def test_calls_reach_the_guests(fields: dict[str, str], calls: list[str]) -> None:
    desk = Desk()

    desk.ask(**fields)

    assert desk.guests.calls == calls


def test_the_same_client_token_makes_one_thing() -> None:
    desk = Desk()

    first, _ = desk.ask(Action="CreateVolume", Size="1", ClientToken="t")
    second, _ = desk.ask(Action="CreateVolume", Size="1", ClientToken="t")
    third, refusal = desk.ask(Action="CreateVolume", Size="2", ClientToken="t")

    assert (first, second, third[:3]) == ("200 OK", "200 OK", "400")
    assert refusal.text("Errors/Error/Code") == "IdempotentParameterMismatch"
    assert len(desk.moto.asked) == 1


def test_user_data_over_the_limit_is_refused() -> None:
    def run(size: int) -> str:
        data = base64.b64encode(bytes(size)).decode()
        return Desk().ask(Action="RunInstances", UserData=data)[0][:3]

    assert (run(16384), run(16385)) == ("200", "400")


def test_an_elastic_address_is_chosen_among_those_that_can_be_routed() -> None:
    desk = Desk(own=NO_ADDRESSES)

    desk.ask(Action="AllocateAddress", Domain="vpc")

    assert desk.moto.asked == [
        {"Action": "AllocateAddress", "Domain": "vpc", "Address": ELASTIC[1]}
    ]


VOLUMES = (
    HEAD.format("DescribeVolumesResponse") + "<volumeSet>"
    + "".join(f"<item><volumeId>vol-{n}</volumeId></item>" for n in range(5))
    + "</volumeSet></DescribeVolumesResponse>"
).encode()  # fmt: skip


@pytest.mark.parametrize("size", [1, 2, 5, 6])
def test_pages_of_any_size_make_the_whole_list(size: int) -> None:
    desk, seen, more = Desk(VOLUMES), list[str](), dict[str, str]()
    for _ in range(6):
        _, page = desk.ask(Action="DescribeVolumes", MaxResults=str(size), **more)
        items = [page.text("volumeId", item) for item in page.all("volumeSet/item")]
        assert len(items) <= size
        seen += items
        more = {"NextToken": page.text("nextToken")}
        if not more["NextToken"]:
            break

    assert seen == [f"vol-{n}" for n in range(5)]


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"Action": "TransmogrifyVolumes"}, "InvalidAction"),
        ({"Action": "CreateTags", "Tag.1.Value": "a\0b"}, "InvalidParameterValue"),
        ({"Action": "DescribeVolumes", "NextToken": "no token"}, "InvalidNextToken"),
        ({"Action": "DescribeVolumes", "NextToken": "é"}, "InvalidNextToken"),
        ({"Action": "DescribeVolumes", "MaxResults": "-1"}, "InvalidParameterValue"),
    ],
)
def test_what_the_front_door_refuses(fields: dict[str, str], code: str) -> None:
    desk = Desk()

    status, document = desk.ask(**fields)

    assert (status[:3], document.text("Errors/Error/Code")) == ("400", code)
    assert desk.moto.asked == []


def test_a_wrong_secret_is_not_helped() -> None:
    signer = Signer({KEY: SECRET})
    fields = {"Action": "AllocateAddress"}

    assert signer.good(request(fields), urlencode(fields).encode())
    assert not signer.good(request(fields, "guessed"), urlencode(fields).encode())
    assert not signer.good(request(fields), b"Action=TerminateInstances")


def test_an_unknown_defect_is_refused_by_name() -> None:
    assert known(["console-empty"]) == {"console-empty"}
    with pytest.raises(ValueError, match="unknown defect of lab-aws: nonsense; known: address"):
        known(["nonsense"])


def test_every_defect_names_the_checks_that_notice_it() -> None:
    assert all(defect.checks and defect.says for defect in DEFECTS.values())


@pytest.mark.parametrize(("found", "after"), [("128\n", "128\n"), ("9999\n", "9999\n")])
def test_the_inotify_limit_is_put_back(tmp_path: Path, found: str, after: str) -> None:
    limit, before = tmp_path / "limit", tmp_path / "before"
    limit.write_text(found)

    limits.raise_limit(limit, before)
    raised = int(limit.read_text())
    limits.restore_limit(limit, before)

    assert raised >= limits.ENOUGH
    assert limit.read_text() == after
    assert not before.exists()
