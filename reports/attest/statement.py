"""What is signed: an in-toto Statement over the digests of files, with what they amount to.

Two kinds: ``result`` (this is what was seen, by these checks and this tool) and ``verdict`` (this
is what a guideline says of it, from when until when). A certification body may sign a verdict on
a result that a vendor signed.

Source: in-toto Attestation Framework v1, Statement; predicate types are URIs of our own, because
``test-result/v0.1`` has no place for levels, validity or "could not be told".
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import date, datetime
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Discriminator,
    Field,
    Tag,
    model_validator,
)

STATEMENT: Literal["https://in-toto.io/Statement/v1"] = "https://in-toto.io/Statement/v1"
RESULT: Literal["urn:interop:attestation:result:1"] = "urn:interop:attestation:result:1"
VERDICT: Literal["urn:interop:attestation:verdict:1"] = "urn:interop:attestation:verdict:1"
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
FileName = Annotated[str, Field(pattern=r"^[A-Za-z0-9_][A-Za-z0-9._+-]{0,199}$")]


def _day(text: str) -> str:
    date.fromisoformat(text)
    return text


Day = Annotated[str, Field(pattern=r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$"), AfterValidator(_day)]


class Strict(BaseModel):
    """Unknown keys are errors; values never change after reading."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


class Digest(Strict):
    """Digests of a file's bytes."""

    sha256: Sha256


class Subject(Strict):
    """A file of the bundle."""

    name: FileName
    digest: Digest


class Tool(Strict):
    """The program that made the statement: its version, and a digest over its files."""

    name: str
    version: str
    digest: str


class Seen(Strict):
    """One document of evidence."""

    name: FileName
    format: str
    subject: str | None = None
    finished: datetime | None = None
    complete: bool
    suite: str | None = None  # digest of the checks that ran, where the document has it


class ResultPredicate(Strict):
    """What was seen."""

    evidence: list[Seen] = Field(min_length=1)
    tool: Tool
    signed: AwareDatetime


class GuidelineUsed(Strict):
    """The guideline's id and the file of the bundle that it is in."""

    id: str
    file: FileName


class VerdictPredicate(Strict):
    """What it amounts to, by what, and how long that holds (days, both included)."""

    verdict: Literal["compliant", "not-compliant", "inconclusive"]
    level: int | None
    program: str
    at: Day
    guideline: GuidelineUsed
    hosts: list[GuidelineUsed] = Field(default_factory=list)
    waivers: FileName | None = None
    known_failing: FileName | None = None
    strict: bool = False
    evidence: list[FileName] = Field(min_length=1)
    valid_from: Day
    valid_until: Day
    tool: Tool
    signed: AwareDatetime

    @property
    def rests_on(self) -> set[str]:
        """The files of the bundle that it names."""
        named = {self.guideline.file, *(host.file for host in self.hosts), *self.evidence}
        return named | {name for name in (self.waivers, self.known_failing) if name}


def _kind(value: Any) -> str:
    """Which of the two a predicate is meant to be, so that what is wrong is said of that one."""
    told = value if isinstance(value, Mapping) else {}
    return "verdict" if isinstance(value, VerdictPredicate) or "verdict" in told else "result"


Predicate = Annotated[
    Annotated[ResultPredicate, Tag("result")] | Annotated[VerdictPredicate, Tag("verdict")],
    Discriminator(_kind),
]


class Statement(Strict):
    """Either of the two, as it stands in an envelope."""

    type_: Literal["https://in-toto.io/Statement/v1"] = Field(default=STATEMENT, alias="_type")
    subject: list[Subject] = Field(min_length=1)
    predicateType: Literal[  # noqa: N815 - in-toto's name
        "urn:interop:attestation:result:1", "urn:interop:attestation:verdict:1"
    ]
    predicate: Predicate

    @model_validator(mode="after")
    def _agrees(self) -> Self:
        kind = RESULT if isinstance(self.predicate, ResultPredicate) else VERDICT
        if kind != self.predicateType:
            raise ValueError("the predicate is of another type than predicateType says")
        if len(self.digests()) != len(self.subject):
            raise ValueError("a subject is named twice")
        return self

    def dump(self) -> dict[str, Any]:
        """The statement as plain JSON values, keys as written in the file."""
        return self.model_dump(mode="json", by_alias=True)

    def digests(self) -> dict[str, str]:
        """File name to digest."""
        return {subject.name: subject.digest.sha256 for subject in self.subject}


def statement(
    files: Mapping[str, bytes], predicate: ResultPredicate | VerdictPredicate
) -> Statement:
    """The statement that *predicate* holds of these files."""
    subjects = [
        Subject(name=name, digest=Digest(sha256=hashlib.sha256(files[name]).hexdigest()))
        for name in sorted(files)
    ]
    kind = RESULT if isinstance(predicate, ResultPredicate) else VERDICT
    return Statement(subject=subjects, predicateType=kind, predicate=predicate)
