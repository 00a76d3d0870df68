"""Fixtures that only checks need; the rest comes from the harness's plugin."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import pytest

from provisioner.deployment import Member
from provisioner.errors import Lost, PlatformError
from provisioner.resources import FirewallSpec, Kind, Ref, Rule, Support
from suites.lifetime import Lifetime
from suites.newcomer import user_data
from suites.seams import Bench, Inside, Members, Patience, Subject
from suites.sight import Sight

ROOT_GIB = 2  # asked for by the machine of the destructive checks (disk-01)
VOLUME_GIB = 1


@pytest.hookimpl(wrapper=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> Generator[None, object, object]:
    """What fails while a part of the platform does not answer is blocked, and names the part."""
    try:
        return (yield)
    except (AssertionError, PlatformError) as failed:
        subject: Any = pyfuncitem.funcargs.get("subject")
        features = frozenset() if subject is None else subject.description.features
        if "kubernetes" in features and isinstance(failed, AssertionError):
            from suites.kubernetes import nodes

            if gone := nodes.lost(subject):
                raise Lost(f"{nodes.told(gone)}; seen: {failed}", subject.name) from failed
        if "openstack-api" in features:
            from suites.openstack import outage

            if why := outage.explained(subject, failed):
                raise Lost(why, subject.name) from failed
        raise


@pytest.fixture(scope="session")
def sight(inside: Inside, patience: Patience, members: Members) -> Sight:
    """What members look like from inside, seen once."""
    return Sight(inside, patience, members)


@pytest.fixture(scope="session")
def wish(bench: Bench, subject: Subject) -> dict[str, Any]:
    """How the victim is asked for: user data of all sorts, a root disk, and a way in."""
    kinds, features = subject.description.kinds, subject.description.features
    fields: dict[str, Any] = {"disk_gib": ROOT_GIB}
    if "user-data" in features:
        fields["user_data"] = user_data(subject.description)
    if kinds.get(Kind.FIREWALL) is Support.MANAGED:
        rule = Rule(source="harness", protocol="tcp", first_port=22, last_port=22)
        bench.create(Kind.FIREWALL, "victim", FirewallSpec(rules=(rule,)))
        fields["firewalls"] = (Ref(Kind.FIREWALL, "victim"),)
    return fields


@pytest.fixture(scope="session")
def victim(bench: Bench, subject: Subject, wish: dict[str, Any]) -> Member:
    """The one machine of the destructive checks, with a data volume where there are volumes.

    A metal site may have a single spare machine, so all of them share it: it is started with the
    user data that meta-04 looks for and with the root disk size that disk-01 looks for.
    """
    with_volume = {"volume", "attachment"} <= subject.description.features
    return bench.machine("victim", volume_gib=VOLUME_GIB if with_volume else 0, **wish)


@pytest.fixture(scope="session")
def lifetime(
    bench: Bench, inside: Inside, subject: Subject, patience: Patience, victim: Member
) -> Lifetime:
    """The victim's recorded life: each transition happens once, whoever asks first."""
    return Lifetime(bench=bench, inside=inside, subject=subject, patience=patience, member=victim)
