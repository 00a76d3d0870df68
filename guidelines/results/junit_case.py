"""What one JUnit test case says: its children, its status word, and where they disagree."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from guidelines.evidence import Status
from guidelines.results.collector import Excerpt, reason_of

FAILURES = frozenset({"failure", "error"})
RERUNS = frozenset({"flakyFailure", "flakyError", "rerunFailure", "rerunError"})
_PASSED_WORDS = frozenset({"expected", "ok", "pass", "passed", "success", "successful"})
# These say that it ran, not how it ended.
_RAN_WORDS = frozenset({"completed", "finished", "run"})
_SKIPPED_WORDS = frozenset(
    {"disabled", "ignored", "notrun", "pending", "skip", "skipped", "suppressed", "todo"}
)
_FAILED_WORDS = frozenset({"error", "errored", "fail", "failed", "failure", "panicked", "timedout"})
# Ginkgo: the suite was stopped while, or before, this ran.
_STOPPED_WORDS = frozenset({"aborted", "interrupted"})
_SET_UP_MESSAGES = ("failed on setup", "failed on set-up", "fixture failed", "setup error")


@dataclass(slots=True)
class Mark:
    """A child that says how the case ended: ``failure``, ``error`` or ``skipped``."""

    message: str | None
    kind: str | None
    text: Excerpt = field(default_factory=Excerpt)

    @property
    def reason(self) -> str:
        return reason_of(self.message, str(self.text))


@dataclass(slots=True)
class Case:
    """A test case while it is open: its attributes and the children seen so far."""

    attributes: Mapping[str, str]
    marks: dict[str, Mark] = field(default_factory=dict)
    reruns: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Saying:
    """How a case ended and why; *oddity* completes "N items ..." where something is odd."""

    status: Status
    reason: str = ""
    oddity: str | None = None


def said(case: Case, name: str) -> Saying:
    """How *case* ended. What counts as a pass is only a case that nothing speaks against.

    A ``<failure>`` is failed; an ``<error>`` too, unless it is one of set-up, which is blocked.
    """
    word = case.attributes.get("status", "").strip().lower()
    for tag in ("failure", "error"):
        if tag in case.marks:
            return _broken(tag, case.marks[tag], word, name)
    if "skipped" in case.marks:
        return _skipped(case.marks["skipped"], word)
    for told in (word, case.attributes.get("result", "").strip().lower()):
        if told in _SKIPPED_WORDS:
            return Saying(status=Status.SKIPPED, reason=f"status is {told}")
        if told in _FAILED_WORDS:
            return Saying(status=Status.FAILED, reason=f"status is {told}, without a <failure>")
        if told in _STOPPED_WORDS:
            return Saying(status=Status.UNFINISHED, reason=f"status is {told}")
    if word and word not in _PASSED_WORDS and word not in _RAN_WORDS:
        return Saying(
            status=Status.BLOCKED,
            reason=f'status is "{word[:60]}", which is none we know',
            oddity="with a status we do not know",
        )
    return Saying(
        status=Status.PASSED, oddity="flaky: passed after a failed run" if case.reruns else None
    )


def _broken(tag: str, mark: Mark, word: str, name: str) -> Saying:
    reason = mark.reason or f"<{tag}> without a message"
    if word in _STOPPED_WORDS:
        return Saying(status=Status.UNFINISHED, reason=f"{word}: {reason}")
    oddity = None
    if word in _PASSED_WORDS:
        oddity = f"with status {word} and a <{tag}>"
    if tag == "error" and _is_set_up(mark.message, name):
        return Saying(status=Status.BLOCKED, reason=reason, oddity=oddity)
    return Saying(status=Status.FAILED, reason=reason, oddity=oddity)


def _skipped(mark: Mark, word: str) -> Saying:
    if word in _FAILED_WORDS:
        return Saying(
            status=Status.FAILED,
            reason=mark.reason or f"status is {word}",
            oddity=f"with status {word} and a <skipped>",
        )
    if mark.kind is not None and mark.kind.endswith("xfail"):
        return Saying(
            status=Status.FAILED,
            reason=f"failed as expected: {mark.reason or 'no reason given'}",
            oddity="with the ending xfail, counted as failed",
        )
    return Saying(status=Status.SKIPPED, reason=mark.reason or "skipped without a reason")


def _is_set_up(message: str | None, name: str) -> bool:
    return (message or "").lower().startswith(_SET_UP_MESSAGES) or "BeforeSuite]" in name
