"""What a driver's author gives to the kit, and how the kit makes and removes resources."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Protocol

import pytest

from provisioner.clock import Clock, SystemClock
from provisioner.driver import Driver, Handle, Owner, State, Status
from provisioner.errors import Conflict
from provisioner.resources import Kind, Ref, Resource, Spec, Support
from provisioner.waiting import wait


class OpenDriver(Protocol):
    """Makes a driver; called without arguments."""

    def __call__(self) -> Driver: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class ContractSubject:
    """A driver under contract; see the package for an example.

    Attributes:
        driver: an open driver with working credentials.
        specs: what the kit may create, by kind, the cheapest first.
        wrong: opens a driver with wrong credentials.
        unreachable: opens a driver of a platform that does not answer.
        throttled: opens a driver whose next calls are throttled.
        timeout_s: the longest wait for anything, in seconds.
        poll_s: the shortest pause between two polls, in seconds.
        absence_k: how many times in a row a deleted resource must be missing.
        slow: machines are dear; see the package.
        clock: where time comes from.
    """

    driver: Driver
    specs: Mapping[Kind, Spec]
    wrong: OpenDriver | None = None
    unreachable: OpenDriver | None = None
    throttled: OpenDriver | None = None
    timeout_s: float = 120.0
    poll_s: float = 0.05
    absence_k: int = 2
    slow: bool = False
    clock: Clock = field(default_factory=SystemClock)


class Maker:
    """Makes resources of the subject for one owner and removes them all at the end."""

    def __init__(self, subject: ContractSubject, run: str = "") -> None:
        self.subject = subject
        self.driver = subject.driver
        self.owner = Owner(run=run or f"contract-{secrets.token_hex(4)}")
        self.made: dict[Ref, Handle] = {}
        self._known: list[Handle] = []

    @property
    def window_s(self) -> float:
        """How long the platform may take to show what it has, in seconds."""
        return float(self.driver.describe().limits.get("visibility_s", 0.0)) + 5.0

    def kind(self) -> Kind:
        """The cheapest kind that the platform manages."""
        for kind in self.subject.specs:
            if self.driver.describe().kinds.get(kind) is Support.MANAGED:
                return kind
        pytest.skip("no spec of a managed kind was given")

    def need(self, kind: Kind) -> Spec:
        """The spec of a kind; skips the test when there is none, with the reason."""
        description = self.driver.describe()
        if description.kinds.get(kind) is not Support.MANAGED:
            pytest.skip(f"{kind}: {description.absent.get(str(kind), 'not managed')}")
        if kind not in self.subject.specs:
            pytest.skip(f"no spec of a {kind} was given")
        return self.subject.specs[kind]

    def want(self, kind: Kind, name: str) -> Resource:
        """A wish with our tags."""
        spec = self.need(kind)
        return Resource(kind=kind, name=name, spec=spec, tags=self.owner.tags(name))

    def make(
        self, kind: Kind, name: str, *, token: str = "", driver: Driver | None = None
    ) -> Handle:
        """Create one resource and what it refers to; not waited for."""
        used = driver or self.driver
        step = used.plan(self.want(kind, name))
        for ref in step.refs:
            if ref not in self.made:
                handle = self.make(ref.kind, ref.name)
                self.ready(handle)
        handle = used.create(step.bind(self.made), token or secrets.token_hex(8))
        self.made.setdefault(Ref(kind, name), handle)
        if handle not in self._known:
            self._known.append(handle)
        return handle

    def ready(self, handle: Handle) -> State:
        """Wait until it is ready."""
        return self.until(handle, Status.READY)

    def until(self, handle: Handle, status: str) -> State:
        """Wait for a status."""
        state, _ = wait(
            lambda: self.driver.read(handle),
            target=[status],
            fail=[Status.FAILED],
            timeout_s=self.subject.timeout_s,
            clock=self.subject.clock,
            why=f"{handle} to be {status}",
            interval=(self.subject.poll_s, 2.0),
            not_found_ok=10_000,
        )
        assert state is not None  # noqa: S101 - a target that is not gone
        return state

    def visible(self, check: Callable[[], bool], what: str) -> None:
        """Wait at most the declared window until *check* holds."""
        wait(
            check,
            target=["True"],
            timeout_s=self.window_s,
            clock=self.subject.clock,
            why=what,
            interval=(self.subject.poll_s, 1.0),
        )

    def found(self, owner: Owner | None = None) -> list[Handle]:
        """Everything of our owner's that the driver finds."""
        return list(self.driver.find(owner or self.owner))

    def remove(self, handle: Handle) -> None:
        """Delete and wait until it is gone, as often as proof asks."""

        def delete() -> str:
            try:
                self.driver.delete(handle)
            except Conflict:  # still used by what goes away just now
                return "in use"
            return "asked"

        clock, timeout_s = self.subject.clock, self.subject.timeout_s
        pace = (self.subject.poll_s, 2.0)
        wait(delete, target=["asked"], timeout_s=timeout_s, clock=clock, why=str(handle),
             interval=pace)  # fmt: skip
        wait(
            lambda: self.driver.read(handle),
            target=["gone"],
            stable=self.subject.absence_k,
            timeout_s=timeout_s,
            clock=clock,
            why=f"{handle} to be gone",
            interval=pace,
        )
        self.visible(
            lambda: handle.id not in [h.id for h in self.found()], f"{handle} not to be found"
        )
        self._known = [known for known in self._known if known.id != handle.id]
        self.made = {ref: made for ref, made in self.made.items() if made.id != handle.id}

    def clear(self) -> None:
        """Remove everything, the newest first."""
        for handle in reversed(list(self._known)):
            self.remove(handle)


class MakerContract:
    """Gives every test a Maker of its own."""

    @pytest.fixture
    def maker(self, contract: ContractSubject) -> Iterator[Maker]:
        """Makes resources for one test and removes them."""
        maker = Maker(contract)
        yield maker
        maker.clear()


def unknown_handle(handle: Handle) -> Handle:
    """A handle like *handle* of something that does not exist: its last digits are changed."""
    flipped = "".join("f" if c == "0" else "0" if c.isalnum() else c for c in handle.id[-6:])
    return Handle(
        platform=handle.platform,
        kind=handle.kind,
        id=handle.id[:-6] + flipped,
        name=handle.name,
        run=handle.run,
    )
