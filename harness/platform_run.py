"""One platform's way through a run: describe, stand up, check, take down, result document."""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from harness.checking import Checked, check, read_records, suites_digest
from harness.cli.platforms import described
from harness.events import Events
from harness.run_spec import RunSpec
from harness.session import Session
from harness.standing import Standing
from provisioner.driver import Description, Driver
from provisioner.errors import PlatformError
from provisioner.platform import PlatformConfig
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


@dataclass(slots=True, kw_only=True)
class PlatformRun:
    """Everything one platform's thread needs; ``execute`` returns its result document."""

    spec: RunSpec
    folder: Path
    config: PlatformConfig
    driver: Driver
    description: Description
    standing: Standing
    events: Events
    cancelled: threading.Event
    keep: Callable[[Result], bool]
    key: Path
    ledger: Path
    _begun: float = field(default_factory=time.monotonic)

    def execute(self) -> Result:
        """Go the whole way. Whatever happens, what was created is taken down and told."""
        self.folder.mkdir(parents=True, exist_ok=True)
        started = _now()
        name = self.config.name
        before: dict[str, int] = {}
        checked = Checked(records=(), complete=False, reason="not begun")
        try:
            self.events.tell(name, "phase", "census")
            before = self.standing.census()
            checked = self._stand_and_check()
        except PlatformError as error:
            why = f"{type(error).__name__}: {error}"
            checked = Checked(records=self._kept(), complete=False, reason=why)
            self.events.tell(name, "note", "platform error", "blocked", why)
        result = self._result(started, checked, CensusRecord(before=before))
        if self.keep(result) and not self.cancelled.is_set():
            self.events.tell(name, "phase", "kept", detail=f"until {self.spec.expires}")
            return self._finish(result, before, torn_down=False)
        self.events.tell(name, "phase", "taking down")
        self.standing.take_down()
        return self._finish(result, before, torn_down=True)

    def _stand_and_check(self) -> Checked:
        """Stand the workload up, then run the suites."""
        name = self.config.name
        self.events.tell(name, "phase", "standing up", detail=self.spec.workload)
        self.standing.stand_up()
        if self.cancelled.is_set():
            return Checked(records=self._kept(), complete=False, reason="interrupted")
        self.events.tell(name, "phase", "checking")
        session = Session(
            run=self.spec.id,
            expires=self.spec.expires,
            platform=name,
            platforms=self.spec.files,
            lease=self.standing.lease,
            ledger=self.ledger.with_name(f"ledger-checks-{name}.jsonl"),
            checks=self.folder / "checks.jsonl",
            select=self._remaining(),
            seed=self.spec.seed,
            key=self.key,
            probe=self.standing.probe,
        )
        return check(self.folder, session, self._tell, self.cancelled)

    def _kept(self) -> tuple[dict[str, Any], ...]:
        return tuple(read_records(self.folder / "checks.jsonl"))

    def _remaining(self) -> list[str]:
        """The ids still to run; those of an interrupted run are not run again."""
        wanted = self.spec.wanted(self.config.name)
        done = {record["id"] for record in self._kept()}
        if not done:
            return wanted
        every = wanted or self.standing.every_check()
        return [id_ for id_ in every if id_ not in done]

    def _tell(self, record: dict[str, Any]) -> None:
        reason = str(record["reason"]).splitlines()[0] if record["reason"] else ""
        self.events.tell(
            self.config.name, "check", record["id"], record["outcome"], reason, record["seconds"]
        )

    def _result(self, started: str, checked: Checked, census: CensusRecord) -> Result:
        """The document as far as it is known before taking down."""
        about = self.description
        workload = self.standing.workload
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
            ),
            started=started,
            finished=_now(),
            complete=checked.complete,
            incomplete=checked.reason,
            tool=ToolRecord(version=version("interop-harness")),
            suite=SuiteRecord(digest=suites_digest(), seed=self.spec.seed),
            workload=WorkloadRecord(
                name=workload.workload,
                version=workload.version,
                digest=workload.digest,
                probe=_digest(self.standing.probe),
            ),
            checks=[CheckRecord.model_validate(record) for record in checked.records],
            census=census,
        )

    def _finish(self, result: Result, before: dict[str, int], *, torn_down: bool) -> Result:
        """The document with the census after, the leaks and all timings."""
        after: dict[str, int] = {}
        leaks: list[str] = []
        try:
            after = self.standing.census()
            leaks = self.standing.left() if torn_down else []
        except PlatformError as error:
            leaks = [f"could not tell: {error}"]
        for leak in leaks:
            self.events.tell(self.config.name, "note", "left behind", "leak", leak)
        timings = [TimingRecord(**timing) for timing in self.standing.timings()]
        census = CensusRecord(before=before, after=after, leaks=leaks)
        return result.model_copy(update={"finished": _now(), "census": census, "timings": timings})


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def _digest(file: Path) -> str:
    return f"sha256:{hashlib.sha256(file.read_bytes()).hexdigest()}"
