"""One platform's way through a run: describe, stand up, check, take down, result document."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from harness.checking import Checked, Checking, read_records
from harness.cli.platforms import described
from harness.events import Events
from harness.run_spec import RunSpec
from harness.session import Session
from harness.standing import Standing
from harness.suites_files import suites_digest
from provisioner.driver import Description
from provisioner.errors import Conflict, PlatformError
from provisioner.platform import PlatformConfig
from provisioner.resources import Kind, Support
from provisioner.waiting import Cancel, Cancelled
from reports.result import (
    CensusRecord,
    CheckRecord,
    PlatformRecord,
    Result,
    SuiteRecord,
    TimingRecord,
    ToolRecord,
    WorkloadRecord,
)

SELECTED = "only selected checks ran"
HANDLED = 3  # machines that checks have at most at one time; without firewalls only the victim


@dataclass(slots=True, kw_only=True)
class PlatformRun:
    """Everything one platform's thread needs; ``execute`` returns its result document.

    ``standing`` is None when the platform could not even be asked; ``unreachable`` says why.
    """

    spec: RunSpec
    folder: Path
    config: PlatformConfig
    description: Description
    standing: Standing | None
    unreachable: PlatformError | None
    events: Events
    cancel: Cancel
    key: Path

    def execute(self) -> Result:
        """Go the whole way. Whatever happens, what was created is taken down and told."""
        self.folder.mkdir(parents=True, exist_ok=True)
        started = _now()
        if self.standing is None:
            return self._result(started, self._broken(self.unreachable), CensusRecord())
        standing = self.standing
        before: dict[str, int] = {}
        try:
            self.events.tell(self.config.name, "phase", "census")
            before = standing.census()
            checked = self._stand_and_check(standing)
        except Cancelled:
            checked = self._stopped()
        except PlatformError as error:
            checked = self._broken(error)
        kept = self._keep(checked)
        if kept:
            detail = f"until {self.spec.expires}; interop reap --run removes it"
            self.events.tell(self.config.name, "phase", "kept", detail=detail)
        else:
            self.events.tell(self.config.name, "phase", "taking down")
            standing.take_down()
        return self._result(started, checked, self._counted(standing, before, kept))

    def _stopped(self) -> Checked:
        """What there is when somebody asked to stop, or the budget is used up."""
        return Checked(records=self._kept(), complete=False, reason=self.cancel.reason)

    def _broken(self, error: PlatformError | None) -> Checked:
        """What there is when the platform ended it."""
        why = f"{type(error).__name__}: {error}"
        hint = "; what a run before left, interop reap removes"
        left = hint if isinstance(error, Conflict) else ""
        self.events.tell(self.config.name, "note", "platform error", "blocked", why + left)
        return Checked(records=self._kept(), complete=False, reason=why)

    def _keep(self, checked: Checked) -> bool:
        """Whether the workload is to stand on: asked for, and something did not pass."""
        bad = any(record["outcome"] in ("failed", "blocked") for record in checked.records)
        wanted = self.spec.keep_on_failure > 0 and (bad or not checked.complete)
        return wanted and not self.cancel.requested

    def _stand_and_check(self, standing: Standing) -> Checked:
        """Stand the workload up and run the suites.

        What handles machines of its own begins at once where there is room for them beside the
        members; what looks at members, when they stand.
        """
        name = self.config.name
        select = self._remaining(standing)
        if self._kept() and not select:
            return self._whole(Checked(records=self._kept(), complete=True))
        self.events.tell(name, "phase", "standing up", detail=self.spec.workload)
        session = self._session(standing, select)
        checking = Checking(self.folder, session, self._tell, self._begun)
        try:
            early = self._room(standing)
            if early:
                checking.start("handling")
            standing.stand_up(others=checking.alive)
            self.cancel.check()
            self.events.tell(name, "phase", "checking")
            if not early:
                checking.start("handling")
            checking.start("looking")
            return self._whole(checking.finish(self.cancel))
        except BaseException:
            checking.stop()  # or its threads and processes would keep the run from ending
            raise

    def _room(self, standing: Standing) -> bool:
        """Whether no member could miss the machine that a check took before it."""
        most = self.description.limits.get("machines")
        walls = self.description.kinds.get(Kind.FIREWALL, Support.ABSENT) is not Support.ABSENT
        handled = HANDLED if walls else 1
        return most is None or most >= len(standing.workload.members) + handled

    def _session(self, standing: Standing, select: list[str]) -> Session:
        """What the checking processes are told."""
        return Session(
            run=self.spec.id,
            expires=self.spec.expires,
            platform=self.config.name,
            platforms=self.spec.files,
            lease=standing.lease,
            ledger=self.folder.parent / f"ledger-checks-{self.config.name}.jsonl",
            checks=self.folder / "checks.jsonl",
            select=select,
            seed=self.spec.seed,
            key=self.key,
            probe=standing.probe,
            guideline=self._guideline(),
        )

    def _whole(self, checked: Checked) -> Checked:
        """A part of the checks is no evidence of the rest, whatever came of that part."""
        if checked.complete and self.spec.wanted(self.config.name):
            return replace(checked, complete=False, reason=SELECTED)
        return checked

    def _guideline(self) -> str:
        """The guideline as the checking process finds it, which works in another folder."""
        file = Path(self.spec.guideline)
        return str(file.resolve()) if file.exists() else self.spec.guideline

    def _kept(self) -> tuple[dict[str, Any], ...]:
        return tuple(read_records(self.folder / "checks.jsonl"))

    def _remaining(self, standing: Standing) -> list[str]:
        """The ids still to run; those of an interrupted run are not run again."""
        wanted = self.spec.wanted(self.config.name)
        done = {record["id"] for record in self._kept()}
        if not done:
            return wanted
        every = wanted or standing.every_check()
        return [id_ for id_ in every if id_ not in done]

    def _tell(self, record: dict[str, Any]) -> None:
        reason = str(record["reason"]).splitlines()[0] if record["reason"] else ""
        self.events.tell(
            self.config.name, "check", record["id"], record["outcome"], reason, record["seconds"]
        )

    def _begun(self, lane: str, check: str) -> None:
        self.events.tell(self.config.name, "check", check, "running", lane)

    def _counted(self, standing: Standing, before: dict[str, int], kept: bool) -> CensusRecord:
        """What of this run is on the platform now; each leak is told."""
        try:
            after = standing.census()
            leaks = [] if kept else standing.left()
        except PlatformError as error:
            return CensusRecord(before=before, leaks=[f"could not tell: {error}"])
        for leak in leaks:
            self.events.tell(self.config.name, "note", "left behind", "leak", leak)
        return CensusRecord(before=before, after=after, leaks=leaks)

    def _result(self, started: str, checked: Checked, census: CensusRecord) -> Result:
        """The result document."""
        about = self.description
        standing = self.standing
        return Result(
            id=f"{self.spec.id}-{self.config.name}",
            run=self.spec.id,
            platform=PlatformRecord(
                name=self.config.name,
                kind=self.config.kind,
                emulator=bool(self.config.declared.get("emulator", about.emulator)),
                features=sorted(about.features),
                absent=dict(about.absent),
                declared=dict(self.config.declared),
                described=described(about),
                profile=dict(self.config.profile),
            ),
            started=started,
            finished=_now(),
            complete=checked.complete,
            incomplete=checked.reason,
            tool=ToolRecord(version=version("interop-harness")),
            suite=SuiteRecord(digest=suites_digest(), seed=self.spec.seed),
            workload=None if standing is None else _workload(standing),
            timings=[]
            if standing is None
            else [TimingRecord(**timing) for timing in standing.timings()],
            checks=[CheckRecord.model_validate(record) for record in checked.records],
            census=census,
        )


def _workload(standing: Standing) -> WorkloadRecord:
    """What stood, by digest."""
    plan = standing.workload
    probe = hashlib.sha256(standing.probe.read_bytes()).hexdigest()
    return WorkloadRecord(
        name=plan.workload, version=plan.version, digest=plan.digest, probe=f"sha256:{probe}"
    )


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")
