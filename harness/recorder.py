"""Turns what pytest saw of a check into one record, with its facts and evidence."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from _pytest.outcomes import Skipped

from harness.mask import Masker
from provisioner.errors import COULD_NOT_TELL, PlatformError

EVIDENCE_CHARS = 16_000  # of one text; what is cut says so
REASON_CHARS = 2_000
MARK_BYTES = 128  # longer than any id
_encode = json.JSONEncoder(ensure_ascii=False).encode


class NotApplicable(Skipped):
    """The check says nothing about this platform; the reason is the proof."""


@dataclass(slots=True, kw_only=True)
class Draft:
    """The record of a check while it runs."""

    check: str
    title: str
    test: str
    started: str = ""
    seconds: float = 0.0
    outcome: str = "passed"
    reason: str = ""
    facts: list[dict[str, Any]] = field(default_factory=list)
    evidence: list[dict[str, str]] = field(default_factory=list)

    def fact(
        self,
        name: str,
        value: Any,
        *,
        unit: str | None = None,
        source: str = "guest",
        member: str | None = None,
    ) -> None:
        """Note a fact; sets and tuples become lists, what JSON lacks becomes text."""
        plain = json.loads(json.dumps(value, default=_plain))
        self.facts.append(
            {"name": name, "value": plain, "unit": unit, "source": source, "member": member}
        )

    def note(self, title: str, text: str) -> None:
        """Keep a text the outcome relies on; a very long one is cut in the middle."""
        if len(text) > EVIDENCE_CHARS:
            half = EVIDENCE_CHARS // 2
            text = f"{text[:half]}\n[... {len(text) - 2 * half} characters cut ...]\n{text[-half:]}"
        self.evidence.append({"title": title, "text": text})

    def record(self, masker: Masker) -> dict[str, Any]:
        """The finished record, as in a result document, without secrets."""
        plain = {
            "id": self.check,
            "title": self.title,
            "test": self.test,
            "outcome": self.outcome,
            "reason": self.reason,
            "started": self.started,
            "seconds": round(self.seconds, 3),
            "facts": self.facts,
            "evidence": self.evidence,
        }
        masked = masker.value(plain)
        assert isinstance(masked, dict)  # noqa: S101 - a dict stays a dict
        return masked


DRAFT: pytest.StashKey[Draft] = pytest.StashKey()


def begin(item: pytest.Item, check: str) -> Draft:
    """The draft of an item that starts now."""
    module = getattr(item, "module", None)
    doc = (getattr(getattr(item, "obj", None), "__doc__", None) or item.name).strip()
    draft = Draft(
        check=check,
        title=" ".join(doc.split("\n\n")[0].split()),
        test=f"{getattr(module, '__name__', '?')}::{item.name}",
        started=datetime.now(UTC).isoformat(timespec="milliseconds"),
    )
    item.stash[DRAFT] = draft
    return draft


def settle(draft: Draft, call: pytest.CallInfo[Any]) -> None:
    """Take one phase (setup, call, teardown) of a check into its record.

    A failed assertion is a failure of the platform. An error that tells nothing about the
    platform's behaviour, and any error while getting ready or in our own code, is *blocked*.
    """
    draft.seconds += call.duration
    if call.excinfo is None or draft.outcome == "failed":
        return
    error = call.excinfo.value
    if call.when == "teardown":
        if draft.outcome == "passed":
            draft.outcome = "blocked"
            draft.reason = _text(f"clean-up failed: {type(error).__name__}: {error}")
        return
    if isinstance(error, NotApplicable):
        draft.outcome, draft.reason = "not-applicable", _text(str(error.msg))
    elif isinstance(error, Skipped):
        draft.outcome, draft.reason = "skipped", _text(str(error.msg))
    elif isinstance(error, AssertionError | pytest.fail.Exception):
        draft.outcome = "failed" if call.when == "call" else "blocked"
        draft.reason = _text(str(error))
    elif isinstance(error, PlatformError):
        told = call.when == "call" and not isinstance(error, COULD_NOT_TELL)
        draft.outcome = "failed" if told else "blocked"
        draft.reason = _text(f"{type(error).__name__}: {error}")
    else:
        draft.outcome = "blocked"
        draft.reason = _text(f"internal error: {type(error).__name__}: {error}")
        draft.note("traceback", str(call.excinfo.getrepr(style="short")))


def running(file: Path, lane: str) -> str:
    """The check at which *lane* is, of those whose records go to *file*; or an empty text."""
    try:
        return _marker(file, lane).read_text(encoding="utf-8").strip()
    except FileNotFoundError:
        return ""


def _marker(file: Path, lane: str) -> Path:
    return file.with_name(f"running-{lane}")


class Journal:
    """The run's file of checks. A record is in it before the next check starts, crash or not.

    Beside it stands the check that runs now, for who looks on.
    """

    def __init__(self, file: Path, lane: str = "") -> None:
        self._stream = file.open("ab", buffering=0)
        self._now = _marker(file, lane).open("wb", buffering=0) if lane else None

    def begin(self, check: str) -> None:
        """Say which check runs now; one short write, so that a thousand cost nothing."""
        if self._now is not None:
            os.pwrite(self._now.fileno(), check.encode().ljust(MARK_BYTES), 0)

    def append(self, record: dict[str, Any]) -> None:
        """Add one record, in one write."""
        line = _encode(record) + "\n"
        self._stream.write(line.encode("utf-8", "backslashreplace"))

    def close(self) -> None:
        """Let go of the files."""
        self._stream.close()
        if self._now is not None:
            self._now.close()


def _text(text: str) -> str:
    """A reason of bearable length."""
    text = text.strip()
    return text if len(text) <= REASON_CHARS else text[:REASON_CHARS] + " [...]"


def _plain(value: Any) -> Any:
    """What JSON does not know, as something it does."""
    if isinstance(value, set | frozenset | tuple):
        return sorted(value, key=str)
    if isinstance(value, bytes):
        return value.decode("utf-8", "backslashreplace")
    return str(value)
