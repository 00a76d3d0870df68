"""What a submission to the Kubernetes conformance programme holds: its product file and its log.

Source: cncf/k8s-conformance, instructions.md (contents of the pull request, PRODUCT.yaml) and
reviewing.md (versions and last line of e2e.log); kubernetes-sigs/verify-conformance, its rules.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from urllib.parse import urlsplit

from guidelines.decode import decode_text, decode_yaml
from guidelines.errors import BadDocument

FILES = ("README.md", "PRODUCT.yaml", "e2e.log", "junit_01.xml")
REQUIRED = (
    "vendor",
    "name",
    "version",
    "type",
    "description",
    "website_url",
    "documentation_url",
    "contact_email_address",
)
URLS = ("website_url", "repo_url", "documentation_url", "product_logo_url")
OPTIONAL = ("repo_url", "product_logo_url")
TYPES = ("distribution", "hosted platform", "installer")
FOLDER = re.compile(r"v1\.\d{1,3}")
LINE_BYTES = 64 * 1024  # of a longer line only this much is looked at
_EMAIL = re.compile(r"[^@\s]+@[^@\s.]+(?:\.[^@\s.]+)+")
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")
_RAN = re.compile(r"Ran (\d{1,9}) of (\d{1,9}) Specs in (\d{1,9}(?:\.\d+)?) seconds")
_COUNTS = re.compile(
    r"(SUCCESS|FAIL)! -- (\d{1,9}) Passed \| (\d{1,9}) Failed \|(?: (\d{1,9}) Flaked \|)?"
    r" (\d{1,9}) Pending \| (\d{1,9}) Skipped"
)
_VERSION = re.compile(r"(kube-apiserver|e2e test) version: (v\d+\.\d+\.\S+)")


@dataclass(slots=True, kw_only=True)
class Log:
    """What the log of a run says of it. Numbers are of specs; None where it does not say."""

    ran: int | None = None
    known: int | None = None
    seconds: float | None = None
    success: bool | None = None
    passed: int | None = None
    failed: int | None = None
    flaked: int | None = None
    pending: int | None = None
    skipped: int | None = None
    server: str | None = None
    tests: str | None = None


def read_log(lines: Iterable[bytes]) -> Log:
    """The summary of an ``e2e.log``; where a line comes twice, the last one counts."""
    log = Log()
    for raw in lines:
        if b"Ran " in raw or b" Passed" in raw or b" version: v" in raw:
            _note(_COLOUR.sub("", raw[:LINE_BYTES].decode("utf-8", errors="replace")), log)
    return log


def _note(line: str, log: Log) -> None:
    if found := _RAN.search(line):
        log.ran, log.known, log.seconds = int(found[1]), int(found[2]), float(found[3])
    if found := _COUNTS.search(line):
        log.success = found[1] == "SUCCESS"
        log.passed, log.failed = int(found[2]), int(found[3])
        log.flaked = int(found[4]) if found[4] else 0
        log.pending, log.skipped = int(found[5]), int(found[6])
    if found := _VERSION.search(line):
        if found[1] == "e2e test":
            log.tests = found[2]
        else:
            log.server = found[2]


def product_faults(data: bytes, source: str) -> Iterator[str]:
    """What is wrong with a ``PRODUCT.yaml``, a sentence each; nothing if it is right.

    Raises:
        BadDocument: it is not YAML.
    """
    value = decode_yaml(decode_text(data, source), source)
    if not isinstance(value, dict):
        raise BadDocument(source, "", "expected keys and values")
    for key in REQUIRED:
        if value.get(key) in (None, ""):
            yield f"{key} is missing"
    for key, content in value.items():
        if key not in (*REQUIRED, *OPTIONAL):
            yield f"{str(key)[:60]!r} is no field of it"
        elif content not in (None, "") and not isinstance(content, str | int | float):
            yield f"{key} is not a text"
    for key in URLS:
        if value.get(key) and not _is_url(str(value[key])):
            yield f"{key} is not a web address: {str(value[key])[:100]!r}"
    email = value.get("contact_email_address")
    if email and not _EMAIL.fullmatch(str(email)):
        yield f"contact_email_address is not an address: {str(email)[:100]!r}"
    kind = value.get("type")
    if kind and kind not in TYPES:
        yield f"type is {str(kind)[:60]!r}; expected one of {', '.join(TYPES)}"


def _is_url(text: str) -> bool:
    try:
        parts = urlsplit(text)
        host = parts.hostname or ""
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and "." in host and not re.search(r"\s", text)
