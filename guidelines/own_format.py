"""Our own guideline format: its schema, checked at the door by pydantic."""

from __future__ import annotations

import datetime
import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
)
from pydantic import model_validator as check_whole
from pydantic_core import ErrorDetails

from guidelines.errors import Problem, SchemaProblems, complaint, one_line
from guidelines.suggest import did_you_mean

SCHEMA_ID = "interop.guideline/1"

Identifier = Annotated[
    str, StringConstraints(min_length=1, max_length=200, pattern=r"^[A-Za-z0-9][A-Za-z0-9._:/+-]*$")
]
Name = Annotated[str, StringConstraints(min_length=1, max_length=1000)]
Text = Annotated[str, StringConstraints(max_length=20_000)]


def _read_day(value: object) -> object:
    """Take a JSON document's day, which is text; YAML brings dates."""
    if isinstance(value, str) and re.fullmatch(r"\d{4}-\d{2}-\d{2}", value):
        return datetime.date.fromisoformat(value)
    return value


Day = Annotated[datetime.date, BeforeValidator(_read_day)]
Scalar = str | bool | int | float | None
Period = Annotated[
    str,
    StringConstraints(pattern=r"^(day|week|month|quarter|year|P[1-9]\d{0,3}[YMWD])$"),
    Field(
        description="How long evidence holds: an ISO 8601 duration with one unit (P90D, P6M), "
        "or a calendar period counted as SCS does."
    ),
]
LifeStatus = Literal["draft", "review", "advisory", "approved", "superseded"]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class ConditionPart(_Part):
    """Applies only to platforms that declare all of these features."""

    declares: list[Identifier] = Field(min_length=1)


class TimelinePart(_Part):
    """From a day on, the guideline (or one program) has a status."""

    date: Day
    status: LifeStatus
    target: Name | None = None


class CriterionPart(_Part):
    """A scoring criterion."""

    name: Name
    weight: int | float = Field(ge=0, le=1000)
    description: Text = ""


class ScoringPart(_Part):
    """Criteria, and the total from which a capability may be required."""

    cutoff: int | float = Field(ge=0)
    criteria: dict[Identifier, CriterionPart] = Field(min_length=1)


class ProgramPart(_Part):
    """What one can be certified for."""

    title: Text = ""
    components: list[Name] = Field(min_length=1)
    add_on: bool = Field(default=False, alias="add-on")
    requires: list[Name] = Field(default=[], description="Components a platform must also satisfy.")
    aliases: list[Name] = []
    holds: Period | None = None


class StatusPart(_Part):
    """Capabilities by status."""

    required: list[Name] = []
    advisory: list[Name] = []
    deprecated: list[Name] = []
    removed: list[Name] = []


class ComponentPart(_Part):
    """What gives capabilities their status."""

    title: Text = ""
    requires: list[Name] = Field(default=[], description="Components this one depends on.")
    capabilities: StatusPart


class FlagPart(_Part):
    """A check that need not pass for now."""

    reason: Text
    action: Text
    date: Day
    expires: Day | None = None


class RangePart(_Part):
    """Inclusive bounds; at least one."""

    low: int | float | None = None
    high: int | float | None = None

    @check_whole(mode="after")
    def _has_bounds(self) -> RangePart:
        if self.low is None and self.high is None:
            raise ValueError("expected low, high or both")
        if self.low is not None and self.high is not None and self.low > self.high:
            raise ValueError("low is greater than high")
        return self


class ExpectationPart(_Part):
    """What a fact must be, said with exactly one of the comparing keys or ``recorded``."""

    fact: Name
    equals: Scalar | list[Scalar] = None
    one_of: list[Scalar] | None = Field(default=None, alias="one-of", min_length=1)
    range: RangePart | None = None
    contains: list[Scalar] | None = Field(default=None, min_length=1)
    same_across: Literal["members"] | None = Field(default=None, alias="same-across")
    recorded: Literal[True] | None = None
    unit: Name | None = None
    optional: bool = False

    @check_whole(mode="after")
    def _has_one_kind(self) -> ExpectationPart:
        kinds = {"equals", "one_of", "range", "contains", "same_across", "recorded"}
        if len(kinds & self.model_fields_set) != 1:
            raise ValueError(
                "expected exactly one of equals, one-of, range, contains, same-across, recorded"
            )
        return self


class ReferencePart(_Part):
    """The standard's section a check rests on."""

    title: Name
    url: Annotated[str, StringConstraints(pattern=r"^https?://\S+$")] | None = None


class CheckPart(_Part):
    """A check with a permanent id."""

    title: Name
    level: int = Field(ge=0, le=6)
    aliases: list[Name] = []
    idempotent_id: Name | None = Field(default=None, alias="idempotent-id")
    needs: list[Identifier] = []
    when: ConditionPart | None = None
    flag: FlagPart | None = None
    expects: list[ExpectationPart] = []
    references: list[ReferencePart] = []
    manual: bool = False
    holds: Period | None = None


class CapabilityPart(_Part):
    """A group of checks."""

    title: Text = ""
    checks: list[Identifier]
    achievements: list[Identifier] | None = None
    admin: bool = False
    required_since: Text | None = Field(default=None, alias="required-since")
    level: int | None = Field(default=None, ge=0, le=6)
    when: ConditionPart | None = None
    score: int | float | None = None


class GuidelineDocument(_Part):
    """A guideline: programs, components, capabilities and checks of one version."""

    # "schema" would hide a method of BaseModel
    schema_id: Literal["interop.guideline/1"] = Field(alias="schema")
    id: Identifier
    title: Text = ""
    status: LifeStatus
    timeline: list[TimelinePart] = []
    replaces: Identifier | None = None
    scoring: ScoringPart | None = None
    programs: dict[Name, ProgramPart]
    components: dict[Name, ComponentPart]
    capabilities: dict[Identifier, CapabilityPart]
    checks: dict[Identifier, CheckPart]


def read_document(data: Mapping[str, object], source: str) -> GuidelineDocument:
    """Check *data* against the schema.

    Raises:
        SchemaProblems: naming the path of every wrong key, and for an unknown key the nearest
            known one.
    """
    try:
        return GuidelineDocument.model_validate(data)
    except ValidationError as error:
        problems = tuple(
            _problem(item, data) for item in error.errors(include_url=False, include_input=False)
        )
        raise SchemaProblems(source, problems) from None


def schema() -> dict[str, Any]:
    """Return the JSON Schema of the format."""
    return GuidelineDocument.model_json_schema(by_alias=True)


def _problem(item: ErrorDetails, data: object) -> Problem:
    location = [part for part in item["loc"] if not _is_union_branch(part)]
    path = ".".join(str(part) for part in location)
    kind = item["type"]
    if kind == "extra_forbidden":
        known = _keys_at(location[:-1])
        return Problem(
            path=path,
            message=f"unknown key {location[-1]!r}{did_you_mean(str(location[-1]), known)}",
        )
    if kind == "missing":
        return Problem(path=path, message="this key is required")
    message = complaint(str(item["msg"]))
    if kind == "string_type" and not isinstance(_value_at(data, location), str):
        message += "; write it in quotes"
    return Problem(path=path, message=one_line(message))


def _is_union_branch(part: object) -> bool:
    return isinstance(part, str) and (
        part in {"str", "bool", "int", "float"} or "[" in part or part.startswith("function-")
    )


def _value_at(data: object, location: list[Any]) -> object:
    for part in location:
        if isinstance(data, dict) and part in data:
            data = data[part]
            continue
        if not isinstance(data, list) or not isinstance(part, int) or part >= len(data):
            return ""
        data = data[part]
    return data


def _keys_at(location: list[Any]) -> list[str]:
    """Return the known keys of the model at *location*, found by walking the schema."""
    document = schema()
    node: Any = document
    for part in location:
        node = _resolved(node, document)
        if isinstance(part, int):
            node = node.get("items", {})
        elif part in node.get("properties", {}):
            node = node["properties"][part]
        else:
            by_pattern = list(node.get("patternProperties", {}).values())
            node = by_pattern[0] if by_pattern else node.get("additionalProperties", {})
        if not isinstance(node, dict):
            return []
    return list(_resolved(node, document).get("properties", {}))


def _resolved(node: dict[str, Any], document: dict[str, Any]) -> dict[str, Any]:
    for option in node.get("anyOf", ()):
        if "$ref" in option or option.get("type") in {"object", "array"}:
            node = option
            break
    if "$ref" in node:
        target: dict[str, Any] = document["$defs"][node["$ref"].rsplit("/", 1)[1]]
        return target
    return node
