"""What the checks of the OpenStack APIs share."""

from __future__ import annotations

import secrets

import pytest

from provisioner.driver import Handle
from provisioner.resources import Kind, MachineSpec, NetworkSpec, Ref
from suites.openstack.wire import Wire
from suites.seams import Bench, Evidence, Subject


@pytest.fixture
def wire(subject: Subject, evidence: Evidence) -> Wire:
    """The services of the platform under test."""
    return Wire(subject, evidence)


@pytest.fixture(scope="session")
def server(bench: Bench) -> Handle:
    """A server for all checks of what can be done with one; each leaves it ACTIVE."""
    name = f"os-{secrets.token_hex(3)}"
    bench.create(Kind.NETWORK, name, NetworkSpec(cidr="10.94.0.0/24"))
    return bench.create(Kind.MACHINE, name, MachineSpec(network=Ref(Kind.NETWORK, name)))
