"""A machine is reached and administered with a key, by a user that can be found out."""

from __future__ import annotations

import base64
import hashlib

import pytest

from provisioner.driver import Access
from provisioner.errors import Lost
from provisioner.resources import KeySpec, Kind
from suites.claims import claim, observed_as_declared, same
from suites.keys import make_public_key
from suites.seams import Bench, Evidence, Members, Observe, Patience, Subject
from suites.sight import Sight, holder_of


@pytest.mark.check("alloc-01", needs=("machine", "key", "ssh"))
@pytest.mark.cost("shared")
def test_a_key_is_registered_used_and_removed(
    subject: Subject,
    bench: Bench,
    members: Members,
    sight: Sight,
    observe: Observe,
    evidence: Evidence,
) -> None:
    """A key registered for this run logs in, and another one leaves no trace once removed."""
    extra = make_public_key("alloc-01")
    handle = bench.create(Kind.KEY, "alloc-01", KeySpec(public_key=extra))
    held = subject.driver.read(handle)
    claim(held is not None, "a registered key is there", expected="a key", actual="nothing")
    seen = sight.of(members[0], "access", evidence)
    observe("authorized-keys", len(seen["authorized_keys"]), member=members[0].name)
    claim(
        seen["authorized_keys"],
        f"{members[0].name} lets the run's key in",
        expected="its fingerprint among the user's authorized keys",
        actual="no key at all",
    )
    claim(
        fingerprint(extra) not in seen["authorized_keys"],
        f"{members[0].name} lets only the keys in that it was asked for with",
        expected="the run's key",
        actual="a key registered later as well",
    )

    bench.remove(handle)

    left = [found.id for found in subject.driver.find(subject.owner) if found.id == handle.id]
    same("a removed key is no longer listed", expected=[], actual=left)
    gone = subject.driver.read(handle)
    claim(gone is None, "a removed key is gone", expected="nothing", actual=gone and gone.status)


@pytest.mark.check("alloc-05", needs=("machine",))
@pytest.mark.cost("shared")
def test_an_address_is_reached_by_one_rule(
    subject: Subject,
    members: Members,
    sight: Sight,
    patience: Patience,
    observe: Observe,
    evidence: Evidence,
) -> None:
    """The same rule says for every member how the harness gets in, and it works."""
    rules = {}
    for member in members:
        access = member.state.access
        claim(access, f"{member.name} says how to get in", expected="a way", actual="none")
        assert access is not None
        rules[member.name] = _rule(access, member.state.addresses)
        addressing = sight.of(member, "addressing", evidence)
        at = "interface" if holder_of(access.host, addressing) else "translated"
        observe("reach", access.how if access.how == "exec" else f"{access.how}, {at}")
        observe("reach-address", rules[member.name], source="api", member=member.name)
        if access.how == "ssh":
            banner = _banner(subject, access, patience("api"))
            evidence(f"{member.name}: first bytes of {access.host}:{access.port}", banner)
            claim(
                banner.startswith("SSH-2.0-"),
                f"{member.name} answers at {access.host}:{access.port}",
                expected="the greeting of an SSH server",
                actual=banner,
            )
    same("one rule serves all members", expected=1, actual=len(set(rules.values())))
    claim(
        "none" not in rules.values(),
        "the address to log in at is one the API tells",
        expected="private or public",
        actual="none of the told addresses",
    )


@pytest.mark.check("alloc-06", needs=("machine", "ssh"))
@pytest.mark.cost("shared")
def test_the_login_user_is_discoverable(
    members: Members, sight: Sight, observe: Observe, evidence: Evidence
) -> None:
    """The user that the platform's data names is the one that logs in."""
    for member in members:
        told = member.state.access.user if member.state.access else ""
        seen = sight.of(member, "access", evidence)["user"]

        observe("login-user", seen, member=member.name)
        observe("login-user", told, source="api", member=member.name)
        same(f"{member.name}: the told user logs in", expected=told, actual=seen)


@pytest.mark.check("alloc-07", needs=("machine", "ssh"))
@pytest.mark.cost("shared")
def test_root_without_password_and_no_password_login(
    subject: Subject, members: Members, sight: Sight, observe: Observe, evidence: Evidence
) -> None:
    """The login user becomes root unasked, and nobody logs in with a password."""
    for member in members:
        seen = sight.of(member, "access", evidence)
        settings = seen["sshd"]
        observed_as_declared(subject, observe, "sudo", seen["root"], member.name)
        claim(
            seen["root"],
            f"{member.name}: {seen['user']} becomes root without a password",
            expected="root",
            actual="sudo -n is refused",
        )
        claim(settings, f"{member.name}: sshd tells its settings", expected="some", actual="none")
        for name in ("passwordauthentication", "kbdinteractiveauthentication"):
            usable = settings[name] == "yes" and seen["accounts_with_password"]
            observe(name, settings[name], member=member.name)
            wrong = settings[name] == "yes" and (name.startswith("pass") or usable)
            claim(not wrong, f"{member.name}: sshd {name}", expected="no", actual="yes")


def fingerprint(public_key: str) -> str:
    """SHA256 fingerprint of an OpenSSH public key."""
    digest = hashlib.sha256(base64.b64decode(public_key.split()[1])).digest()
    return "SHA256:" + base64.b64encode(digest).decode().rstrip("=")


def _rule(access: Access, addresses: object) -> str:
    """Which of the told addresses the way in uses."""
    told = dict(addresses) if isinstance(addresses, dict) else {}
    if access.how == "exec" and not access.host:
        return "exec"
    return next((name for name, value in sorted(told.items()) if value == access.host), "none")


def _banner(subject: Subject, access: Access, timeout_s: float) -> str:
    """What an SSH server says first. Raises Lost."""
    try:
        with subject.dial(access.host, access.port, timeout_s) as sock:
            sock.settimeout(timeout_s)
            return sock.recv(255).decode("ascii", "replace").split("\n")[0].strip()
    except OSError as error:
        raise Lost(f"{access.host}:{access.port} says nothing: {error}") from error
