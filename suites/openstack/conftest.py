"""What the checks of the OpenStack APIs share."""

from __future__ import annotations

import pytest

from suites.openstack.wire import Wire
from suites.seams import Evidence, Subject


@pytest.fixture
def wire(subject: Subject, evidence: Evidence) -> Wire:
    """The services of the platform under test."""
    return Wire(subject, evidence)
