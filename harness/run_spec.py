"""What a run is to do, written into its folder first, so that ``resume`` and ``rerun`` know."""

from __future__ import annotations

import secrets
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from guidelines.errors import BadDocument

FILE = "run.json"
HOURS = 6.0  # after which anybody may reap what a run created


class RunSpec(BaseModel):
    """A run's orders.

    Attributes:
        id: name of its folder, and the owner tag of everything it creates.
        platforms: names, in the order asked for.
        files: the platforms files, absolute, weakest first.
        guideline: id or file.
        program: one for all platforms, or None to choose by platform.
        workload: name or file.
        select: check ids; empty means all.
        only: per platform, the ids to repeat (``rerun``); empty means as ``select`` says.
        sets: ``key=value`` parameters from the command line.
        seed: of generated examples.
        keep_on_failure: hours, from the start, that a workload stands if something did not pass.
        started: RFC 3339.
        expires: RFC 3339; after it anybody may reap what the run created.
        parent: the run this one repeats part of.
        waivers: file of granted exceptions; the run keeps a copy.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: str
    platforms: list[str]
    files: list[Path]
    guideline: str
    program: str | None = None
    workload: str = "reference"
    select: list[str] = Field(default_factory=list)
    only: dict[str, list[str]] = Field(default_factory=dict)
    sets: dict[str, str] = Field(default_factory=dict)
    seed: int
    keep_on_failure: float = 0.0
    started: str
    expires: str
    parent: str = ""
    waivers: Path | None = None

    def wanted(self, platform: str) -> list[str]:
        """The ids to run on a platform; empty means all."""
        return self.only.get(platform, self.select)

    def save(self, folder: Path) -> None:
        """Write it into the run's folder."""
        (folder / FILE).write_text(self.model_dump_json(indent=1) + "\n", encoding="utf-8")

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read the orders of a run.

        Raises:
            BadDocument: the folder is not a run's.
        """
        file = folder / FILE
        try:
            return cls.model_validate_json(file.read_bytes())
        except OSError as error:
            reason = (error.strerror or str(error)).lower()
            raise BadDocument(str(file), "", f"{reason}; expected a run's folder") from error
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(map(str, first["loc"]))
            raise BadDocument(str(file), where, str(first["msg"]).lower()) from error


def new_id(now: datetime) -> str:
    """A run's id: sortable by time, and never the same twice."""
    return f"run-{now:%Y%m%d-%H%M%S}-{secrets.token_hex(2)}"


def times(hours: float = HOURS) -> tuple[datetime, str, str]:
    """Now, and as RFC 3339: now, and when what a run creates expires."""
    now = datetime.now(UTC)
    end = now + timedelta(hours=hours)
    return now, now.isoformat(timespec="seconds"), end.isoformat(timespec="seconds")
