"""What every format is made from: one entry a check and result, in exactly one state."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import NAMESPACE_URL, UUID, uuid5

from reports.compare.table import StateWord, cell_of
from reports.compare.topics import TOPICS, topic_of
from reports.matrix import check_order
from reports.result import CheckRecord
from reports.subject import About, Subject, by_check, outcome

SPACE = uuid5(NAMESPACE_URL, "urn:interop:export")


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One check of one result.

    Args:
        id, title: the check's.
        state: what it came to, judged where there is a verdict.
        required: whether a program requires it; without a verdict everything counts as required.
        reason: why, in full; empty for a plain pass.
        evidence: where that stands.
        topic: what a user would feel.
        about: what the guideline says, if anything.
        records: its executions.
        start: of the first execution, or of the run; ``None`` if unknown.
        seconds: over all executions.
    """

    id: str
    title: str
    state: StateWord
    required: bool
    reason: str
    evidence: str
    topic: str
    about: About
    records: tuple[CheckRecord, ...]
    start: datetime | None
    seconds: float

    @property
    def stop(self) -> datetime | None:
        """When the last execution ended, as far as is known."""
        return self.start + timedelta(seconds=self.seconds) if self.start else None

    @property
    def against(self) -> bool:
        """Whether it is a required item that stands against compliance."""
        return self.required and self.state in ("failed", "skipped", "missing")

    def status(self, untold: str) -> str:
        """Passed, failed or skipped, which most formats know; *untold* is their word for blocked.

        What is missing or skipped although required is failed, and what is only advised skipped.
        """
        if self.state == "passed":
            return "passed"
        if self.state == "blocked":
            return untold
        if self.state == "failed" and self.required:
            return "failed"
        return "failed" if self.against else "skipped"

    def again(self, subject: Subject) -> str:
        """The command that does it again on *subject*; empty if it did not run there."""
        return subject.again(self.id) if self.records else ""

    @property
    def trace(self) -> str:
        """The traceback that came with it, if any."""
        texts = (e.text for r in self.records for e in r.evidence if e.title == "traceback")
        return next(texts, "")


def entries(subject: Subject, about: Mapping[str, About]) -> tuple[Entry, ...]:
    """Every check that was asked for or ran, in the order of the guideline's chapters."""
    records = by_check(subject)
    items = subject.judgement.items if subject.judgement else {}
    ids = sorted({*records, *items}, key=check_order)
    return tuple(_entry(subject, id_, about.get(id_), records.get(id_, ())) for id_ in ids)


def _entry(
    subject: Subject, id_: str, about: About | None, records: Sequence[CheckRecord]
) -> Entry:
    cell = cell_of(subject, id_, records)
    item = subject.judgement.items.get(id_) if subject.judgement else None
    title = about.title if about else item.title if item else ""
    reason = (item.reason if item else outcome(records)[1]) if cell.reason else ""
    starts = [instant(record.started) for record in records]
    known = [start for start in starts if start is not None]
    return Entry(
        id=id_,
        title=title or next((r.title for r in records if r.title), ""),
        state=cell.state,
        required=item.status == "required" if item else subject.judgement is None,
        reason=reason.strip(),
        evidence=cell.evidence,
        topic=TOPICS[topic_of(id_, about)],
        about=about or About(id=id_),
        records=tuple(records),
        start=min(known) if known else instant(subject.started),
        seconds=cell.seconds,
    )


def instant(text: str) -> datetime | None:
    """An RFC 3339 instant in UTC; ``None`` for anything else."""
    try:
        value = datetime.fromisoformat(text)
    except ValueError:
        return None
    return value.astimezone(UTC) if value.tzinfo else value.replace(tzinfo=UTC)


def utc(text: str) -> str:
    """An instant as RFC 3339 with ``Z``, to the millisecond; empty if it is none."""
    value = instant(text)
    return value.isoformat(timespec="milliseconds").replace("+00:00", "Z") if value else ""


def milliseconds(value: datetime | None) -> int:
    """Milliseconds since 1970; 0 if unknown."""
    return round(value.timestamp() * 1000) if value else 0


def identity(*words: str) -> UUID:
    """The same UUID for the same words, so that an export of the same result is the same."""
    return uuid5(SPACE, "\0".join(words))


def first_line(text: str, most: int = 300) -> str:
    """The first line of a text, of bearable length."""
    line = text.strip().splitlines()[0] if text.strip() else ""
    return line if len(line) <= most else line[: most - 1] + "…"
