"""One result as a site shows it: read, judged, redacted, and made into its pages."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

from guidelines.evidence import Evidence
from guidelines.freshness import counts_until
from guidelines.judge import judge
from guidelines.model import Guideline
from guidelines.results import load_results
from guidelines.verdict import State, Verdict
from harness.attest.bundle import is_bundle
from harness.publication import Publication
from harness.signed import evidence_of, signed_part
from harness.subjects import program_of, speaks, told_before
from reports.compare.claims import Claim, claims
from reports.read import read_json, result_of
from reports.redact import redaction
from reports.result import SCHEMA, Result
from reports.site.build import Page
from reports.site.documents import Judged, Summary
from reports.site.render import page
from reports.site.runs import result_pages
from reports.site.summary import shortened, summarise
from reports.subject import judgement_of, subject_of
from reports.verdict import VerdictDocument

BUNDLE = ".bundle.tar.gz"


def pages(publication: Publication, path: Path, key: str) -> list[Page]:
    """One result's pages; the last is its summary, cheaper to send as text than as objects."""
    signed, archive = None, b""
    if is_bundle(path):
        signed, archive = signed_part(
            path, publication.trusted, publication.guidelines, publication.private
        )
        path = evidence_of(path)
    summary, result, verdicts = _prepare(publication, path, key)
    summary = summary.model_copy(update={"signed": signed})
    made = list(result_pages(publication.render, summary, result, verdicts, publication.documents))
    if archive:
        made.insert(0, (page(summary).removesuffix(".html") + BUNDLE, archive))
    return made


def _prepare(
    publication: Publication, path: Path, key: str
) -> tuple[Summary, Result | None, list[dict[str, Any]]]:
    """One result's summary, its redacted document if it is one of ours, and its verdicts."""
    evidence = load_results(path)
    if evidence.format != SCHEMA:
        return _foreign(publication, path, key, evidence)
    original = read_json(path)
    taken = redaction(original, publication.private)
    document = taken.value(original)
    result = result_of(document, str(path))
    judged = _judged(publication, evidence, frozenset(original["platform"].get("features", ())))
    verdicts = [taken.value(verdict) for _, verdict in judged]
    redacted = document != original
    found = evidence.digest
    if redacted:
        found = f"sha256:{hashlib.sha256(result.text().encode()).hexdigest()}"
    summary = summarise(
        result,
        key=key,
        digest=found,
        redacted=redacted,
        judged=[Judged.model_validate(taken.value(short)) for short, _ in judged],
        claims=_claims(publication, result, verdicts),
    )
    return summary, result, verdicts


def _claims(
    publication: Publication, result: Result, verdicts: Sequence[dict[str, Any]]
) -> tuple[Claim, ...]:
    """What is said of the platform, and what its checks make of that by the first guideline."""
    main = publication.guidelines[0] if publication.guidelines else None
    told = next((v for v in verdicts if main and v["guideline"] == main.id), None)
    if main is None or told is None:
        return ()
    document = VerdictDocument.model_validate(told)
    judgement = judgement_of(document, digest=main.digest)
    subject = replace(subject_of(result), judgement=judgement)
    about = publication.about(document.program)
    return claims([subject], about)


def _foreign(
    publication: Publication, path: Path, key: str, evidence: Evidence
) -> tuple[Summary, None, list[dict[str, Any]]]:
    """A result of another tool: outcomes and, where it has any, facts."""
    name = path.name.split(".", 1)[0] or path.name
    judged = _judged(publication, evidence, frozenset(evidence.declared))
    started, finished = evidence.started or evidence.finished, evidence.finished
    facts: dict[str, dict[str, dict[str, str]]] = {}
    for fact in evidence.facts:
        if fact.check:
            text = shortened(str(fact.value))
            shown = {"text": text, "unit": fact.unit or "", "source": fact.source}
            facts.setdefault(fact.check, {})[fact.name] = shown
    plain = {
        "key": key,
        "digest": evidence.digest,
        "id": f"{name}-{evidence.digest[7:15]}",
        "run": f"{name}-{evidence.digest[7:15]}",
        "platform": evidence.subject or name,
        "kind": evidence.format,
        "format": evidence.format,
        "started": started.isoformat() if started else "",
        "finished": finished.isoformat() if finished else "",
        "complete": evidence.complete,
        "incomplete": "" if evidence.complete else shortened("; ".join(evidence.notes)),
        "features": sorted(evidence.declared),
        "checks": {
            outcome.name: {
                "outcome": "blocked" if outcome.status == "unfinished" else outcome.status.value,
                "reason": shortened(outcome.reason),
                "seconds": outcome.seconds or 0.0,
            }
            for outcome in evidence.outcomes
            if outcome.covers is None
        },
        "facts": facts,
        "judged": [short for short, _ in judged],
    }
    taken = redaction(plain, publication.private)
    clean = taken.value(plain)
    for exact in ("key", "digest"):
        clean[exact] = plain[exact]
    clean["redacted"] = clean != {**plain, "redacted": False} and clean != plain
    if clean["redacted"]:
        clean["digest"] = ""
    verdicts = [taken.value(verdict) for _, verdict in judged]
    return Summary.model_validate({"schema": "interop.summary/1", **clean}), None, verdicts


def _judged(
    publication: Publication, evidence: Evidence, features: frozenset[str]
) -> list[tuple[dict[str, Any], dict[str, Any]]]:
    """What each guideline that speaks of the evidence says of it, short and whole."""
    ended = evidence.finished.date() if evidence.finished else None
    ours = evidence.format == SCHEMA
    found = []
    for guideline in publication.guidelines:
        asked = publication.program if publication.program in guideline.programs else None
        day = ended or publication.day
        program = program_of(guideline, asked, features, day)
        verdict = judge(guideline, [evidence], program=program, at=day, waivers=publication.waivers)
        if not speaks(verdict) and not (ours and guideline.format == "interop"):
            continue
        whole = verdict.to_json()
        for source in whole["evidence"]:
            source["source"] = Path(source["source"]).name
        for items in ("items", "flagged_items", "advised_items"):
            for item in whole[items]:
                item["evidence"] = item["evidence"].rsplit("/", 1)[-1]
        short = _short(guideline, verdict, ended)
        if ours:
            short["told"] = told_before(evidence, guideline)
        found.append((short, whole))
    return found


def _short(guideline: Guideline, verdict: Verdict, ended: date | None) -> dict[str, Any]:
    """What the site's pages need of a verdict."""
    program = guideline.programs.get(verdict.program)
    until = None
    if program and program.holds and ended:
        until = counts_until(ended, program.holds).isoformat()
    return {
        "guideline": verdict.guideline,
        "program": verdict.program,
        "verdict": verdict.verdict.value,
        "reasons": [shortened(reason) for reason in verdict.reasons],
        "level": verdict.level,
        "held_back_by": list(verdict.held_back_by),
        "counts": verdict.counts.to_json(),
        "states": {item.id: item.state.value for item in verdict.items},
        "because": {
            item.id: (item.state.value, shortened(item.reason))
            for item in (*verdict.advised_items, *verdict.flagged_items, *verdict.items)
            if item.state in (State.FAILED, State.BLOCKED, State.SKIPPED)
        },
        "capabilities": [capability.to_json() for capability in verdict.capabilities],
        "holds_until": until,
    }
