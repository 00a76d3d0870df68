"""What exists on the fake cloud: plain, mutable, JSON-serialisable records, and their store.

With a file the cloud outlives its process, and several processes share it: every session locks the
file, reads it, and replaces it whole when something changed. Without one it lives in memory.
"""

from __future__ import annotations

import base64
import contextlib
import fcntl
import json
import os
import threading
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any


@dataclass(slots=True, kw_only=True)
class Thing:
    """One resource of the cloud. Times are epoch seconds of the cloud's own (true) clock.

    ``spec`` is what was asked for. ``guest`` belongs to the model of the machine's inside and is
    kept as long as the machine's disk. For a volume it is the volume's content.
    """

    id: str
    kind: str
    name: str  # the client's name for it, unchanged
    serial: int  # creation order
    token: str = ""
    tags: dict[str, str] = field(default_factory=dict)
    spec: dict[str, Any] = field(default_factory=dict)
    parent: str = ""  # id of the thing that brought this one along
    created_at: float = 0.0
    visible_at: float = 0.0  # reads see it from here on
    listed_at: float = 0.0  # lists see it from here on
    ready_at: float = 0.0
    deleting_at: float | None = None
    gone_at: float | None = None
    failed: str = ""  # reason; it will never be ready
    version: int = 1
    reads: int = 0
    # machines
    power: str = "on"
    last_stop: str = ""  # hard, soft, reboot: how it went down last
    boots: int = 1
    booted_at: float = 0.0
    booted_from: str = "disk"
    boot: dict[str, Any] = field(default_factory=dict)  # device, persistent, uefi of the override
    addresses: dict[str, str] = field(default_factory=dict)
    mac: str = ""
    hostname: str = ""
    console: list[str] = field(default_factory=list)
    log: list[dict[str, str]] = field(default_factory=list)  # hardware event log
    guest: dict[str, Any] = field(default_factory=dict)
    # buckets: key -> base64 content
    objects: dict[str, str] = field(default_factory=dict)

    @property
    def user_data(self) -> bytes:
        """The machine's user-data, byte for byte."""
        return base64.b64decode(self.spec.get("user_data", ""))

    @property
    def size_gib(self) -> int:
        """Size of a volume, or of a machine's root disk."""
        return int(self.spec.get("size_gib") or self.spec.get("disk_gib") or 0)

    def exists(self, now: float) -> bool:
        """Whether the cloud still has it."""
        return self.gone_at is None or now < self.gone_at

    def status(self, now: float) -> str:
        """The word the cloud's API uses: building, active, off, leaving, error."""
        if self.deleting_at is not None:
            return "leaving"
        if self.failed:
            return "error"
        if now < self.ready_at:
            return "building"
        if self.kind == "machine" and self.power == "off":
            return "off"
        return "active"


@dataclass(slots=True, kw_only=True)
class World:
    """Everything of one cloud."""

    things: dict[str, Thing] = field(default_factory=dict)
    serial: int = 0
    changed: bool = False

    def of_kind(self, kind: str) -> list[Thing]:
        """All things of a kind in creation order, also those that are gone."""
        return [t for t in self.things.values() if t.kind == kind]


class Store:
    """Keeps a World; ``session`` is the only way to it."""

    def __init__(self, file: Path | None = None) -> None:
        self.file = file
        self._lock = threading.RLock()
        self._depth = 0
        self._world = World()

    @contextlib.contextmanager
    def session(self) -> Iterator[World]:
        """The world, to oneself. Set ``changed`` after a change. Sessions may nest."""
        with self._lock:
            if self.file is None or self._depth:
                yield self._world
                return
            self.file.parent.mkdir(parents=True, exist_ok=True)
            with self.file.with_suffix(".lock").open("a") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX)
                self._world = _load(self.file)
                self._depth += 1
                try:
                    yield self._world
                finally:
                    self._depth -= 1
                    if self._world.changed:
                        self._world.changed = False
                        _save(self.file, self._world)


def _load(file: Path) -> World:
    if not file.exists():
        return World()
    document = json.loads(file.read_bytes())
    things = {value["id"]: Thing(**value) for value in document["things"]}
    return World(things=things, serial=document["serial"])


def _save(file: Path, world: World) -> None:
    """Replace the file whole: a killed process leaves the old world or the new one."""
    document = {"serial": world.serial, "things": [asdict(t) for t in world.things.values()]}
    fresh = file.with_suffix(f".{os.getpid()}.new")
    fresh.write_text(json.dumps(document), encoding="utf-8")
    fresh.replace(file)
