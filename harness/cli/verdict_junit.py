"""A verdict as JUnit XML, so that a CI system shows it item by item."""

from __future__ import annotations

import re
from xml.etree import ElementTree as ET

from guidelines.verdict import JudgedItem, State, Verdict

# Characters XML 1.0 cannot hold.
_FORBIDDEN = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_FAILURES = frozenset({State.FAILED, State.SKIPPED, State.MISSING})
_SKIPS = frozenset({State.WAIVED, State.NOT_APPLICABLE})


def verdict_junit(verdict: Verdict) -> bytes:
    """Return *verdict* as JUnit XML.

    A required item that was skipped or is missing is a failure there: a CI system shows
    ``<skipped>`` as harmless, and it is not. A blocked item is an error.
    """
    items = verdict.items
    suite = ET.Element(
        "testsuite",
        name=_clean(f"{verdict.guideline} {verdict.program}"),
        tests=str(len(items)),
        failures=str(sum(item.state in _FAILURES for item in items)),
        errors=str(sum(item.state is State.BLOCKED for item in items)),
        skipped=str(sum(item.state in _SKIPS for item in items)),
    )
    properties = ET.SubElement(suite, "properties")
    for name, value in (
        ("verdict", verdict.verdict.value),
        ("guideline-digest", verdict.guideline_digest),
        ("at", verdict.at.isoformat()),
    ):
        ET.SubElement(properties, "property", name=name, value=value)
    for item in items:
        _case(suite, item)
    root = ET.Element("testsuites")
    root.append(suite)
    ET.indent(root)
    document: bytes = ET.tostring(root, encoding="utf-8", xml_declaration=True)
    return document


def _case(suite: ET.Element, item: JudgedItem) -> None:
    capability = item.capabilities[0] if item.capabilities else ""
    case = ET.SubElement(suite, "testcase", classname=_clean(capability), name=_clean(item.id))
    if item.state is State.PASSED:
        return
    tag = "error" if item.state is State.BLOCKED else "skipped"
    if item.state in _FAILURES:
        tag = "failure"
    message = _clean(item.reason)
    child = ET.SubElement(case, tag, message=message)
    if tag != "skipped":
        child.set("type", item.state.value)
        child.text = "\n".join(part for part in (message, _clean(item.evidence)) if part)


def _clean(text: str) -> str:
    return _FORBIDDEN.sub("\ufffd", text)
