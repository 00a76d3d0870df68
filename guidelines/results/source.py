"""One outside document, opened with bounds on what it may cost.

Results come from strangers: everything read here has an upper size, whatever its header or its
compression claims.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import os
import select
import stat
import tempfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Protocol, cast

from guidelines.errors import BadDocument

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

MIB = 1024 * 1024
GZIP_MAGIC = b"\x1f\x8b"
HEAD_BYTES = 64 * 1024
PIPE_PATIENCE_S = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How much one document may ask for. Sizes are bytes.

    Args:
        file_bytes: size of the file as it lies there.
        unpacked_bytes: size after gzip, all members of an archive together.
        json_bytes: size of a document that has to be in memory as a whole (JSON, YAML).
        json_values: values in such a document.
        line_bytes: one line of a line-based format.
        token_bytes: one tag of an XML document, or one header block of an archive.
        depth: levels of nesting.
        outcomes: items of one document.
        name_bytes: the name of one item.
        members: files in a folder or members of an archive.
    """

    file_bytes: int = 512 * MIB
    unpacked_bytes: int = 1024 * MIB
    json_bytes: int = 64 * MIB
    json_values: int = 4_000_000
    line_bytes: int = MIB
    token_bytes: int = 4 * MIB
    depth: int = 100
    outcomes: int = 250_000
    name_bytes: int = 64 * 1024
    members: int = 100_000


class _Readable(Protocol):
    def read1(self, size: int, /) -> bytes: ...


class BoundedReader(io.RawIOBase):
    """A stream that refuses to give more than it may and remembers when it broke off.

    Raises:
        BadDocument: on the first byte beyond the limit, or where compressed data is damaged.
    """

    def __init__(self, stream: _Readable, source: str, limit: int) -> None:
        super().__init__()
        self._stream = stream
        self._source = source
        self._limit = limit
        self._given = 0
        self.broke_off = False

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer, /) -> int:
        wanted = memoryview(buffer).nbytes
        try:
            # Not read(): that loses what it has got when the end turns out to be missing.
            data = self._stream.read1(wanted)
        except EOFError:
            self.broke_off = True
            return 0
        except (gzip.BadGzipFile, zlib.error) as error:
            raise BadDocument(
                self._source, f"byte {self._given}", f"expected intact gzip data: {error}"
            ) from error
        self._given += len(data)
        if self._given > self._limit:
            raise BadDocument(
                self._source, "unpacked size", f"more than the {self._limit} bytes that are read"
            )
        memoryview(buffer)[: len(data)] = data
        return len(data)


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """An opened document.

    Args:
        name: what to call it in messages and locators.
        digest: ``sha256:`` and the digest of the file as it lies there.
        head: the first bytes after unpacking, enough to recognise a format.
        stream: the whole, from the start, unpacked.
        reader: the bounded stream below *stream*; tells whether the data broke off.
        limits: what may be read.
    """

    name: str
    digest: str
    head: bytes
    stream: io.BufferedReader
    reader: BoundedReader
    limits: Limits

    def read_all(self) -> bytes:
        """Everything, for a format that cannot be read piece by piece.

        Raises:
            BadDocument: there is more than such a document may have.
        """
        limit = self.limits.json_bytes
        data = self.stream.read(limit + 1)
        if len(data) > limit:
            raise BadDocument(self.name, "size", f"more than the {limit} bytes that are read")
        return data

    def lines(self) -> Iterator[bytes]:
        """Line by line, line ends included.

        Raises:
            BadDocument: a line is longer than a line may be.
        """
        limit = self.limits.line_bytes
        number = 0
        while line := self.stream.readline(limit + 1):
            number += 1
            if len(line) > limit:
                raise BadDocument(self.name, f"line {number}", f"longer than {limit} bytes")
            yield line


@contextmanager
def opened(path: Path, limits: Limits) -> Iterator[Source]:
    """Open a file, or whatever can be read like one, and unpack one layer of gzip.

    Raises:
        BadDocument: it cannot be opened, is empty or has more bytes than are read.
    """
    name = str(path)
    try:
        with _given(path, name) as given, _seekable(given, name, limits) as file:
            size = os.fstat(file.fileno()).st_size
            if size > limits.file_bytes:
                raise BadDocument(
                    name, "size", f"{size} bytes; at most {limits.file_bytes} are read"
                )
            if size == 0:
                raise BadDocument(name, "size", "the file is empty")
            digest = _digest(file)
            head = _unpacked(file, name, limits).read(HEAD_BYTES)
            if head.startswith(GZIP_MAGIC):
                raise BadDocument(name, "content", "gzip within gzip; expected one layer")
            raw = _raw(file, name, limits)
            yield Source(
                name=name,
                digest=digest,
                head=head,
                stream=io.BufferedReader(raw, HEAD_BYTES),
                reader=raw,
                limits=limits,
            )
    except OSError as error:
        raise BadDocument(name, "file", (error.strerror or str(error)).lower()) from error


def _given(path: Path, name: str) -> IO[bytes]:
    """Open *path*; a pipe is given up if nobody writes to it.

    Raises:
        BadDocument: nothing came through the pipe in time.
    """
    if not stat.S_ISFIFO(path.stat().st_mode):
        return path.open("rb")
    file = open(os.open(path, os.O_RDONLY | os.O_NONBLOCK), "rb")  # noqa: PTH123, SIM115
    if not select.select([file], [], [], PIPE_PATIENCE_S)[0]:
        file.close()
        raise BadDocument(name, "pipe", f"nobody wrote to it for {PIPE_PATIENCE_S:g} s")
    os.set_blocking(file.fileno(), True)
    return file


def _digest(file: IO[bytes]) -> str:
    hashed = hashlib.sha256()
    while piece := file.read(MIB):
        hashed.update(piece)
    return f"sha256:{hashed.hexdigest()}"


@contextmanager
def _seekable(given: IO[bytes], name: str, limits: Limits) -> Iterator[IO[bytes]]:
    """The file itself, or a bounded copy of a pipe, which can be read only once."""
    if stat.S_ISREG(os.fstat(given.fileno()).st_mode):
        yield given
        return
    with tempfile.TemporaryFile() as copy:
        copied = 0
        while piece := given.read(MIB):
            copied += len(piece)
            if copied > limits.file_bytes:
                raise BadDocument(
                    name, "size", f"more than the {limits.file_bytes} bytes that are read"
                )
            copy.write(piece)
        copy.flush()
        copy.seek(0)
        yield copy


def _raw(file: IO[bytes], name: str, limits: Limits) -> BoundedReader:
    file.seek(0)
    packed = file.read(2) == GZIP_MAGIC
    file.seek(0)
    if not packed:
        return BoundedReader(cast("_Readable", file), name, limits.file_bytes)
    unpacking = gzip.GzipFile(fileobj=file, mode="rb")
    return BoundedReader(cast("_Readable", unpacking), name, limits.unpacked_bytes)


def _unpacked(file: IO[bytes], name: str, limits: Limits) -> io.BufferedReader:
    return io.BufferedReader(_raw(file, name, limits), HEAD_BYTES)
