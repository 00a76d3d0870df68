"""Claimed and proven told apart: what a platform says of itself, and what its checks showed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from reports.compare.table import cell_of
from reports.matrix import check_order, show
from reports.result import FactRecord
from reports.subject import About, Subject, by_check

Standing = Literal["contradicted", "unproven", "proven"]
# Declared to say which platform it is; they say nothing of what it does.
DESCRIPTIVE = frozenset(
    {
        "emulator",
        "implementation",
        "private",
        "product",
        "vendor",
        "version",
        "name",
        "site",
        "region",
        "contact",
        "url",
        "notes",  # what it is not
        "tempest",  # how another suite is set up
    }
)
STANDINGS: tuple[Standing, ...] = ("contradicted", "unproven", "proven")


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """One thing that is said of a member.

    Args:
        member: the member's label.
        what: the feature or the declared key.
        by: ``owner`` (declared in the platforms file) or ``description`` (its API or driver).
        value: what is claimed, as people read it.
        standing: ``proven`` if every check that rests on it passed (or every observed value is the
            declared one), ``contradicted`` if one failed or says otherwise, else ``unproven``:
            what nobody observed is never ticked.
        because: the checks or facts that decide.
    """

    member: str
    what: str
    by: str
    value: str
    standing: Standing
    because: str


def claims(subjects: Sequence[Subject], about: Mapping[str, About]) -> tuple[Claim, ...]:
    """Every claim of every member that some check could show, and every declared value."""
    resting: dict[str, list[str]] = {}
    for asked in about.values():
        for feature in asked.features:
            resting.setdefault(feature, []).append(asked.id)
    for checks in resting.values():
        checks.sort(key=check_order)
    found = [claim for subject in subjects for claim in _of(subject, resting)]
    return tuple(sorted(found, key=lambda c: STANDINGS.index(c.standing)))


def _of(subject: Subject, resting: Mapping[str, Sequence[str]]) -> list[Claim]:
    found = []
    features = set(subject.features)
    seen = by_check(subject)

    def states(feature: str) -> dict[str, str]:
        checks = resting.get(feature, ())
        return {id_: cell_of(subject, id_, seen.get(id_, ())).state for id_ in checks}

    for key, value in subject.declared.items():
        if key in DESCRIPTIVE:
            continue
        if value is True:
            offered = key in features
            found.append(_feature(subject, key, "owner", states(key), offered))
        else:
            found.append(_value(subject, key, value))
    claimed = {key for key, value in subject.declared.items() if value is True}
    found += [
        _feature(subject, feature, "description", states(feature), True)
        for feature in sorted(features & set(resting) - claimed)
    ]
    return found


def _feature(
    subject: Subject, feature: str, by: str, states: Mapping[str, str], offered: bool
) -> Claim:
    """A feature is proven by the checks that say nothing without it."""
    failed = [check for check, state in states.items() if state == "failed"]
    open_ = [f"{check} {state}" for check, state in states.items() if state != "passed"]
    standing: Standing
    if not offered and feature in subject.absent:
        standing, because = "contradicted", f"its description: {subject.absent[feature]}"
    elif failed:
        standing, because = "contradicted", f"failed: {', '.join(failed)}"
    elif not states:
        standing, because = "unproven", "no check observes it"
    elif open_:
        standing, because = "unproven", ", ".join(open_)
    else:
        standing, because = "proven", ", ".join(states)
    return Claim(
        member=subject.label, what=feature, by=by, value="yes", standing=standing, because=because
    )


def _value(subject: Subject, key: str, value: Any) -> Claim:
    """A declared value is proven by facts of that name that somebody else than the owner told."""
    told = [
        (record.id, fact)
        for record in subject.records
        for fact in record.facts
        if fact.name == key and fact.source != "declared"
    ]
    other = [(check, fact) for check, fact in told if not _agrees(fact, value)]
    standing: Standing
    if other:
        check, fact = other[0]
        standing, because = "contradicted", f"{check}: {show(fact.value)} ({fact.source})"
    elif told:
        standing = "proven"
        because = ", ".join(dict.fromkeys(f"{check} ({fact.source})" for check, fact in told))
    else:
        standing, because = "unproven", "no check observes it"
    return Claim(
        member=subject.label,
        what=key,
        by="owner",
        value=show(value),
        standing=standing,
        because=because,
    )


def _agrees(fact: FactRecord, value: Any) -> bool:
    return bool(fact.value == value) or show(fact.value).casefold() == show(value).casefold()
