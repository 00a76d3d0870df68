"""Names of tests as tools write them, and every form an item may be matched by."""

from __future__ import annotations

import html
import re
from collections.abc import Iterable
from dataclasses import dataclass

DISPLAY_CHARS = 500

_TERMINAL = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[@-Z\\-_])")
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]")
_SPACE = re.compile(r"\s+")
_ENTITY = re.compile(r"&(?:#[0-9]{1,7}|#[xX][0-9a-fA-F]{1,6}|[A-Za-z][A-Za-z0-9]{1,31});")
_UUID = r"[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}"
_IDEMPOTENT = re.compile(rf"[\[,]\s*id-({_UUID})\s*[\],]")
_IS_UUID = re.compile(rf"(?:id-)?({_UUID})\Z")
_DECORATED = re.compile(r"(?P<base>[^\s\[\]()]+)(?P<marks>(?:\[[^\[\]]*\]|\([^()]*\))+)\Z")
# The common cases, short enough to be shown: nothing to take off, or Tempest's attributes.
_COMMON_NAME = re.compile(
    rf"([A-Za-z0-9_.\-]{{1,400}})(\[(?:[a-z0-9_\-]+,)*?id-({_UUID})(?:,[a-z0-9_\-]+)*\])?\Z"
)
_MARK = re.compile(r"\[[^\[\]]*\]|\([^()]*\)")
_FIXTURE = re.compile(r"(setUpClass|setUpModule|tearDownClass|tearDownModule) \(([^\s()]+)\)")
_IMPORT_FAILURE = re.compile(
    r"(?:unittest2?\.loader\.(?:_FailedTest|ModuleImportFailure|LoadTestsFailure))\.([^\s]+)\Z"
)

# What Tempest writes between the brackets besides the id: test types and service tags.
_ATTRIBUTES = frozenset(
    [
        "gate",
        "smoke",
        "slow",
        "negative",
        "multinode",
        "baremetal",
        "compute",
        "dashboard",
        "dns",
        "identity",
        "image",
        "key-manager",
        "load-balancer",
        "network",
        "object_storage",
        "orchestration",
        "volume",
    ]
)


@dataclass(frozen=True, slots=True, kw_only=True)
class TestName:
    """A name in all its forms.

    Args:
        display: the form to show: decoded, one line, without attributes, with its scenario; with
            the class in front unless the name is a sentence.
        forms: every form to match by, *display* and the name as written included.
        idempotent_id: the UUID of Tempest's ``id-...`` attribute, lower case.
        fixture: ``setUpClass`` and the like where this names a fixture, not a test;
            ``import`` for a module that could not be loaded.
        scope: the class or module the fixture stands for.
        encoded: how many layers of HTML entities came off.
    """

    __test__ = False

    display: str
    forms: frozenset[str]
    idempotent_id: str | None = None
    fixture: str | None = None
    scope: str | None = None
    encoded: int = 0


def plain(text: str) -> str:
    """*text* in one line without control characters and terminal sequences."""
    if text.isprintable() and "  " not in text:
        return text.strip()
    text = _TERMINAL.sub("", text)
    text = _CONTROL.sub("", _SPACE.sub(" ", text))
    return _SPACE.sub(" ", text).strip()


def decoded(text: str) -> tuple[str, int]:
    """*text* without HTML entities, and how many layers of them there were (at most 3)."""
    for layer in range(3):
        if "&" not in text:
            return text, layer
        once = _ENTITY.sub(lambda match: html.unescape(match[0]), text)
        if once == text:
            return text, layer
        text = once
    return text, 3


def read_name(written: str, *, qualifiers: Iterable[str] = ()) -> TestName:
    """Understand a test's name.

    Forms taken off, alone and together: HTML entities (twice encoded too), runs of white space,
    Ginkgo's ``[It] ``, Tempest's attributes (``[id-...,smoke]``) and a scenario (``(ipv6)``).
    Brackets that belong to the name, such as ``[sig-node]``, ``[Conformance]`` or a parameter of
    pytest, stay.

    Args:
        written: the name as the document has it.
        qualifiers: what may stand in front of it (a class name); each adds ``QUALIFIER.NAME``.
    """
    if not qualifiers and (match := _COMMON_NAME.match(written)):
        base, attributes, uuid = match.groups()
        if attributes is not None:
            return TestName(
                display=base, forms=frozenset((written, base)), idempotent_id=uuid.lower()
            )
        if not base.startswith("unittest"):
            return TestName(display=base, forms=frozenset((base,)))
    forms: set[str] = set()
    best = ""
    identifier: str | None = None
    layers = 0
    for candidate in (written, *(f"{qualifier}.{written}" for qualifier in qualifiers)):
        raw = plain(candidate)
        text, encoded = decoded(raw)
        text = plain(text) if encoded else text
        layers = max(layers, encoded)
        forms.update((raw, text))
        if text.startswith("[It] "):
            text = text[5:]
            forms.add(text)
        if text.endswith((")", "]")):
            if match := _IDEMPOTENT.search(text):
                identifier = match[1].lower()
            text = _undecorated(text, forms)
        if not best or " " not in best:
            best = text
    forms.discard("")
    fixture, scope = _fixture(best)
    return TestName(
        display=best if len(best) <= DISPLAY_CHARS else best[:DISPLAY_CHARS] + "…",
        forms=frozenset(forms),
        idempotent_id=identifier,
        fixture=fixture,
        scope=scope,
        encoded=layers,
    )


def demanded_forms(name: str) -> frozenset[str]:
    """Every form in which a record may bear a demanded *name*.

    Unlike the forms of a record, they keep the scenario: a record of ``(ipv6)`` is evidence for
    the test as such, and none for its ``(ipv4)``.
    """
    read = read_name(name)
    scenarios = [mark for mark in _MARK.findall(read.display) if mark[0] == "("]
    if not read.display.endswith(")") or " " in read.display or not scenarios:
        return read.forms | {name}
    return frozenset(form for form in read.forms if scenarios[-1] in form) | {name}


def uuid_of(text: str | None) -> str | None:
    """The UUID in ``id-UUID`` or ``UUID``, lower case; none if *text* is something else."""
    match = _IS_UUID.match(text.strip()) if text else None
    return match[1].lower() if match else None


def _undecorated(text: str, forms: set[str]) -> str:
    match = _DECORATED.match(text)
    if match is None or "." not in match["base"] or "::" in match["base"]:
        return text
    base = match["base"]
    marks = _MARK.findall(match["marks"])
    kept = [mark for mark in marks if not _is_attributes(mark, base)]
    without_attributes = base + "".join(kept)
    forms.add(without_attributes)
    forms.add(base + "".join(mark for mark in marks if mark[0] == "["))
    forms.add(base + "".join(mark for mark in kept if mark[0] == "["))
    return without_attributes


def _is_attributes(mark: str, base: str) -> bool:
    if mark[0] != "[":
        return False
    if _IDEMPOTENT.search(mark):
        return True
    parts = [part.strip() for part in mark[1:-1].split(",")]
    return base.startswith("tempest.") or "_tempest_" in base or _ATTRIBUTES.issuperset(parts)


def _fixture(text: str) -> tuple[str | None, str | None]:
    if " (" not in text and ".loader." not in text:
        return None, None
    if match := _FIXTURE.search(text):
        return match[1], match[2]
    if match := _IMPORT_FAILURE.match(text):
        return "import", match[1]
    return None, None
