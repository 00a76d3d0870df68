"""The verdict document: what a guideline says of a result, at a date, with its full accounting.

Judging writes it (``Verdict.to_json``); here is what showing and comparing it needs to rely on.
"""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

ELSEWHERE = "is for another platform, guideline or program"

SHOWN = 5  # ids of advisory checks that a line names


class VerdictDocument(BaseModel):
    """A verdict as written by ``interop judge --json``; keys not named here are kept as they are.

    ``counts`` are the states of the required items and add up to ``counts["required"]``.
    """

    model_config = ConfigDict(extra="allow", frozen=True, populate_by_name=True)

    schema_: Literal["interop.verdict/1"] = Field(alias="schema")
    verdict: Literal["compliant", "not-compliant", "inconclusive"]
    reasons: list[str] = Field(default_factory=list)
    guideline: str
    program: str
    at: str
    counts: dict[str, int]
    level: int | None = None
    held_back_by: list[str] = Field(default_factory=list)
    capabilities: list[dict[str, Any]] = Field(default_factory=list)
    items: list[dict[str, Any]] = Field(default_factory=list)
    flagged_items: list[dict[str, Any]] = Field(default_factory=list)
    advised_items: list[dict[str, Any]] = Field(default_factory=list)
    findings: list[dict[str, Any]] = Field(default_factory=list)

    def states(self) -> dict[str, str]:
        """The state of each item by its id: required, flagged and advised ones."""
        everything = (*self.advised_items, *self.flagged_items, *self.items)
        return {str(item["id"]): str(item["state"]) for item in everything}

    def on_advice(self) -> list[str]:
        """What failed of that which is only advised; the verdict does not depend on it."""
        failed = [str(item["id"]) for item in self.advised_items if item["state"] == "failed"]
        more = ["..."] if len(failed) > SHOWN else []
        shown = ", ".join([*failed[:SHOWN], *more])
        return [f"{len(failed)} advisory failed: {shown}"] if failed else []

    def on_waivers(self) -> list[str]:
        """What is wrong with waivers: expired, not needed any more, for nothing that is asked for.

        Those for other platforms are left out: a file of waivers serves all platforms of a run.
        """
        return [
            str(finding["message"])
            for finding in self.findings
            if str(finding.get("code", "")).endswith("-waiver")
            and not str(finding["message"]).endswith(ELSEWHERE)
        ]

    def dump(self) -> dict[str, Any]:
        """The document as plain JSON values, keys as written in the file."""
        return self.model_dump(mode="json", by_alias=True)
