"""The result document: what a run saw on one platform, and no opinion.

Schema ``interop.result/1``. Times are RFC 3339 in UTC, durations are seconds. A result document is
written once and never changes.
"""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

SCHEMA: Literal["interop.result/1"] = "interop.result/1"
OutcomeName = Literal["passed", "failed", "blocked", "skipped", "not-applicable"]


class Strict(BaseModel):
    """Unknown keys are errors; values never change after reading."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class FactRecord(Strict):
    """One observed value. ``source`` is guest, api, declared or observed."""

    name: str
    value: Any
    unit: str | None = None
    source: str
    member: str | None = None


class EvidenceRecord(Strict):
    """What a check relied on: a command and its output, an API's answer. Secrets are masked."""

    title: str
    text: str


class CheckRecord(Strict):
    """One execution of a check."""

    id: str
    title: str = ""
    test: str
    outcome: OutcomeName
    reason: str = ""
    started: str
    seconds: float
    params: dict[str, Any] | None = None
    facts: list[FactRecord] = Field(default_factory=list)
    evidence: list[EvidenceRecord] = Field(default_factory=list)


class PlatformRecord(Strict):
    """What the platform says it is, what its owner declares, and what had to be set for it alone.

    ``profile`` is the platform's own layer of workload parameters.
    """

    name: str
    kind: str
    emulator: bool = False
    features: list[str] = Field(default_factory=list)
    absent: dict[str, str] = Field(default_factory=dict)
    declared: dict[str, Any] = Field(default_factory=dict)
    described: dict[str, Any] = Field(default_factory=dict)
    profile: dict[str, Any] = Field(default_factory=dict)


class ToolRecord(Strict):
    """Which Interop made this."""

    name: str = "interop-harness"
    version: str


class SuiteRecord(Strict):
    """Which checks ran: digest over the suites' files, and the seed of generated examples."""

    digest: str
    seed: int


class WorkloadRecord(Strict):
    """What stood while the checks ran."""

    name: str
    version: str
    digest: str
    probe: str = ""


class TimingRecord(Strict):
    """One step of provisioning; ``started`` is seconds after the run's start."""

    step: str
    kind: str
    started: float
    seconds: float
    outcome: str


class CensusRecord(Strict):
    """Resources of the run per kind, before and after it; ``leaks`` are handles still there."""

    before: dict[str, int] = Field(default_factory=dict)
    after: dict[str, int] = Field(default_factory=dict)
    leaks: list[str] = Field(default_factory=list)


class Result(Strict):
    """A result document."""

    schema_: Literal["interop.result/1"] = Field(default=SCHEMA, alias="schema")
    id: str
    run: str
    platform: PlatformRecord
    started: str
    finished: str
    complete: bool
    incomplete: str = ""
    tool: ToolRecord
    suite: SuiteRecord
    workload: WorkloadRecord | None = None
    timings: list[TimingRecord] = Field(default_factory=list)
    checks: list[CheckRecord] = Field(default_factory=list)
    census: CensusRecord = Field(default_factory=CensusRecord)

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)

    def dump(self) -> dict[str, Any]:
        """The document as plain JSON values, keys as written in the file."""
        return self.model_dump(mode="json", by_alias=True)

    def text(self) -> str:
        """The document as one line of JSON, which is how a site publishes it."""
        return self.model_dump_json(by_alias=True) + "\n"
