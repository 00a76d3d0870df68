"""Writes documents: whole or not at all, and a published one never again."""

from __future__ import annotations

import json
import os
import tempfile
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
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as stream:
            stream.write(text)
            stream.flush()
            os.fsync(stream.fileno())
        Path(temporary).chmod(0o644)
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
