"""Machines for checks: made through the run's ledger, entered, with the probe in them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from harness.inside import PROBE, Inside
from harness.keys import public_key
from harness.mask import Masker
from harness.patience import Patience
from harness.session import Session
from provisioner.bench import Bench
from provisioner.clock import SystemClock
from provisioner.deployment import Member
from provisioner.driver import Driver, Handle, Owner, Status
from provisioner.errors import Lost, NotFound, PlatformFault
from provisioner.insides import reachable
from provisioner.ledger import Ledger
from provisioner.platform import PlatformConfig
from provisioner.remote import open_remote
from provisioner.resources import Kind, MachineSpec, Spec
from provisioner.waiting import Cancel

Note = Callable[[str, str], None]


class Workbench:
    """What the fixtures ``bench`` and ``inside`` give to checks.

    Args:
        config: the platform.
        driver: opened for it.
        owner: whose resources.
        session: of the checking process.
        patience: how long to wait for what.
        note: keeps a text as evidence of the check that runs now.
        masker: takes secrets out of evidence.
    """

    def __init__(
        self,
        config: PlatformConfig,
        driver: Driver,
        owner: Owner,
        session: Session,
        patience: Patience,
        note: Note,
        masker: Masker,
    ) -> None:
        self._config = config
        self._driver = driver
        self._session = session
        self._patience = patience
        self._note = note
        self._masker = masker
        self._clock = SystemClock()
        self._ledger = Ledger(session.ledger, owner.run or "", expires=owner.expires)
        self._bench = Bench(driver, self._ledger, owner, public_key(session.key))
        self._inside: dict[str, Inside] = {}

    def machine(
        self,
        name: str,
        *,
        volume_gib: int = 0,
        with_key: bool = True,
        **fields: Any,
    ) -> Member:
        """A machine one can get into, with the probe in it; *fields* are those of MachineSpec.

        Raises:
            PlatformError: it could not be made, or nobody gets in within the patience for boot.
        """
        if with_key:
            fields["key"] = self._bench.key(f"bench-{self._session.lane or 'all'}")
        member = self._bench.machine(
            name, MachineSpec(**fields), volume_gib=volume_gib, with_key=with_key
        )
        return self.reconnect(member, self._patience("boot")) if with_key else member

    def create(self, kind: Kind, name: str, spec: Spec) -> Handle:
        """Any resource, waited for until it is ready."""
        return self._bench.create(kind, name, spec)

    def refresh(self, member: Member) -> Member:
        """The member with its state as it is now."""
        return self._bench.refresh(member)

    def reconnect(self, member: Member, timeout_s: float) -> Member:
        """Wait until the machine is ready and lets us in again; puts the probe there if needed.

        Raises:
            Timeout: not within *timeout_s* seconds.
        """
        end = self._clock.monotonic() + timeout_s
        fresh = self._bench.refresh(member, Status.READY, timeout_s)
        self._forget(member)
        inside = self.inside(fresh)
        left = max(1.0, end - self._clock.monotonic())
        reachable(inside.remote, self._clock, Cancel(), member.name, left)
        done = inside.remote.run(f"test -s {PROBE}")
        if done.code != 0:
            inside.remote.put(self._session.probe.read_bytes(), PROBE, 0o755, sudo=True)
        return fresh

    def inside(self, member: Member) -> Inside:
        """The inside of a member, kept between checks.

        Raises:
            Lost: the platform gave no way in.
        """
        key = str(member.handle)
        if key not in self._inside:
            if member.state.access is None:
                raise Lost(f"{member.name}: the platform gives no way in", self._config.name)
            remote = open_remote(
                self._config, self._driver, member.handle, member.state.access, self._session.key
            )
            self._inside[key] = Inside(
                remote,
                member.name,
                note=self._note,
                mask=self._masker.text,
                timeout_s=self._patience("command"),
            )
        return self._inside[key]

    def remove(self, what: Member | Handle) -> None:
        """Delete it and wait until it is proven gone."""
        if isinstance(what, Member):
            self._forget(what)
        self._bench.remove(what)

    def close(self) -> None:
        """Remove everything that was made here.

        Raises:
            PlatformFault: something stays; names it.
        """
        for inside in self._inside.values():
            inside.remote.close()
        self._inside.clear()
        try:
            self._bench.close()
        except NotFound as error:
            raise PlatformFault(f"clean-up: {error}", self._config.name) from error
        finally:
            self._ledger.close()

    def _forget(self, member: Member) -> None:
        """Drop the connection; the address may be another one now."""
        inside = self._inside.pop(str(member.handle), None)
        if inside is not None:
            inside.remote.close()
