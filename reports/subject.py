"""What comparing and exporting work on: one result, what was judged of it, what a check asks."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from reports.matrix import worst
from reports.reproduce import reproduce
from reports.result import CheckRecord, Result, TimingRecord
from reports.verdict import VerdictDocument


@dataclass(frozen=True, slots=True, kw_only=True)
class About:
    """What the guideline says of a check.

    Args:
        id: the check's id.
        title: the requirement in one sentence.
        level: its level of interoperability, if any.
        components: ids of the components that hold it; a check may be in several.
        capabilities: ids of the capabilities that hold it.
        status: the strongest status of those, ``required`` or ``advisory``.
        features: the features on whose claim it is asked; such a claim is proven by it.
        references: title and URL of what the requirement rests on.
    """

    id: str
    title: str = ""
    level: int | None = None
    components: tuple[str, ...] = ()
    capabilities: tuple[str, ...] = ()
    status: str = "required"
    features: tuple[str, ...] = ()
    references: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemState:
    """What judging made of one check; ``status`` is that of its capabilities."""

    state: str
    reason: str = ""
    evidence: str = ""
    status: str = "required"
    title: str = ""
    level: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """A verdict as comparing needs it. ``expires`` is the day the evidence ends, or empty.

    ``waivers`` is what is wrong with those that were given.
    """

    guideline: str
    digest: str
    program: str
    at: str
    verdict: str
    level: int | None
    held_back_by: tuple[str, ...]
    reasons: tuple[str, ...]
    counts: Mapping[str, int]
    items: Mapping[str, ItemState]
    expires: str = ""
    components: tuple[str, ...] = ()
    waivers: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """One result of one platform, with its verdict if it was judged.

    Args:
        label: unique among the subjects that are shown together.
        platform: the platform's name.
        kind: the driver's kind, or the format of a result made elsewhere.
        emulator: whether its owner declares that it is one.
        id: the result's id.
        run: the run's id; empty if unknown.
        started, finished: RFC 3339; empty if unknown.
        complete: whether the run came to its end; if not, ``incomplete`` says why.
        tool, tool_version: what made the result.
        suite: digest of the checks that ran; empty if unknown.
        seed: of the examples that the run generated; ``None`` if unknown.
        workload: digest of what stood; empty if unknown.
        stood: name of what stood; empty if unknown.
        records: every execution of a check, in the order of the document.
        timings: the steps of provisioning.
        features: what the platform's description offers, and ``absent`` what not, with the reason.
        declared: what the owner says of it.
        described: what its API says of it.
        profile: the platform's own layer of workload parameters.
        leaks: resources the run left behind.
        source: the file it came from, and ``digest`` the digest of its bytes.
        judgement: the verdict, if it was judged.
        told: the verdict beside the result, if other words of the same guideline gave it.
    """

    label: str
    platform: str
    kind: str
    emulator: bool = False
    id: str = ""
    run: str = ""
    started: str = ""
    finished: str = ""
    complete: bool = True
    incomplete: str = ""
    tool: str = ""
    tool_version: str = ""
    suite: str = ""
    seed: int | None = None
    workload: str = ""
    stood: str = ""
    records: tuple[CheckRecord, ...] = ()
    timings: tuple[TimingRecord, ...] = ()
    features: tuple[str, ...] = ()
    absent: Mapping[str, str] = field(default_factory=dict)
    declared: Mapping[str, Any] = field(default_factory=dict)
    described: Mapping[str, Any] = field(default_factory=dict)
    profile: Mapping[str, Any] = field(default_factory=dict)
    leaks: tuple[str, ...] = ()
    source: str = ""
    digest: str = ""
    judgement: Judgement | None = None
    told: str = ""

    def again(self, *checks: str) -> str:
        """The command that does *checks* again; empty for a result that another tool made."""
        if self.seed is None:
            return ""
        return reproduce(self.platform, checks, seed=self.seed, workload=self.stood)


def subject_of(result: Result, *, source: str = "", digest: str = "") -> Subject:
    """The subject of a result document, not judged and labelled by its platform's name."""
    platform = result.platform
    return Subject(
        label=platform.name,
        platform=platform.name,
        kind=platform.kind,
        emulator=platform.emulator,
        id=result.id,
        run=result.run,
        started=result.started,
        finished=result.finished,
        complete=result.complete,
        incomplete=result.incomplete,
        tool=result.tool.name,
        tool_version=result.tool.version,
        suite=result.suite.digest,
        seed=result.suite.seed,
        workload="" if result.workload is None else result.workload.digest,
        stood="" if result.workload is None else result.workload.name,
        records=tuple(result.checks),
        timings=tuple(result.timings),
        features=tuple(platform.features),
        absent=platform.absent,
        declared=platform.declared,
        described=platform.described,
        profile=platform.profile,
        leaks=tuple(result.census.leaks),
        source=source,
        digest=digest,
    )


def judgement_of(
    document: VerdictDocument, *, digest: str, expires: str = "", components: Sequence[str] = ()
) -> Judgement:
    """What comparing needs of a verdict document; *digest* is that of the guideline."""
    every = (*document.advised_items, *document.flagged_items, *document.items)
    return Judgement(
        guideline=document.guideline,
        digest=digest,
        program=document.program,
        at=document.at,
        verdict=document.verdict,
        level=document.level,
        held_back_by=tuple(document.held_back_by),
        reasons=tuple(document.reasons),
        counts=document.counts,
        items={
            str(item["id"]): ItemState(
                state=str(item["state"]),
                reason=str(item.get("reason", "")),
                evidence=_short(str(item.get("evidence", ""))),
                status=str(item.get("status", "required")),
                title=str(item.get("title", "")),
                level=item.get("level"),
            )
            for item in every
        },
        expires=expires,
        components=tuple(components),
        waivers=tuple(document.on_waivers()),
    )


def labelled(subjects: Sequence[Subject]) -> list[Subject]:
    """The subjects with labels that tell them apart: platform, then day, then run, then number."""
    found = list(subjects)
    for longer in (_by_day, _by_run):
        count = Counter(subject.label for subject in found)
        found = [replace(s, label=longer(s)) if count[s.label] > 1 else s for s in found]
    seen: defaultdict[str, int] = defaultdict(int)
    for index, subject in enumerate(found):
        seen[subject.label] += 1
        if seen[subject.label] > 1:
            found[index] = replace(subject, label=f"{subject.label} #{seen[subject.label]}")
    return found


def _by_day(subject: Subject) -> str:
    return f"{subject.platform} {subject.finished[:10]}".strip()


def _by_run(subject: Subject) -> str:
    return f"{subject.platform} {subject.run or subject.finished or subject.id}".strip()


def by_check(subject: Subject) -> dict[str, tuple[CheckRecord, ...]]:
    """The records of each check; one may have been executed several times."""
    grouped: defaultdict[str, list[CheckRecord]] = defaultdict(list)
    for record in subject.records:
        grouped[record.id].append(record)
    return {id_: tuple(records) for id_, records in grouped.items()}


def outcome(records: Sequence[CheckRecord]) -> tuple[str, str]:
    """The worst outcome of a check's records, and its reason."""
    word = worst(records)
    return word, next((r.reason for r in records if r.outcome == word and r.reason), "")


def _short(evidence: str) -> str:
    """Where evidence stands, without the folders of the machine that judged it."""
    path, mark, place = evidence.partition("#")
    return "/".join(path.split("/")[-2:]) + mark + place
