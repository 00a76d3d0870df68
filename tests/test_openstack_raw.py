"""Raw calls to OpenStack: tokens are kept under names, and evidence holds no secret."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest

pytest.importorskip("openstack", reason="openstacksdk is not installed (extra openstack)")

from provisioner.drivers.openstack.cloud import Cloud
from provisioner.drivers.openstack.raw import Raw
from provisioner.errors import BadRequest
from suites.openstack.wire import without_secrets


class Double:
    """A cloud that issues one token and remembers what it was sent."""

    platform, token = "cloud", "the-own-token"

    def __init__(self) -> None:
        self.tenants: dict[str, Double] = {}
        self.sent: list[tuple[dict[str, str], bool]] = []

    def tenant(self, name: str) -> Double:
        return self.tenants.setdefault(name, Double())

    def send(self, *_: Any, headers: dict[str, str], authenticated: bool, **__: Any) -> Any:
        self.sent.append((headers, authenticated))
        return SimpleNamespace(
            status_code=201,
            headers={"X-Subject-Token": "issued", "x-subject-token": "issued", "X-Other": "told"},
            json=lambda: {"token": {}},
        )


@pytest.fixture
def cloud() -> Double:
    return Double()


def test_a_token_is_kept_under_a_name(cloud: Double) -> None:
    raw = Raw(cast(Cloud, cloud))

    answer = raw.call("identity POST /auth/tokens", {"authenticated": False, "keep": "fresh"})
    raw.call("identity GET /auth/tokens", {"bearer": "fresh", "subject": "own"})

    assert answer["headers"] == {"x-other": "told"}
    assert "issued" not in str(answer)
    assert cloud.sent == [
        ({}, False),
        ({"X-Auth-Token": "issued", "X-Subject-Token": "the-own-token"}, False),
    ]


def test_another_user_asks(cloud: Double) -> None:
    asked = {"tenant": "other", "subject": "own"}

    Raw(cast(Cloud, cloud)).call("identity GET /auth/tokens", asked)

    assert cloud.sent == []
    assert cloud.tenants["other"].sent == [({"X-Subject-Token": "the-own-token"}, True)]


def test_a_name_nobody_kept_is_refused(cloud: Double) -> None:
    with pytest.raises(BadRequest, match="'fresh' was not kept"):
        Raw(cast(Cloud, cloud)).call("identity GET /auth/projects", {"bearer": "fresh"})

    assert cloud.sent == []


def test_evidence_has_no_secret() -> None:
    body = {"transfer": {"id": "t", "auth_key": "k"}, "all": [{"secret": "s", "password": None}]}

    assert without_secrets(body) == {
        "transfer": {"id": "t", "auth_key": "(hidden)"},
        "all": [{"secret": "(hidden)", "password": None}],
    }
