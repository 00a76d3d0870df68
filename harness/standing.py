"""The workload of a run on one platform: planned, stood up, counted, taken down."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Self

from harness.events import Events
from harness.keys import public_key
from harness.run_spec import RunSpec
from provisioner.budget import HOUR, shown
from provisioner.census import census
from provisioner.clock import SystemClock
from provisioner.creation import place_for
from provisioner.deployment import from_json, to_json
from provisioner.driver import Access, Description, Driver, Handle, Owner
from provisioner.executor import Executor, Happening
from provisioner.ledger import Ledger
from provisioner.params import Layer
from provisioner.plan import Plan, Unmet
from provisioner.planner import make_plan
from provisioner.platform import PlatformConfig
from provisioner.remote import Remote, open_remote
from provisioner.removal import Removal
from provisioner.resources import Kind, Support
from provisioner.site import Inputs, Site
from provisioner.waiting import Cancel
from provisioner.workload import Workload, find_workload, load_workload
from reports.write import write_text

PROBE = "probe.py"
NOTHING = "none"  # the workload without members


class Standing:
    """One workload on one platform. ``plan`` makes it; nothing is created before ``stand_up``."""

    def __init__(
        self,
        *,
        plan: Plan,
        workload_file: Workload,
        probe: Path,
        config: PlatformConfig,
        driver: Driver,
        owner: Owner,
        folder: Path,
        key: Path,
        events: Events,
        cancel: Cancel,
        ids: Sequence[str],
    ) -> None:
        self._plan = plan
        self._workload = workload_file
        self.probe = probe
        self._config = config
        self._driver = driver
        self._owner = owner
        self._folder = folder
        self._key = key
        self._events = events
        self._cancel = cancel
        self._ids = list(ids)
        self._ledger: Ledger | None = None
        self._clock = SystemClock()
        self._timings: list[dict[str, Any]] = []
        self._left: list[str] = []

    @classmethod
    def plan(
        cls,
        spec: RunSpec,
        config: PlatformConfig,
        driver: Driver,
        description: Description,
        folder: Path,
        key: Path,
        events: Events,
        cancel: Cancel,
        ids: Sequence[str],
    ) -> Self:
        """Plan the workload; raises Unmet with everything that is unmet, and creates nothing.

        Where there are no machines at all nothing stands, and what needs some does not apply.
        """
        wanted = spec.workload
        if description.kinds.get(Kind.MACHINE) is Support.ABSENT:
            reason = description.absent.get(Kind.MACHINE, "there are no machines")
            events.tell(config.name, "note", f"{wanted} does not stand here", detail=reason)
            wanted = NOTHING
        workload = load_workload(wanted)
        kept = workload.model.budget.keep_on_failure
        if kept is not None and spec.keep_on_failure * HOUR > kept:
            told = f"--keep-on-failure {spec.keep_on_failure:g}: the budget allows {shown(kept)}"
            raise Unmet((told,))
        owner = Owner(run=spec.id, expires=spec.expires)
        site = Site(driver=driver, description=description, profile=config.profile)
        chosen = Layer(name="command line", values=dict(spec.sets))
        inputs = Inputs(owner=owner, public_key=public_key(key), chosen=chosen)
        return cls(
            plan=make_plan(workload, [site], inputs),
            workload_file=workload,
            probe=find_workload("reference") / PROBE,
            config=config,
            driver=driver,
            owner=owner,
            folder=folder,
            key=key,
            events=events,
            cancel=cancel,
            ids=ids,
        )

    @property
    def workload(self) -> Plan:
        """What stands: its ``workload`` name, ``version`` and ``digest``."""
        return self._plan

    @property
    def lease(self) -> Path:
        """The file from which the checking process learns what stands."""
        return self._folder / self._config.name / "lease.json"

    def every_check(self) -> list[str]:
        """Ids of all checks of the guideline."""
        return list(self._ids)

    def census(self) -> dict[str, int]:
        """How many resources of this run are on the platform, by kind."""
        return census(self._driver, self._owner)

    def stand_up(self, others: Callable[[], int] = lambda: 0) -> None:
        """Create everything and run the roles; goes on where a dead run stopped.

        *others* says how many machines checks make meanwhile: the platform's limit is for all.

        Raises:
            PlatformError: the first thing that went wrong.
            Cancelled: the run was interrupted.
        """
        self.lease.unlink(missing_ok=True)
        executor = Executor(
            {self._config.name: self._driver},
            self._open_ledger(),
            self._owner,
            shell=self._shell,
            cancel=self._cancel,
            tell=self._happened,
            others=others,
        )
        applied = executor.apply(self._plan, self._workload.params, self._key)
        self._timings += [asdict(timing) for timing in applied.deployment.timings]
        applied.check()
        write_text(self.lease, to_json(applied.deployment))

    def take_down(self) -> None:
        """Remove everything of this run, also what only the platform knows of; keeps what stays."""
        place = place_for(self._driver, self._owner, self._clock)
        removal = Removal({self._config.name: place}, self._open_ledger(), self._clock)
        self._left = [str(one) for one in removal.everything().left]

    def left(self) -> list[str]:
        """What did not go, or is on the platform again; each with the reason."""
        found = [str(handle) for handle in self._driver.find(self._owner)]
        return list(dict.fromkeys([*self._left, *found]))

    def timings(self) -> list[dict[str, Any]]:
        """Every step of provisioning; those of the first process too when a run was resumed."""
        if not self._timings and self.lease.exists():
            text = self.lease.read_text(encoding="utf-8")
            return [asdict(timing) for timing in from_json(text, str(self.lease)).timings]
        return self._timings

    def close(self) -> None:
        """Let go of the ledger, so that ``reap`` may have it."""
        if self._ledger is not None:
            self._ledger.close()
            self._ledger = None

    def _open_ledger(self) -> Ledger:
        """The run's ledger for this platform; held as long as the run lives."""
        if self._ledger is None:
            file = self._folder / f"ledger-{self._config.name}.jsonl"
            self._ledger = Ledger(file, self._owner.run or "", expires=self._owner.expires)
        return self._ledger

    def _shell(self, platform: str, handle: Handle, access: Access) -> Remote:
        return open_remote(self._config, self._driver, handle, access, self._key)

    def _happened(self, happening: Happening) -> None:
        """Pass on what is worth a line."""
        self._events.tell(
            happening.platform, "step", happening.node, happening.what, happening.detail
        )
