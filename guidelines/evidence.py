"""Evidence: what one result says, in the words judging understands and nothing more.

The seam between the loaders of results (`guidelines.results`) and judging. A loader tells what
was seen and what is odd about the document; it never says whether anything complies.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

Scalar = str | int | float | bool | None
FactValue = Scalar | tuple[Scalar, ...]


class Status(StrEnum):
    """What a run said of one item.

    `BLOCKED` is "could not tell" (a set-up or platform error); `UNFINISHED` began and was never
    heard of again: an ``inprogress`` without end, a stream that stops in the middle.
    """

    PASSED = "passed"
    FAILED = "failed"
    BLOCKED = "blocked"
    SKIPPED = "skipped"
    UNFINISHED = "unfinished"
    NOT_APPLICABLE = "not-applicable"


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """One item of a run and how it ended.

    Args:
        name: the normalised name, for display.
        names: every form of the name an item may be matched by; contains *name*.
        idempotent_id: an identifier that survives renaming (``id-...`` without the prefix), if any.
        status: how it ended.
        reason: why, in words a person reads; may be empty for a pass.
        where: where in the document this stands, such as ``file.xml#testcase[12]``.
        finished: when it ended, if the document says so; always with a time zone.
        seconds: how long it took, if the document says so.
        covers: for a record about a whole class or module (``setUpClass``), the name prefix of
            the items it speaks for; such a record is not an item itself.
    """

    name: str
    names: frozenset[str]
    idempotent_id: str | None = None
    status: Status
    reason: str = ""
    where: str
    finished: datetime | None = None
    seconds: float | None = None
    covers: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """One observed value, with its unit and who said it.

    Args:
        check: the check that recorded it, if it belongs to one.
        name: what was observed.
        value: the value; a list becomes a tuple.
        unit: unit of the value, if it has one.
        source: who said it: ``guest``, ``api``, ``declared`` or ``observed``.
        member: the machine or pod it was seen on, if any.
    """

    check: str | None = None
    name: str
    value: FactValue
    unit: str | None = None
    source: str
    member: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """One result document, read.

    Args:
        source: the file it came from.
        format: which format it was recognised as, such as ``junit`` or ``subunit-v2``.
        digest: ``sha256:`` and the hexadecimal digest of the file's bytes.
        subject: the platform the run was about, if the document names one.
        started: when the run began, if known; always with a time zone.
        finished: when the run ended, if known; always with a time zone.
        complete: false when the document itself shows that something is missing.
        notes: what is odd about the document, for a person: wrong header counts, duplicates, ...
        outcomes: the items, in the order of the document.
        facts: the observed values.
        declared: features or conditions the platform declares.
        passes_only: the format keeps passes only, so absence means "not passed" and no more.
    """

    source: str
    format: str
    digest: str
    subject: str | None = None
    started: datetime | None = None
    finished: datetime | None = None
    complete: bool = True
    notes: tuple[str, ...] = ()
    outcomes: tuple[Outcome, ...] = ()
    facts: tuple[Fact, ...] = ()
    declared: frozenset[str] = frozenset()
    passes_only: bool = False
