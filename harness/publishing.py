"""From result files to a site: what is new is read; what changed is written."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from guidelines.errors import BadDocument
from harness import site_result
from harness.attest.bundle import is_bundle
from harness.processors import by_all_processors, seldom_collected
from harness.publication import Publication
from harness.signed import bundle_digest
from reports.read import digest, read_json, read_summary
from reports.site.build import Page, Site, build, parts
from reports.site.charts import KEPT, drawings
from reports.site.documents import Summary
from reports.site.render import page
from reports.write import Tree

MEMORY = "site.json"
MEMORY_SCHEMA = "interop.site-memory/1"
ENDINGS = (
    ".html", ".evidence.js", ".result.json", ".verdicts.json", ".summary.json", site_result.BUNDLE
)  # fmt: skip


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
    prepared = by_all_processors(lambda job: site_result.pages(publication, *job), fresh.items())
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
