"""What the run tells the pytest process that checks one platform; a small private JSON file."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Self


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """Everything the checking process needs to know.

    Attributes:
        run: the run's id, owner of all resources the checks make.
        expires: RFC 3339; after it anybody may reap them.
        platform: which platform of the files below.
        platforms: the platforms files, weakest first; empty means the default.
        lease: the deployment document of the standing workload, if one stands.
        ledger: the run's ledger.
        checks: where records go, one JSON document a line.
        select: ids of the checks to run; empty means all.
        seed: of generated examples.
        key: the run's private SSH key file.
        probe: the probe's file, installed in every machine that is checked.
        guideline: id or file of the guideline, for what is said of the checks.
        lane: which part of the checks this process runs (``plugin.LANES``); empty means all.
    """

    run: str
    expires: str
    platform: str
    platforms: list[Path]
    lease: Path | None
    ledger: Path
    checks: Path
    select: list[str]
    seed: int
    key: Path
    probe: Path
    guideline: str = ""
    lane: str = ""

    @classmethod
    def load(cls, file: Path) -> Self:
        """Read the file the run wrote."""
        told = json.loads(file.read_bytes())
        for name in ("ledger", "checks", "key", "probe"):
            told[name] = Path(told[name])
        told["platforms"] = [Path(name) for name in told["platforms"]]
        told["lease"] = told["lease"] and Path(told["lease"])
        return cls(**told)

    def save(self, file: Path) -> None:
        """Write it for the pytest process."""
        file.write_text(json.dumps(asdict(self), default=str, indent=1), encoding="utf-8")
