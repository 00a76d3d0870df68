"""The verdict document: what a guideline says of a result, at a date, with its full accounting."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

SCHEMA: Literal["interop.verdict/1"] = "interop.verdict/1"


class Judged(BaseModel):
    """What exactly was judged: which bytes, by which guideline, as of which day."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    result: str
    guideline: str
    guideline_digest: str
    program: str
    at: str
    tool: str


class VerdictDocument(BaseModel):
    """A verdict that anybody can compute again from ``judged``.

    ``judgement`` is the output of ``interop judge --json``: verdict, counts, capabilities, items,
    findings, level.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)

    schema_: Literal["interop.verdict/1"] = Field(default=SCHEMA, alias="schema")
    judged: Judged
    judgement: dict[str, Any]

    @property
    def verdict(self) -> str:
        """``compliant``, ``not-compliant`` or ``inconclusive``."""
        return str(self.judgement["verdict"])

    def dump(self) -> dict[str, Any]:
        """The document as plain JSON values, keys as written in the file."""
        return self.model_dump(mode="json", by_alias=True)
