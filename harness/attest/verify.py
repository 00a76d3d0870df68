"""Tells what holds of a signed bundle: the verdict is computed again, not trusted."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, date, datetime
from typing import Any

from guidelines.catalog import DATA, read_bytes, shipped_guidelines
from guidelines.errors import BadDocument
from guidelines.model import Guideline
from harness.attest import bundle
from harness.attest.rejudge import OWN, rejudge, sealed_of, seen_of, tool
from harness.suites_files import suites_digest
from reports.attest import holding
from reports.attest.envelope import Sealed
from reports.attest.holding import Line, Revocation
from reports.attest.keys import Signer, public_keys, unique
from reports.attest.plausible import plausible
from reports.attest.statement import ResultPredicate, VerdictPredicate
from reports.errors import BadReport
from reports.read import parse_object
from reports.result import Result
from reports.write import document_bytes

BESIDE = ("junit.xml", "checks.jsonl")  # what a run leaves beside its result


def verify(
    files: Mapping[str, bytes],
    trusted: Iterable[Signer],
    *,
    at: date | None,
    max_age: int | None = None,
    revocations: Sequence[Revocation] = (),
    guideline: Guideline | None = None,
    hosts: Sequence[Guideline] = (),
) -> list[Line]:
    """What holds of a bundle, line by line.

    Args:
        files: the bundle's files by name.
        trusted: whose signatures are worth something.
        at: the day to look at it; None leaves freshness out.
        max_age: how many days ago it may have been judged.
        revocations: what counts no longer.
        guideline: the guideline it must have been judged by, if not a shipped one.
        hosts: the guidelines of other components that it must have been judged by, likewise.

    Raises:
        BadReport: it has no envelopes that could be read.
    """
    sealed = sealed_of(files)
    statements = {name: one.statement for name, one in sealed.items()}
    lines, marks = _signatures(files, sealed, unique(trusted))
    content = {name: data for name, data in files.items() if name not in sealed}
    content.pop(bundle.SIGNERS, None)
    lines += holding.digests(content, statements)
    about = statements[bundle.RESULT_ENVELOPE].predicate
    said = statements[bundle.VERDICT_ENVELOPE].predicate
    assert isinstance(about, ResultPredicate)  # noqa: S101 - sealed_of saw to it
    assert isinstance(said, VerdictPredicate)  # noqa: S101
    lines += _recomputed(content, said, about, at, max_age, guideline, hosts)
    if at is not None:
        verdict = content.get(bundle.VERDICT, b"")
        lines += holding.revoked(revocations, verdict, marks, at)
    finished = [seen.finished for seen in about.evidence if seen.finished is not None]
    return lines + holding.times(statements, finished, datetime.now(UTC))


def _signatures(
    files: Mapping[str, bytes], sealed: Mapping[str, Sealed], trusted: Mapping[str, Signer]
) -> tuple[list[Line], set[str]]:
    """The lines on signatures, and the fingerprints of the keys that made them."""
    lines = []
    enclosed: dict[str, Signer] = {}
    text = files.get(bundle.SIGNERS, b"")
    try:
        enclosed = unique(public_keys(text.decode(), bundle.SIGNERS))
    except BadReport as error:
        lines.append(Line(state="fails", topic="signature", text=str(error)))
    except UnicodeDecodeError:
        text_ = f"{bundle.SIGNERS}: not text; it was changed"
        lines.append(Line(state="fails", topic="signature", text=text_))
    else:
        written = "".join(f"{line}\n" for line in sorted(key.line for key in enclosed.values()))
        if written.encode() != text:
            changed = f"{bundle.SIGNERS}: not written as it was signed; it was changed"
            lines.append(Line(state="fails", topic="signature", text=changed))
    marks = set()
    for name, one in sealed.items():
        lines += holding.signatures(name, one, trusted, enclosed)
        marks |= {signature.fingerprint for signature in one.signatures({})}
    for mark in sorted(set(enclosed) - marks):
        text_ = f"{bundle.SIGNERS}: {mark} signed nothing here; it was added"
        lines.append(Line(state="fails", topic="signature", text=text_))
    return lines, marks


def _recomputed(
    files: Mapping[str, bytes],
    said: VerdictPredicate,
    about: ResultPredicate,
    at: date | None,
    max_age: int | None,
    guideline: Guideline | None,
    hosts: Sequence[Guideline],
) -> list[Line]:
    """Whether the verdict is what judging the evidence comes to, now and on the day *at*."""
    try:
        with bundle.laid_out(files) as folder:
            judged = rejudge(folder, said, date.fromisoformat(said.at))
            later = rejudge(folder, said, at, judged) if at is not None else judged
        lines = [_same(files, said, judged.document)]
        seen = [seen_of(evidence, files[evidence.source]) for evidence in judged.evidence]
    except (BadDocument, BadReport, OSError, ValueError, OverflowError) as error:
        told = " ".join(str(error).replace(f"{folder}/", "").split())[:300]
        lines = [Line(state="fails", topic="verdict", text=f"cannot be computed again: {told}")]
        return lines + (holding.freshness(said, at, max_age, None) if at is not None else [])
    if at is not None:
        lines += holding.freshness(said, at, max_age, judged.counts_until(said.program))
    if later.document["verdict"] != judged.document["verdict"]:
        text = f"judged on {at} the same evidence is {later.document['verdict']}"
        lines.append(Line(state="fails", topic="freshness", text=text))
    if seen != about.evidence:
        text = f"{bundle.RESULT_ENVELOPE}: what it says of the evidence is not what the evidence is"
        lines.append(Line(state="fails", topic="plausibility", text=text))
    lines.append(_published(judged.guideline, said.guideline.id, guideline, "--guideline"))
    known = {host.id: host for host in hosts}
    for host, used in zip(judged.hosts, said.hosts, strict=True):
        lines.append(_published(host, used.id, known.get(host.id), "--host"))
    if said.waivers:
        count = judged.document["counts"]["waived"]
        text = f"{said.waivers}: {count} waived by a list that the signer enclosed"
        lines.append(Line(state="note", topic="verdict", text=text))
    if said.known_failing:
        text = f"{said.known_failing}: known failures, as the signer lists them, are taken as such"
        lines.append(Line(state="note", topic="verdict", text=text))
    for evidence in judged.evidence:
        if evidence.format == OWN:
            lines += _own(files, evidence.source)
    return lines


def _same(files: Mapping[str, bytes], said: VerdictPredicate, document: dict[str, Any]) -> Line:
    told = (said.verdict, said.level)
    comes = (document["verdict"], document["level"])
    by = "" if said.tool == tool() else f" (signed by {said.tool.version}, another version of it)"
    if document_bytes(document) == files.get(bundle.VERDICT) and told == comes:
        counts = document["counts"]
        text = f"computed again: {comes[0]}, {counts['passed']} of {counts['required']} passed{by}"
        return Line(state="holds", topic="verdict", text=text)
    was = f"{told[0]} is signed, judging comes to {comes[0]}" if told != comes else "details differ"
    return Line(state="fails", topic="verdict", text=f"computed again it is another: {was}{by}")


def _published(used: Guideline, said: str, expected: Guideline | None, option: str) -> Line:
    """Whether a guideline is one that somebody else than the signer published."""
    if used.id != said:
        text = f"{said or 'no guideline'} is signed, {used.id} is in the bundle"
        return Line(state="fails", topic="guideline", text=text)
    known = expected.digest if expected else None
    if known is None and used.id in shipped_guidelines():
        known = read_bytes(DATA / f"{used.id}.yaml")[1]
    if known is None:
        text = f"{used.id} is not one that comes with this tool; name the one it must be"
        return Line(state="unknown", topic="guideline", text=f"{text} with {option}")
    if known == used.digest:
        text = f"{used.id} ({used.status}) is the published one"
        return Line(state="holds", topic="guideline", text=text)
    if used.status == "draft" and expected is None:
        text = f"{used.id} is a draft, and another text than the draft that comes with this tool"
        return Line(state="unknown", topic="guideline", text=text)
    text = f"{used.id} in the bundle is not the published text"
    return Line(state="fails", topic="guideline", text=text)


def _own(files: Mapping[str, bytes], name: str) -> list[Line]:
    """What can be said of a result of ours beyond its verdict."""
    result = Result.model_validate(parse_object(files[name], name))
    junit, log = (files.get(beside) for beside in BESIDE)
    lines = plausible(result, junit, log)
    if result.suite.digest != suites_digest():
        text = f"the checks that ran ({result.suite.digest[:19]}...) are not those of this tool"
        lines.append(Line(state="note", topic="suite", text=text))
    else:
        lines.append(Line(state="holds", topic="suite", text="the checks are those of this tool"))
    return lines
