"""What is reserved and known, in files: atomic, shared by processes, without secrets.

``claims/MACHINE.json`` says who has a machine; it is made by a link, so two runs never get the
same one. ``things/ID.json`` are keys, volumes and attachments. ``lives/MACHINE.json`` is what the
boot service learnt of a machine's present installation.
"""

from __future__ import annotations

import fcntl
import json
import os
import secrets
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from provisioner.driver import TAG_NAME, TAG_RUN


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """A machine in somebody's hands."""

    machine: str
    instance: str
    token: str
    at: float  # seconds since the epoch
    image: str
    hostname: str
    tags: Mapping[str, str]
    keys: tuple[str, ...] = ()  # public keys
    user_data: bool = False

    @property
    def run(self) -> str:
        return self.tags.get(TAG_RUN, "")

    @property
    def name(self) -> str:
        return self.tags.get(TAG_NAME, "")


@dataclass(frozen=True, slots=True, kw_only=True)
class Thing:
    """A key, volume or attachment."""

    id: str
    kind: str
    token: str
    tags: Mapping[str, str]
    facts: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Life:
    """What is known of one installation of a machine.

    ``started`` is when it was switched on to be installed; ``registered`` when it told its name;
    ``member`` is the digest of the token it then got; ``events`` is its own progress.
    """

    instance: str
    service: str = ""
    started: float = 0.0
    registered: float = 0.0
    host_keys: tuple[str, ...] = ()
    hardware: Mapping[str, Any] = field(default_factory=dict)
    member: str = ""
    network_boots: int = 0
    score: float = 0.0
    ready: float = 0.0
    events: tuple[Mapping[str, Any], ...] = ()


class Registry:
    """The files of one platform under *folder*."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._claims, self._things = folder / "claims", folder / "things"
        self._lives, self._released = folder / "lives", folder / "released"

    # -- machines ------------------------------------------------------------------------------

    def claim(self, wanted: Claim) -> bool:
        """Reserve a machine; False when somebody has it."""
        return self._link(self._claims / f"{wanted.machine}.json", asdict(wanted))

    def claims(self) -> Iterator[Claim]:
        """Every reservation."""
        for path in _listed(self._claims):
            if (found := _read(path)) is not None:
                yield Claim(**{**found, "keys": tuple(found["keys"])})

    def claim_of(self, machine: str) -> Claim | None:
        """Who has a machine."""
        found = _read(self._claims / f"{machine}.json")
        return None if found is None else Claim(**{**found, "keys": tuple(found["keys"])})

    def release(self, claim: Claim) -> None:
        """Give a machine back; its disks are to be wiped before somebody else gets it."""
        with self._locked():
            now = self.claim_of(claim.machine)
            if now is None or now.instance != claim.instance:
                return
            self._write(self._released / f"{claim.machine}.json", {"run": claim.run})
            (self._lives / f"{claim.machine}.json").unlink(missing_ok=True)
            (self._claims / f"{claim.machine}.json").unlink(missing_ok=True)

    def life(self, claim: Claim) -> Life:
        """What is known of a claimed machine."""
        found = _read(self._lives / f"{claim.machine}.json")
        if found is None or found.get("instance") != claim.instance:
            return Life(instance=claim.instance)
        found["host_keys"], found["events"] = tuple(found["host_keys"]), tuple(found["events"])
        return Life(**found)

    def live(self, claim: Claim, change: Callable[[Life], Life]) -> Life:
        """Change what is known of a claimed machine, one writer at a time."""
        with self._locked():
            life = change(self.life(claim))
            if (now := self.claim_of(claim.machine)) and now.instance == claim.instance:
                self._write(self._lives / f"{claim.machine}.json", asdict(life))
            return life

    # -- things --------------------------------------------------------------------------------

    def add(self, thing: Thing) -> bool:
        """Keep a thing; False when there is one of that id."""
        return self._link(self._things / f"{thing.id}.json", asdict(thing))

    def change(self, thing: Thing) -> None:
        """Keep a thing as it is now."""
        self._write(self._things / f"{thing.id}.json", asdict(thing))

    def thing(self, number: str) -> Thing | None:
        """The thing of that id."""
        if not number.replace("-", "").isalnum():
            return None
        found = _read(self._things / f"{number}.json")
        return None if found is None else Thing(**found)

    def things(self, kind: str = "") -> list[Thing]:
        """Every thing of a kind, by id."""
        found = [Thing(**read) for path in _listed(self._things) if (read := _read(path))]
        return [thing for thing in found if kind in ("", thing.kind)]

    def remove(self, number: str) -> None:
        """Forget a thing."""
        if number.replace("-", "").isalnum():
            (self._things / f"{number}.json").unlink(missing_ok=True)

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Nobody else decides over disks meanwhile."""
        with self._locked():
            yield

    # -- files ---------------------------------------------------------------------------------

    def _link(self, path: Path, content: Mapping[str, Any]) -> bool:
        draft = self._draft(path, content)
        try:
            os.link(draft, path)
        except FileExistsError:
            return False
        finally:
            draft.unlink()
        return True

    def _write(self, path: Path, content: Mapping[str, Any]) -> None:
        self._draft(path, content).replace(path)

    def _draft(self, path: Path, content: Mapping[str, Any]) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        draft = path.parent / f".{path.name}.{secrets.token_hex(4)}"
        with draft.open("x", encoding="utf-8") as file:
            json.dump(content, file)
            file.flush()
            os.fsync(file.fileno())
        return draft

    @contextmanager
    def _locked(self) -> Iterator[None]:
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        with (self.folder / "lock").open("w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield


def _listed(folder: Path) -> list[Path]:
    return sorted(folder.glob("[!.]*.json")) if folder.is_dir() else []


def _read(path: Path) -> dict[str, Any] | None:
    try:
        found = json.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        return None
    return found if isinstance(found, dict) else None
