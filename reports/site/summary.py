"""From a result document to its summary: outcomes, facts as text and number, what judged it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from reports.compare.claims import Claim
from reports.matrix import IDENTITY, show, worst
from reports.result import CheckRecord, FactRecord, Result
from reports.site.documents import ClaimPart, Judged, Seen, Shown, Summary

LONGEST = 400  # characters of a reason or value; the whole text is on the result's own page
PARTIAL = "selected"  # word by which a run says that it left checks out on purpose


def summarise(
    result: Result,
    *,
    key: str,
    digest: str,
    redacted: bool,
    judged: Sequence[Judged],
    claims: Sequence[Claim] = (),
) -> Summary:
    """The summary of a result that was redacted already.

    Args:
        result: the document.
        key: names the bytes and rules the summary is made from.
        digest: of the original document, or of the copy if anything was taken out.
        redacted: whether anything was taken out.
        judged: what each guideline says of it.
        claims: what is said of the platform, and whether it is proven.
    """
    grouped: defaultdict[str, list[CheckRecord]] = defaultdict(list)
    for record in result.checks:
        grouped[record.id].append(record)
    platform = result.platform
    workload = result.workload
    return Summary(
        key=key,
        digest=digest,
        redacted=redacted,
        id=result.id,
        run=result.run,
        platform=platform.name,
        kind=platform.kind,
        emulator=platform.emulator,
        started=result.started,
        finished=result.finished,
        complete=result.complete,
        incomplete=shortened(result.incomplete),
        partial=PARTIAL in result.incomplete,
        tool=f"{result.tool.name} {result.tool.version}",
        suite=result.suite.digest,
        seed=result.suite.seed,
        workload=f"{workload.name} {workload.version} {workload.digest}" if workload else "",
        features=platform.features,
        absent=platform.absent,
        declared=platform.declared,
        described=platform.described,
        profile=platform.profile,
        checks={id_: _seen(records) for id_, records in grouped.items()},
        titles={id_: next((r.title for r in many if r.title), "") for id_, many in grouped.items()},
        facts={id_: found for id_, records in grouped.items() if (found := _facts(records))},
        timings=result.timings,
        leaks=result.census.leaks,
        judged=list(judged),
        claims=[
            ClaimPart(
                what=claim.what,
                by=claim.by,
                value=shortened(claim.value),
                standing=claim.standing,
                because=shortened(claim.because),
            )
            for claim in claims
        ],
    )


def shortened(text: str) -> str:
    """At most ``LONGEST`` characters of *text*."""
    return text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"


def _seen(records: Sequence[CheckRecord]) -> Seen:
    """A check that was recorded several times is as bad as its worst record."""
    outcome = worst(records)
    reason = next((r.reason for r in records if r.outcome == outcome and r.reason), "")
    seconds = round(sum(record.seconds for record in records), 3)
    return Seen(outcome=outcome, reason=shortened(reason), seconds=seconds)


def _facts(records: Sequence[CheckRecord]) -> dict[str, Shown]:
    """The facts of one check, by name."""
    grouped: defaultdict[str, list[FactRecord]] = defaultdict(list)
    for record in records:
        for fact in record.facts:
            grouped[fact.name].append(fact)
    return {name: _shown(facts) for name, facts in grouped.items()}


def _shown(facts: Sequence[FactRecord]) -> Shown:
    """All values of one fact: one text if its members agree, else each with its member."""
    texts = [show(fact.value) for fact in facts]
    kinds = {type(fact.value) for fact in facts}
    told = texts[0]
    if len(set(texts)) > 1:
        each = (f"{f.member}: {t}" if f.member else t for f, t in zip(facts, texts, strict=True))
        told = "; ".join(dict.fromkeys(each))
    if kinds == {str}:
        identity = all(map(IDENTITY.fullmatch, texts)) or _told_apart(facts, texts)
    else:
        identity = not kinds <= {int, float, bool} and _told_apart(facts, texts)
    return Shown(
        text=shortened(told),
        number=sum(f.value for f in facts) / len(facts) if kinds <= {int, float} else None,
        unit=next((fact.unit for fact in facts if fact.unit), ""),
        source=", ".join(sorted({fact.source for fact in facts})),
        identity=identity,
    )


def _told_apart(facts: Sequence[FactRecord], texts: Sequence[str]) -> bool:
    """Whether there are several members and no two of them share a value."""
    owners: defaultdict[str, set[str | None]] = defaultdict(set)
    for fact, text in zip(facts, texts, strict=True):
        owners[text].add(fact.member)
    return len({f.member for f in facts}) > 1 and all(len(own) == 1 for own in owners.values())
