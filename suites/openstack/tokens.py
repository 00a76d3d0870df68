"""Identity: what a token and an application credential are worth, and for how long.

Source: OpenStack Identity API v3 (authentication and token management, application credentials).
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any

import pytest

from provisioner.errors import Lost
from suites.claims import claim, same
from suites.openstack.wire import Answer, Wire
from suites.seams import NotApplicable, Observe, Subject

TRIES = 5  # several processes or threads may answer, each with a memory of its own
SHORT = timedelta(seconds=5)
LASTS = timedelta(minutes=30)  # a credential that an interrupted check leaves is worth nothing then


@dataclass(frozen=True, slots=True, kw_only=True)
class Credential:
    """An application credential of the user under test."""

    wire: Wire
    path: str
    id: str
    secret: str
    project: str

    def log_in(self, secret: str = "", **more: Any) -> Answer:
        """Ask for a token with it; the token is kept under the name ``fresh``."""
        known = {"id": self.id, "secret": secret or self.secret}
        identity = {"methods": ["application_credential"], "application_credential": known}
        body = {"auth": {"identity": identity, **more}}
        return self.wire("identity POST /auth/tokens", authenticated=False, keep="fresh", body=body)


@pytest.fixture
def credential(wire: Wire, not_applicable: NotApplicable) -> Iterator[Credential]:
    """A new application credential; gone at the end."""
    yield from issued(wire, not_applicable, LASTS)


@pytest.fixture
def short(wire: Wire, not_applicable: NotApplicable) -> Iterator[Credential]:
    """One that expires within seconds; gone at the end."""
    yield from issued(wire, not_applicable, SHORT)


def issued(wire: Wire, not_applicable: NotApplicable, lasts: timedelta) -> Iterator[Credential]:
    """A new application credential that expires after so long, by the cloud's clock."""
    own = wire("identity GET /auth/tokens", subject="own")
    same("one's own token", expected=200, actual=own.status)
    token, now = own.body["token"], datetime.now(UTC)
    if "date" in own.headers:
        now = parsedate_to_datetime(own.headers["date"])
    path = f"identity {{}} /users/{token['user']['id']}/application_credentials"
    secret = secrets.token_hex(16)
    asked = {
        "name": f"interop-os-{secrets.token_hex(4)}",
        "secret": secret,
        "expires_at": (now + lasts).strftime("%Y-%m-%dT%H:%M:%S.%f"),
    }
    made = wire(path.format("POST"), body={"application_credential": asked})
    if made.status == 403 and "application_credential" in token["methods"]:
        not_applicable("the platform is logged in to with an application credential itself")
    same("a new application credential", expected=201, actual=made.status)
    found = made.body["application_credential"]
    yield Credential(
        wire=wire, path=path, id=found["id"], secret=secret, project=token["project"]["id"]
    )
    wire(f"{path.format('DELETE')}/{found['id']}")


@pytest.mark.check("os-identity-04", needs=("openstack-api",))
@pytest.mark.cost("api")
def test_a_token_is_nothing_once_revoked(
    wire: Wire, credential: Credential, observe: Observe
) -> None:
    """A token is of the project it was asked for until it expires, and of nothing once revoked."""
    same("log-in", expected=201, actual=credential.log_in().status)
    operation = "identity GET /auth/tokens"
    shown = wire.given(200, "the token", operation, bearer="fresh", subject="fresh")["token"]
    same("its project", expected=credential.project, actual=shown["project"]["id"])
    issued, expires = (datetime.fromisoformat(shown[key]) for key in ("issued_at", "expires_at"))
    observe("token-lifetime", (expires - issued).total_seconds(), unit="s", source="api")
    claim(expires > issued, "it expires", expected=f"after {issued}", actual=expires)
    gone = wire("identity DELETE /auth/tokens", bearer="fresh", subject="fresh")
    same("revoking it", expected=204, actual=gone.status)
    wire.refused(404, "a revoked token, looked at", operation, subject="fresh")
    for _ in range(TRIES):
        wire.refused(401, "a revoked token, used", "identity GET /auth/projects", bearer="fresh")


@pytest.mark.check("os-identity-05", needs=("openstack-api",))
@pytest.mark.cost("api")
def test_an_application_credential_is_limited(wire: Wire, credential: Credential) -> None:
    """An application credential opens its project alone, makes no other, and ends when deleted."""
    wrong = credential.log_in("interop-not-the-secret")
    same("log-in with a wrong secret", expected=401, actual=wrong.status)
    elsewhere = credential.log_in(scope={"project": {"id": credential.project}})
    same("log-in that asks for a scope", expected=401, actual=elsewhere.status)
    same("log-in", expected=201, actual=credential.log_in().status)
    body = {"application_credential": {"name": f"interop-os-{secrets.token_hex(4)}"}}
    making = credential.path.format("POST")
    wire.refused(403, "a credential that makes another", making, body=body, bearer="fresh")
    gone = wire(f"{credential.path.format('DELETE')}/{credential.id}")
    same("deleting it", expected=204, actual=gone.status)
    after = credential.log_in()
    claim(after.status in (401, 404), "log-in", expected="401 or 404", actual=after.status)
    wire.refused((401, 404), "its token", "identity GET /auth/projects", bearer="fresh")


@pytest.mark.check("os-identity-08", needs=("openstack-api",))
@pytest.mark.cost("api")
def test_what_expired_opens_nothing(wire: Wire, short: Credential, observe: Observe) -> None:
    """An application credential ends at its time, and a token of it no later."""
    log_in = short.log_in()
    same("log-in", expected=201, actual=log_in.status)
    token = log_in.body["token"]
    issued, expires = (datetime.fromisoformat(token[key]) for key in ("issued_at", "expires_at"))
    lasts = (expires - issued).total_seconds()
    observe("token-of-short-credential", lasts, unit="s", source="api")
    most = SHORT.total_seconds() + 1  # the service tells whole seconds
    claim(0 < lasts <= most, "the token lasts", expected=f"up to {most:g} s", actual=lasts)
    operation = "identity GET /auth/domains"
    wire.given(200, "its token", operation, bearer="fresh")
    time.sleep(most)
    wire.refused(401, "a token that expired", operation, bearer="fresh")
    wire.refused(404, "it, looked at", "identity GET /auth/tokens", subject="fresh")
    same("log-in after it expired", expected=401, actual=short.log_in().status)


@pytest.mark.check("os-identity-06", needs=("openstack-api",))
@pytest.mark.cost("api")
def test_the_catalogue_leads_somewhere(wire: Wire, subject: Subject, observe: Observe) -> None:
    """Behind each public address of the catalogue somebody answers, also to a stranger."""
    region = str(subject.description.facts.get("region", ""))
    catalog = wire.given(200, "the catalogue", "identity GET /auth/catalog")["catalog"]
    addresses = {
        str(service["type"]): str(endpoint["url"])
        for service in catalog
        for endpoint in service["endpoints"]
        if endpoint["interface"] == "public" and endpoint["region"] in (region, None)
    }
    observe("services", sorted(addresses), source="api")
    claim(addresses, "public addresses of the region", expected="some", actual="none")
    for service, address in sorted(addresses.items()):
        try:
            status = wire(f"identity GET {address}", authenticated=False).status
        except Lost as lost:
            status, address = 0, f"{address}: {lost}"
        claim(
            status in (200, 300, 401, 403),
            f"{service} at {address}",
            expected="an answer",
            actual=status or "none",
        )
