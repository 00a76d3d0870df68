"""What the checks of the OpenStack APIs share.

Checks that make a network have the cost "own", however cheap they are: while a project has
several, nova refuses a machine that names none, and such machines are what other checks make.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator

import pytest

from provisioner.driver import Handle
from provisioner.resources import Kind, MachineSpec, NetworkSpec, Ref
from suites.openstack.wire import Wire
from suites.seams import Bench, Evidence, Subject


@pytest.fixture
def wire(subject: Subject, evidence: Evidence) -> Wire:
    """The services of the platform under test."""
    return Wire(subject, evidence)


@pytest.fixture(scope="package")
def server(bench: Bench) -> Iterator[Handle]:
    """A server for all checks of what can be done with one; each leaves it ACTIVE."""
    name = f"os-{secrets.token_hex(3)}"
    network = bench.create(Kind.NETWORK, name, NetworkSpec(cidr="10.94.0.0/24"))
    machine = bench.create(Kind.MACHINE, name, MachineSpec(network=Ref(Kind.NETWORK, name)))
    yield machine
    bench.remove(machine)
    bench.remove(network)
