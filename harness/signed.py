"""A signed bundle as something to publish: who signed, what was looked at, and one file to take."""

from __future__ import annotations

import base64
import gzip
import hashlib
import io
import json
import tarfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from guidelines.errors import BadDocument
from guidelines.model import Guideline
from harness.attest import bundle
from harness.attest.rejudge import sealed_of
from harness.attest.verify import verify
from reports.attest.keys import Signer, unique
from reports.attest.statement import VerdictPredicate
from reports.read import parse_lines, parse_object
from reports.redact import Private, Redaction, redaction
from reports.site.documents import SignedPart, SignerPart


def bundle_digest(folder: Path) -> str:
    """A digest over names and bytes of a bundle's files."""
    files = bundle.read_bundle(folder)
    parts = [f"{name} {hashlib.sha256(data).hexdigest()}" for name, data in sorted(files.items())]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def evidence_of(folder: Path) -> Path:
    """The one document of evidence in a bundle.

    Raises:
        BadDocument: it rests on several.
        BadReport: it is no bundle.
    """
    names = _said(bundle.read_bundle(folder)).evidence
    if len(names) != 1:
        raise BadDocument(str(folder), "", f"rests on {len(names)} documents; expected one")
    return folder / names[0]


def signed_part(
    folder: Path, trusted: Sequence[Signer], guidelines: Sequence[Guideline], private: Private
) -> tuple[SignedPart, bytes]:
    """What the site tells of a bundle, and the bundle as one compressed archive.

    A bundle cannot be redacted: what was signed would be another. One that holds something that
    is not to be published is looked at and kept back; its archive is empty.

    Raises:
        BadDocument: the bundle does not hold; what was tampered with is not published.
    """
    files = bundle.read_bundle(folder)
    said = _said(files)
    # A draft may have changed since; what was signed under the older text is still what it says.
    fixed = (g for g in guidelines if g.id == said.guideline.id and g.status != "draft")
    known = next(fixed, None)
    lines = verify(files, (), at=None, guideline=known)
    wrong = next((line for line in lines if line.state == "fails"), None)
    if wrong is not None:
        raise BadDocument(str(folder), wrong.topic, f"{wrong.text}; not published")
    taken = _taken(files, said, private)
    kept_back = not all(_may_be_published(name, data, taken) for name, data in files.items())
    part = SignedPart(
        signers=_signers(files, trusted),
        verdict=said.verdict,
        guideline=said.guideline.id,
        program=said.program,
        signed=said.signed.isoformat(),
        valid_from=said.valid_from,
        valid_until=said.valid_until,
        lines=[(x.state, x.topic, x.text) for x in lines if x.topic != "signature"],
        kept_back=kept_back,
    )
    clean = SignedPart.model_validate(taken.value(part.model_dump()))
    return clean, b"" if kept_back else _archive(files)


def _taken(files: Mapping[str, bytes], said: VerdictPredicate, private: Private) -> Redaction:
    """What is taken out of the evidence, which knows best what is private of it."""
    data = files[said.evidence[0]]
    own = len(said.evidence) == 1 and data.lstrip().startswith(b"{")
    return redaction(parse_object(data, said.evidence[0]) if own else {}, private)


def _may_be_published(name: str, data: bytes, taken: Redaction) -> bool:
    """Whether nothing of a bundle's file would be taken out, its statement's text included."""
    text = data.decode("utf-8", "replace")
    if name in bundle.ENVELOPES:
        text = base64.b64decode(json.loads(text)["payload"]).decode("utf-8", "replace")
    if name.endswith(".jsonl"):
        return all(taken.value(one, ("checks",)) == one for one in parse_lines(text, name))
    if text.lstrip().startswith("{"):
        document = parse_object(text.encode(), name)
        return bool(taken.value(document) == document)
    return taken.text(text) == text


def _said(files: Mapping[str, bytes]) -> VerdictPredicate:
    said = sealed_of(files)[bundle.VERDICT_ENVELOPE].statement.predicate
    assert isinstance(said, VerdictPredicate)  # noqa: S101 - sealed_of saw to it
    return said


def _signers(files: Mapping[str, bytes], trusted: Sequence[Signer]) -> list[SignerPart]:
    """Whose signatures the verdict has; a name only for a key that was trusted when it signed."""
    sealed = sealed_of(files)[bundle.VERDICT_ENVELOPE]
    moment = sealed.statement.predicate.signed
    good = {
        mark: signer.name
        for mark, signer in unique(trusted).items()
        if (signer.since is None or moment >= signer.since)
        and (signer.until is None or moment < signer.until)
    }
    marks = [signature.fingerprint for signature in sealed.signatures({})]
    return [SignerPart(fingerprint=mark, name=good.get(mark, "")) for mark in marks]


def _archive(files: Mapping[str, bytes]) -> bytes:
    """A tar file, the same bytes for the same bundle."""
    plain = io.BytesIO()
    with tarfile.open(fileobj=plain, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for name, data in sorted(files.items()):
            entry = tarfile.TarInfo(f"bundle/{name}")
            entry.size, entry.mode = len(data), 0o644
            tar.addfile(entry, io.BytesIO(data))
    return gzip.compress(plain.getvalue(), mtime=0)
