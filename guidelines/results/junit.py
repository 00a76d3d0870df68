"""JUnit XML, read as a stream: Ginkgo's, pytest's, Surefire's, gtest's, subunit2junitxml's."""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from xml.etree.ElementTree import ParseError

from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import DefusedXMLParser

from guidelines.errors import BadDocument
from guidelines.evidence import Evidence, Status
from guidelines.results.collector import Collector, Excerpt, reason_of
from guidelines.results.instants import after, duration, from_text
from guidelines.results.junit_case import FAILURES, RERUNS, Case, Mark, said
from guidelines.results.source import BoundedReader, Limits, Source

FORMAT = "junit"
ROOTS = frozenset({"testsuites", "testsuite"})
_PIECE = 64 * 1024

_COUNTED = ("tests", "failures", "errors", "skipped")


@dataclass(slots=True)
class _Suite:
    name: str
    attributes: Mapping[str, str]
    tests: int = 0
    failures: int = 0
    errors: int = 0
    skipped: int = 0
    direct: int = 0


@dataclass(slots=True)
class _Times:
    started: datetime | None = None
    finished: datetime | None = None


class _Reader:
    """The parser's target: sees tags come and go and keeps only what is open."""

    def __init__(self, collector: Collector, limits: Limits, prefix: str) -> None:
        self.times = _Times()
        self.finished_root = False
        self._collector = collector
        self._limits = limits
        self._prefix = prefix
        self._suites: list[_Suite] = []
        self._case: Case | None = None
        self._text: Excerpt | None = None
        self._depth = 0
        self._case_depth = 0
        self._cases = 0
        self._wrong_headers = 0
        self._dry_run = False

    def start(self, tag: str, attributes: Mapping[str, str]) -> None:
        self._depth += 1
        if self._depth > self._limits.depth:
            raise BadDocument(
                self._collector.source, "elements", f"nested deeper than {self._limits.depth}"
            )
        tag = tag.rpartition("}")[2]
        if self._depth == 1 and tag not in ROOTS:
            raise BadDocument(
                self._collector.source,
                "root element",
                f"found <{tag[:60]}>; expected JUnit's <testsuites> or <testsuite>",
            )
        if self._case is not None:
            if self._depth == self._case_depth + 1:
                self._inside_case(tag, attributes)
        elif tag == "testcase":
            self._cases += 1
            self._case = Case(attributes)
            self._case_depth = self._depth
        elif tag in ROOTS:
            self._suites.append(_Suite(attributes.get("name") or tag, attributes))
            self._time(attributes)
        elif tag == "property":
            self._property(attributes.get("name", ""), attributes.get("value", ""))
        elif tag in FAILURES:
            self._collector.incomplete(
                f"suite {self._suites[-1].name} as a whole has an <{tag}>:"
                f" {reason_of(attributes.get('message')) or 'without a message'}"
            )

    def data(self, text: str) -> None:
        if self._text is not None:
            self._text.add(text)

    def end(self, tag: str) -> None:
        tag = tag.rpartition("}")[2]
        if self._case is not None:
            if self._depth == self._case_depth:
                self._close_case(self._case)
                self._case = None
            elif self._depth == self._case_depth + 1:
                self._text = None
        elif tag in ROOTS and self._suites:
            self._close_suite(self._suites.pop())
        self._depth -= 1
        self.finished_root = self._depth == 0

    def close(self) -> None:
        """Nothing is built; everything went to the collector."""

    def _inside_case(self, tag: str, attributes: Mapping[str, str]) -> None:
        assert self._case is not None  # noqa: S101 - callers checked
        if tag in FAILURES or tag == "skipped":
            mark = Mark(attributes.get("message"), attributes.get("type"))
            self._case.marks.setdefault(tag, mark)
            self._text = mark.text
        elif tag in RERUNS:
            self._case.reruns += 1

    def _close_case(self, case: Case) -> None:
        attributes = case.attributes
        suite = self._suites[-1]
        suite.direct += 1
        suite.tests += 1
        suite.failures += "failure" in case.marks
        suite.errors += "error" in case.marks
        suite.skipped += "skipped" in case.marks
        name = attributes.get("name", "")
        class_name = attributes.get("classname", "")
        status, reason = self._judged(case, name)
        self._collector.add(
            name or class_name,
            status,
            where=f"{self._prefix}testcase[{self._cases}]",
            reason=reason,
            qualifiers=(class_name,)
            if class_name and name and not _is_sentence(class_name)
            else (),
            seconds=duration(attributes.get("time")),
        )

    def _judged(self, case: Case, name: str) -> tuple[Status, str]:
        saying = said(case, name)
        if saying.oddity is not None:
            self._collector.count(saying.oddity, name)
        if saying.status is Status.PASSED and self._dry_run:
            return Status.SKIPPED, "a dry run; nothing was executed"
        return saying.status, saying.reason

    def _close_suite(self, suite: _Suite) -> None:
        self._compare(suite)
        if self._suites:
            parent = self._suites[-1]
            parent.tests += suite.tests
            parent.failures += suite.failures
            parent.errors += suite.errors
            parent.skipped += suite.skipped

    def _compare(self, suite: _Suite) -> None:
        """Compare the header's numbers with what is there; tools disagree on what they include."""
        found: dict[str, set[int]] = {
            "tests": {suite.tests, suite.direct},
            "failures": {suite.failures, suite.failures + suite.errors},
            "errors": {suite.errors, suite.failures + suite.errors},
            "skipped": {suite.skipped},
        }
        for key in _COUNTED:
            written = suite.attributes.get(key, "").strip()
            if not written:
                continue
            if written.isdecimal() and len(written) < 10 and int(written) in found[key]:
                continue
            self._wrong_headers += 1
            if self._wrong_headers <= 10:
                self._collector.note(
                    f"suite {suite.name[:80]}: header says {key}={written[:20]},"
                    f" found {max(found[key]) if key == 'tests' else min(found[key])}"
                )

    def _time(self, attributes: Mapping[str, str]) -> None:
        started = from_text(attributes.get("timestamp"))
        if started is None:
            return
        finished = after(started, duration(attributes.get("time")))
        times = self.times
        if times.started is None or started < times.started:
            times.started = started
        if finished is not None and (times.finished is None or finished > times.finished):
            times.finished = finished

    def _property(self, name: str, value: str) -> None:
        """Ginkgo's suite properties that change what its test cases mean."""
        if name == "DryRun" and value == "true":
            self._dry_run = True
            self._collector.incomplete("a dry run (DryRun=true): nothing was executed")
        elif name == "SpecialSuiteFailureReason" and value.strip():
            self._collector.incomplete(f"the suite was cut short: {value[:200]}")
        elif name == "FlakeAttempts" and value.isdecimal() and int(value[:9]) > 1:
            self._collector.note(
                f"failing items were tried up to {value[:9]} times (FlakeAttempts)"
            )


def load(source: Source) -> Evidence:
    """Read JUnit XML.

    A document that breaks off gives what stands before the break and is not complete.

    Raises:
        BadDocument: not XML, a declaration of entities or a document type, or beyond the limits.
    """
    collector = Collector(source.name, source.limits)
    times = read(source.stream, source.reader, collector, source.limits)
    return collector.evidence(FORMAT, source.digest, started=times.started, finished=times.finished)


def read(
    stream: io.BufferedIOBase,
    reader: BoundedReader | None,
    collector: Collector,
    limits: Limits,
    prefix: str = "",
) -> _Times:
    """Read JUnit XML from *stream* into *collector*; *prefix* goes before each locator."""
    target = _Reader(collector, limits, prefix)
    parser = DefusedXMLParser(target=target, forbid_dtd=True)
    fed = 0
    where = f"{prefix}xml"
    try:
        while piece := stream.read(_PIECE):
            fed += len(piece)
            parser.feed(piece)
            if fed - max(parser.parser.CurrentByteIndex, 0) > limits.token_bytes:
                raise BadDocument(
                    collector.source, where, f"one tag is longer than {limits.token_bytes} bytes"
                )
        parser.close()
    except DefusedXmlException as error:
        kind = type(error).__name__.removesuffix("Forbidden").lower()
        raise BadDocument(
            collector.source,
            where,
            f"declares a document type or entities ({kind}); expected plain elements",
        ) from error
    except ParseError as error:
        broke_off = error.code in _BROKE_OFF or (reader is not None and reader.broke_off)
        if not broke_off or fed == 0:
            raise BadDocument(collector.source, where, f"expected XML: {error}") from error
        collector.incomplete(f"the document breaks off in the middle, after {fed} bytes")
    except (ValueError, LookupError) as error:
        if isinstance(error, BadDocument):
            raise
        raise BadDocument(collector.source, where, f"expected XML: {error}") from error
    else:
        if reader is not None and reader.broke_off:
            collector.incomplete("the compressed data breaks off at its end")
    return target.times


def _is_sentence(class_name: str) -> bool:
    """Whether this is a suite's title (Ginkgo), which stands in front of no test's name.

    subunit2junitxml cuts ``setUpClass (a.b.C)`` at its last dot; that is no title.
    """
    return " " in class_name and "(" not in class_name


# Expat's codes for a text that ends too early: no element found, unclosed token, partial
# character, unclosed CDATA section.
_BROKE_OFF = frozenset({3, 5, 6, 20})
