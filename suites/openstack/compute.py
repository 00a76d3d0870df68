"""Compute: lists, refusals that leave nothing behind, microversions and key pairs.

Source: OpenStack Compute API (servers, keypairs, microversions).
"""

from __future__ import annotations

import secrets

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provisioner.resources import KeySpec, Kind
from suites.api.resources import generated
from suites.claims import claim, same
from suites.openstack.wire import Wire
from suites.seams import Bench, Observe, Subject

GONE = "00000000-0000-4000-8000-0000000000ff"
EXAMPLES = 20
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ0NTE3p1sJTbM1CzZbRIGY7r7bHhbKQsUyG7d6SZ7Xm"


@pytest.mark.check("os-compute-01", needs=("openstack-api",))
@pytest.mark.cost("api")
def test_a_limit_is_a_number_of_things(wire: Wire) -> None:
    """A list of servers takes a limit of 0 or more and refuses one that is no such number."""
    wire.given(200, "servers with limit 1", "compute GET /servers", query={"limit": "1"})
    for limit in ("-1", "many"):
        wire.refused(
            400, f"servers with limit {limit}", "compute GET /servers", query={"limit": limit}
        )


@pytest.mark.check("os-compute-02", needs=("openstack-api",))
@pytest.mark.cost("api")
def test_a_refused_server_leaves_nothing(wire: Wire, subject: Subject) -> None:
    """A server with a bad image, size, network or name is refused with 4xx, and none is left."""
    name = f"interop-refused-{secrets.token_hex(4)}"
    image = subject.description.images[0].id
    size = subject.description.sizes[0].id
    good = {"name": name, "imageRef": image, "flavorRef": size, "networks": "none"}
    for what, wrong in (
        ("image", {"imageRef": GONE}),
        ("size", {"flavorRef": "interop-no-such-size"}),
        ("network", {"networks": [{"uuid": GONE}]}),
        ("name of 256 characters", {"name": name + "x" * (256 - len(name))}),
        ("name of white space", {"name": "  "}),
    ):
        wire.refused(
            (400, 404),
            f"a server with a bad {what}",
            "compute POST /servers",
            body={"server": {**good, **wrong}},
            microversion="2.37",
        )
    left = wire.given(200, "servers", "compute GET /servers", query={"name": name})
    same("servers that are left", expected=0, actual=len(left["servers"]))


@pytest.mark.check("os-compute-03", needs=("openstack-api",))
@pytest.mark.cost("api")
def test_a_moment_that_is_none_is_refused(wire: Wire) -> None:
    """A list of what changed since no moment at all is refused with 400."""
    query = {"changes-since": "the day before yesterday"}
    wire.refused(400, "servers changed since no moment", "compute GET /servers", query=query)


@pytest.mark.check("os-compute-04", needs=("openstack-api",))
@pytest.mark.cost("api")
def test_a_microversion_is_kept_or_refused(wire: Wire, observe: Observe) -> None:
    """A microversion that is spoken is echoed, one that is not is refused with 406."""
    spoken = wire("compute GET /servers", microversion="2.2")
    same("status with microversion 2.2", expected=200, actual=spoken.status)
    told = spoken.headers.get("openstack-api-version", "")
    same("version told of the answer", expected="compute 2.2", actual=told)
    wire.refused(406, "a microversion of the future", "compute GET /servers", microversion="2.9999")
    observe("microversion", told, source="api")


@pytest.mark.check("os-compute-05", needs=("openstack-api",))
@pytest.mark.cost("api")
def test_key_pairs_are_imported_once(wire: Wire, bench: Bench, subject: Subject) -> None:
    """A public key is imported as it is, its name is taken then, and what is no key is refused."""
    name = f"interop-os-{secrets.token_hex(4)}"
    handle = bench.create(Kind.KEY, name, KeySpec(public_key=f"{KEY} interop"))
    try:
        shown = wire.given(200, "the key", f"compute GET /os-keypairs/{handle.id}")["keypair"]
        same("the key's text", expected=KEY, actual=" ".join(shown["public_key"].split()[:2]))
        again = {"keypair": {"name": handle.id, "public_key": KEY}}
        wire.refused(409, "a key of a taken name", "compute POST /os-keypairs", body=again)
        bad = {"keypair": {"name": f"{name}-bad", "public_key": "ssh-ed25519 what?"}}
        wire.refused(400, "what is no key", "compute POST /os-keypairs", body=bad)
    finally:
        bench.remove(handle)
    wire.refused(404, "a key that was removed", f"compute DELETE /os-keypairs/{handle.id}")


@pytest.mark.check("os-compute-06", needs=("openstack-api",))
@pytest.mark.cost("api")
def test_any_text_may_be_looked_for(wire: Wire, seed: int, observe: Observe) -> None:
    """Any text as the name to look for gives a list or is refused, and is never a server error."""
    observe("seed", seed, source="observed")

    @generated(seed, EXAMPLES)
    @given(st.text(st.characters(codec="utf-8"), max_size=40))
    def looked_for(text: str) -> None:
        answer = wire("compute GET /servers", query={"name": text})
        claim(
            answer.status in (200, 400),
            f"servers of the name {text!r}",
            expected="200 or 400",
            actual=answer.status,
        )

    looked_for()
