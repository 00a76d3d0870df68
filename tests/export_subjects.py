"""Results to export: a check in each of our states, with words that no format likes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from reports.compare.table import STATES
from reports.result import CheckRecord, EvidenceRecord, FactRecord
from reports.subject import About, ItemState, Judgement, Subject

DIGEST = "sha256:" + "0" * 64
NOW = "2026-11-21T03:00:00.000+00:00"
BAD = "]]> <b>&\x00\x1b|`*\n::error::forged\n%0A https://x 😀"


def record(id_: str, outcome: str, reason: str = "") -> CheckRecord:
    return CheckRecord(
        id=id_,
        title=f"Title of {id_}",
        test=f"suites.x::{id_}",
        outcome=outcome,  # type: ignore[arg-type]
        reason=reason,
        started=NOW,
        seconds=1.5,
        facts=[FactRecord(name="arp", value=["a", BAD], source="guest", member="m-1")],
        evidence=[EvidenceRecord(title=f"$ {BAD}", text=BAD)],
    )


# One check in each state a required item can have, and one that is only advised.
OUTCOMES = {"failed": "failed", "blocked": "blocked", "skipped": "skipped", "waived": "failed",
            "not-applicable": "not-applicable", "passed": "passed"}  # fmt: skip


def subject(
    states: Mapping[str, str], name: str = "cloud", *, judged: bool = True, **more: Any
) -> Subject:
    items = {
        id_: ItemState(
            state=state,
            reason="passed" if state == "passed" else f"{state}: {BAD}",
            evidence="" if state == "missing" else f"{name}/result.json#checks[0]",
            status="advisory" if id_.startswith("adv") else "required",
        )
        for id_, state in states.items()
    }
    records = [
        record(id_, OUTCOMES[state], "" if state == "passed" else BAD)
        for id_, state in states.items()
        if state != "missing"
    ]
    judgement = Judgement(
        guideline="2026.11", digest=DIGEST, program="compute", at="2026-11-21",
        verdict="not-compliant", level=1, held_back_by=("net-01",), reasons=("1 failed",),
        counts={"required": len(items)}, items=items, expires="2027-05-20", components=("network",),
    )  # fmt: skip
    fields: dict[str, Any] = {
        "label": name,
        "platform": name,
        "kind": "fake",
        "id": f"r-{name}",
        "run": f"run-{name}",
        "started": NOW,
        "finished": "2026-11-21T03:10:00.000+00:00",
        "tool": "interop-harness",
        "tool_version": "0.1.0",
        "suite": DIGEST,
        "digest": f"sha256:{name}",
        "source": f"{name}/result.json",
        "records": tuple(records),
        "judgement": judgement if judged else None,
    }
    return Subject(**{**fields, **more})


EVERY = {f"net-{n:02}": state for n, state in enumerate(STATES)}
ADVISED = {f"adv-{n:02}": state for n, state in enumerate(STATES)}
ABOUT = {
    id_: About(
        id=id_,
        title=f"The requirement {id_} <b>",
        level=3,
        components=("network",),
        capabilities=("addressing",),
        status="advisory" if id_.startswith("adv") else "required",
        references=(("RFC 1035", "https://www.rfc-editor.org/rfc/rfc1035"), ("A book", "")),
    )
    for id_ in (*EVERY, *ADVISED)
}
FULL = subject({**EVERY, **ADVISED})
UNJUDGED = subject({k: v for k, v in EVERY.items() if v != "missing"}, "raw", judged=False)
STOPPED = subject({}, "stopped", complete=False, incomplete=BAD, started="", finished="")
ALL = [FULL, UNJUDGED, STOPPED]


def state_of(words: Mapping[str, str]) -> dict[str, str]:
    """What a format says of each of our states, by state, for the required checks."""
    return {state: words[id_] for id_, state in EVERY.items()}
