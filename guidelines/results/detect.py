"""Which format a document has, told by its content and never by its name."""

from __future__ import annotations

import codecs
import re
from pathlib import Path
from typing import Any

from guidelines.errors import BadDocument
from guidelines.evidence import Evidence
from guidelines.results.source import Limits, Source, opened

KNOWN = (
    "interop.result/1, RefStack JSON, CTRF, an Allure result, Sonobuoy's tarball or items,"
    " JUnit XML, subunit v1 or v2, TAP, an SCS report"
)
# Subunit v2: a packet's signature and the first nibble of its flags, which is the version.
_PACKET = re.compile(rb"\xb3[\x20-\x2f]")
# Subunit v1: what stands before any outcome that counts.
_SUBUNIT_LINE = re.compile(rb"(?:time: \d{4}-|tags: \S|(?:test|testing): ?\S|progress: [+\-\dp])")
# TAP: what begins a document, and what an old one without a plan in front begins with.
_TAP_LINE = re.compile(rb"(?:TAP version \d+\s*$|1\.\.\d+\b)")
_TAP_FIRST_LINE = re.compile(rb"(?:not )?ok\b")
# YAML: how Sonobuoy's items and SCS's reports begin.
_YAML_LINE = re.compile(
    rb"(?:---\s+)?(?:name|uuid|creator|spec|scope|subject|checked_at|reference_date|run):(?:\s|$)"
)
_XML_MARKS = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_TAR_MAGIC_AT = 257
_OTHERS = (
    (b"PK\x03\x04", "a zip archive"),
    (b"\xfd7zXZ", "xz data"),
    (b"BZh", "bzip2 data"),
    (b"\x28\xb5\x2f\xfd", "zstandard data"),
)


def load_results(path: Path, limits: Limits | None = None) -> Evidence:
    """Read one result, whatever its format.

    Args:
        path: a file, plain or gzip, a folder with our ``result.json``, or one of Allure results.
        limits: how much it may ask for.

    Raises:
        BadDocument: no known format, damaged, or beyond the limits; one line says where and why.
    """
    limits = limits or Limits()
    if path.is_dir():
        own = path / "result.json"
        if not own.is_file():
            from guidelines.results import allure

            return allure.load_folder(path, limits)
        path = own
    with opened(path, limits) as source:
        return _load(source)


# Each loader is imported when it is needed: python-subunit and pydantic take longer to import
# than a Kubernetes run takes to read.
def _load(source: Source) -> Evidence:
    head = source.head
    if head[_TAR_MAGIC_AT : _TAR_MAGIC_AT + 5] == b"ustar":
        from guidelines.results import sonobuoy

        return sonobuoy.load(source)
    if _PACKET.match(head):
        from guidelines.results import subunit_v2

        return subunit_v2.load(source)
    text = head.removeprefix(codecs.BOM_UTF8).lstrip()
    if text.startswith(b"<") or head.startswith(_XML_MARKS):
        from guidelines.results import junit

        return junit.load(source)
    if text.startswith((b"{", b"[")):
        return _load_json(source)
    for magic, what in _OTHERS:
        if head.startswith(magic):
            raise BadDocument(source.name, "content", f"{what}; expected it unpacked, or gzip")
    evidence = _load_lines(source, text)
    if evidence is None and _PACKET.search(head):
        from guidelines.results import subunit_v2

        evidence = subunit_v2.load(source)
    if evidence is None:
        raise BadDocument(source.name, "content", f"no known result format; expected {KNOWN}")
    return evidence


def _load_json(source: Source) -> Evidence:
    from guidelines.results import (
        allure,
        ctrf,
        own,
        refstack,
        scs_report,
        sonobuoy,
        strict_json,
    )

    value: Any = strict_json.parse(source.read_all(), source.name, source.limits)
    if source.reader.broke_off:
        raise BadDocument(source.name, "content", "the compressed data breaks off")
    if own.recognises(value):
        return own.load(source, value)
    if ctrf.recognises(value):
        return ctrf.load(source, value)
    if refstack.recognises(value):
        return refstack.load(source, value)
    if sonobuoy.recognises(value):
        return sonobuoy.load_items(source, value)
    if allure.recognises(value):
        return allure.load(source, value)
    if scs_report.recognises(value):
        return scs_report.load(source, value)
    keys = ", ".join(sorted(map(str, value))[:6]) if isinstance(value, dict) else "a list"
    raise BadDocument(
        source.name, "top level", f"JSON of no known result format ({keys[:120]}); expected {KNOWN}"
    )


def _load_lines(source: Source, text: bytes) -> Evidence | None:
    """Formats of lines: the first line that belongs to one decides."""
    if _YAML_LINE.match(text):
        from guidelines.results import plain_yaml, scs_report, sonobuoy

        value: Any = plain_yaml.parse(source.read_all(), source.name, source.limits)
        if sonobuoy.recognises(value):
            return sonobuoy.load_items(source, value)
        if scs_report.recognises(value):
            return scs_report.load(source, value)
        raise BadDocument(source.name, "top level", f"YAML of no known result; expected {KNOWN}")
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith(b"#")]
    for number, line in enumerate(lines):
        if _SUBUNIT_LINE.match(line):
            from guidelines.results import subunit_v1

            return subunit_v1.load(source)
        if _TAP_LINE.match(line) or (number == 0 and _TAP_FIRST_LINE.match(line)):
            from guidelines.results import tap

            return tap.load(source)
    return None
