"""Results as JUnit XML, for the many tools that read nothing else.

``failure`` is a requirement that is not met, ``error`` a check that could not tell, ``skipped``
one that does not count: waived, not applicable, or only advised. Where a result was judged, a
required check that was skipped or is missing is a failure: CI systems show ``<skipped>`` as
harmless, and it is not. One ``testsuite`` a result; the reason is the message.

Source: the schema of the Jenkins xUnit plugin, junit-10.xsd, which pytest tests against as well.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Literal
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from reports.exports.entries import Entry, entries, first_line
from reports.result import Result
from reports.subject import About, Subject, subject_of

NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
Tag = Literal["failure", "error", "skipped", ""]
_OUTCOMES: Mapping[str, Tag] = {"passed": "", "failed": "failure", "blocked": "error"}


def junit(result: Result) -> str:
    """One result as it is, not judged; one ``testcase`` for each execution of a check."""
    subject = subject_of(result)
    every = [entries(replace(subject, records=(record,)), {}) for record in subject.records]
    return _document([(subject, [entry for one in every for entry in one])])


def suites(subjects: Sequence[Subject], about: Mapping[str, About]) -> str:
    """The document's text, one ``testcase`` a check."""
    return _document([(subject, entries(subject, about)) for subject in subjects])


def _document(parts: Sequence[tuple[Subject, Sequence[Entry]]]) -> str:
    """The text; header counts are the counts of what is below."""
    root = Element("testsuites")
    for subject, items in parts:
        _suite(root, subject, items)
    indent(root)
    return '<?xml version="1.0" encoding="utf-8"?>\n' + tostring(root, encoding="unicode") + "\n"


def tag_of(entry: Entry, *, judged: bool) -> Tag:
    """What an entry is in JUnit's words."""
    if not judged:
        return _OUTCOMES.get(entry.state, "skipped")
    if entry.state == "passed":
        return ""
    if entry.state == "blocked" and entry.required:
        return "error"
    return "failure" if entry.against else "skipped"


def _suite(root: Element, subject: Subject, items: Sequence[Entry]) -> None:
    judged = subject.judgement is not None
    tags = [tag_of(entry, judged=judged) for entry in items]
    suite = SubElement(
        root,
        "testsuite",
        name=clean(f"interop.{subject.label}"),
        tests=str(len(items)),
        failures=str(tags.count("failure")),
        errors=str(tags.count("error")),
        skipped=str(tags.count("skipped")),
        time=f"{sum(entry.seconds for entry in items):.3f}",
        hostname=clean(subject.platform),
    )
    if subject.started:
        suite.set("timestamp", subject.started[:19])
    properties = SubElement(suite, "properties")
    for name, value in _properties(subject):
        SubElement(properties, "property", name=name, value=clean(value))
    for entry, tag in zip(items, tags, strict=True):
        _case(suite, subject.label, entry, tag, entry.again(subject))


def _properties(subject: Subject) -> list[tuple[str, str]]:
    """What the suite is about; never empty, as the schema wants it."""
    told = [("platform", subject.platform), ("kind", subject.kind), ("run", subject.run)]
    told += [("complete", "yes" if subject.complete else f"no: {subject.incomplete}")]
    judgement = subject.judgement
    if judgement is not None:
        told += [
            ("verdict", judgement.verdict),
            ("level", "none" if judgement.level is None else str(judgement.level)),
            ("guideline", f"{judgement.guideline} {judgement.program}"),
            ("guideline-digest", judgement.digest),
            ("at", judgement.at),
        ]
    return [(name, value) for name, value in told if value]


def _case(suite: Element, label: str, entry: Entry, tag: Tag, again: str) -> None:
    """One check; its id is the name, so that a judge can match it. *again* is how to repeat it.

    The class begins with the result's label: GitLab and Jenkins know a test by class and name, and
    would show one of several platforms only.
    """
    test = next((record.test for record in entry.records if record.test), entry.topic)
    where = clean(f"{label}.{test}")
    case = SubElement(
        suite, "testcase", classname=where, name=clean(entry.id), time=f"{entry.seconds:.3f}"
    )
    reason = clean(entry.reason)
    if tag == "skipped":
        kind = "" if entry.state == "skipped" else f"{entry.state.replace('-', ' ')}: "
        if not entry.required:
            kind = f"advisory, {kind}"
        SubElement(case, "skipped", message=f"{kind}{first_line(reason)}".rstrip(": "))
    elif tag:
        kind = "requirement" if entry.state == "failed" else entry.state
        child = SubElement(case, tag, message=first_line(reason) or entry.state, type=kind)
        repeat = f"to repeat it: {clean(again)}" if again else ""
        child.text = "\n".join(part for part in (reason, clean(entry.evidence), repeat) if part)
    facts = [fact for record in entry.records for fact in record.facts]
    if facts:
        lines = (f"{fact.member or '-'} {fact.name} = {fact.value!r}" for fact in facts)
        SubElement(case, "system-out").text = clean("\n".join(lines))


def clean(text: str) -> str:
    """*text* without the characters XML cannot hold."""
    return NOT_XML.sub("\N{REPLACEMENT CHARACTER}", text)
