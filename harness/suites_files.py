"""Where the suites' files are, and which they are; whoever asks only that needs no pytest."""

from __future__ import annotations

import hashlib
from importlib.util import find_spec
from pathlib import Path


def suites_digest() -> str:
    """Digest over the suites' files: which checks these were, byte for byte."""
    digest = hashlib.sha256()
    root = suites_folder()
    for file in sorted(root.rglob("*.py")):
        digest.update(str(file.relative_to(root)).encode() + b"\0" + file.read_bytes() + b"\0")
    return f"sha256:{digest.hexdigest()}"


def suites_folder() -> Path:
    """Where the suites are installed; they are handed to pytest by name, never imported here."""
    spec = find_spec("suites")
    assert spec is not None  # noqa: S101 - part of this distribution
    assert spec.submodule_search_locations  # noqa: S101
    return Path(next(iter(spec.submodule_search_locations)))
