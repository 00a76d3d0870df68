"""Judges the files of a bundle again, by what its statement says they were judged by."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from guidelines.catalog import load_known_failing, load_waivers, parse_guideline, read_bytes
from guidelines.evidence import Evidence
from guidelines.freshness import counts_until
from guidelines.judge import judge
from guidelines.model import Guideline
from guidelines.results import load_results
from harness.attest import bundle
from reports.attest.envelope import Sealed
from reports.attest.statement import ResultPredicate, Seen, Tool, VerdictPredicate
from reports.errors import BadReport
from reports.read import parse_object
from reports.result import Result
from reports.verdict import VerdictDocument

OWN = "interop.result/1"


def tool() -> Tool:
    """This program: version, and a digest over the files of its packages."""
    digest = hashlib.sha256()
    for package in ("guidelines", "harness", "provisioner", "reports", "suites"):
        spec = find_spec(package)
        for place in spec.submodule_search_locations or () if spec else ():
            for file in sorted(Path(place).rglob("*.py")):
                name = f"{package}/{file.relative_to(place)}"
                digest.update(name.encode() + b"\0" + file.read_bytes() + b"\0")
    return Tool(
        name="interop-harness",
        version=version("interop-harness"),
        digest=f"sha256:{digest.hexdigest()}",
    )


def sealed_of(files: Mapping[str, bytes]) -> dict[str, Sealed]:
    """Both envelopes, each of its kind.

    Raises:
        BadReport: one is missing or cannot be read.
    """
    found = {}
    for name, kind in zip(bundle.ENVELOPES, (ResultPredicate, VerdictPredicate), strict=True):
        if name not in files:
            raise BadReport("bundle", name, "missing")
        found[name] = Sealed.parse(files[name], parse_object(files[name], name), name)
        if not isinstance(found[name].statement.predicate, kind):
            raise BadReport(name, "payload.predicateType", "is the other statement's")
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """What judging came to."""

    document: dict[str, Any]
    guideline: Guideline
    hosts: list[Guideline]
    evidence: list[Evidence]

    def counts_until(self, program: str) -> date | None:
        """The last day on which all of the evidence counts, if the program knows one."""
        asked = self.guideline.programs.get(program)
        if asked is None or not asked.holds:
            return None
        ended = [one.finished.date() for one in self.evidence if one.finished]
        return min((counts_until(day, asked.holds) for day in ended), default=None)


def rejudge(folder: Path, said: VerdictPredicate, at: date, before: Judged | None = None) -> Judged:
    """Judge the files of a bundle by what the statement says they were judged by.

    What was read for *before*, of the same bundle on another day, is not read again.
    """
    if before is not None:
        guideline, hosts, evidence = before.guideline, before.hosts, before.evidence
    else:
        guideline = _guideline(folder, said.guideline.file)
        hosts = [_guideline(folder, host.file) for host in said.hosts]
        evidence = [_named(load_results(folder / name), name) for name in said.evidence]
    verdict = judge(
        guideline,
        evidence,
        program=said.program,
        at=at,
        waivers=load_waivers(folder / said.waivers) if said.waivers else (),
        known_failing=load_known_failing(folder / said.known_failing, strict=said.strict)
        if said.known_failing
        else None,
        hosts=hosts,
    )
    document = VerdictDocument.model_validate(verdict.to_json()).dump()
    return Judged(document=document, guideline=guideline, hosts=hosts, evidence=evidence)


def _guideline(folder: Path, name: str) -> Guideline:
    data, digest = read_bytes(folder / name)
    return parse_guideline(data, source=name, digest=digest)


def _named(evidence: Evidence, name: str) -> Evidence:
    """The same evidence under its name in the bundle: where it lay is nobody's business."""
    outcomes = tuple(
        replace(outcome, where=outcome.where.replace(evidence.source, name, 1))
        for outcome in evidence.outcomes
    )
    return replace(evidence, source=name, outcomes=outcomes)


def seen_of(evidence: Evidence, data: bytes) -> Seen:
    """What a statement says of one document of evidence; *data* are its bytes."""
    suite = None
    if evidence.format == OWN:
        suite = Result.model_validate(parse_object(data, evidence.source)).suite.digest
    return Seen(
        name=evidence.source,
        format=evidence.format,
        subject=evidence.subject,
        finished=evidence.finished,
        complete=evidence.complete,
        suite=suite,
    )
