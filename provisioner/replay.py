"""A ledger read back: which resources of a run may exist, and which steps are done."""

from __future__ import annotations

import fcntl
import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from provisioner.deployment import handle_from_json
from provisioner.driver import Handle
from provisioner.errors import BadRequest
from provisioner.resources import Kind, Ref

VERSION = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """What the ledger knows of one resource. ``phase`` is the last event."""

    token: str
    platform: str
    ref: Ref
    phase: str
    sequence: int  # order of intents: deletion goes backwards
    at: float  # epoch seconds of the intent
    attempt: int = 1
    digest: str = ""  # of the wish, to notice that another thing is wanted now
    handle: Handle | None = None
    tags: Mapping[str, str] = field(default_factory=dict)
    reason: str = ""

    @property
    def open(self) -> bool:
        """Whether something may exist on the platform."""
        return self.phase in ("intent", "created", "deleting")


@dataclass(frozen=True, slots=True, kw_only=True)
class Replay:
    """A ledger read back. ``steps`` has finished role steps, ``facts`` other records by key."""

    run: str
    expires: str
    entries: Mapping[str, Entry]
    steps: Mapping[str, str]
    notes: Mapping[str, Any]

    def open_entries(self) -> list[Entry]:
        """What may still exist, newest first: the order of deletion."""
        return sorted((e for e in self.entries.values() if e.open), key=lambda e: -e.sequence)

    def newest(self) -> dict[tuple[str, Ref], Entry]:
        """For each resource the newest entry that may exist, else the newest of all."""
        found: dict[tuple[str, Ref], Entry] = {}
        for entry in self.entries.values():
            key = (entry.platform, entry.ref)
            if key not in found or entry.open or not found[key].open:
                found[key] = entry
        return found


def make_token(run: str, platform: str, ref: Ref, attempt: int = 1) -> str:
    """The at-most-once token of a creation: the same for the same attempt, in any process."""
    text = "\0".join((run, platform, str(ref.kind), ref.name, str(attempt)))
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def read_ledger(path: Path) -> Replay:
    """Read a ledger without opening it for work; a torn last line is ignored.

    Raises:
        BadRequest: a line that is not the last is no record; names the file and the line.
    """
    entries: dict[str, Entry] = {}
    steps: dict[str, str] = {}
    notes: dict[str, Any] = {}
    run = expires = ""
    for number, record in _records(path):
        try:
            if record["event"] == "run":
                run = str(record["run"])
            if record["event"] in ("run", "expires"):
                expires = str(record["expires"])
            apply_record(record, entries, steps, notes)
        except (KeyError, TypeError, ValueError) as error:
            raise BadRequest(f"{path}:{number}: not a ledger record: {error!r}") from error
    return Replay(run=run, expires=expires, entries=entries, steps=steps, notes=notes)


def in_use(path: Path) -> bool:
    """Whether a live process works on this ledger."""
    with path.open("rb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return True
        fcntl.flock(file, fcntl.LOCK_UN)
    return False


def apply_record(
    record: Mapping[str, Any],
    entries: dict[str, Entry],
    steps: dict[str, str],
    notes: dict[str, Any],
) -> None:
    """Fold one record into what is known. Raises KeyError or ValueError for a wrong one."""
    event = record["event"]
    if event == "intent":
        token = str(record["token"])
        entries[token] = Entry(
            token=token,
            platform=str(record["platform"]),
            ref=Ref(Kind(record["kind"]), str(record["name"])),
            phase="intent",
            sequence=len(entries),
            at=float(record["at"]),
            attempt=int(record["attempt"]),
            digest=str(record.get("digest", "")),
            tags=dict(record.get("tags", {})),
            reason=str(record.get("reason", "")),
        )
    elif event == "created":
        handle = handle_from_json(record["handle"])
        token = str(record["token"])
        entries[token] = replace(entries[token], phase="created", handle=handle)
    elif event in ("refused", "deleting", "gone"):
        token = str(record["token"])
        reason = str(record.get("reason") or record.get("proof") or "")
        entries[token] = replace(entries[token], phase=event, reason=reason)
    elif event == "step":
        steps[f"{record['member']}/{record['step']}"] = str(record["outcome"])
    elif event == "forget":
        for key in [k for k in steps if k.startswith(f"{record['member']}/")]:
            del steps[key]
    elif event == "note":
        notes[str(record["key"])] = record["value"]
    elif event not in ("run", "expires"):
        raise ValueError(f"unknown event {event!r}")


def _records(path: Path) -> Iterator[tuple[int, Mapping[str, Any]]]:
    """Each whole line of the file as a record, with its number."""
    lines = path.read_bytes().split(b"\n")
    for number, line in enumerate(lines[:-1], 1):  # what follows the last newline is torn
        try:
            record = json.loads(line)
        except ValueError as error:
            raise BadRequest(f"{path}:{number}: not a ledger record: {error}") from error
        if not isinstance(record, dict) or record.get("v") != VERSION:
            raise BadRequest(f"{path}:{number}: not a ledger record of version {VERSION}")
        yield number, record
