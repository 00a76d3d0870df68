"""The metadata service's answers: tokens, trees, and what its defects change."""

from __future__ import annotations

import dataclasses
import json

import pytest

from provisioner.lab.aws.metadata import TOKEN_HEADER, TTL_HEADER, Card, Metadata, Reply
from provisioner.lab.aws.world import Instance, Subnet, Vpc

SUBNET = Subnet(id="subnet-1", cidr="172.31.0.0/20", zone="us-east-1a")
CARD = Card(
    instance=Instance(
        id="i-0123456789abcdef0", state="running", image="ami-1", size="t3.micro", vpc="vpc-1",
        subnet="subnet-1", mac="02:00:00:00:00:01", private="172.31.0.4", public="54.214.0.1",
        zone="us-east-1a", groups=("sg-1",), group_names=("web",), key="run", hop_limit=2,
        launched="2026-11-21T00:00:00Z", tags={"Name": "front-0"},
    ),
    vpc=Vpc(id="vpc-1", cidr="172.31.0.0/16", subnets=(SUBNET,)),
    subnet=SUBNET,
    region="us-east-1",
    account="1",
    public_key="ssh-ed25519 AAAA run",
    user_data=b"\x1f\x8b\x00last",
)  # fmt: skip
STRICT = dataclasses.replace(
    CARD, instance=dataclasses.replace(CARD.instance, tokens_required=True)
)
OTHER = dataclasses.replace(CARD, instance=dataclasses.replace(CARD.instance, id="i-other"))


class Clock:
    """Time that stands still until it is moved."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def get(service: Metadata, path: str, card: Card | None = CARD, token: str = "") -> Reply:
    headers = {TOKEN_HEADER: token} if token else {}
    return service.answer("GET", path, headers, card)


def new_token(service: Metadata, card: Card = CARD, ttl: str = "60") -> Reply:
    return service.answer("PUT", "/latest/api/token", {TTL_HEADER: ttl}, card)


def test_a_token_ends_with_its_time_to_live() -> None:
    clock = Clock()
    service = Metadata(clock)
    token = new_token(service).body.decode()

    clock.now += 59
    before = get(service, "/latest/meta-data/instance-id", STRICT, token).status
    clock.now += 1
    after = get(service, "/latest/meta-data/instance-id", STRICT, token).status

    assert (before, after) == (200, 401)


def test_a_token_is_of_no_use_to_another_instance() -> None:
    service = Metadata(Clock())
    token = new_token(service).body.decode()

    assert get(service, "/latest/meta-data/mac", OTHER, token).status == 401


def test_a_made_up_token_is_refused_even_where_none_is_needed() -> None:
    assert get(Metadata(Clock()), "/latest/meta-data/mac", CARD, "made-up").status == 401


@pytest.mark.parametrize(("card", "status"), [(CARD, 200), (STRICT, 401)])
def test_whether_a_token_is_needed_is_the_instances_option(card: Card, status: int) -> None:
    assert get(Metadata(Clock()), "/latest/meta-data/mac", card).status == status


@pytest.mark.parametrize("ttl", ["", "0", "21601", "-1", "ten", "1e3"])
def test_a_wrong_time_to_live_is_refused(ttl: str) -> None:
    assert new_token(Metadata(Clock()), ttl=ttl).status == 400


def test_the_token_travels_no_further_than_the_hop_limit() -> None:
    assert new_token(Metadata(Clock())).hops == 2


def test_a_forwarded_request_gets_no_token() -> None:
    headers = {TTL_HEADER: "60", "X-Forwarded-For": "10.0.0.1"}

    assert Metadata(Clock()).answer("PUT", "/latest/api/token", headers, CARD).status == 403


def test_nobody_and_the_switched_off_get_nothing() -> None:
    off = dataclasses.replace(
        CARD, instance=dataclasses.replace(CARD.instance, metadata_enabled=False)
    )
    service = Metadata(Clock())

    assert get(service, "/latest/meta-data/", None).status == 404
    assert get(service, "/latest/meta-data/", off).status == 403


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/latest/meta-data/instance-id", "i-0123456789abcdef0"),
        ("/2009-04-04/meta-data/local-hostname", "ip-172-31-0-4.ec2.internal"),
        ("/latest/meta-data/public-keys/", "0=run"),
        ("/latest/meta-data/public-keys/0/openssh-key", "ssh-ed25519 AAAA run"),
        ("/latest/meta-data/network/interfaces/macs/", "02:00:00:00:00:01/"),
        ("/latest/meta-data/network/interfaces/macs/02:00:00:00:00:01/vpc-id", "vpc-1"),
        ("/latest/meta-data/placement/", "availability-zone\nregion"),
        ("/latest/", "dynamic/\nmeta-data/\nuser-data"),
    ],
)
def test_the_tree(path: str, body: str) -> None:
    assert get(Metadata(Clock()), path).body.decode() == body


@pytest.mark.parametrize(
    "path", ["/1999-01-01/meta-data/", "/latest/meta-data/nothing", "/latest/meta-data/tags/"]
)
def test_what_is_not_there_is_not_found(path: str) -> None:
    assert get(Metadata(Clock()), path).status == 404


def test_tags_are_told_only_where_they_are_switched_on() -> None:
    shown = dataclasses.replace(
        CARD, instance=dataclasses.replace(CARD.instance, metadata_tags=True)
    )

    assert get(Metadata(Clock()), "/latest/meta-data/tags/instance/Name", shown).body == b"front-0"


def test_user_data_is_told_byte_for_byte() -> None:
    reply = get(Metadata(Clock()), "/latest/user-data")

    assert reply.body == b"\x1f\x8b\x00last"


def test_the_identity_document_names_the_instance() -> None:
    reply = get(Metadata(Clock()), "/latest/dynamic/instance-identity/document")

    assert json.loads(reply.body)["instanceId"] == "i-0123456789abcdef0"


@pytest.mark.parametrize(
    ("defect", "path"),
    [
        ("metadata-wrong-id", "/latest/meta-data/instance-id"),
        ("wrong-hostname", "/latest/meta-data/local-hostname"),
        ("user-data-altered", "/latest/user-data"),
    ],
)
def test_a_defect_changes_its_own_answer_only(defect: str, path: str) -> None:
    right, wrong = Metadata(Clock()), Metadata(Clock(), frozenset({defect}))

    assert get(right, path).body != get(wrong, path).body
    assert get(right, "/latest/meta-data/mac") == get(wrong, "/latest/meta-data/mac")


def test_with_the_defect_any_token_is_good() -> None:
    service = Metadata(Clock(), frozenset({"metadata-ignores-tokens"}))

    assert get(service, "/latest/meta-data/mac", STRICT).status == 200
    assert get(service, "/latest/meta-data/mac", STRICT, "made-up").status == 200
