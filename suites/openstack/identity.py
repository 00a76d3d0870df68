"""Identity: who may find out what without a token, and what a wrong one is worth.

Source: OpenStack Identity API v3 (versions, authentication and token management).
"""

from __future__ import annotations

import pytest

from suites.claims import claim, same
from suites.openstack.wire import Wire
from suites.seams import Observe

NOBODY = "interop-nobody-of-that-name"
PROTECTED = ("compute GET /servers", "network GET /networks", "image GET /images")


@pytest.mark.check("os-identity-01", needs=("openstack-api",))
@pytest.mark.cost("api")
def test_versions_are_told_to_anybody(wire: Wire, observe: Observe) -> None:
    """The identity service tells its versions to a client that has no token yet."""
    body = wire.given(200, "versions without a token", "identity GET /", authenticated=False)
    version = body.get("version") or body["versions"]["values"][0]
    observe("identity-version", version["id"], source="api")
    claim(version["id"].startswith("v3"), "version", expected="v3.x", actual=version["id"])
    claim(version["links"], "links of the version", expected="some", actual="none")


@pytest.mark.check("os-identity-02", needs=("openstack-api",))
@pytest.mark.cost("api")
def test_an_unknown_user_and_a_wrong_password_look_alike(wire: Wire) -> None:
    """Whether a user exists cannot be told from how a log-in is refused."""
    answers = [
        wire.refused(
            401,
            f"log-in as {name} with a wrong password",
            "identity POST /auth/tokens",
            authenticated=False,
            body={
                "auth": {
                    "identity": {
                        "methods": ["password"],
                        "password": {
                            "user": {
                                "name": name,
                                "domain": {"id": "default"},
                                "password": "interop-not-the-password",
                            }
                        },
                    }
                }
            },
        )
        for name in ("admin", NOBODY)
    ]
    same(
        "message for an unknown user",
        expected=answers[0].message,
        actual=answers[1].message,
    )


@pytest.mark.check("os-identity-03", needs=("openstack-api",))
@pytest.mark.cost("api")
def test_a_made_up_token_opens_nothing(wire: Wire) -> None:
    """A token that nobody issued is refused with 401 by every service."""
    for operation in PROTECTED:
        wire.refused(
            401,
            f"{operation} with a made-up token",
            operation,
            authenticated=False,
            headers={"X-Auth-Token": "0123456789abcdef0123456789abcdef"},
        )
