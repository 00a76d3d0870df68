"""Sonobuoy: the tarball it retrieves, and the tree of items it makes of a plugin's results."""

from __future__ import annotations

import io
import tarfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import PurePosixPath
from typing import IO, Any, cast

from pydantic import Field

from guidelines.errors import BadDocument
from guidelines.evidence import Evidence, Fact, Status
from guidelines.results import junit, plain_yaml, strict_json
from guidelines.results.collector import Collector, reason_of
from guidelines.results.source import MIB, Limits, Source

FORMAT = "sonobuoy"
ITEMS_FORMAT = "sonobuoy-items"
_META_BYTES = 32 * MIB
_STATUSES = {
    "passed": Status.PASSED,
    "complete": Status.PASSED,
    "failed": Status.FAILED,
    "skipped": Status.SKIPPED,
    "timeout": Status.UNFINISHED,
    "running": Status.UNFINISHED,
    "pending": Status.UNFINISHED,
}


class _Item(strict_json.Foreign):
    name: str = ""
    status: str = ""
    meta: dict[str, Any] | None = None
    details: dict[str, Any] | None = None
    items: list[Any] | None = None


class _Version(strict_json.Foreign):
    gitVersion: str = Field(min_length=1)  # noqa: N815 - Kubernetes' name


@dataclass(slots=True)
class _Plugin:
    """What the tarball has of one plugin."""

    junits: int = 0
    trees: list[tuple[str, bytes]] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)


@dataclass(slots=True)
class _Found:
    """What the tarball has of all plugins."""

    plugins: dict[str, _Plugin] = field(default_factory=dict)
    newest: datetime | None = None

    def saw(self, member: tarfile.TarInfo) -> None:
        """Note when a plugin's file was written; the last of them ended the run."""
        if member.mtime <= 0:
            return
        try:
            written = datetime.fromtimestamp(member.mtime, UTC)
        except (OverflowError, ValueError, OSError):
            return
        if self.newest is None or written > self.newest:
            self.newest = written


class _Forward:
    """What tarfile asks of a file it can only read forward, and no more than a block at a time."""

    def __init__(self, stream: io.BufferedReader, source: str, limits: Limits) -> None:
        self._stream = stream
        self._source = source
        self._block = limits.token_bytes
        self._position = 0
        self.ended = False

    def tell(self) -> int:
        return self._position

    def seek(self, position: int, whence: int = 0) -> int:
        if whence != 0 or position < self._position:
            raise tarfile.ReadError("members overlap")
        while self._position < position:
            passed = self._stream.read(min(position - self._position, MIB))
            if not passed:
                self.ended = True
                break
            self._position += len(passed)
        return self._position

    def read(self, size: int = -1) -> bytes:
        if size < 0 or size > self._block:
            raise BadDocument(
                self._source, f"byte {self._position}", f"a header of {size} bytes in the archive"
            )
        data = self._stream.read(size)
        self.ended = len(data) < size
        self._position += len(data)
        return data


def recognises(value: object) -> bool:
    """Whether this is Sonobuoy's tree of items."""
    return (
        isinstance(value, dict)
        and "name" in value
        and "status" in value
        and isinstance(value.get("items"), list)
    )


def load_items(source: Source, value: Any) -> Evidence:
    """Read a tree of items, as ``sonobuoy results --mode dump`` or the tarball has it.

    Raises:
        BadDocument: a key is missing or of another kind.
    """
    collector = Collector(source.name, source.limits)
    _walk(value, collector, "")
    return collector.evidence(ITEMS_FORMAT, source.digest)


def load(source: Source) -> Evidence:
    """Read a tarball without unpacking it to disk.

    Each plugin's JUnit files are read; its tree of items only where it has none.

    Raises:
        BadDocument: no plugin's results in it; a member that leads out of the archive; damage.
    """
    collector = Collector(source.name, source.limits)
    forward = _Forward(source.stream, source.name, source.limits)
    found = _Found()
    try:
        for member, content in _members(source, forward):
            _read_member(member, content, found, collector, source.limits)
    except BadDocument:
        raise
    except tarfile.TarError as error:
        if not forward.ended:
            raise BadDocument(source.name, "archive", f"expected a whole tar: {error}") from error
    except (ValueError, OverflowError, EOFError, zlib.error, RecursionError, KeyError) as error:
        raise BadDocument(source.name, "archive", f"expected a whole tar: {error}") from error
    if not found.plugins:
        raise BadDocument(source.name, "archive", "no plugins/NAME/ in it; expected Sonobuoy's")
    for name, plugin in found.plugins.items():
        if not plugin.junits:
            for where, data in plugin.trees:
                tree = plain_yaml.parse(data, source.name, source.limits, f"{where} ")
                _walk(tree, collector, f"{where}:")
        if plugin.errors:
            collector.incomplete(f"plugin {name} reports an error: {', '.join(plugin.errors[:3])}")
    if source.reader.broke_off or forward.ended:
        collector.incomplete("the archive breaks off in the middle")
    return collector.evidence(FORMAT, source.digest, finished=found.newest)


def _members(source: Source, forward: _Forward) -> Iterator[tuple[tarfile.TarInfo, IO[bytes]]]:
    """Plain files of the archive in order; each is readable until the next is asked for."""
    archive = tarfile.open(  # noqa: SIM115 - reads from a stream its caller closes
        fileobj=cast("IO[bytes]", forward), mode="r:", errors="replace"
    )
    number = 0
    while (member := archive.next()) is not None:
        archive.members = []  # type: ignore[attr-defined]
        number += 1
        if number > source.limits.members:
            raise BadDocument(source.name, "archive", f"more than {number - 1} members")
        _refuse_escape(source.name, member)
        if not member.isreg() or member.issparse():
            continue
        content = archive.extractfile(member)
        if content is not None:
            yield member, content


def _refuse_escape(source: str, member: tarfile.TarInfo) -> None:
    """Nothing is ever unpacked; an archive with such a name is still not to be trusted."""
    for kind, name in (("name", member.name), ("link", member.linkname if member.islnk() else "")):
        path = PurePosixPath(name.replace("\\", "/"))
        if path.is_absolute() or ".." in path.parts:
            raise BadDocument(source, name[:200], f"a {kind} that leads out of the archive")


def _read_member(
    member: tarfile.TarInfo,
    content: IO[bytes],
    found: _Found,
    collector: Collector,
    limits: Limits,
) -> None:
    name = member.name
    parts = PurePosixPath(name).parts
    if parts[-1:] == ("serverversion.json",) and member.size <= MIB:
        _server_version(content.read(MIB), collector, name)
    if "plugins" not in parts[:-2]:
        return
    start = parts.index("plugins")
    plugin = found.plugins.setdefault(parts[start + 1], _Plugin())
    found.saw(member)
    inner = parts[start + 2 :]
    if inner[0] == "errors":
        plugin.errors.append(name)
    elif inner[0] == "results" and inner[-1].lower().endswith(".xml"):
        stream = io.BufferedReader(cast("io.RawIOBase", content))
        if b"<testsuite" in stream.peek(4096)[:4096]:
            junit.read(stream, None, collector, limits, f"{name}:")
            plugin.junits += 1
    elif inner == ("sonobuoy_results.yaml",):
        if member.size > _META_BYTES:
            collector.incomplete(f"{name} has {member.size} bytes and was not read")
        else:
            plugin.trees.append((name, b"".join(_pieces(content, limits.token_bytes))))


def _pieces(content: IO[bytes], size: int) -> Iterator[bytes]:
    while piece := content.read(size):
        yield piece


def _server_version(data: bytes, collector: Collector, name: str) -> None:
    try:
        value = strict_json.parse(data, collector.source, collector.limits)
        version = strict_json.checked(_Version, value, collector.source)
    except BadDocument:
        collector.note(f"{name} is no version of a Kubernetes server")
        return
    collector.facts.append(Fact(name="kubernetes-version", value=version.gitVersion, source="api"))


def _walk(value: object, collector: Collector, prefix: str) -> None:
    """Add every leaf of a tree of items, in order."""
    stack: list[tuple[object, str, bool]] = [(value, "", True)]
    while stack:
        node, path, is_root = stack.pop()
        item = strict_json.checked(_Item, node, collector.source, f"{prefix}{path} ".lstrip())
        if item.items:
            stack.extend(
                (child, f"{path}items[{number}].", False)
                for number, child in reversed(list(enumerate(item.items)))
            )
            continue
        if is_root:
            collector.incomplete(f"plugin {item.name[:100] or '(unnamed)'} has no items")
            continue
        said = item.status.lower()
        status = _STATUSES.get(said, Status.BLOCKED)
        reason = ""
        if status is not Status.PASSED:
            details = item.details or {}
            told = details.get("failure") or details.get("skipped") or details.get("error")
            reason = reason_of(None, told if isinstance(told, str) else "")
            reason = reason or f"status is {said[:60] or 'missing'}"
        collector.add(
            item.name, status, where=f"{prefix}{path.rstrip('.') or 'item'}", reason=reason
        )
