"""What the site is made from: a summary of each result, and each guideline as a plain document.

Both are JSON on disk as well: a summary is the site's memory of a result, so that a rebuild reads
only what is new. Times are RFC 3339, durations seconds, days ISO 8601.
"""

from __future__ import annotations

import hashlib
import re
from functools import lru_cache
from typing import Any, Literal

from pydantic import ConfigDict, Field
from pydantic.dataclasses import dataclass

from reports.reproduce import reproduce
from reports.result import Strict, TimingRecord

SUMMARY: Literal["interop.summary/1"] = "interop.summary/1"
DAY = re.compile(r"\d{4}-\d\d-\d\d(?:T|$)", re.ASCII)
OUTCOMES = ("passed", "failed", "blocked", "skipped", "missing", "waived", "not-applicable")


# Of a check in a result and of its facts a site holds a million, so they have no dictionary each.
FORBID = ConfigDict(extra="forbid")


@dataclass(frozen=True, slots=True, kw_only=True, config=FORBID)
class Seen:
    """One check in one result."""

    outcome: str
    reason: str = ""
    seconds: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True, config=FORBID)
class Shown:
    """One fact in one result: as text, and as a number where all its values are numbers."""

    text: str
    number: float | None = None
    unit: str = ""
    source: str = ""
    identity: bool = False


class Judged(Strict):
    """What one guideline says of one result on the day the run ended.

    ``because`` has state and reason of each check, required or not, that it takes for failed,
    blocked or skipped; the run may have seen it otherwise. ``told`` is the verdict given with the
    result, if other words of the same guideline gave it.
    """

    guideline: str
    program: str
    verdict: Literal["compliant", "not-compliant", "inconclusive"]
    reasons: list[str] = Field(default_factory=list)
    level: int | None = None
    held_back_by: list[str] = Field(default_factory=list)
    counts: dict[str, int] = Field(default_factory=dict)
    states: dict[str, str] = Field(default_factory=dict)
    because: dict[str, tuple[str, str]] = Field(default_factory=dict)
    capabilities: list[dict[str, Any]] = Field(default_factory=list)
    holds_until: str | None = None
    told: str = ""


class ClaimPart(Strict):
    """One thing that is said of a platform, and what its checks make of that.

    ``standing`` is proven, unproven or contradicted; ``by`` is owner or description.
    """

    what: str
    by: str
    value: str
    standing: str
    because: str = ""


class SignerPart(Strict):
    """A key that signed; ``name`` is whose it is, empty if the publisher does not trust it."""

    fingerprint: str
    name: str = ""


class SignedPart(Strict):
    """The signed bundle a result came in: by whom, what it says, and what holds of it.

    ``lines`` are state, topic and text, as ``interop verify`` prints them. ``kept_back`` is a
    bundle with something in it that the site does not publish.
    """

    signers: list[SignerPart]
    verdict: str
    guideline: str
    program: str
    signed: str
    valid_from: str
    valid_until: str
    lines: list[tuple[str, str, str]] = Field(default_factory=list)
    kept_back: bool = False

    @property
    def names(self) -> list[str]:
        """Those who signed and are trusted."""
        return [signer.name for signer in self.signers if signer.name]


class Summary(Strict):
    """Everything the pages about several results need of one of them.

    ``key`` says from which bytes, and by which rules, it was made. ``digest`` is of the original
    document; where something was taken out of it, of the copy that is published, because a short
    private value could be guessed from a digest.
    """

    schema_: Literal["interop.summary/1"] = Field(default=SUMMARY, alias="schema")
    key: str
    digest: str
    redacted: bool = False
    id: str
    run: str
    platform: str
    kind: str
    emulator: bool = False
    format: str = "interop.result/1"
    started: str
    finished: str
    complete: bool
    incomplete: str = ""
    partial: bool = False
    tool: str = ""
    suite: str = ""
    seed: int | None = None
    workload: str = ""
    features: list[str] = Field(default_factory=list)
    absent: dict[str, str] = Field(default_factory=dict)
    declared: dict[str, Any] = Field(default_factory=dict)
    described: dict[str, Any] = Field(default_factory=dict)
    profile: dict[str, Any] = Field(default_factory=dict)
    checks: dict[str, Seen] = Field(default_factory=dict)
    titles: dict[str, str] = Field(default_factory=dict)
    facts: dict[str, dict[str, Shown]] = Field(default_factory=dict)
    timings: list[TimingRecord] = Field(default_factory=list)
    leaks: list[str] = Field(default_factory=list)
    judged: list[Judged] = Field(default_factory=list)
    claims: list[ClaimPart] = Field(default_factory=list)
    signed: SignedPart | None = None

    @property
    def day(self) -> str:
        """The day on which the run ended; empty if it is not told."""
        return self.finished[:10] if DAY.match(self.finished) else ""

    def again(self, *checks: str) -> str:
        """The command that does *checks* again; empty for a result that another tool made."""
        if self.seed is None:
            return ""
        stood = self.workload.partition(" ")[0]
        return reproduce(self.platform, checks, seed=self.seed, workload=stood)

    def by(self, guideline: str) -> Judged | None:
        """What *guideline* says of it, if it says anything."""
        return next((judged for judged in self.judged if judged.guideline == guideline), None)


class ReferencePart(Strict):
    """A section of a published standard."""

    title: str
    url: str = ""


class CheckPart(Strict):
    """A check as its guideline and its suite tell of it."""

    title: str = ""
    level: int | None = None
    needs: list[str] = Field(default_factory=list)
    when: list[str] = Field(default_factory=list)
    expects: list[str] = Field(default_factory=list)
    references: list[ReferencePart] = Field(default_factory=list)
    flag: str = ""
    sentence: str = ""
    chapter: str = ""
    test: str = ""


class CapabilityPart(Strict):
    """A capability with its standing in the components and how its score came about."""

    title: str = ""
    level: int | None = None
    status: str = ""
    component: str = ""
    checks: list[str] = Field(default_factory=list)
    score: float | None = None
    included: bool = False
    reasons: list[str] = Field(default_factory=list)


class ComponentPart(Strict):
    """A component: ids of its capabilities by how they stand in it."""

    title: str = ""
    required: list[str] = Field(default_factory=list)
    advisory: list[str] = Field(default_factory=list)


class ProgramPart(Strict):
    """A program and how long evidence for it holds."""

    title: str = ""
    components: list[str] = Field(default_factory=list)
    holds: str = ""


class GuidelineDocument(Strict):
    """A guideline in plain values. ``changes`` is the difference to ``previous``, if any."""

    id: str
    title: str = ""
    status: str = ""
    format: str = ""
    digest: str = ""
    previous: str = ""
    cutoff: float | None = None
    timeline: list[tuple[str, str]] = Field(default_factory=list)
    programs: dict[str, ProgramPart] = Field(default_factory=dict)
    components: dict[str, ComponentPart] = Field(default_factory=dict)
    capabilities: dict[str, CapabilityPart] = Field(default_factory=dict)
    checks: dict[str, CheckPart] = Field(default_factory=dict)
    changes: dict[str, Any] | None = None


# Pages of the site's own, and names that Windows keeps to itself, with whatever ending.
RESERVED = re.compile(r"(?:index|page-\d+|con|prn|aux|nul|com\d|lpt\d)(?:\..*)?")


@lru_cache(maxsize=8192)
def slug(text: str) -> str:
    """*text* as a file's name: kept if any file system takes it, else told apart by a digest.

    No text that is kept has a tilde, so that nobody can take another's name by spelling it out.
    """
    safe = re.sub(r"[^a-z0-9._-]+", "-", text.lower()).strip("-.")[:80]
    if safe and safe == text and not RESERVED.fullmatch(safe):
        return safe
    return f"{safe or 'x'}~{hashlib.sha256(text.encode('utf-8', 'replace')).hexdigest()[:8]}"
