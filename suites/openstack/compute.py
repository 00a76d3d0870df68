"""Compute: lists, refusals that leave nothing behind, microversions and key pairs.

Source: OpenStack Compute API (servers, keypairs, microversions).
"""

from __future__ import annotations

import base64
import hashlib
import secrets

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provisioner.resources import KeySpec, Kind
from suites.api.resources import generated
from suites.claims import claim, same
from suites.keys import make_rsa_key
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
    """A server with a bad image, size, network, group or name is refused, and none is left."""
    name = f"interop-refused-{secrets.token_hex(4)}"
    image = subject.description.images[0].id
    size = subject.description.sizes[0].id
    good = {"name": name, "imageRef": image, "flavorRef": size, "networks": "none"}
    for what, wrong in (
        ("image", {"imageRef": GONE}),
        ("size", {"flavorRef": "interop-no-such-size"}),
        ("network", {"networks": [{"uuid": GONE}]}),
        ("security group", {"security_groups": [{"name": f"{name}-no-such-group"}]}),
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


@pytest.mark.check("os-compute-16", needs=("openstack-api",))
@pytest.mark.cost("api")
def test_user_data_has_a_limit(wire: Wire, subject: Subject) -> None:
    """User data over 65,535 characters, or that is no base64, is refused, and no server is left."""
    name = f"interop-refused-{secrets.token_hex(4)}"
    image, size = subject.description.images[0].id, subject.description.sizes[0].id
    for what, data in (("over the limit", "A" * 65_536), ("that is no base64", "!interop!")):
        server = {"name": name, "imageRef": image, "flavorRef": size, "networks": "none"}
        wire.refused(
            400,
            f"user data {what}",
            "compute POST /servers",
            body={"server": {**server, "user_data": data}},
            microversion="2.37",
        )
    left = wire.given(200, "servers", "compute GET /servers", query={"name": name})
    same("servers that are left", expected=0, actual=len(left["servers"]))


@pytest.mark.check("os-compute-17", needs=("openstack-api",))
@pytest.mark.cost("api")
def test_a_key_has_its_true_fingerprint(wire: Wire, bench: Bench) -> None:
    """Keys of both kinds, Ed25519 and RSA, are taken, and their fingerprints are those of MD5."""
    for kind, text in (("Ed25519", KEY), ("RSA", make_rsa_key())):
        spec = KeySpec(public_key=f"{text} interop")
        handle = bench.create(Kind.KEY, f"interop-os-{secrets.token_hex(4)}", spec)
        try:
            shown = wire.given(200, "the key", f"compute GET /os-keypairs/{handle.id}")["keypair"]
            digest = hashlib.md5(base64.b64decode(text.split()[1]), usedforsecurity=False)
            expected = digest.digest().hex(":")
            same(f"fingerprint of a key of {kind}", expected=expected, actual=shown["fingerprint"])
        finally:
            bench.remove(handle)
