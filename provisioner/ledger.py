"""The write-ahead ledger of a run: what was intended, created, is going and is proven gone.

An append-only file of JSON lines. A line is on the disk before the call it announces is made, so
that whatever happens in between, a later process knows what to look for. Lines of several threads
share one fsync (group commit). One process writes at a time, guarded by a lock that dies with it.

Life of a resource: ``intent`` > ``created`` > ``deleting`` > ``gone``; ``refused`` ends an intent
that the platform definitely did not carry out.
"""

from __future__ import annotations

import fcntl
import io
import json
import os
import threading
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

from provisioner.clock import Clock, SystemClock
from provisioner.deployment import handle_to_json
from provisioner.driver import Handle
from provisioner.errors import BadRequest, Conflict
from provisioner.replay import VERSION, Entry, Replay, apply_record, make_token, read_ledger
from provisioner.resources import Ref


class Ledger:
    """The open ledger of one run.

    Args:
        path: ``results/RUN/ledger.jsonl``, or ``ledger-PART.jsonl`` where several processes work
            for one run: each has its own, and its own tokens. Made with its folder when missing.
        run: the id of the run; must agree with a file that exists.
        expires: RFC 3339 time after which anybody may reap, for new files.
        clock: gives the time of each record.

    Raises:
        Conflict: another live process writes this ledger.
        BadRequest: the file is not a ledger, or of another run.
    """

    def __init__(
        self, path: Path, run: str, *, expires: str = "", clock: Clock | None = None
    ) -> None:
        self.path = path
        self._clock = clock if clock is not None else SystemClock()
        path.parent.mkdir(parents=True, exist_ok=True)
        new = not path.exists()
        self._file = path.open("a+b", buffering=0)
        try:
            try:
                fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as error:
                message = f"{path}: another process is working on run {run}"
                raise Conflict(message) from error
            self._cut_torn_line()
            replay = read_ledger(path)
            if replay.run and replay.run != run:
                raise BadRequest(f"{path}: ledger of run {replay.run}, expected {run}")
        except BaseException:
            self._file.close()
            raise
        self.run = run
        self._scope = run if path.stem == "ledger" else f"{run}/{path.stem}"
        self.expires = replay.expires or expires
        self._entries = dict(replay.entries)
        self._steps = dict(replay.steps)
        self._notes = dict(replay.notes)
        self._attempts: dict[tuple[str, Ref], int] = {}
        for entry in self._entries.values():
            key = (entry.platform, entry.ref)
            self._attempts[key] = max(entry.attempt, self._attempts.get(key, 0))
        self._lock = threading.Lock()
        self._flushing = threading.Lock()
        self._waiting: list[bytes] = []
        self._queued = 0
        self._durable = 0
        self._broken: OSError | None = None
        try:
            if not replay.run:
                self._append({"event": "run", "run": run, "expires": expires, "pid": os.getpid()})
            if new:
                _sync_folder(path.parent)
        except BaseException:
            self._file.close()
            raise

    def __enter__(self) -> Ledger:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the file and its lock."""
        self._file.close()

    def snapshot(self) -> Replay:
        """What is known now."""
        with self._lock:
            return Replay(
                run=self.run,
                expires=self.expires,
                entries=dict(self._entries),
                steps=dict(self._steps),
                notes=dict(self._notes),
            )

    def intent(
        self, platform: str, ref: Ref, *, digest: str = "", tags: Mapping[str, str] | None = None
    ) -> Entry:
        """Announce a creation. Tokens number the attempts, so that a retry is a new request.

        Returns the entry; it is on the disk.
        """
        with self._lock:
            attempt = self._attempts.get((platform, ref), 0) + 1
            self._attempts[platform, ref] = attempt
        token = make_token(self._scope, platform, ref, attempt)
        self._append(
            {
                "event": "intent",
                "token": token,
                "platform": platform,
                "kind": str(ref.kind),
                "name": ref.name,
                "attempt": attempt,
                "digest": digest,
                "tags": dict(tags or {}),
                "expires": self.expires,
            }
        )
        return self._entries[token]

    def created(self, token: str, handle: Handle) -> None:
        """The platform gave a handle for the intent."""
        self._append({"event": "created", "token": token, "handle": handle_to_json(handle)})

    def refused(self, token: str, reason: str) -> None:
        """The platform definitely did not create anything for the intent."""
        self._append({"event": "refused", "token": token, "reason": reason[:500]})

    def deleting(self, token: str) -> None:
        """Deletion is about to be asked for."""
        self._append({"event": "deleting", "token": token})

    def gone(self, token: str, proof: str) -> None:
        """The resource is proven gone; *proof* says how."""
        self._append({"event": "gone", "token": token, "proof": proof})

    def adopt(self, handle: Handle, token: str = "", reason: str = "") -> Entry:
        """Record something of this run that was found and of which the ledger did not know."""
        ref = Ref(handle.kind, handle.name or handle.id)
        token = token or f"found-{handle.platform}-{handle.kind}-{handle.id}"
        self._append(
            {
                "event": "intent",
                "token": token,
                "platform": handle.platform,
                "kind": str(ref.kind),
                "name": ref.name,
                "attempt": 0,
                "reason": reason,
            }
        )
        self.created(token, handle)
        return self._entries[token]

    def step_done(self, member: str, step: str, outcome: str) -> None:
        """A role's step on a member has come to *outcome* (``done``, ``reboot``, ``again``)."""
        self._append({"event": "step", "member": member, "step": step, "outcome": outcome})

    def forget_steps(self, member: str) -> None:
        """A member was made anew: what ran on its predecessor does not count."""
        self._append({"event": "forget", "member": member})

    def note(self, key: str, value: object) -> None:
        """Keep a small JSON value; the last one of a key counts. Never a secret."""
        self._append({"event": "note", "key": key, "value": value})

    def extend(self, expires: str) -> None:
        """Move the time after which anybody may reap."""
        self._append({"event": "expires", "expires": expires})

    def _append(self, record: Mapping[str, Any]) -> None:
        """Write one record and return once it is on the disk.

        Whoever finds nobody flushing writes everything queued so far in one go and syncs once;
        the others find their record durable when they get their turn.
        """
        full = {"v": VERSION, "at": self._clock.time(), **record}
        line = json.dumps(full, separators=(",", ":"), ensure_ascii=False).encode() + b"\n"
        with self._lock:
            self._apply(full)
            self._waiting.append(line)
            self._queued += 1
            mine = self._queued
        with self._flushing:
            if self._broken is not None:
                raise self._broken
            if self._durable >= mine:
                return
            with self._lock:
                batch, self._waiting = self._waiting, []
                upto = self._queued
            try:
                _write_all(self._file, b"".join(batch))
                os.fsync(self._file.fileno())
            except OSError as error:
                self._broken = error
                raise
            self._durable = upto

    def _apply(self, record: Mapping[str, Any]) -> None:
        if record["event"] == "expires":
            self.expires = str(record["expires"])
        apply_record(record, self._entries, self._steps, self._notes)

    def _cut_torn_line(self) -> None:
        """Remove what a crash left of a line that was never acknowledged."""
        data = self.path.read_bytes()
        if data and not data.endswith(b"\n"):
            self._file.truncate(data.rfind(b"\n") + 1)
            os.fsync(self._file.fileno())


def _write_all(file: io.FileIO, data: bytes) -> None:
    """Write every byte, also where the system takes them in pieces."""
    view = memoryview(data)
    while view:
        view = view[file.write(view) or 0 :]


def _sync_folder(folder: Path) -> None:
    """Make a new file's name durable."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
