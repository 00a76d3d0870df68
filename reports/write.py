"""Writes documents: whole or not at all, and a published one never again."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any

from reports.errors import WouldChange


def write_document(path: Path, document: dict[str, Any]) -> None:
    """Write a result or verdict document once.

    Raises:
        WouldChange: a file is there already; published data never changes.
    """
    if path.exists():
        raise WouldChange(str(path), "", "a document is here already and never changes")
    write_text(path, document_bytes(document).decode())


def document_bytes(document: dict[str, Any]) -> bytes:
    """The file of a document, the same bytes for the same document."""
    text = json.dumps(document, indent=1, ensure_ascii=False, sort_keys=False, allow_nan=False)
    return (text + "\n").encode()


def write_text(path: Path, text: str) -> None:
    """Put *text* in place of whatever is there: readers see the old file or the whole new one."""
    write_pieces(path, (text,))


def write_pieces(path: Path, pieces: Iterable[str]) -> None:
    """Like ``write_text``, for a text that is too long to be held as a whole."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as stream:
            stream.writelines(pieces)
            stream.flush()
            os.fsync(stream.fileno())
        Path(temporary).chmod(0o644)
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


class Tree:
    """A folder of files made again and again: what is the same is not touched.

    Each file is the old one or the whole new one at any moment. What ``keep_only`` removes are
    files that a tree wrote before, never any others.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.written: list[str] = []
        self.same: list[str] = []

    def put(self, path: str, text: str | bytes) -> None:
        """Write *text* to *path*, which stays below the root, unless it is there already.

        Raises:
            ValueError: the path leads elsewhere.
        """
        parts = path.split("/")
        if any(part in ("", ".", "..") or "\\" in part or "\0" in part for part in parts):
            raise ValueError(f"{path!r} is no path below the tree")
        file = self.root.joinpath(*parts)
        data = text if isinstance(text, bytes) else text.encode("utf-8", "backslashreplace")
        try:
            unchanged = file.stat().st_size == len(data) and file.read_bytes() == data
        except OSError:
            unchanged = False
        if unchanged:
            self.same.append(path)
            return
        file.parent.mkdir(parents=True, exist_ok=True)
        temporary = file.with_name(f".{file.name}.new")
        temporary.write_bytes(data)
        temporary.replace(file)
        self.written.append(path)

    def keep(self, path: str) -> None:
        """Leave *path* as it is: it is known to be what it would be."""
        self.same.append(path)

    def keep_only(self, before: Iterable[str]) -> list[str]:
        """Remove those of the paths *before* that were neither put nor kept; return them."""
        stale = sorted(set(before) - set(self.written) - set(self.same))
        gone = []
        for path in stale:
            parts = path.split("/")
            if any(part in ("", ".", "..") for part in parts):
                continue
            file = self.root.joinpath(*parts)
            if file.is_file():
                file.unlink()
                gone.append(path)
            for folder in list(file.parents)[: len(parts) - 1]:
                with suppress(OSError):
                    folder.rmdir()
        return gone
