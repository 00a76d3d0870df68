"""What holds of a signed bundle and what does not, line by line, in words.

``note`` is worth knowing and decides nothing; ``unknown`` could not be told and is no success.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from reports.attest.envelope import Sealed
from reports.attest.keys import Signer
from reports.attest.statement import ResultPredicate, Statement, VerdictPredicate

STATES = ("fails", "unknown", "holds", "note")  # the worst first
CLOCKS_DIFFER = timedelta(minutes=5)  # what two honest clocks may be apart


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One thing that was looked at. ``state`` is one of ``STATES``."""

    state: str
    topic: str  # signature, digest, guideline, verdict, freshness, plausibility, revocation
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Revocation:
    """Something that counts no longer: a verdict (``sha256:...``) or a key (``SHA256:...``)."""

    what: str
    on: date
    reason: str


def worst(lines: Iterable[Line]) -> str:
    """The state that decides: ``fails`` if any line does, else ``unknown``, else ``holds``."""
    states = {line.state for line in lines}
    return next((state for state in STATES[:2] if state in states), "holds")


def signatures(
    name: str, sealed: Sealed, trusted: Mapping[str, Signer], enclosed: Mapping[str, Signer]
) -> list[Line]:
    """Whose signatures an envelope has; *enclosed* are the keys that came with the bundle.

    A signature is worth something only if its key is trusted; one by any other key must at least
    fit that key, else the envelope was changed.
    """
    lines = []
    signed = sealed.statement.predicate.signed
    vouched = False
    for one in sealed.signatures({**enclosed, **trusted}):
        signer = trusted.get(one.fingerprint)
        who = f"{signer.name} ({one.fingerprint})" if signer else one.fingerprint
        if one.fits is None:
            state, text = "fails", f"{name}: signed by {who}, whose key is nowhere; changed?"
        elif not one.fits:
            state, text = "fails", f"{name}: the signature of {who} does not fit"
        elif signer is None:
            state, text = "note", f"{name}: also signed by {who}, whom nobody here trusts"
        elif signer.since and signed < signer.since:
            state, text = "fails", f"{name}: {who} is trusted only from {signer.since:%Y-%m-%d}"
        elif signer.until and signed >= signer.until:
            state, text = "fails", f"{name}: {who} was trusted only until {signer.until:%Y-%m-%d}"
        else:
            state, text = "holds", f"{name}: signed by {who}"
            vouched = True
        lines.append(Line(state=state, topic="signature", text=text))
    if not lines:
        lines.append(Line(state="fails", topic="signature", text=f"{name}: not signed"))
    elif not vouched and not any(line.state == "fails" for line in lines):
        text = f"{name}: no signature by a key you trust"
        state = "fails" if trusted else "unknown"
        if not trusted:
            text += "; name it with --key or --trust"
        lines.append(Line(state=state, topic="signature", text=text))
    return lines


def digests(files: Mapping[str, bytes], statements: Mapping[str, Statement]) -> list[Line]:
    """Whether every file is the one that was signed, none is missing and none was added."""
    lines = []
    expected = {
        (name, file): digest
        for name, statement in statements.items()
        for file, digest in statement.digests().items()
    }
    bad = set()
    for (name, file), digest in sorted(expected.items()):
        if file not in files:
            text = f"{file}: missing; {name} has signed it"
        elif hashlib.sha256(files[file]).hexdigest() != digest:
            text = f"{file}: not the file that {name} has signed; it was changed"
        else:
            continue
        bad.add(file)
        lines.append(Line(state="fails", topic="digest", text=text))
    signed = {file for _, file in expected}
    for name, statement in sorted(statements.items()):
        about = statement.predicate
        rests = (
            {seen.name for seen in about.evidence}
            if isinstance(about, ResultPredicate)
            else about.rests_on
        )
        for file in sorted(rests & signed - set(statement.digests())):
            text = f"{file}: {name} rests on it and has not signed it"
            lines.append(Line(state="fails", topic="digest", text=text))
    for file in sorted(set(files) - signed):
        text = f"{file}: nobody signed it; it was added"
        lines.append(Line(state="fails", topic="digest", text=text))
    good = len(signed - bad)
    if good:
        text = f"{good} of {len(signed)} signed files are as they were signed"
        lines.append(
            Line(state="holds" if good == len(signed) else "note", topic="digest", text=text)
        )
    return lines


def freshness(
    verdict: VerdictPredicate, at: date, max_age: int | None, counts: date | None
) -> list[Line]:
    """Whether the certificate holds on the day *at*.

    *max_age* is in days; *counts* is the last day on which the evidence counts, if there is one.
    """
    start, end = date.fromisoformat(verdict.valid_from), date.fromisoformat(verdict.valid_until)
    lines = []
    if start < date.fromisoformat(verdict.at):
        text = f"valid from {start} is signed, but it was judged on {verdict.at} only"
        lines.append(Line(state="fails", topic="freshness", text=text))
    if counts is not None and end > counts:
        text = f"valid until {end} is signed, but its evidence counts until {counts} only"
        lines.append(Line(state="fails", topic="freshness", text=text))
    if at > end:
        text = f"expired: valid until {end}, {(at - end).days} days before {at}"
        lines.append(Line(state="fails", topic="freshness", text=text))
    elif at < start:
        text = f"not valid before {start}; looked at on {at}"
        lines.append(Line(state="fails", topic="freshness", text=text))
    else:
        text = f"valid from {start} until {end}"
        lines.append(Line(state="holds", topic="freshness", text=text))
    age = (at - date.fromisoformat(verdict.at)).days
    if max_age is not None and age > max_age:
        text = f"judged on {verdict.at}, {age} days ago; at most {max_age} are accepted"
        lines.append(Line(state="fails", topic="freshness", text=text))
    return lines


def times(
    statements: Mapping[str, Statement], finished: Sequence[datetime], now: datetime
) -> list[Line]:
    """Whether what was signed had happened, and signing did not happen in the future."""
    lines = []
    aware = [moment if moment.tzinfo else moment.replace(tzinfo=UTC) for moment in finished]
    for name, statement in statements.items():
        signed = statement.predicate.signed
        if signed - now > CLOCKS_DIFFER:
            text = f"{name}: signed at {_told(signed)}, which has not come yet"
            lines.append(Line(state="fails", topic="plausibility", text=text))
        late = [moment for moment in aware if moment - signed > CLOCKS_DIFFER]
        if late:
            text = f"{name}: signed before its evidence was finished ({_told(max(late))})"
            lines.append(Line(state="fails", topic="plausibility", text=text))
    return lines


def _told(moment: datetime) -> str:
    return moment.isoformat(sep=" ", timespec="minutes")


def revoked(
    revocations: Iterable[Revocation], verdict: bytes, signers: Iterable[str], at: date
) -> list[Line]:
    """What of it was revoked by the day *at*: the verdict document, or a key that signed it."""
    present = {f"sha256:{hashlib.sha256(verdict).hexdigest()}": "this verdict"}
    present |= {mark: f"the key {mark}" for mark in signers}
    return [
        Line(
            state="fails" if entry.on <= at else "note",
            topic="revocation",
            text=f"{present[entry.what]} is revoked from {entry.on}: {entry.reason}",
        )
        for entry in revocations
        if entry.what in present
    ]
