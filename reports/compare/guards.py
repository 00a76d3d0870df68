"""What stands against comparing results: told on the page, and grave ones refused.

* suite         other checks ran, so the same id may mean another test
* workload      something else stood while the checks ran
* guideline     the members were judged by different guidelines, or by other bytes of one
* unfinished    a run did not come to its end, so what is missing is no finding
* twice         the same result is there twice
* suite-unknown (not grave) a result made elsewhere does not say which checks ran
* emulator      (not grave) some members are emulators and some are not
* leaks         (not grave) the run left resources behind
* anew          (not grave) the verdict here rests on other words of the guideline than the one
                given with the result
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from reports.subject import Subject


@dataclass(frozen=True, slots=True, kw_only=True)
class Objection:
    """One reason to doubt the comparison; a grave one is refused unless it is overruled."""

    code: str
    grave: bool
    text: str
    members: tuple[str, ...]


def objections(subjects: Sequence[Subject]) -> tuple[Objection, ...]:
    """Everything that stands against comparing *subjects*, grave ones first."""
    found = [
        *_several(subjects, "suite", "different suites of checks ran", lambda s: s.suite),
        *_several(subjects, "workload", "different workloads stood", lambda s: s.workload),
        *_several(
            subjects,
            "guideline",
            "different guidelines judged",
            lambda s: f"{s.judgement.guideline} {s.judgement.digest}" if s.judgement else "",
        ),
    ]
    for subject in subjects:
        if not subject.complete:
            why = subject.incomplete or "no reason given"
            text = f"{subject.label} did not finish: {why}"
            found.append(_about(subject, "unfinished", text, grave=True))
    for label, others in _same(subjects).items():
        text = f"{', '.join(others)} and {label} are the same result"
        found.append(Objection(code="twice", grave=True, text=text, members=(label, *others)))
    found += _caveats(subjects)
    return tuple(sorted(found, key=lambda objection: not objection.grave))


def _several(
    subjects: Sequence[Subject], code: str, what: str, value: Callable[[Subject], str]
) -> list[Objection]:
    """An objection if the known values are not all the same."""
    groups: defaultdict[str, list[str]] = defaultdict(list)
    for subject in subjects:
        if value(subject):
            groups[value(subject)].append(subject.label)
    if len(groups) < 2:
        return []
    parts = [f"{_first(labels)} {_brief(key)}" for key, labels in groups.items()]
    members = tuple(label for labels in groups.values() for label in labels)
    text = f"{what}: {'; '.join(parts)}"
    return [Objection(code=code, grave=True, text=text, members=members)]


def _caveats(subjects: Sequence[Subject]) -> list[Objection]:
    """What a reader should know, without which a comparison still holds."""
    found = []
    unknown = tuple(s.label for s in subjects if not s.suite)
    if unknown:
        text = f"{_first(unknown)}: made elsewhere, which checks ran cannot be shown"
        found.append(Objection(code="suite-unknown", grave=False, text=text, members=unknown))
    emulators = tuple(s.label for s in subjects if s.emulator)
    if emulators and len(emulators) < len(subjects):
        text = f"{_first(emulators)}: declared an emulator, the others are not"
        found.append(Objection(code="emulator", grave=False, text=text, members=emulators))
    found += _anew(subjects)
    for subject in subjects:
        if subject.leaks:
            text = f"{subject.label} left {len(subject.leaks)} resources behind"
            found.append(_about(subject, "leaks", text, grave=False))
    return found


def _anew(subjects: Sequence[Subject]) -> Iterator[Objection]:
    """Whose verdict came out otherwise by today's words of the guideline, and whose did not."""
    anew = [(s, s.judgement) for s in subjects if s.told and s.judgement]
    alike = tuple(subject.label for subject, now in anew if now.verdict == subject.told)
    for subject, now in anew:
        if now.verdict != subject.told:
            was, word = (verdict.replace("-", " ") for verdict in (subject.told, now.verdict))
            text = f"{subject.label}: judged anew, {word}; {was} by guideline {now.guideline} "
            text += "as it was when the run ended"
            yield _about(subject, "anew", text, grave=False)
    if alike:
        text = f"{_first(alike)}: judged anew, by words of the guideline that changed since; "
        text += "the verdict is the same"
        yield Objection(code="anew", grave=False, text=text, members=alike)


def _about(subject: Subject, code: str, text: str, *, grave: bool) -> Objection:
    return Objection(code=code, grave=grave, text=" ".join(text.split()), members=(subject.label,))


def _same(subjects: Sequence[Subject]) -> dict[str, list[str]]:
    """Labels of the results that are there again, by the label of the first."""
    first: dict[str, str] = {}
    again: defaultdict[str, list[str]] = defaultdict(list)
    for subject in subjects:
        if not subject.digest:
            continue
        if subject.digest in first:
            again[first[subject.digest]].append(subject.label)
        else:
            first[subject.digest] = subject.label
    return dict(again)


def _first(labels: Sequence[str], most: int = 3) -> str:
    """Some labels, and how many more there are."""
    shown = ", ".join(labels[:most])
    return shown if len(labels) <= most else f"{shown} and {len(labels) - most} more"


def _brief(key: str) -> str:
    """A digest as short as people can tell apart."""
    words = [w[:19] if w.startswith("sha256:") else w for w in key.split()]
    return " ".join(words)
