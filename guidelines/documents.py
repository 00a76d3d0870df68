"""The JSON documents the commands print, as models: source of the schemas in ``schema/``."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from guidelines import own_format
from guidelines.waivers import WaiverDocument

Number = int | float
StateWord = Literal["passed", "failed", "blocked", "skipped", "missing", "waived", "not-applicable"]
Word = Literal["compliant", "not-compliant", "inconclusive"]
StatusWord = Literal["required", "advisory", "deprecated", "removed"]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class FindingPart(_Part):
    """Something a person should know."""

    code: str
    severity: Literal["error", "warning", "note"]
    path: str
    message: str


class LintOutput(_Part):
    """Printed by ``interop guideline lint --json``."""

    findings: list[FindingPart]


class CapabilityCounts(_Part):
    """Capabilities of a program by their strongest status."""

    required: int
    advisory: int
    deprecated: int
    removed: int


class TestCounts(_Part):
    """Tests of required capabilities: counted once for each capability, and distinct ones."""

    __test__ = False

    required: int
    flagged: int
    must_pass: int
    must_pass_distinct: int


class ProgramSummary(_Part):
    """One program of ``show``."""

    kind: Literal["program", "add-on", "component", "version"]
    title: str
    components: list[str]
    requires: list[str]
    capabilities: CapabilityCounts
    tests: TestCounts
    conditional: int
    undefined_components: list[str]


class ShowOutput(_Part):
    """Printed by ``interop guideline show --json``."""

    id: str
    schema_: str = Field(alias="schema")
    status: str
    format: Literal["interop", "defcore", "kubernetes", "scs", "redfish", "test-list"]
    title: str
    replaces: str | None
    digest: str
    cutoff: Number | None
    default_program: str | None
    programs: dict[str, ProgramSummary]
    at: str | None = None
    versions: dict[str, str] | None = None


class ListedGuideline(_Part):
    """One shipped guideline."""

    id: str
    status: str
    title: str
    digest: str
    programs: list[str]


class ListOutput(_Part):
    """Printed by ``interop guideline list --json``."""

    guidelines: list[ListedGuideline]


class ScorePart(_Part):
    """One capability's total."""

    id: str
    total: Number
    recorded: Number | None
    included: bool
    veto: bool
    reasons: list[str]


class ScoreOutput(_Part):
    """Printed by ``interop guideline score --json``."""

    cutoff: Number | None
    weights: dict[str, Number]
    capabilities: list[ScorePart]
    findings: list[FindingPart]


class ChangedPart(_Part):
    """Something that differs, and how."""

    id: str
    changes: list[str]


class RenamedPart(_Part):
    """A test under two names."""

    from_: str = Field(alias="from")
    to: str


class CapabilityDiff(_Part):
    """Changes of capabilities."""

    added: list[str]
    removed: list[str]
    changed: list[ChangedPart]


class TestDiff(_Part):
    """Changes of tests."""

    __test__ = False

    added: list[str]
    removed: list[str]
    renamed: list[RenamedPart]
    flagged: list[str]
    unflagged: list[str]
    changed: list[ChangedPart]


class DiffOutput(_Part):
    """Printed by ``interop guideline diff --json``."""

    from_: str = Field(alias="from")
    to: str
    capabilities: CapabilityDiff
    tests: TestDiff
    weights: list[ChangedPart]
    programs: list[ChangedPart]


class CountsPart(_Part):
    """How many required items are in each state; they add up to ``required``."""

    required: int
    passed: int
    failed: int
    blocked: int
    skipped: int
    missing: int
    waived: int
    not_applicable: int
    flagged: int


class PreviewItemPart(_Part):
    """One item under both guidelines."""

    id: str
    before: str
    after: str
    why: str


class TwoWords(_Part):
    """A word under the earlier and the later guideline."""

    before: str
    after: str


class TwoCounts(_Part):
    """Counts under the earlier and the later guideline."""

    before: CountsPart
    after: CountsPart


class PreviewOutput(_Part):
    """Printed by ``interop guideline preview --json``."""

    from_: str = Field(alias="from")
    to: str
    program: TwoWords
    verdict: TwoWords
    counts: TwoCounts
    items: list[PreviewItemPart]


class SupersededPart(_Part):
    """A record that does not decide."""

    state: StateWord
    reason: str
    evidence: str


class ItemPart(_Part):
    """One check and what came of it."""

    id: str
    title: str
    state: StateWord
    reason: str
    evidence: str
    status: StatusWord
    capabilities: list[str]
    level: int | None
    flagged: bool
    superseded: list[SupersededPart] | None = None


class CapabilityPart(_Part):
    """One capability and the worst state of its items."""

    id: str
    title: str
    status: StatusWord
    state: StateWord | Literal["unproven", "undefined"]
    must_pass: int
    passed: int


class EvidencePart(_Part):
    """A document that was judged."""

    source: str
    format: str
    digest: str
    subject: str | None
    finished: str | None
    complete: bool


class VerdictOutput(_Part):
    """Printed by ``interop judge --json``: a verdict document."""

    schema_: Literal["interop.verdict/1"] = Field(alias="schema")
    verdict: Word
    verdict_without_waivers: Word
    reasons: list[str]
    guideline: str
    guideline_digest: str
    program: str
    at: str
    counts: CountsPart
    level: int | None
    held_back_by: list[str]
    capabilities: list[CapabilityPart]
    items: list[ItemPart]
    flagged_items: list[ItemPart]
    advised_items: list[ItemPart]
    findings: list[FindingPart]
    evidence: list[EvidencePart]


OUTPUTS: dict[str, type[BaseModel]] = {
    "list": ListOutput,
    "show": ShowOutput,
    "lint": LintOutput,
    "score": ScoreOutput,
    "diff": DiffOutput,
    "preview": PreviewOutput,
    "verdict": VerdictOutput,
}


def all_schemas() -> dict[str, dict[str, Any]]:
    """Return every schema by the name of its file in ``schema/``."""
    found = {
        "guideline-1.json": _schema(own_format.GuidelineDocument, "guideline"),
        "waivers-1.json": _schema(WaiverDocument, "waivers"),
    }
    for name, model in OUTPUTS.items():
        found[f"{name}-1.json"] = _schema(model, name)
    return found


def _schema(model: type[BaseModel], name: str) -> dict[str, Any]:
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": f"urn:interop:{name}:1",
        **model.model_json_schema(by_alias=True, mode="validation"),
    }
