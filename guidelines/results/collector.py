"""What a loader collects while it reads one result: outcomes, and what is odd about them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from datetime import datetime

from guidelines.errors import BadDocument
from guidelines.evidence import Evidence, Fact, Outcome, Status
from guidelines.results.names import plain, read_name
from guidelines.results.source import Limits

REASON_CHARS = 300
NAMED_IN_A_NOTE = 3
NOTES = 60
_EXCERPT_CHARS = 2000
_TRACEBACK = "Traceback (most recent call last)"


class Excerpt:
    """The beginning and the end of a long text, whatever comes between."""

    __slots__ = ("_head", "_tail")

    def __init__(self) -> None:
        self._head = ""
        self._tail = ""

    def add(self, text: str) -> None:
        room = _EXCERPT_CHARS - len(self._head)
        if room > 0:
            self._head += text[:room]
            text = text[room:]
        if text:
            self._tail = (self._tail + text[-_EXCERPT_CHARS:])[-_EXCERPT_CHARS:]

    def __str__(self) -> str:
        return self._head + ("\n" + self._tail if self._tail else "")


def reason_of(message: str | None, text: str = "") -> str:
    """One line saying why: *message*, else what a person would look for in *text*.

    That is the last line of a Python traceback (the exception), else the first line.
    """
    for candidate in (message, _telling_line(text)):
        line = plain(candidate or "")
        if line:
            return line if len(line) <= REASON_CHARS else line[: REASON_CHARS - 1] + "…"
    return ""


def _telling_line(text: str) -> str:
    if _TRACEBACK in text:
        text = text[text.rindex(_TRACEBACK) :]
        lines = [line for line in text.splitlines() if line.strip()]
        # The exception is the first line after the frames that is not indented.
        return next((line for line in lines[1:] if not line[0].isspace()), lines[-1])
    return next((line for line in text.splitlines() if line.strip()), "")


class Collector:
    """Outcomes of one document in order, counted as they come.

    Args:
        source: what to call the document in locators.
        limits: how many outcomes it may have.
        repeats: the format records one item several times on purpose (once per parameter).
    """

    def __init__(self, source: str, limits: Limits, *, repeats: bool = False) -> None:
        self.source = source
        self.complete = True
        self.facts: list[Fact] = []
        self.limits = limits
        self._repeats = repeats
        self._outcomes: list[Outcome] = []
        self._notes: list[str] = []
        self._first: dict[str, Status] = {}
        self._again: dict[str, set[Status]] = {}
        self._distinct = 0
        self._counts: Counter[str] = Counter()
        self._examples: dict[str, list[str]] = {}

    def add(
        self,
        name: str,
        status: Status,
        *,
        where: str,
        reason: str = "",
        qualifiers: Iterable[str] = (),
        forms: Iterable[str] = (),
        idempotent_id: str | None = None,
        finished: datetime | None = None,
        seconds: float | None = None,
    ) -> None:
        """Record one item.

        Args:
            name: the name as written.
            status: how it ended.
            where: where in the document; the document's name is put in front.
            reason: why, one line.
            qualifiers: class names that may stand in front of the name.
            forms: further forms to match by.
            idempotent_id: an identifier the document gives apart from the name.
            finished: when it ended.
            seconds: how long it took.

        Raises:
            BadDocument: one outcome too many, or a name beyond all measure.
        """
        if len(self._outcomes) >= self.limits.outcomes:
            raise BadDocument(
                self.source, where, f"more than the {self.limits.outcomes} outcomes that are read"
            )
        if len(name) > self.limits.name_bytes:
            raise BadDocument(
                self.source, where, f"a name of {len(name)} characters; expected a test's name"
            )
        read = read_name(name, qualifiers=qualifiers)
        covers = None
        display = read.display
        if not display:
            display = "(unnamed)"
            self.count("without a name, matching nothing", where)
        if read.encoded > 1:
            self.count("with a name encoded more than once", display)
        if read.fixture is not None and status is not Status.PASSED:
            status, covers = self._fixture(read.fixture, read.scope, status, display)
        self._outcomes.append(
            Outcome(
                name=display,
                names=read.forms.union(forms) if forms else read.forms,
                idempotent_id=read.idempotent_id or idempotent_id,
                status=status,
                reason=reason,
                where=f"{self.source}#{where}",
                finished=finished,
                seconds=seconds,
                covers=covers,
            )
        )
        if status is Status.UNFINISHED:
            self.complete = False
            self.count("that began and did not end", display)
        if not self._repeats and read.fixture is None and read.forms:
            first = self._first.setdefault(display, status)
            if len(self._first) == self._distinct:
                self._again.setdefault(display, {first}).add(status)
            self._distinct = len(self._first)

    def _fixture(
        self, fixture: str, scope: str | None, status: Status, display: str
    ) -> tuple[Status, str | None]:
        """A broken set-up blocks what it would have set up; a broken tear-down blocks nothing."""
        if fixture.startswith("tearDown"):
            self.count(f"of class or module tear-down ({status})", display)
            return status, None
        if status is Status.FAILED:
            status = Status.BLOCKED
        self.count(f"of class or module set-up ({status})", display)
        return status, scope

    def count(self, kind: str, name: str) -> None:
        """Count an oddity; *kind* completes "N items ..."."""
        self._counts[kind] += 1
        examples = self._examples.setdefault(kind, [])
        if len(examples) < NAMED_IN_A_NOTE:
            examples.append(name if len(name) <= 120 else name[:119] + "…")

    def note(self, text: str) -> None:
        """Note what is odd about the document as a whole."""
        self._notes.append(plain(text))

    def incomplete(self, text: str) -> None:
        """Note why the document shows that something is missing."""
        self.complete = False
        self.note(text)

    @property
    def outcomes(self) -> int:
        """How many items there are so far."""
        return len(self._outcomes)

    def evidence(
        self,
        form: str,
        digest: str,
        *,
        subject: str | None = None,
        started: datetime | None = None,
        finished: datetime | None = None,
        declared: frozenset[str] = frozenset(),
        passes_only: bool = False,
    ) -> Evidence:
        """Everything collected, as one value."""
        return Evidence(
            source=self.source,
            format=form,
            digest=digest,
            subject=subject,
            started=started,
            finished=finished,
            complete=self.complete,
            notes=self._all_notes(),
            outcomes=tuple(self._outcomes),
            facts=tuple(self.facts),
            declared=declared,
            passes_only=passes_only,
        )

    def _all_notes(self) -> tuple[str, ...]:
        notes = list(self._notes)
        if not self._outcomes:
            notes.append("there is no outcome in it")
        for kind, number in self._counts.items():
            notes.append(f"{_items(number)} {kind}: {_listed(self._examples[kind], number)}")
        alike = [name for name, seen in self._again.items() if len(seen) == 1]
        unlike = [name for name, seen in self._again.items() if len(seen) > 1]
        if alike:
            notes.append(
                f"{_items(len(alike))} recorded more than once: {_listed(alike, len(alike))}"
            )
        if unlike:
            notes.append(
                f"{_items(len(unlike))} recorded more than once with different outcomes, each"
                f" kept: {_listed(unlike, len(unlike))}"
            )
        if len(notes) > NOTES:
            notes[NOTES:] = [f"and {len(notes) - NOTES} more remarks"]
        return tuple(notes)


def _items(number: int) -> str:
    return "1 item" if number == 1 else f"{number} items"


def _listed(names: list[str], number: int) -> str:
    shown = ", ".join(name if len(name) <= 120 else name[:119] + "…" for name in names[:3])
    return shown if number <= NAMED_IN_A_NOTE else f"{shown}, ..."
