"""A signed bundle on disk: one flat folder of evidence, guideline, verdict and envelopes.

A bundle comes from a stranger: names, sizes and kinds of files are checked before one is read,
and links are not followed.
"""

from __future__ import annotations

import os
import re
import shutil
import stat
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from reports.errors import BadReport

RESULT_ENVELOPE = "result.intoto.json"
VERDICT_ENVELOPE = "verdict.intoto.json"
ENVELOPES = (RESULT_ENVELOPE, VERDICT_ENVELOPE)
SIGNERS = "signers"  # the public keys of its signatures, one a line
VERDICT = "verdict.json"
NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._+-]{0,199}")
MAX_FILES = 200
MAX_BYTES = 512 * 1024 * 1024  # all files together


def is_bundle(path: Path) -> bool:
    """Whether *path* looks like a bundle: a folder with an envelope of a verdict."""
    return (path / VERDICT_ENVELOPE).is_file()


def read_bundle(folder: Path) -> dict[str, bytes]:
    """Every file of the bundle by name.

    Raises:
        BadReport: no such folder, something else than plain files in it, or too much of them.
    """
    found: dict[str, bytes] = {}
    left = MAX_BYTES
    try:
        names = sorted(entry.name for entry in os.scandir(folder))
    except OSError as error:
        raise BadReport(str(folder), "", (error.strerror or str(error)).lower()) from error
    if len(names) > MAX_FILES:
        raise BadReport(str(folder), "", f"{len(names)} files; a bundle has at most {MAX_FILES}")
    for name in names:
        if not NAME.fullmatch(name):
            raise BadReport(str(folder), repr(name)[:80], "not a name of a bundle's file")
        found[name] = _read(folder / name, left)
        left -= len(found[name])
    return found


def _read(path: Path, limit: int) -> bytes:
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        raise BadReport(str(path), "", "not a plain file of the bundle") from error
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise BadReport(str(path), "", "not a plain file of the bundle")
    with os.fdopen(handle, "rb") as stream:
        data = stream.read(limit + 1)
    if len(data) > limit:
        raise BadReport(str(path.parent), "", f"larger than {MAX_BYTES} bytes")
    return data


@contextmanager
def laid_out(files: Mapping[str, bytes]) -> Iterator[Path]:
    """The files in a folder of our own, which nobody changes while they are looked at."""
    with tempfile.TemporaryDirectory(prefix="interop-bundle-") as name:
        folder = Path(name)
        for file, data in files.items():
            (folder / file).write_bytes(data)
        yield folder


def write_bundle(folder: Path, files: Mapping[str, bytes], *, replace: bool = False) -> None:
    """Write a bundle, whole or not at all.

    Raises:
        BadReport: something is there already, and it is not to be replaced.
    """
    if folder.exists() and not replace:
        raise BadReport(str(folder), "", "is there already; a signed bundle is never overwritten")
    folder.parent.mkdir(parents=True, exist_ok=True)
    made = Path(tempfile.mkdtemp(dir=folder.parent, prefix=f".{folder.name}."))
    try:
        made.chmod(0o755)
        for name, data in files.items():
            (made / name).write_bytes(data)
        if not folder.exists():
            made.rename(folder)
            return
        old = Path(tempfile.mkdtemp(dir=folder.parent, prefix=f".{folder.name}."))
        folder.rename(old / folder.name)
        made.rename(folder)
        shutil.rmtree(old)
    except BaseException:
        shutil.rmtree(made, ignore_errors=True)
        raise
