"""From result files to a site: what is new is read, judged, redacted; what changed is written."""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import secrets
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import date
from functools import cached_property
from importlib.metadata import version
from importlib.resources import files
from pathlib import Path
from typing import Any

from guidelines.errors import BadDocument
from guidelines.evidence import Evidence
from guidelines.freshness import counts_until
from guidelines.judge import judge
from guidelines.model import Guideline
from guidelines.requirements import choose_program
from guidelines.results import load_results
from guidelines.verdict import State, Verdict
from guidelines.waivers import Waiver
from harness.attest.bundle import is_bundle
from harness.guideline_documents import guideline_documents
from harness.outcome import program_for
from harness.processors import by_all_processors, seldom_collected
from harness.signed import bundle_digest, evidence_of, signed_part
from harness.subjects import about_checks, speaks
from reports.attest.keys import Signer
from reports.compare.claims import Claim, claims
from reports.read import digest, read_json, read_summary, result_of
from reports.redact import Private, redaction
from reports.result import SCHEMA, Result
from reports.site.build import Page, Site, build, parts
from reports.site.charts import KEPT, drawings
from reports.site.documents import GuidelineDocument, Judged, Summary
from reports.site.render import Renderer, page
from reports.site.runs import result_pages
from reports.site.summary import shortened, summarise
from reports.subject import About, judgement_of, subject_of
from reports.verdict import VerdictDocument
from reports.write import Tree

MEMORY = "site.json"
MEMORY_SCHEMA = "interop.site-memory/1"
BUNDLE = ".bundle.tar.gz"
ENDINGS = (".html", ".evidence.js", ".result.json", ".verdicts.json", ".summary.json", BUNDLE)


@dataclass(frozen=True, kw_only=True)
class Publication:
    """What to publish and by which rules.

    Args:
        guidelines: the first is the one that certificates go by.
        program: of a guideline that has it; else the one that fits the platform.
        waivers: granted exceptions.
        private: what is taken out.
        day: states are as of this day.
        title: of the site.
        base: address it is published at; empty if unknown.
        salt: a secret of this machine, so that nobody guesses private values from keys.
        waivers_digest: of the file the waivers are from.
        trusted: whose signatures on bundles are shown with a name.
    """

    guidelines: Sequence[Guideline]
    program: str | None = None
    waivers: tuple[Waiver, ...] = ()
    waivers_digest: str = ""
    private: Private = field(default_factory=Private)
    day: date
    title: str = "Interop"
    base: str = ""
    salt: bytes
    trusted: tuple[Signer, ...] = ()

    @cached_property
    def documents(self) -> list[GuidelineDocument]:
        """The guidelines as the site takes them, without the publisher's private values."""
        found = guideline_documents(self.guidelines)
        if not self.private.values:
            return found
        taken = redaction({}, self.private)
        return [GuidelineDocument.model_validate(taken.value(one.model_dump())) for one in found]

    @cached_property
    def render(self) -> Renderer:
        """Draws the pages of single results."""
        return Renderer({"site_title": self.title})

    @cached_property
    def rules(self) -> bytes:
        """Everything but a result's bytes that its pages depend on."""
        parts = [version("interop-harness"), self.title, str(self.program), self.waivers_digest]
        parts += [document.model_dump_json() for document in self.documents]
        parts.append(repr(self.private))
        parts += [f"{s.fingerprint} {s.name} {s.since} {s.until}" for s in self.trusted]
        for folder in ("", "templates", "assets"):
            for file in sorted(
                (files("reports") / "site" / folder).iterdir(), key=lambda file: file.name
            ):
                if file.is_file() and not file.name.startswith("."):
                    parts.append(hashlib.sha256(file.read_bytes()).hexdigest())
        return "\0".join(parts).encode()

    @cached_property
    def _abouts(self) -> dict[str, Mapping[str, About]]:
        return {}

    def about(self, program: str) -> Mapping[str, About]:
        """What the first guideline's program asks of each check."""
        if program not in self._abouts:
            self._abouts[program] = about_checks(self.guidelines[0], [program])
        return self._abouts[program]

    def key(self, found: str) -> str:
        """A name for a result's bytes, whose digest is *found*, under these rules."""
        return hmac.new(self.salt, self.rules + found.encode(), hashlib.sha256).hexdigest()


@dataclass(frozen=True, slots=True, kw_only=True)
class Published:
    """What became of the files of a site."""

    results: int
    read: int
    written: list[str]
    same: int
    removed: list[str]


def publish(
    publication: Publication,
    paths: Sequence[Path],
    folder: Path,
    progress: Callable[[int, int], None] = lambda done, all_: None,
) -> Published:
    """Make the site of the results at *paths* in *folder*.

    A path may be that of a signed bundle; it stands for the result of the same run, if that is
    given as well.

    Results that were published before under the same rules are not read again; files that would
    not change are not touched; files of results that are gone are removed.

    Raises:
        BadDocument, BadReport: a result cannot be read, a bundle does not hold, or two results
            have the same run and platform.
    """
    memory = _memory(folder)
    tree = Tree(folder)
    try:
        with seldom_collected():
            return _publish(publication, paths, tree, memory, progress)
    except BaseException:
        if tree.written:  # the folder stays a site of ours, so that it can be tried again
            _remember(tree, {**memory, "whole": "", "files": [*memory["files"], *tree.written]})
        raise


def _publish(
    publication: Publication,
    paths: Sequence[Path],
    tree: Tree,
    memory: Mapping[str, Any],
    progress: Callable[[int, int], None],
) -> Published:
    folder = tree.root
    before: Collection[str] = memory["files"]
    ordered = sorted(paths, key=lambda path: not is_bundle(path))
    keys = {path: publication.key(_digest(path)) for path in ordered}
    whole = publication.key(
        "\0".join([publication.day.isoformat(), publication.base, *keys.values()])
    )
    if memory["whole"] == whole and _untouched(folder, before):
        same = len(memory["files"])
        return Published(results=len(memory["results"]), read=0, written=[], same=same, removed=[])
    kept = {path: _kept(folder, memory, key) for path, key in keys.items()}
    fresh = {path: key for path, key in keys.items() if kept[path] is None}
    prepared = _prepared(publication, fresh)
    summaries: dict[str, Summary] = {}
    results: dict[str, str] = {}
    sources: dict[str, Path] = {}
    for number, (path, key) in enumerate(keys.items()):
        progress(number, len(keys))
        old = kept[path]
        pages: list[Page] = []
        if old is None:
            pages = next(prepared)
            summary = Summary.model_validate_json(pages[-1][1])
        else:
            summary = old
            stem = page(summary).removesuffix(".html")
            for at in _files(stem, before):
                tree.keep(at)
        where = page(summary)
        if where in summaries:
            other = summaries[where]
            if other.key == key or (other.signed and other.id == summary.id and not summary.signed):
                continue
            told = f"run {summary.run} on {summary.platform}, which {sources[where]} is about, too"
            raise BadDocument(str(path), "", told)
        for at, text in pages:
            tree.put(at, text)
        summaries[where] = summary
        sources[where] = path
        results[key] = where.removesuffix(".html")
    progress(len(keys), len(keys))
    site = Site(
        summaries=list(summaries.values()),
        guidelines=publication.documents,
        day=publication.day.isoformat(),
        title=publication.title,
        base=publication.base,
    )
    KEPT.set(dict(_drawings(folder, before)))
    made = parts(site)
    for pages in by_all_processors(lambda number: made[number](), range(len(made))):
        for at, text in pages:
            tree.put(at, text)
    for at, text in build(site):
        tree.put(at, text)
    removed = tree.keep_only(before)
    _remember(tree, {"whole": whole, "results": results, "files": [*tree.written, *tree.same]})
    return Published(
        results=len(summaries),
        read=len(fresh),
        written=tree.written,
        same=len(tree.same),
        removed=removed,
    )


def _kept(folder: Path, memory: Mapping[str, Any], key: str) -> Summary | None:
    """The summary of a result that was published before, if all of its files are still there."""
    stem = memory["results"].get(key, "")
    if not stem:
        return None
    whole = all((folder / at).is_file() for at in _files(stem, memory["files"]))
    summary = read_summary(folder / f"{stem}.summary.json") if whole else None
    return summary if summary is not None and summary.key == key else None


def _untouched(folder: Path, known: Collection[str]) -> bool:
    """Whether all files are there and none was written after the memory, which is the last."""
    try:
        last = (folder / MEMORY).stat().st_mtime_ns
        return all((folder / at).stat().st_mtime_ns <= last for at in known)
    except OSError:
        return False


def _drawings(folder: Path, known: Collection[str]) -> Iterator[tuple[str, str]]:
    """The charts that are there already."""
    for at in known:
        if at.endswith(".html") and not at.startswith("runs/"):
            with suppress(OSError):
                yield from drawings((folder / at).read_text(encoding="utf-8"))


def _files(stem: str, known: Collection[str]) -> list[str]:
    """The files of one result among those that are *known*."""
    return [stem + ending for ending in ENDINGS if stem + ending in known]


def _prepared(publication: Publication, fresh: Mapping[Path, str]) -> Iterator[list[Page]]:
    """The pages of each new result, in order."""
    return by_all_processors(lambda job: _pages(publication, *job), fresh.items())


def _pages(publication: Publication, path: Path, key: str) -> list[Page]:
    """One result's pages; the last is its summary, cheaper to send as text than as objects."""
    signed, archive = None, b""
    if is_bundle(path):
        signed, archive = signed_part(
            path, publication.trusted, publication.guidelines, publication.private
        )
        path = evidence_of(path)
    summary, result, verdicts = prepare(publication, path, key)
    summary = summary.model_copy(update={"signed": signed})
    made = list(result_pages(publication.render, summary, result, verdicts, publication.documents))
    if archive:
        made.insert(0, (page(summary).removesuffix(".html") + BUNDLE, archive))
    return made


def prepare(
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
        program = _program(publication, guideline, features, ended or publication.day)
        verdict = judge(
            guideline,
            [evidence],
            program=program,
            at=ended or publication.day,
            waivers=publication.waivers,
        )
        if not speaks(verdict) and not (ours and guideline.format == "interop"):
            continue
        whole = verdict.to_json()
        for source in whole["evidence"]:
            source["source"] = Path(source["source"]).name
        for items in ("items", "flagged_items", "advised_items"):
            for item in whole[items]:
                item["evidence"] = item["evidence"].rsplit("/", 1)[-1]
        found.append((_short(guideline, verdict, ended), whole))
    return found


def _program(
    publication: Publication, guideline: Guideline, features: frozenset[str], day: date
) -> str:
    """The program asked for if this guideline has it, else the one that fits."""
    if publication.program in guideline.programs:
        return str(publication.program)
    if guideline.format == "interop":
        return program_for(guideline, features, None)
    return choose_program(guideline, None, day).id


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


def _digest(path: Path) -> str:
    """A digest of a result: of its file, or of all files in a bundle or an Allure folder."""
    if is_bundle(path):
        return bundle_digest(path)
    file = path / "result.json" if (path / "result.json").is_file() else path
    if not file.is_dir():
        return digest(file)
    parts = [f"{one.name} {digest(one)}" for one in sorted(file.glob("*.json"))]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def _remember(tree: Tree, memory: Mapping[str, Any]) -> None:
    """Write the site's memory, newer than all of its files."""
    whole = {"schema": MEMORY_SCHEMA, **memory, "files": sorted({*memory["files"]})}
    tree.put(MEMORY, json.dumps(whole, indent=0) + "\n")
    os.utime(tree.root / MEMORY)


def _memory(folder: Path) -> Mapping[str, Any]:
    """What an earlier publication left; nothing if there is none.

    Raises:
        BadDocument: the folder holds something else.
    """
    file = folder / MEMORY
    if not file.exists():
        if folder.is_dir() and any(folder.iterdir()):
            raise BadDocument(
                str(folder), "", "not empty and no site of ours; expected a new or empty folder"
            )
        return {"whole": "", "results": {}, "files": {}}
    memory = read_json(file)
    results, kept = memory.get("results"), memory.get("files")
    good = memory.get("schema") == MEMORY_SCHEMA and isinstance(results, dict)
    if not good or not isinstance(kept, list) or not all(isinstance(p, str) for p in kept):
        raise BadDocument(str(file), "schema", f"expected {MEMORY_SCHEMA}")
    plain = {str(k): str(v) for k, v in (results or {}).items()}
    whole = str(memory.get("whole", ""))
    return {"whole": whole, "results": plain, "files": dict.fromkeys(kept)}


def machine_salt() -> bytes:
    """A secret of this machine and user, made once; without it every result is read again."""
    state = Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local/state")
    file = state / "interop" / "site-salt"
    try:
        return file.read_bytes()
    except FileNotFoundError:
        salt = secrets.token_bytes(32)
        file.parent.mkdir(parents=True, exist_ok=True)
        handle = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "wb") as stream:
            stream.write(salt)
        return salt
