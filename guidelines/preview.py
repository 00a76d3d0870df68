"""Would it still pass? What becomes of a verdict under another guideline, item by item."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from guidelines.diff import find_renames
from guidelines.model import Guideline
from guidelines.verdict import JudgedItem, Verdict

NOT_REQUIRED = "not-required"
FLAGGED = "flagged"
ADVISED = "not-required-advised"


@dataclass(frozen=True, slots=True, kw_only=True)
class PreviewItem:
    """One item that at least one of the two guidelines requires."""

    id: str
    before: str
    after: str
    why: str

    @property
    def changed(self) -> bool:
        """Whether anything is different for it."""
        return self.before != self.after


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview:
    """Two verdicts on the same evidence, side by side."""

    before: Verdict
    after: Verdict
    items: tuple[PreviewItem, ...]

    def to_json(self) -> dict[str, Any]:
        """Return the document ``interop guideline preview --json`` prints."""
        return {
            "from": self.before.guideline,
            "to": self.after.guideline,
            "program": {"before": self.before.program, "after": self.after.program},
            "verdict": {"before": self.before.verdict.value, "after": self.after.verdict.value},
            "counts": {
                "before": self.before.counts.to_json(),
                "after": self.after.counts.to_json(),
            },
            "items": [
                {"id": item.id, "before": item.before, "after": item.after, "why": item.why}
                for item in self.items
            ],
        }


def compare_verdicts(old: Guideline, new: Guideline, before: Verdict, after: Verdict) -> Preview:
    """Put two verdicts on the same evidence side by side; renamed items are one item.

    Args:
        old: the guideline *before* was judged by.
        new: the guideline *after* was judged by.
        before: the verdict under *old*.
        after: the verdict under *new*.
    """
    new_name = {item.old: item.new for item in find_renames(old, new)}
    old_name = {new_id: old_id for old_id, new_id in new_name.items()}
    states_before, states_after = _standing(before), _standing(after)
    items = []
    for name, (state, item) in states_after.items():
        was, _ = states_before.get(old_name.get(name, name), (NOT_REQUIRED, None))
        if _matters(was) or _matters(state):
            items.append(_item(name, was, state, old_name.get(name), item, new))
    for name, (was, _) in states_before.items():
        gone = new_name.get(name, name) not in states_after
        if gone and _matters(was):
            items.append(_item(name, was, NOT_REQUIRED, None, None, new))
    return Preview(before=before, after=after, items=tuple(items))


def _standing(verdict: Verdict) -> Mapping[str, tuple[str, JudgedItem | None]]:
    found: dict[str, tuple[str, JudgedItem | None]] = {
        item.id: (item.state.value, item) for item in verdict.items
    }
    for item in verdict.flagged_items:
        found[item.id] = (FLAGGED, item)
    for item in verdict.advised_items:
        found[item.id] = (ADVISED, item)
    return found


def _matters(state: str) -> bool:
    return not state.startswith(NOT_REQUIRED)


def _item(
    name: str,
    before: str,
    after: str,
    renamed_from: str | None,
    item: JudgedItem | None,
    new: Guideline,
) -> PreviewItem:
    reasons = []
    if renamed_from is not None:
        reasons.append(f"renamed from {renamed_from}")
    if before == FLAGGED and _matters(after) and after != FLAGGED:
        reasons.append(f"{new.id} no longer flags it")
    elif after == FLAGGED and before != FLAGGED:
        reasons.append(f"{new.id} flags it")
    elif not _matters(before) and _matters(after):
        was = "only advised it" if before == ADVISED else "did not require it"
        reasons.append(f"the earlier guideline {was}")
    elif _matters(before) and not _matters(after):
        now = "only advises it" if after == ADVISED else "does not require it"
        reasons.append(f"{new.id} {now}")
    if item is not None and _matters(after) and after not in {FLAGGED, "passed"}:
        reasons.append(item.reason)
    return PreviewItem(id=name, before=before, after=after, why="; ".join(reasons) or "no change")
