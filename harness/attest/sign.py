"""Makes a signed bundle of a result and what it was judged by, or signs one once more."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

from securesystemslib.signer import CryptoSigner

from harness.attest import bundle
from harness.attest.rejudge import OWN, Judged, rejudge, sealed_of, seen_of, tool
from harness.attest.verify import verify
from reports.attest.envelope import Sealed
from reports.attest.keys import openssh, public_keys
from reports.attest.statement import GuidelineUsed, ResultPredicate, VerdictPredicate, statement
from reports.errors import BadReport
from reports.read import parse_lines, parse_object
from reports.redact import Private, Redaction, redaction
from reports.verdict import VerdictDocument
from reports.write import document_bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """What is to be judged and signed: files as they lie there, and by what they are judged."""

    evidence: Sequence[Path]
    guideline: Path
    program: str
    at: date
    waivers: Path | None = None
    known_failing: Path | None = None
    strict: bool = False
    hosts: Sequence[Path] = ()
    beside: Sequence[Path] = ()


def make(
    case: Case,
    signer: CryptoSigner,
    *,
    days: int,
    private: Private,
    expected: VerdictDocument | None = None,
) -> dict[str, bytes]:
    """The files of a new bundle. The verdict is computed here, so that it holds when signed.

    A result of ours is signed as it may be published: without secrets, addresses of management
    controllers and what is *private*. Evidence of other tools is signed as it is.

    Raises:
        BadDocument: a file cannot be read.
        BadReport: two files would share a name, or the verdict is not *expected*.
    """
    files: dict[str, bytes] = {}
    names = _names(case)
    for path, name in names.items():
        files[name] = path.read_bytes()
    for path in case.beside:
        files[path.name] = path.read_bytes()
    files |= _published(files, [names[path] for path in case.evidence], case.beside, private)
    predicate = VerdictPredicate(
        verdict="inconclusive",
        level=None,
        program=case.program,
        at=case.at.isoformat(),
        guideline=GuidelineUsed(id="", file=names[case.guideline]),
        hosts=[GuidelineUsed(id="", file=names[host]) for host in case.hosts],
        waivers=names[case.waivers] if case.waivers else None,
        known_failing=names[case.known_failing] if case.known_failing else None,
        strict=case.strict,
        evidence=[names[path] for path in case.evidence],
        valid_from=case.at.isoformat(),
        valid_until=(case.at + timedelta(days=days)).isoformat(),
        tool=tool(),
        signed=datetime.now(UTC).replace(microsecond=0),
    )
    with bundle.laid_out(files) as folder:
        judged = rejudge(folder, predicate, case.at)
        seen = [seen_of(evidence, files[evidence.source]) for evidence in judged.evidence]
    if expected is not None and _opinion(expected.dump()) != _opinion(judged.document):
        wrong = "is not what judging this result comes to"
        if expected.dump().get("guideline_digest") != judged.guideline.digest:
            name = expected.guideline
            wrong = f"was judged by another text of {name}; to judge anew, give --guideline {name}"
        raise BadReport(str(case.evidence[0]), "verdict.json", wrong)
    files[bundle.VERDICT] = document_bytes(judged.document)
    predicate = predicate.model_copy(
        update={
            "verdict": judged.document["verdict"],
            "level": judged.document["level"],
            "guideline": GuidelineUsed(id=judged.guideline.id, file=names[case.guideline]),
            "hosts": [
                GuidelineUsed(id=host.id, file=used.file)
                for host, used in zip(judged.hosts, predicate.hosts, strict=True)
            ],
            "valid_until": _until(judged, case, days).isoformat(),
        }
    )
    about = ResultPredicate(evidence=seen, tool=predicate.tool, signed=predicate.signed)
    told = {name: files[name] for name in predicate.evidence}
    told |= {path.name: files[path.name] for path in case.beside}
    sealed = {
        bundle.RESULT_ENVELOPE: Sealed.of(statement(told, about)),
        bundle.VERDICT_ENVELOPE: Sealed.of(statement(files, predicate)),
    }
    return _signed(files, sealed, signer)


def _published(
    files: Mapping[str, bytes], evidence: Sequence[str], beside: Sequence[Path], private: Private
) -> dict[str, bytes]:
    """Those files again that are of ours, without what is not to be published."""
    made: dict[str, bytes] = {}
    for name in evidence:
        if not files[name].lstrip().startswith(b"{"):
            continue
        document = parse_object(files[name], name)
        if document.get("schema") != OWN:
            continue
        taken = redaction(document, private)
        clean = taken.value(document)
        if clean != document:
            made[name] = document_bytes(clean)
        for path in beside:
            text = files[path.name].decode("utf-8", errors="replace")
            made[path.name] = _without(path.name, text, taken).encode()
    return made


def _without(name: str, text: str, taken: Redaction) -> str:
    """A text beside a result; a line of JSON is looked at key by key."""
    if not name.endswith(".jsonl"):
        return taken.text(text)
    lines = [json.dumps(taken.value(one, ("checks",))) for one in parse_lines(text, name)]
    return "".join(f"{line}\n" for line in lines)


def countersign(files: Mapping[str, bytes], signer: CryptoSigner) -> dict[str, bytes]:
    """The bundle with one more signature on both statements; as it is where they have it already.

    Raises:
        BadReport: the bundle is not what it says it is.
    """
    lines = verify(files, (), at=None)
    wrong = next((line for line in lines if line.state == "fails"), None)
    if wrong is not None:
        raise BadReport("bundle", wrong.topic, f"{wrong.text}; not signed")
    sealed = sealed_of(files)
    if all(_signed_by(one, signer) for one in sealed.values()):
        return dict(files)
    return _signed(files, sealed, signer)


def _signed_by(one: Sealed, signer: CryptoSigner) -> bool:
    """Whether a statement has this key's signature, and it fits."""
    (own,) = public_keys(openssh(signer, "key"), "key")
    return any(found.fits for found in one.signatures({own.fingerprint: own}))


def _signed(
    files: Mapping[str, bytes], sealed: Mapping[str, Sealed], signer: CryptoSigner
) -> dict[str, bytes]:
    made = dict(files)
    for name, one in sealed.items():
        one.sign(signer)
        made[name] = one.dump()
    known = made.get(bundle.SIGNERS, b"").decode().splitlines()
    lines = sorted({*known, openssh(signer, "key")})
    made[bundle.SIGNERS] = ("\n".join(lines) + "\n").encode()
    return made


def _until(judged: Judged, case: Case, days: int) -> date:
    """The last day to rely on: *days* after the verdict, but no longer than its evidence counts."""
    last = case.at + timedelta(days=days)
    return max(case.at, min(last, judged.counts_until(case.program) or last))


def _names(case: Case) -> dict[Path, str]:
    """What each file is called in the bundle."""
    names = {path: path.name for path in case.evidence}
    fixed = [(case.guideline, "guideline"), (case.waivers, "waivers")]
    fixed += [(case.known_failing, "known-failing")]
    fixed += [(host, f"host-{number}") for number, host in enumerate(case.hosts, 1)]
    for path, name in fixed:
        if path is not None:
            names[path] = name + path.suffix  # .gz or not, its content tells what it is
    taken = [*names.values(), *(path.name for path in case.beside), bundle.VERDICT]
    taken += [*bundle.ENVELOPES, bundle.SIGNERS]
    for path, name in names.items():
        if taken.count(name) > 1 or not bundle.NAME.fullmatch(name):
            raise BadReport(str(path), "", f"cannot be called {name!r} in a bundle")
    return names


def _opinion(document: Mapping[str, Any]) -> dict[str, Any]:
    """What a verdict says, without where its evidence lay and the words that were taken out."""
    plain = {key: document.get(key) for key in ("verdict", "level", "counts", "guideline_digest")}
    for key in ("items", "flagged_items", "advised_items"):
        plain[key] = [(item["id"], item["state"]) for item in document.get(key, ())]
    return plain
