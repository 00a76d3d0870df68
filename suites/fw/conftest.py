"""The machine behind a firewall that the checks of this chapter share."""

from __future__ import annotations

import pytest

from suites.fw.walled import Wall
from suites.seams import Bench, Inside, Members, Patience, Subject


@pytest.fixture(scope="session")
def wall(
    bench: Bench, inside: Inside, subject: Subject, members: Members, patience: Patience
) -> Wall:
    """A machine whose firewall has no rule at first."""
    return Wall(bench, inside, subject, members, patience)
