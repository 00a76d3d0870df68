"""A result as JUnit XML, for the many tools that read nothing else.

``failure`` is a failed requirement, ``error`` a check that could not tell, ``skipped`` one that was
skipped or does not apply; the reason is the message. One ``testsuite`` a platform.
"""

from __future__ import annotations

import re
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from reports.result import CheckRecord, Result

NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def junit(result: Result) -> str:
    """The document's text; header counts are the counts of what is below."""
    root = Element("testsuites")
    count = {"failed": 0, "blocked": 0, "skipped": 0, "not-applicable": 0, "passed": 0}
    for check in result.checks:
        count[check.outcome] += 1
    suite = SubElement(
        root,
        "testsuite",
        name=f"interop.{result.platform.name}",
        tests=str(len(result.checks)),
        failures=str(count["failed"]),
        errors=str(count["blocked"]),
        skipped=str(count["skipped"] + count["not-applicable"]),
        time=f"{sum(check.seconds for check in result.checks):.3f}",
        timestamp=result.started[:19],
        hostname=result.platform.name,
    )
    for check in result.checks:
        _case(suite, check)
    indent(root)
    return '<?xml version="1.0" encoding="utf-8"?>\n' + tostring(root, encoding="unicode") + "\n"


def _case(suite: Element, check: CheckRecord) -> None:
    """One check; its id is the name, so that a judge can match it."""
    case = SubElement(
        suite, "testcase", classname=check.test, name=check.id, time=f"{check.seconds:.3f}"
    )
    reason = _clean(check.reason)
    first = reason.splitlines()[0] if reason else check.outcome
    if check.outcome == "failed":
        SubElement(case, "failure", message=first, type="requirement").text = reason
    elif check.outcome == "blocked":
        SubElement(case, "error", message=first, type="blocked").text = reason
    elif check.outcome != "passed":
        kind = "not applicable: " if check.outcome == "not-applicable" else ""
        SubElement(case, "skipped", message=kind + first)
    if check.facts:
        lines = (f"{fact.member or '-'} {fact.name} = {fact.value!r}" for fact in check.facts)
        SubElement(case, "system-out").text = _clean("\n".join(lines))


def _clean(text: str) -> str:
    """*text* without the characters XML cannot hold."""
    return NOT_XML.sub("\N{REPLACEMENT CHARACTER}", text)
