"""Our own result document, ``interop.result/1``."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any, cast

from pydantic import Field

from guidelines.errors import BadDocument
from guidelines.evidence import Evidence, Fact, FactValue, Status
from guidelines.results.collector import Collector, reason_of
from guidelines.results.instants import after, from_text
from guidelines.results.source import Source
from guidelines.results.strict_json import Foreign, checked

FORMAT = "interop.result/1"


class _Fact(Foreign):
    name: str = Field(min_length=1)
    value: Any
    unit: str | None = None
    source: str = "observed"
    member: str | None = None


class _Check(Foreign):
    id: str = Field(min_length=1)
    test: str | None = None
    title: str | None = None
    outcome: Status
    reason: str | None = None
    started: str | None = None
    seconds: float | int | None = None
    facts: list[_Fact] = Field(default_factory=list)


class _Platform(Foreign):
    name: str = Field(min_length=1)
    kind: str | None = None
    features: list[str] = Field(default_factory=list)
    declared: dict[str, Any] = Field(default_factory=dict)
    described: dict[str, Any] = Field(default_factory=dict)


class _Census(Foreign):
    leaks: list[Any] = Field(default_factory=list)


class _Result(Foreign):
    platform: _Platform
    started: str | None = None
    finished: str | None = None
    complete: bool
    incomplete: str = ""
    checks: list[_Check]
    census: _Census | None = None


def recognises(value: object) -> bool:
    """Whether this is a document of ours, of whatever version."""
    return isinstance(value, dict) and str(value.get("schema", "")).startswith("interop.result/")


def load(source: Source, value: Any) -> Evidence:
    """Read a result document.

    Raises:
        BadDocument: another version, or a key is missing or of another kind.
    """
    if value["schema"] != FORMAT:
        raise BadDocument(
            source.name, "schema", f"found {str(value['schema'])[:60]}; expected {FORMAT}"
        )
    result = checked(_Result, _outcomes_as_status(value, source.name), source.name)
    collector = Collector(source.name, source.limits, repeats=True)
    for number, check in enumerate(result.checks):
        where = f"checks[{number}]"
        collector.add(
            check.id,
            check.outcome,
            where=where,
            reason=reason_of(check.reason),
            forms=(check.test,) if check.test else (),
            finished=after(_instant(check.started, source.name, f"{where}.started"), check.seconds),
            seconds=check.seconds,
        )
        collector.facts.extend(_fact(fact, check.id) for fact in check.facts)
    collector.facts.extend(_said(result.platform.declared, "declared"))
    collector.facts.extend(_said(result.platform.described, "api"))
    if not result.complete:
        collector.incomplete(
            f"the run says that it is not complete: {result.incomplete or 'no reason given'}"
        )
    if result.census is not None and result.census.leaks:
        collector.note(f"the run left {len(result.census.leaks)} resources behind")
    return collector.evidence(
        FORMAT,
        source.digest,
        subject=result.platform.name,
        started=_instant(result.started, source.name, "started"),
        finished=_instant(result.finished, source.name, "finished"),
        declared=frozenset(result.platform.features).union(
            key for key, said in result.platform.declared.items() if said is True
        ),
    )


def _outcomes_as_status(value: dict[str, Any], source: str) -> dict[str, Any]:
    """The document with each outcome as `Status`, which a strict model takes only as such."""
    checks = value.get("checks")
    if not isinstance(checks, list):
        return value
    known = {status.value: status for status in Status}
    read = []
    for number, check in enumerate(checks):
        if isinstance(check, dict) and "outcome" in check:
            said = check["outcome"]
            if not isinstance(said, str) or said not in known:
                raise BadDocument(
                    source,
                    f"checks[{number}].outcome",
                    f"found {str(said)[:60]}; expected one of {', '.join(known)}",
                )
            read.append({**check, "outcome": known[said]})
        else:
            read.append(check)
    return {**value, "checks": read}


def _instant(text: str | None, source: str, where: str) -> datetime | None:
    instant = from_text(text)
    if text and instant is None:
        raise BadDocument(source, where, f"found {text[:60]}; expected an RFC 3339 instant")
    return instant


def _fact(fact: _Fact, check: str) -> Fact:
    return Fact(
        check=check,
        name=fact.name,
        value=_frozen(fact.value),
        unit=fact.unit,
        source=fact.source,
        member=fact.member,
    )


def _said(said: dict[str, Any], source: str) -> list[Fact]:
    """What the platform is said to be, as facts of no check."""
    return [Fact(name=name, value=_frozen(value), source=source) for name, value in said.items()]


def _frozen(value: Any) -> FactValue:
    """*value* as a fact holds it; anything nested becomes its canonical JSON text."""
    if isinstance(value, list) and not any(isinstance(item, dict | list) for item in value):
        return tuple(value)
    if isinstance(value, dict | list):
        return json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return cast("FactValue", value)
