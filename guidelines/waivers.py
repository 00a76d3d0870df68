"""Waivers: who accepts that a requirement is not met, why, where and until when."""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import (
    AliasChoices,
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    field_validator,
    model_validator,
)

from guidelines.errors import BadDocument, Problem, SchemaProblems, complaint
from guidelines.own_format import Day, Name, Text
from guidelines.suggest import did_you_mean

SCHEMA_ID = "interop.waivers/1"
# By depth of the path: the file, a waiver, its scope.
_KEYS: dict[int, tuple[str, ...]] = {
    1: ("waivers", "schema"),
    3: ("check", "capability", "scope", "owner", "reason", "expires"),
    4: ("platform", "guideline", "program"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiver:
    """One accepted exception.

    Args:
        check: the check it is about; empty if it is about a capability.
        capability: the capability all of whose checks it is about.
        platform: the only platform it is for; empty means every one.
        guideline: the only guideline it is for; empty means every one.
        program: the only program it is for; empty means every one.
        owner: who answers for it.
        reason: why it was given.
        expires: the last day on which it holds.
        where: its place in the file.
    """

    check: str = ""
    capability: str = ""
    platform: str = ""
    guideline: str = ""
    program: str = ""
    owner: str
    reason: str
    expires: datetime.date
    where: str

    @property
    def subject(self) -> str:
        """What it waives, for a person."""
        return self.check or f"capability {self.capability}"

    def is_for(self, *, subjects: frozenset[str], guideline: str, programs: frozenset[str]) -> bool:
        """Tell whether its scope takes in what is being judged.

        A waiver for one platform covers a body of evidence only if that is about this platform
        and no other.
        """
        return (
            (not self.platform or subjects == {self.platform})
            and (not self.guideline or self.guideline == guideline)
            and (not self.program or self.program in programs)
        )


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class ScopePart(_Part):
    """Where a waiver holds."""

    platform: Name | None = None
    guideline: Name | None = None
    program: Name | None = None


class WaiverPart(_Part):
    """One waiver."""

    check: Name | None = None
    capability: Name | None = None
    scope: ScopePart | None = None
    owner: Name
    reason: Text = Field(min_length=1)
    expires: Day = Field(
        validation_alias=AliasChoices("expires", "expiry"), serialization_alias="expires"
    )

    @field_validator("scope", mode="before")
    @classmethod
    def _platform_by_name(cls, value: object) -> object:
        """A scope that is plain text names a platform."""
        return {"platform": value} if isinstance(value, str) else value

    @model_validator(mode="after")
    def _has_one_subject(self) -> WaiverPart:
        if (self.check is None) == (self.capability is None):
            raise ValueError("expected either check or capability")
        return self


class WaiverDocument(_Part):
    """A file of waivers."""

    schema_id: str = Field(default=SCHEMA_ID, alias="schema", pattern=f"^{SCHEMA_ID}$")
    waivers: list[WaiverPart]


def read_waivers(data: object, source: str) -> tuple[Waiver, ...]:
    """Return the waivers in decoded *data*: a list, or a mapping with the key ``waivers``.

    Raises:
        SchemaProblems: naming the path of every wrong key.
        BadDocument: it is neither.
    """
    if isinstance(data, list):
        data = {"waivers": data}
    if not isinstance(data, Mapping):
        raise BadDocument(source, "", "expected a list of waivers")
    try:
        document = WaiverDocument.model_validate(data)
    except ValidationError as error:
        problems = tuple(
            _problem(item) for item in error.errors(include_url=False, include_input=False)
        )
        raise SchemaProblems(source, problems) from None
    return tuple(
        Waiver(
            check=part.check or "",
            capability=part.capability or "",
            platform=(part.scope and part.scope.platform) or "",
            guideline=(part.scope and part.scope.guideline) or "",
            program=(part.scope and part.scope.program) or "",
            owner=part.owner,
            reason=part.reason,
            expires=part.expires,
            where=f"{source}#waivers.{index}",
        )
        for index, part in enumerate(document.waivers)
    )


def _problem(item: Mapping[str, Any]) -> Problem:
    location: Sequence[object] = item["loc"]
    path = ".".join(str(part) for part in location)
    if item["type"] == "extra_forbidden":
        known = _KEYS.get(len(location), ())
        word = str(location[-1])
        return Problem(path=path, message=f"unknown key {word!r}{did_you_mean(word, known)}")
    if item["type"] == "missing":
        return Problem(path=path, message="this key is required")
    return Problem(path=path, message=complaint(str(item["msg"])))
