"""Reads documents of ours: bounded in size, checked against the schema, one clear line if wrong."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from reports.errors import BadReport
from reports.result import Result
from reports.site.documents import Summary
from reports.verdict import VerdictDocument

MAX_BYTES = 256 * 1024 * 1024


def read_result(path: Path) -> Result:
    """The result document at *path*, or in it if it is a folder (``result.json``).

    Raises:
        BadReport: it is missing, too large, or not a result document.
    """
    file = path / "result.json" if path.is_dir() else path
    return result_of(_json(file), str(file))


def result_of(document: Mapping[str, Any], source: str) -> Result:
    """The result that *document* is, which came from *source*.

    Raises:
        BadReport: it is not a result document.
    """
    try:
        return Result.model_validate(document)
    except ValidationError as error:
        raise _bad(source, error) from error


def read_verdict(path: Path) -> VerdictDocument:
    """The verdict document at *path*, or in it if it is a folder (``verdict.json``).

    Raises:
        BadReport: it is missing, too large, or not a verdict document.
    """
    file = path / "verdict.json" if path.is_dir() else path
    try:
        return VerdictDocument.model_validate(_json(file))
    except ValidationError as error:
        raise _bad(str(file), error) from error


def read_json(file: Path) -> Mapping[str, Any]:
    """The JSON object in a file.

    Raises:
        BadReport: it is missing, too large, or no JSON object.
    """
    return _json(file)


def read_summary(file: Path) -> Summary | None:
    """The summary a site keeps of a result, or None if there is none that can be used."""
    try:
        return Summary.model_validate_json(file.read_bytes())
    except (OSError, ValidationError):
        return None


def digest(path: Path) -> str:
    """``sha256:`` and the digest of a file's bytes.

    Raises:
        BadReport: something is there that is no file and may never end, such as a pipe.
    """
    if path.exists() and not path.is_file():
        raise BadReport(str(path), "", "not a file")
    with path.open("rb") as stream:
        return f"sha256:{hashlib.file_digest(stream, 'sha256').hexdigest()}"


def _json(file: Path) -> Mapping[str, Any]:
    """A file's JSON object; duplicate keys, NaN and anything above the limit are refused."""
    try:
        with file.open("rb") as stream:
            data = stream.read(MAX_BYTES + 1)
    except OSError as error:
        raise BadReport(str(file), "", (error.strerror or str(error)).lower()) from error
    if len(data) > MAX_BYTES:
        raise BadReport(str(file), "", f"larger than {MAX_BYTES} bytes")
    return parse_object(data, str(file))


def parse_object(data: bytes, source: str) -> dict[str, Any]:
    """The JSON object in *data*; duplicate keys and NaN are refused.

    Raises:
        BadReport: it is something else.
    """
    try:
        value = json.loads(
            data.decode("utf-8"), object_pairs_hook=_unique, parse_constant=_no_constant
        )
    except (ValueError, RecursionError) as error:
        raise BadReport(source, "", f"not JSON: {error}") from error
    if not isinstance(value, dict):
        raise BadReport(source, "", "expected a JSON object")
    return value


def parse_lines(text: str, source: str) -> list[dict[str, Any]]:
    """The JSON objects of a log, one a line; only a line feed ends one.

    Raises:
        BadReport: a line is something else.
    """
    return [parse_object(line.encode(), source) for line in text.split("\n") if line]


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object whose keys occur once."""
    value = dict(pairs)
    if len(value) != len(pairs):
        raise ValueError("a key occurs twice")
    return value


def _no_constant(name: str) -> float:
    """NaN and Infinity are no JSON."""
    raise ValueError(f"{name} is not a JSON number")


def _bad(source: str, error: ValidationError) -> BadReport:
    """The first wrong key as one line."""
    first = error.errors()[0]
    return BadReport(source, ".".join(map(str, first["loc"])), str(first["msg"]).lower())
