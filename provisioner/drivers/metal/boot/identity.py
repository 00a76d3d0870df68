"""Who is it that registers: compares what a machine says of itself with the inventory."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from provisioner.drivers.metal.settings import MachineModel


@dataclass(frozen=True, slots=True, kw_only=True)
class Fingerprint:
    """What a machine finds in itself."""

    serial: str = ""
    uuid: str = ""
    macs: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """The machine of the inventory that fits best; ``machine`` is empty below the threshold."""

    machine: str
    score: float


@cache
def rules() -> Mapping[str, Any]:
    """Weights and threshold, from ``identity.yaml``."""
    path = Path(__file__).with_name("identity.yaml")
    found: Mapping[str, Any] = yaml.safe_load(path.read_text("utf-8"))
    return found


def score(seen: Fingerprint, known: MachineModel) -> float:
    """How well they agree, 0 to 1; 0 when the inventory knows nothing to compare."""
    weights = rules()["weights"]
    possible = gained = 0.0
    for name in ("serial", "uuid"):
        expected = _meaning(getattr(known, name))
        if expected:
            possible += weights[name]
            gained += weights[name] * (_meaning(getattr(seen, name)) == expected)
    if known.macs:
        possible += weights["macs"]
        common = set(known.macs) & {mac.lower() for mac in seen.macs}
        gained += weights["macs"] * len(common) / len(known.macs)
    return gained / possible if possible else 0.0


def identify(seen: Fingerprint, inventory: Iterable[MachineModel]) -> Match:
    """The best match; two machines that fit equally well are nobody."""
    ranked = sorted(((score(seen, m), m.name) for m in inventory), reverse=True)
    best, name = ranked[0] if ranked else (0.0, "")
    tied = len(ranked) > 1 and ranked[1][0] == best
    sure = best >= rules()["threshold"] and not tied
    return Match(machine=name if sure else "", score=round(best, 3))


def _meaning(text: str) -> str:
    plain = text.strip().lower()
    return "" if plain in rules()["meaningless"] else plain
