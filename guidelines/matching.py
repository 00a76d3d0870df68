"""Which records of a run are about which check: by name, by alias, by idempotent id.

A name decides first, then an alias, then an id, each only where it means one check and nothing
else. The rules are stricter than RefStack's, which ignores ids, and looser than comparing names,
which loses every test that was renamed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from guidelines.evidence import Evidence, Outcome, Status
from guidelines.model import CheckDef, Guideline
from guidelines.results.names import demanded_forms, uuid_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """The records of one document about one check, and how they were found."""

    outcomes: tuple[Outcome, ...]
    by: str
    ambiguous: str = ""


_NOTHING = Match(outcomes=(), by="")


@lru_cache(maxsize=8192)
def name_forms(name: str) -> frozenset[str]:
    """Return every form a record about the check *name* may be called by."""
    return demanded_forms(name)


class Ambiguities:
    """Aliases and ids of a guideline that mean more than one check."""

    def __init__(self, guideline: Guideline, more: Iterable[Guideline] = ()) -> None:
        checks = [
            check
            for owner in (guideline, *more)
            for capability in owner.capabilities.values()
            for check in capability.checks
        ]
        self._names: dict[str, str | None] = {}
        sharing: dict[str, dict[str, str | None]] = {}
        by_id: dict[str, dict[str, CheckDef]] = {}
        for check in checks:
            identifier = _identifier(check)
            self._names[check.id] = self._names.get(check.id) or identifier
            for alias in check.aliases:
                sharing.setdefault(alias, {})[check.id] = identifier
            if identifier:
                by_id.setdefault(identifier, {})[check.id] = check
        self._sharing = {alias: found for alias, found in sharing.items() if len(found) > 1}
        self._ids = {
            identifier: tuple(found)
            for identifier, found in by_id.items()
            if len(found) > 1 and not are_one_renamed(found)
        }

    def of_alias(self, check: CheckDef, alias: str) -> str:
        """Say what else *alias* means, or return an empty text.

        Two entries that share their idempotent id are one test under two names.
        """
        identifier = _identifier(check)
        if alias != check.id and alias in self._names:
            other = self._names[alias]
            if other is None or other != identifier:
                return f"the alias {alias!r} is the name of another check"
        for name, other in self._sharing.get(alias, {}).items():
            if name != check.id and (other is None or other != identifier):
                return f"the alias {alias!r} is also one of {name!r}"
        return ""

    def of_id(self, identifier: str) -> str:
        """Say which checks share *identifier*, or return an empty text."""
        found = self._ids.get(identifier, ())
        return f"the id {identifier} is shared by {len(found)} different checks" if found else ""


class RecordIndex:
    """The records of one document by everything they can be found by."""

    def __init__(self, evidence: Evidence) -> None:
        self.evidence = evidence
        self._by_name: dict[str, list[Outcome]] = {}
        self._by_id: dict[str, list[Outcome]] = {}
        self._fixtures: dict[str, list[Outcome]] = {}
        for outcome in evidence.outcomes:
            if outcome.covers is not None:
                self._fixtures.setdefault(outcome.covers, []).append(outcome)
                continue
            for name in outcome.names | {outcome.name}:
                self._by_name.setdefault(name, []).append(outcome)
            if outcome.idempotent_id:
                self._by_id.setdefault(_bare(outcome.idempotent_id), []).append(outcome)

    def find(self, check: CheckDef, ambiguities: Ambiguities) -> Match:
        """Return the records about *check*; a failed class set-up speaks for its tests last."""
        found = self._named(name_forms(check.id))
        if found:
            return Match(outcomes=found, by="name")
        doubts: list[str] = []
        aliased: list[Outcome] = []
        for alias in check.aliases:
            records = self._named(name_forms(alias))
            doubt = ambiguities.of_alias(check, alias) if records else ""
            if doubt:
                doubts.append(doubt)
            else:
                aliased.extend(record for record in records if record not in aliased)
        if aliased:
            return Match(outcomes=tuple(aliased), by="alias")
        identifier = _identifier(check)
        if identifier and identifier in self._by_id:
            records = tuple(self._by_id[identifier])
            names = {record.name for record in records}
            doubt = ambiguities.of_id(identifier)
            if not doubt and len(names) > 1:
                records = _at_best(records)
            if not doubt and records:
                return Match(outcomes=records, by="id")
            doubts.append(doubt or f"the id {identifier} is borne by {len(names)} different tests")
        covering = self._fixture_of((check.id, *check.aliases))
        if covering:
            return Match(outcomes=covering, by="fixture")
        return Match(outcomes=(), by="", ambiguous="; ".join(doubts)) if doubts else _NOTHING

    def _named(self, forms: Iterable[str]) -> tuple[Outcome, ...]:
        found: dict[int, Outcome] = {}
        for form in forms:
            for outcome in self._by_name.get(form, ()):
                found[id(outcome)] = outcome
        return tuple(found.values())

    def _fixture_of(self, names: Sequence[str]) -> tuple[Outcome, ...]:
        """Records of the nearest class or module above one of *names* that did not pass."""
        if not self._fixtures:
            return ()
        for name in names:
            scope = name
            while "." in scope:
                scope = scope.rpartition(".")[0]
                failed = [
                    outcome
                    for outcome in self._fixtures.get(scope, ())
                    if outcome.status is not Status.PASSED
                ]
                if failed:
                    return tuple(failed)
        return ()


def _at_best(records: Sequence[Outcome]) -> tuple[Outcome, ...]:
    """Of several tests, what holds whichever is meant: none passed, at best one was skipped.

    Empty where one of them may have passed or could not be told.
    """
    found = {record.status for record in records}
    if not found <= {Status.SKIPPED, Status.FAILED}:
        return ()
    best = Status.SKIPPED if Status.SKIPPED in found else Status.FAILED
    return tuple(record for record in records if record.status is best)


def _identifier(check: CheckDef) -> str | None:
    return _bare(check.idempotent_id) if check.idempotent_id else None


def _bare(identifier: str) -> str:
    return uuid_of(identifier) or identifier.lower().removeprefix("id-")


def are_one_renamed(found: Mapping[str, CheckDef]) -> bool:
    """Tell whether checks that share an id are linked by their aliases into one."""
    names = list(found)
    reached = {names[0]}
    linked = True
    while linked:
        linked = False
        for name in names:
            if name in reached:
                continue
            mine = {name, *found[name].aliases}
            if any(mine & {other, *found[other].aliases} for other in reached):
                reached.add(name)
                linked = True
    return len(reached) == len(names)
