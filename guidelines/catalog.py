"""Find and read guidelines: the package's only door to the file system for guideline documents."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from guidelines.decode import decode_json, decode_text, decode_yaml
from guidelines.errors import BadDocument
from guidelines.foreign.defcore import is_defcore, read_defcore
from guidelines.foreign.kubernetes import is_conformance_list, read_conformance
from guidelines.foreign.redfish import is_profile, read_profile
from guidelines.foreign.scs import is_scope, read_scope
from guidelines.foreign.test_list import list_lines, read_test_list
from guidelines.model import Guideline
from guidelines.own_format import SCHEMA_ID, read_document
from guidelines.own_guideline import build_guideline
from guidelines.patterns import KnownFailing, read_patterns
from guidelines.results.source import Limits, opened
from guidelines.waivers import Waiver, read_waivers
from guidelines.worksheet import Worksheet, read_worksheet

DATA = Path(__file__).parent / "data"
MAX_BYTES = 16 * 1024 * 1024
_LIMITS = Limits(file_bytes=MAX_BYTES, unpacked_bytes=MAX_BYTES, json_bytes=MAX_BYTES)
_KNOWN = (
    "interop.guideline/1, OpenStack 1.2 to 2.0, Kubernetes conformance.yaml, SCS scope, "
    "Redfish profile, list of test names"
)


def shipped_guidelines() -> tuple[str, ...]:
    """Return the ids of the guidelines that come with the package, oldest first."""
    return tuple(sorted(path.stem for path in DATA.glob("*.yaml")))


def load_guideline(reference: str | Path) -> Guideline:
    """Return the guideline at a path, or the shipped one of that id.

    A shipped id wins only where no file of that name exists.

    Raises:
        BadDocument: there is no such guideline, or its content is not one.
    """
    path = Path(reference)
    if not path.exists():
        shipped = DATA / f"{reference}.yaml"
        if isinstance(reference, str) and reference in shipped_guidelines():
            path = shipped
        else:
            known = ", ".join(shipped_guidelines())
            raise BadDocument(
                str(reference), "", f"no such file, and no shipped guideline; shipped are {known}"
            )
    if path.is_dir():
        raise BadDocument(str(reference), "", "a directory; expected a guideline's file")
    data, digest = read_bytes(path)
    return parse_guideline(data, source=str(reference), digest=digest)


def read_bytes(path: Path) -> tuple[bytes, str]:
    """Return the bytes of a document of at most 16 MiB, unpacked, and the digest of its file.

    Raises:
        BadDocument: it cannot be read or is too large.
    """
    with opened(path, _LIMITS) as document:
        return document.read_all(), document.digest


def read_mapping(path: Path) -> tuple[Any, str]:
    """Return the decoded content of a JSON or YAML file and its digest.

    Raises:
        BadDocument: it cannot be read or decoded.
    """
    data, digest = read_bytes(path)
    text = decode_text(data, str(path))
    return _decode(text, str(path)), digest


def parse_guideline(data: bytes, *, source: str, digest: str) -> Guideline:
    """Return the guideline in *data*, whose format is recognised by its content.

    Raises:
        BadDocument: no format fits, or the one that fits is broken.
    """
    text = decode_text(data, source)
    if not text.strip():
        raise BadDocument(source, "", "the file is empty; expected a guideline")
    head = text.lstrip()[:1]
    if head == "<" or data[:4] == b"PK\x03\x04":
        raise BadDocument(source, "", f"no known format of a guideline; known are {_KNOWN}")
    if head not in "{[" or _is_marked_list(text):
        names = list_lines(text)
        if names is not None:
            return read_test_list(names, source, digest)
    return _recognise(_decode(text, source), source, digest)


def _decode(text: str, source: str) -> object:
    """JSON is recognised by its first character; a YAML flow mapping may begin alike."""
    if text.lstrip()[:1] in "{[":
        try:
            return decode_json(text, source)
        except BadDocument:
            if '"' in text[:2000] or len(text) > 100_000:
                raise
    return decode_yaml(text, source)


def _is_marked_list(text: str) -> bool:
    """Tell a list of names that begin with ``[sig-...]`` from JSON."""
    return text.lstrip().startswith("[sig-")


def _recognise(value: object, source: str, digest: str) -> Guideline:
    if isinstance(value, dict):
        schema = value.get("schema")
        if schema == SCHEMA_ID:
            return build_guideline(read_document(value, source), source, digest)
        if is_profile(value):
            return read_profile(value, source, digest)
        if is_defcore(value):
            return read_defcore(value, source, digest)
        if is_scope(value):
            return read_scope(value, source, digest)
        if isinstance(schema, str) and schema.startswith("interop."):
            raise BadDocument(
                source, "schema", f"{schema!r} is not a guideline; expected {SCHEMA_ID}"
            )
        if {"programs", "checks"} & value.keys():
            raise BadDocument(source, "schema", f"expected {SCHEMA_ID!r}")
    if is_conformance_list(value) and isinstance(value, list):
        return read_conformance(value, source, digest)
    if isinstance(value, list) and value and all(isinstance(item, str) for item in value):
        return read_test_list(value, source, digest)
    raise BadDocument(source, "", f"no known format of a guideline; known are {_KNOWN}")


def load_score_document(reference: str | Path) -> Worksheet | Guideline:
    """Return the scoring worksheet in a file, or else the guideline *reference* names.

    Raises:
        BadDocument: it is neither.
    """
    path = Path(reference)
    if path.is_file():
        data, _ = read_bytes(path)
        text = decode_text(data, str(reference))
        if text.lstrip()[:1] not in "{[" and "interop.guideline/" not in text[:4096]:
            return read_worksheet(text, str(reference))
    return load_guideline(reference)


def load_waivers(path: Path) -> tuple[Waiver, ...]:
    """Return the waivers in a file.

    Raises:
        BadDocument: it cannot be read, or a key is wrong.
    """
    value, _ = read_mapping(path)
    return read_waivers(value, str(path))


def load_known_failing(path: Path, *, strict: bool = False) -> KnownFailing:
    """Return the list of known failures in a file.

    Raises:
        BadDocument: it cannot be read or is not such a list.
    """
    data, _ = read_bytes(path)
    return read_patterns(decode_text(data, str(path)), str(path), strict=strict)
