"""The matrix of a comparison: each check on each member, in exactly one state, with its reason."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from reports.compare.topics import topic_of, topic_place
from reports.matrix import check_order
from reports.result import CheckRecord
from reports.subject import About, Subject, by_check, outcome

StateWord = Literal["passed", "failed", "blocked", "skipped", "missing", "waived", "not-applicable"]
STATES: tuple[StateWord, ...] = (
    "failed",
    "blocked",
    "missing",
    "skipped",
    "waived",
    "not-applicable",
    "passed",
)
REASON_CHARS = 400


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One check on one member.

    Args:
        state: the item's state where the member was judged, else the check's own outcome.
        reason: why, one line; empty for a plain pass.
        evidence: where that stands, such as ``fake-a/result.json#checks[3]``.
        seconds: how long the check took, over all its executions.
    """

    state: StateWord
    reason: str = ""
    evidence: str = ""
    seconds: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One check on every member, in the order of the members."""

    id: str
    title: str
    topic: str
    components: tuple[str, ...]
    status: str
    level: int | None
    differs: bool
    cells: tuple[Cell, ...]

    @property
    def weighs(self) -> bool:
        """Whether those to whom the check applies do not all come to the same."""
        return len({cell.state for cell in self.cells} - {"not-applicable"}) > 1


def rows(subjects: Sequence[Subject], about: Mapping[str, About]) -> tuple[Row, ...]:
    """Every check that is asked for or that anybody ran; differences first, by topic."""
    seen = [by_check(subject) for subject in subjects]
    ids = {*about}
    for subject, records in zip(subjects, seen, strict=True):
        ids |= set(subject.judgement.items) if subject.judgement else set()
        ids |= set(records)
    found = [
        _row(id_, about.get(id_), subjects, [records.get(id_, ()) for records in seen])
        for id_ in ids
    ]
    found.sort(key=_place)
    return tuple(found)


def _place(row: Row) -> tuple[bool, int, bool, tuple[int, str, int, str]]:
    """Differences first, by topic, and in a topic what failed somewhere before what is not told."""
    failed = any(cell.state == "failed" for cell in row.cells)
    return not row.differs, topic_place(row.topic), not failed, check_order(row.id)


def _row(
    id_: str,
    about: About | None,
    subjects: Sequence[Subject],
    records: Sequence[Sequence[CheckRecord]],
) -> Row:
    cells = tuple(cell_of(s, id_, many) for s, many in zip(subjects, records, strict=True))
    items = [s.judgement.items[id_] for s in subjects if s.judgement and id_ in s.judgement.items]
    title = about.title if about else next((item.title for item in items if item.title), "")
    return Row(
        id=id_,
        title=title or next((r.title for many in records for r in many if r.title), ""),
        topic=topic_of(id_, about),
        components=about.components if about else (),
        status=about.status if about else "not asked for",
        level=about.level if about else next((item.level for item in items), None),
        differs=len({cell.state for cell in cells}) > 1,
        cells=cells,
    )


def cell_of(subject: Subject, id_: str, records: Sequence[CheckRecord]) -> Cell:
    """One check on one member; silence is ``missing``, never a pass."""
    seconds = round(sum(record.seconds for record in records), 3)
    word, reason = outcome(records) if records else ("missing", "it did not run")
    judgement = subject.judgement
    item = judgement.items.get(id_) if judgement else None
    if item is not None:
        said = item.reason
        if item.state == "passed" and said in ("passed", reason):
            said = ""
        return _cell(item.state, said, item.evidence, seconds)
    if not records and judgement is not None:
        return _cell("not-applicable", f"{judgement.program} does not ask for it", "", 0.0)
    return _cell(word, reason, "", seconds)


def _cell(state: str, reason: str, evidence: str, seconds: float) -> Cell:
    line = reason.strip().splitlines()[0].strip() if reason.strip() else ""
    if len(line) > REASON_CHARS:
        line = line[: REASON_CHARS - 1] + "…"
    known = next(word for word in STATES if word == state)
    return Cell(state=known, reason=line, evidence=evidence, seconds=seconds)
