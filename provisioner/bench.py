"""Resources made one at a time, for a check: through the driver's plan and the run's ledger.

What is made here is found and removed like everything else of a run; ``close`` removes it all.
"""

from __future__ import annotations

from dataclasses import replace
from types import TracebackType

from provisioner.clock import Clock, SystemClock
from provisioner.creation import Creation, Place, place_for
from provisioner.deployment import Member
from provisioner.driver import Driver, Handle, Owner, State, Status
from provisioner.errors import BadRequest, NotFound, PlatformError
from provisioner.ledger import Ledger
from provisioner.removal import Removal
from provisioner.replay import Entry
from provisioner.resources import (
    AttachmentSpec,
    KeySpec,
    Kind,
    MachineSpec,
    Ref,
    Resource,
    Spec,
    Support,
    VolumeSpec,
)
from provisioner.waiting import Cancel, wait


class Bench:
    """Makes and removes single resources on one platform.

    Args:
        driver: of the platform.
        ledger: open; of this process alone (``ledger-PART.jsonl``).
        owner: whose resources.
        public_key: the run's SSH key, OpenSSH format.
        clock: where time comes from.
        cancel: asks to stop making things.
        interval: first and longest pause between two polls, in seconds.
    """

    def __init__(
        self,
        driver: Driver,
        ledger: Ledger,
        owner: Owner,
        public_key: str,
        *,
        clock: Clock | None = None,
        cancel: Cancel | None = None,
        interval: tuple[float, float] = (0.25, 2.0),
    ) -> None:
        self.driver = driver
        self.ledger = ledger
        self.owner = owner
        self.public_key = public_key
        self.clock: Clock = clock if clock is not None else SystemClock()
        self.handles: dict[Ref, Handle] = {}
        self.states: dict[Ref, State] = {}
        about = driver.describe()
        self._kinds = about.kinds
        self._place = place_for(driver, owner, self.clock, cancel, about.limits)
        # What is made has to go also after a cancel.
        self._leaving: Place = place_for(driver, owner, self.clock, limits=about.limits)
        # Whatever is seen again later, the run's own removal finds under the run's tags.
        self._removal = Removal(
            {driver.platform: self._leaving}, ledger, self.clock, interval=interval, proof_s=1.0
        )
        self._creation = Creation(
            ledger, self.clock, cancel=cancel, interval=interval, remove=self._removal.one
        )
        self._interval = interval

    def __enter__(self) -> Bench:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def create(self, kind: Kind | str, name: str, spec: Spec) -> Handle:
        """Make one resource and wait until it is ready. What it refers to must be made before.

        Raises:
            BadRequest: the wish cannot be met, or refers to what this bench did not make.
            PlatformError: it could not be made.
        """
        want = Resource(kind=Kind(kind), name=name, spec=spec, tags=self.owner.tags(name))
        step = self.driver.plan(want)
        missing = [str(ref) for ref in step.refs if ref not in self.handles]
        if missing:
            message = f"{want.ref} refers to {missing[0]}, which was not made here"
            raise BadRequest(message, self.driver.platform)
        known = self.ledger.snapshot().newest().get((self.driver.platform, want.ref))
        handle, state = self._creation.create(self._place, step, self.handles, known)
        self.handles[want.ref], self.states[want.ref] = handle, state
        return handle

    def key(self, name: str = "run") -> Ref | None:
        """The run's key as a resource, made when first asked for; None where there are no keys."""
        if self._kinds.get(Kind.KEY, Support.ABSENT) is Support.ABSENT:
            return None
        ref = Ref(Kind.KEY, name)
        if ref not in self.handles:
            self.create(Kind.KEY, name, KeySpec(public_key=self.public_key))
        return ref

    def machine(
        self, name: str, spec: MachineSpec, *, volume_gib: int = 0, with_key: bool = True
    ) -> Member:
        """Make one machine, with a data volume if asked; its state is ready, nobody knocked yet.

        Raises:
            PlatformError: it could not be made; parts that were stay until ``close``.
        """
        if with_key and spec.key is None:
            spec = replace(spec, key=self.key("bench"))
        handle = self.create(Kind.MACHINE, name, replace(spec, hostname=spec.hostname or name))
        volumes: dict[str, Handle] = {}
        machine = Ref(Kind.MACHINE, name)
        if volume_gib:
            data = f"data-{name}"
            volumes["data"] = self.create(
                Kind.VOLUME, data, VolumeSpec(size_gib=volume_gib, machine=machine)
            )
            joined = AttachmentSpec(machine=machine, what=Ref(Kind.VOLUME, data))
            self.create(Kind.ATTACHMENT, data, joined)
        return Member(
            name=name,
            group="bench",
            index=1,
            platform=self.driver.platform,
            handle=handle,
            state=self._read(handle),
            volumes=volumes,
        )

    def refresh(self, member: Member, status: str = "", timeout_s: float = 0.0) -> Member:
        """The member as it is now; with *status*, once it has that one.

        Raises:
            NotFound: it is gone.
            Timeout: it has another status at the deadline.
        """
        if not status:
            return replace(member, state=self._read(member.handle))
        state, _ = wait(
            lambda: self._place.pace.call(lambda: self.driver.read(member.handle)),
            target=[status],
            fail=[Status.FAILED],
            timeout_s=timeout_s,
            clock=self.clock,
            why=f"{member.name} to be {status}",
            interval=self._interval,
            not_found_ok=5,
        )
        assert state is not None  # noqa: S101 - the target is not gone
        return replace(member, state=state)

    def remove(self, what: Member | Handle) -> None:
        """Remove it, with its attachments and data volume, and wait for the proof.

        Raises:
            PlatformError: it does not go.
        """
        handle = what.handle if isinstance(what, Member) else what
        entries = self.ledger.snapshot().open_entries()
        mine = [e for e in entries if e.handle is not None and e.handle.id == handle.id]
        if isinstance(what, Member):
            ids = {volume.id for volume in what.volumes.values()}
            names = {e.ref.name for e in entries if e.handle is not None and e.handle.id in ids}
            mine += [e for e in entries if e.ref.name in names]
        self._gone(mine)

    def close(self) -> None:
        """Remove everything that was made here.

        Raises:
            PlatformError: something stays; names it.
        """
        self._gone(self.ledger.snapshot().open_entries())

    def _gone(self, entries: list[Entry]) -> None:
        unique = {entry.token: entry for entry in entries}
        left = self._removal.these(unique.values())
        gone = {entry.ref for entry in unique.values()} - {one.entry.ref for one in left}
        for ref in gone:
            self.handles.pop(ref, None)
            self.states.pop(ref, None)
        if left:
            raise PlatformError(f"still there: {left[0]}", self.driver.platform)

    def _read(self, handle: Handle) -> State:
        state = self._place.pace.call(lambda: self.driver.read(handle))
        if state is None:
            raise NotFound(f"{handle} is not there", self.driver.platform)
        return state
