"""The fixtures suites use; loaded by the plugin only when there is a session.

What only some checks need (shells, machines, their libraries) is imported by its fixture.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NoReturn, Protocol

import pytest

from harness.config import read_platforms
from harness.patience import Patience
from harness.recorder import NotApplicable
from harness.stash import CURRENT, MASKER, OPENED, SESSION
from provisioner.driver import Description, Driver, Owner
from provisioner.errors import PlatformError
from provisioner.platform import PlatformConfig, open_driver
from provisioner.reach import Dialer, dialer_for

if TYPE_CHECKING:
    from harness.inside import Inside
    from harness.workbench import Workbench
    from provisioner.deployment import Member

POLL_S = 0.2


class Observe(Protocol):
    """Records a fact of the check that runs now."""

    def __call__(
        self,
        name: str,
        value: Any,
        *,
        unit: str | None = None,
        source: str = "guest",
        member: str | None = None,
    ) -> None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """The platform under test."""

    config: PlatformConfig
    driver: Driver
    description: Description
    owner: Owner
    dialer: Dialer

    @property
    def name(self) -> str:
        """What the user calls it."""
        return self.config.name

    @property
    def kind(self) -> str:
        """The driver's kind."""
        return self.config.kind

    @property
    def declared(self) -> Mapping[str, Any]:
        """What its owner declares of it."""
        return self.config.declared

    def dial(self, host: str, port: int, timeout_s: float) -> socket.socket:
        """Connect to something on the platform's network, the way the platform is reached."""
        return self.dialer.connect(host, port, timeout_s)


class Opened:
    """The platform, opened once a session; what went wrong is raised again for each check."""

    def __init__(self, config: PlatformConfig, owner: Owner) -> None:
        self._error: PlatformError | None = None
        self._subject: Subject | None = None
        self._driver: Driver | None = None
        try:
            self._driver = open_driver(config)
            self._subject = Subject(
                config=config,
                driver=self._driver,
                description=self._driver.describe(),
                owner=owner,
                dialer=dialer_for(config.settings),
            )
        except PlatformError as error:
            self._error = error

    def subject(self) -> Subject:
        """The opened platform.

        Raises:
            PlatformError: what opening or describing it raised.
        """
        if self._subject is None:
            assert self._error is not None  # noqa: S101 - one of the two is set
            raise self._error
        return self._subject

    def description(self) -> Description:
        """What the platform says it is."""
        return self.subject().description

    def close(self) -> None:
        """Let go of the driver."""
        if self._driver is not None:
            self._driver.close()


def pytest_sessionstart(session: pytest.Session) -> None:
    """Open the platform before the first check."""
    ours = session.config.stash[SESSION]
    platforms = read_platforms(ours.platforms, [ours.platform])
    session.config.stash[MASKER].add(platforms.secrets)
    session.config.stash[MASKER].add([ours.key.read_text(encoding="utf-8")])
    owner = Owner(run=ours.run, expires=ours.expires)
    session.config.stash[OPENED] = Opened(platforms.get(ours.platform), owner)


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Let go of the platform after the last clean-up."""
    opened = session.config.stash.get(OPENED, None)
    if opened is not None:
        opened.close()


@pytest.fixture(scope="session")
def subject(pytestconfig: pytest.Config) -> Subject:
    """The platform under test."""
    return pytestconfig.stash[OPENED].subject()


@pytest.fixture(scope="session")
def seed(pytestconfig: pytest.Config) -> int:
    """Seed of generated examples; recorded in the result."""
    return pytestconfig.stash[SESSION].seed


@pytest.fixture(scope="session")
def patience(subject: Subject) -> Patience:
    """How long to wait for what, in seconds."""
    return Patience(subject.config.profile)


@pytest.fixture(scope="session")
def members(pytestconfig: pytest.Config, subject: Subject) -> tuple[Member, ...]:
    """The members of the standing workload that live on this platform; waits until they stand.

    If they never do, the run interrupts us.
    """
    lease = pytestconfig.stash[SESSION].lease
    if lease is None:
        pytest.skip("no workload stands in this run")
    while not lease.exists():
        time.sleep(POLL_S)
    from provisioner.deployment import from_json

    deployment = from_json(lease.read_text(encoding="utf-8"), str(lease))
    return tuple(m for m in deployment.members if m.platform == subject.name)


@pytest.fixture
def observe(pytestconfig: pytest.Config) -> Observe:
    """Record a fact of the current check."""
    return pytestconfig.stash[CURRENT].fact


@pytest.fixture
def evidence(pytestconfig: pytest.Config) -> Callable[[str, str], None]:
    """Keep a text the current check relied on."""
    return pytestconfig.stash[CURRENT].note


@pytest.fixture(scope="session")
def not_applicable() -> Callable[[str], NoReturn]:
    """End the current check: it says nothing about this platform, and here is the proof."""

    def end(reason: str) -> NoReturn:
        raise NotApplicable(reason)

    return end


@pytest.fixture(scope="session")
def bench(pytestconfig: pytest.Config, subject: Subject, patience: Patience) -> Iterator[Workbench]:
    """Makes machines and other resources for checks, and removes them all at the end."""
    from harness.workbench import Workbench

    session = pytestconfig.stash[SESSION]
    config = pytestconfig

    def note(title: str, text: str) -> None:
        config.stash[CURRENT].note(title, text)

    workbench = Workbench(
        subject.config,
        subject.driver,
        subject.owner,
        session,
        patience,
        note,
        config.stash[MASKER],
    )
    try:
        yield workbench
    finally:
        workbench.close()


@pytest.fixture(scope="session")
def inside(bench: Workbench) -> Callable[[Member], Inside]:
    """Get into a member: ``inside(member).observe("names")``."""
    return bench.inside


@pytest.fixture(scope="session")
def victim(bench: Workbench, subject: Subject) -> Member:
    """The machine that destructive checks share, with a data volume if the platform has any."""
    volume_gib = 1 if "volume" in subject.description.features else 0
    return bench.machine("victim", volume_gib=volume_gib)
