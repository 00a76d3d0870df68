"""Results of one platform over time: where it stands, what changed, whether it is certified."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from reports.site.documents import Judged, Shown, Summary, slug

BAD = ("failed", "blocked", "missing")
SILENT = ("missing", "not-applicable")  # between these two nothing became worse or better


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """A check that ended otherwise than in the run before, or a fact that reads otherwise."""

    summary: Summary
    check: str
    fact: str = ""
    before: str
    after: str

    @property
    def sort(self) -> str:
        """``worse``, ``better`` or ``other``."""
        if self.fact:
            return "other"
        if self.before == "passed" and self.after in BAD:
            return "worse"
        return "better" if self.after == "passed" and self.before in BAD else "other"


@dataclass(frozen=True, slots=True, kw_only=True)
class Changed:
    """Checks of one result that all went from one outcome to the same other."""

    summary: Summary
    before: str
    after: str
    checks: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Certificate:
    """The newest result that was compliant, and until when it speaks for the platform.

    ``state`` is ``valid``, ``expired`` or ``none``; ``until`` is the last day, empty for ever.
    """

    state: str
    summary: Summary | None = None
    since: str = ""
    until: str = ""
    program: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """Where a platform stands by one guideline.

    ``word`` is what a badge says: ``compliant``, ``failed``, ``did not finish``, ``expired`` or
    ``not judged``.
    """

    word: str
    last: Judged | None
    certificate: Certificate


@dataclass(frozen=True, slots=True, kw_only=True)
class Platform:
    """A platform and its results, oldest first."""

    name: str
    results: tuple[Summary, ...]

    @property
    def slug(self) -> str:
        """Its name in addresses of pages."""
        return slug(self.name)

    @property
    def latest(self) -> Summary:
        """The newest result, whatever came of it."""
        return self.results[-1]

    @property
    def current(self) -> Summary:
        """The newest result of all checks; the newest of all if there is none."""
        return next((r for r in reversed(self.results) if r.complete), self.latest)

    def changes(self) -> tuple[Change, ...]:
        """What each result saw otherwise than the last one before it that knew, newest first."""
        found: list[Change] = []
        known: dict[str, str] = {}
        facts: dict[tuple[str, str], Shown] = {}
        for result in self.results:
            found[:0] = _changes(result, known, facts)
        return tuple(found)

    def standing(self, guideline: str, day: str) -> Standing:
        """Where it stands by *guideline* on *day*; runs of chosen checks only do not count."""
        judged = [(r, j) for r in self.results if not r.partial and (j := r.by(guideline))]
        certificate = _certificate(judged, day)
        if not judged:
            return Standing(word="not judged", last=None, certificate=certificate)
        last = judged[-1][1]
        if last.verdict == "not-compliant":
            word = "failed"
        elif certificate.state == "valid":
            word = "compliant"
        elif last.verdict == "inconclusive":
            word = "did not finish"
        else:
            word = "expired"
        return Standing(word=word, last=last, certificate=certificate)


def platforms(summaries: Sequence[Summary]) -> tuple[Platform, ...]:
    """Results by platform, sorted by name."""
    grouped: dict[str, list[Summary]] = {}
    for summary in sorted(summaries, key=lambda s: (s.finished, s.id)):
        grouped.setdefault(summary.platform, []).append(summary)
    return tuple(
        Platform(name=name, results=tuple(grouped[name]))
        for name in sorted(grouped, key=str.casefold)
    )


def together(changes: Sequence[Change]) -> list[Changed]:
    """Changes of outcomes, those of one result that are alike as one; newest first, worse first."""
    grouped: dict[tuple[str, str, str], list[Change]] = {}
    for change in changes:
        if not change.fact:
            grouped.setdefault((change.summary.id, change.before, change.after), []).append(change)
    ordered = sorted(
        grouped.values(), key=lambda g: (g[0].summary.finished, g[0].sort == "worse"), reverse=True
    )
    return [
        Changed(
            summary=group[0].summary,
            before=group[0].before,
            after=group[0].after,
            checks=tuple(change.check for change in group),
        )
        for group in ordered
    ]


def _changes(
    after: Summary, known: dict[str, str], facts: dict[tuple[str, str], Shown]
) -> list[Change]:
    """What *after* saw otherwise than what is *known* so far, which it then adds to.

    A check that is gone from a run of all checks is ``missing``; one that a run of chosen or of too
    few checks left out is not spoken of.
    """
    found = []
    for check, was in known.items():
        if check not in after.checks and after.complete and was not in SILENT:
            found.append(Change(summary=after, check=check, before=was, after="missing"))
    for change in found:
        known[change.check] = "missing"
    for check, seen in after.checks.items():
        before = known.get(check, seen.outcome)
        if seen.outcome != before:
            found.append(Change(summary=after, check=check, before=before, after=seen.outcome))
        known[check] = seen.outcome
    for check, names in after.facts.items():
        for name, now in names.items():
            old = facts.get((check, name), now)
            facts[check, name] = now
            steady = old.identity or now.identity or now.number is not None
            if not steady and old.text != now.text:
                found.append(
                    Change(summary=after, check=check, fact=name, before=old.text, after=now.text)
                )
    return found


def _certificate(judged: Sequence[tuple[Summary, Judged]], day: str) -> Certificate:
    """The newest compliant result's certificate, and the first day of its unbroken row."""
    found = next(
        (i for i in reversed(range(len(judged))) if judged[i][0].day and _holds(judged[i][1])), None
    )
    if found is None:
        return Certificate(state="none")
    summary, verdict = judged[found]
    since = summary.day
    for earlier, one in reversed(judged[:found]):
        if not _holds(one):
            break
        since = earlier.day
    until = verdict.holds_until or ""
    return Certificate(
        state="expired" if until and until < day else "valid",
        summary=summary,
        since=since,
        until=until,
        program=verdict.program,
    )


def _holds(judged: Judged) -> bool:
    return judged.verdict == "compliant"
