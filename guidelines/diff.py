"""What changed between two guidelines: capabilities, tests, flags, aliases, weights."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from guidelines.lint_transition import strongest_statuses
from guidelines.model import Capability, CheckDef, Guideline


@dataclass(frozen=True, slots=True, kw_only=True)
class Changed:
    """Something that is in both guidelines and differs, with what differs about it."""

    id: str
    changes: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Renamed:
    """A test that goes by another name: they share an id, or one is the other's alias."""

    old: str
    new: str


@dataclass(frozen=True, slots=True, kw_only=True)
class GuidelineDiff:
    """The differences between two guidelines, each list in the order of the newer file."""

    old: str
    new: str
    capabilities_added: tuple[str, ...]
    capabilities_removed: tuple[str, ...]
    capabilities_changed: tuple[Changed, ...]
    tests_added: tuple[str, ...]
    tests_removed: tuple[str, ...]
    tests_renamed: tuple[Renamed, ...]
    tests_flagged: tuple[str, ...]
    tests_unflagged: tuple[str, ...]
    tests_changed: tuple[Changed, ...]
    weights: tuple[Changed, ...]
    programs: tuple[Changed, ...]

    @property
    def empty(self) -> bool:
        """Whether nothing differs."""
        return not any(
            getattr(self, name) for name in self.__dataclass_fields__ if name not in {"old", "new"}
        )

    def to_json(self) -> dict[str, Any]:
        """Return the document ``interop guideline diff --json`` prints."""
        return {
            "from": self.old,
            "to": self.new,
            "capabilities": {
                "added": list(self.capabilities_added),
                "removed": list(self.capabilities_removed),
                "changed": _changed(self.capabilities_changed),
            },
            "tests": {
                "added": list(self.tests_added),
                "removed": list(self.tests_removed),
                "renamed": [{"from": item.old, "to": item.new} for item in self.tests_renamed],
                "flagged": list(self.tests_flagged),
                "unflagged": list(self.tests_unflagged),
                "changed": _changed(self.tests_changed),
            },
            "weights": _changed(self.weights),
            "programs": _changed(self.programs),
        }


def diff_guidelines(old: Guideline, new: Guideline) -> GuidelineDiff:
    """Return what changed from *old* to *new*."""
    before, after = old.checks, new.checks
    renamed = find_renames(old, new)
    gone_by_rename = {item.old for item in renamed}
    new_by_rename = {item.new for item in renamed}
    flags_before, flags_after = _flagged(old), _flagged(new)
    old_name = {item.new: item.old for item in renamed}
    flagged = []
    unflagged = []
    changed = []
    for name, check in after.items():
        was = old_name.get(name, name)
        if was not in before:
            continue
        if name in flags_after and was not in flags_before:
            flagged.append(name)
        if name not in flags_after and was in flags_before:
            unflagged.append(name)
        differences = _check_changes(before[was], check)
        if differences:
            changed.append(Changed(id=name, changes=differences))
    statuses = (strongest_statuses(old), strongest_statuses(new))
    known_before = dict.fromkeys((*old.capabilities, *statuses[0]))
    known_after = dict.fromkeys((*new.capabilities, *statuses[1]))
    capability_changes = []
    for name in known_after:
        if name in known_before:
            differences = _capability_changes(name, old, new, {i.old: i.new for i in renamed})
            if differences:
                capability_changes.append(Changed(id=name, changes=differences))
    return GuidelineDiff(
        old=old.id,
        new=new.id,
        capabilities_added=tuple(name for name in known_after if name not in known_before),
        capabilities_removed=tuple(name for name in known_before if name not in known_after),
        capabilities_changed=tuple(capability_changes),
        tests_added=tuple(n for n in after if n not in before and n not in new_by_rename),
        tests_removed=tuple(n for n in before if n not in after and n not in gone_by_rename),
        tests_renamed=renamed,
        tests_flagged=tuple(flagged),
        tests_unflagged=tuple(unflagged),
        tests_changed=tuple(changed),
        weights=_weights(old, new),
        programs=_programs(old, new),
    )


def find_renames(old: Guideline, new: Guideline) -> tuple[Renamed, ...]:
    """Return the tests of *old* that *new* knows by another name only.

    An alias says so outright; a shared id does if it means one test on either side.
    """
    before, after = old.checks, new.checks
    gone = [name for name in before if name not in after]
    come = [name for name in after if name not in before]
    by_alias: dict[str, list[str]] = {}
    by_id: dict[str, list[str]] = {}
    for name in come:
        for alias in after[name].aliases:
            by_alias.setdefault(alias, []).append(name)
        if identifier := after[name].idempotent_id:
            by_id.setdefault(identifier, []).append(name)
    gone_ids: dict[str, list[str]] = {}
    for name in gone:
        if identifier := before[name].idempotent_id:
            gone_ids.setdefault(identifier, []).append(name)
    found: list[Renamed] = []
    taken: set[str] = set()
    for name in gone:
        candidates = by_alias.get(name, [])
        identifier = before[name].idempotent_id
        if len(candidates) != 1 and identifier and len(gone_ids[identifier]) == 1:
            candidates = by_id.get(identifier, [])
        if len(candidates) == 1 and candidates[0] not in taken:
            taken.add(candidates[0])
            found.append(Renamed(old=name, new=candidates[0]))
    return tuple(found)


def _flagged(guideline: Guideline) -> frozenset[str]:
    """Checks that are flagged wherever they appear."""
    flags: dict[str, bool] = {}
    for capability in guideline.capabilities.values():
        for check in capability.checks:
            flags[check.id] = flags.get(check.id, True) and check.flag is not None
    return frozenset(name for name, flagged in flags.items() if flagged)


def _check_changes(before: CheckDef, after: CheckDef) -> tuple[str, ...]:
    changes = []
    old_aliases, new_aliases = set(before.aliases), set(after.aliases)
    if new_aliases - old_aliases:
        changes.append(f"aliases added: {', '.join(sorted(new_aliases - old_aliases))}")
    if old_aliases - new_aliases:
        changes.append(f"aliases removed: {', '.join(sorted(old_aliases - new_aliases))}")
    if before.idempotent_id != after.idempotent_id:
        changes.append(f"id: {before.idempotent_id} -> {after.idempotent_id}")
    if before.level != after.level:
        changes.append(f"level: {before.level} -> {after.level}")
    if before.when != after.when:
        changes.append(f"condition: {_features(before.when)} -> {_features(after.when)}")
    if before.expects != after.expects:
        changes.append("expected facts changed")
    if before.holds != after.holds:
        changes.append(f"holds: {before.holds} -> {after.holds}")
    if before.manual != after.manual:
        changes.append("now manual" if after.manual else "no longer manual")
    return tuple(changes)


def _capability_changes(
    name: str, old: Guideline, new: Guideline, renamed: dict[str, str]
) -> tuple[str, ...]:
    changes = []
    before_status, after_status = _placements(old, name), _placements(new, name)
    for component in dict.fromkeys((*before_status, *after_status)):
        was = before_status.get(component, "not listed")
        now = after_status.get(component, "not listed")
        if was != now:
            changes.append(f"{component}: {was} -> {now}")
    before, after = old.capabilities.get(name), new.capabilities.get(name)
    if before is None or after is None:
        if before is not after:
            changes.append("now defined" if before is None else "no longer defined")
        return tuple(changes)
    changes.extend(_content_changes(before, after, renamed))
    return tuple(changes)


def _content_changes(before: Capability, after: Capability, renamed: dict[str, str]) -> list[str]:
    changes = []
    old_checks = {renamed.get(check.id, check.id) for check in before.checks}
    new_checks = {check.id for check in after.checks}
    if new_checks - old_checks:
        changes.append(f"tests added: {', '.join(sorted(new_checks - old_checks))}")
    if old_checks - new_checks:
        changes.append(f"tests removed: {', '.join(sorted(old_checks - new_checks))}")
    old_marks, new_marks = set(before.achievements or ()), set(after.achievements or ())
    if new_marks - old_marks:
        changes.append(f"achievements added: {', '.join(sorted(new_marks - old_marks))}")
    if old_marks - new_marks:
        changes.append(f"achievements removed: {', '.join(sorted(old_marks - new_marks))}")
    if before.admin != after.admin:
        changes.append("now needs an administrator" if after.admin else "no administrator needed")
    if before.when != after.when:
        changes.append(f"condition: {_features(before.when)} -> {_features(after.when)}")
    if before.level != after.level:
        changes.append(f"level: {before.level} -> {after.level}")
    return changes


def _placements(guideline: Guideline, name: str) -> dict[str, str]:
    return {
        component.id: status.value
        for component in guideline.components.values()
        for status, names in component.capabilities.items()
        if name in names
    }


def _weights(old: Guideline, new: Guideline) -> tuple[Changed, ...]:
    before, after = old.scoring, new.scoring
    changed = []
    if before.cutoff != after.cutoff:
        changed.append(Changed(id="cutoff", changes=(f"{before.cutoff} -> {after.cutoff}",)))
    for key in dict.fromkeys((*after.criteria, *before.criteria)):
        was = before.criteria[key].weight if key in before.criteria else None
        now = after.criteria[key].weight if key in after.criteria else None
        if was != now:
            changed.append(Changed(id=key, changes=(f"{was} -> {now}",)))
    return tuple(changed)


def _programs(old: Guideline, new: Guideline) -> tuple[Changed, ...]:
    changed = []
    for name in dict.fromkeys((*new.programs, *old.programs)):
        before, after = old.programs.get(name), new.programs.get(name)
        if before is None or after is None:
            changed.append(Changed(id=name, changes=("added" if before is None else "removed",)))
            continue
        changes = []
        if before.components != after.components:
            changes.append(f"components: {list(before.components)} -> {list(after.components)}")
        if before.host != after.host:
            changes.append(f"requires: {list(before.host)} -> {list(after.host)}")
        if before.holds != after.holds:
            changes.append(f"holds: {before.holds} -> {after.holds}")
        if changes:
            changed.append(Changed(id=name, changes=tuple(changes)))
    return tuple(changed)


def _features(when: frozenset[str]) -> str:
    return "always" if not when else "if it declares " + ", ".join(sorted(when))


def _changed(items: tuple[Changed, ...]) -> list[dict[str, Any]]:
    return [{"id": item.id, "changes": list(item.changes)} for item in items]
