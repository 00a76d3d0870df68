"""Subunit version 1: lines of text, read with python-subunit."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Protocol

from subunit import TestProtocolServer

from guidelines.errors import BadDocument
from guidelines.evidence import Evidence, Status
from guidelines.results.collector import Collector, reason_of
from guidelines.results.instants import in_utc
from guidelines.results.source import Source

FORMAT = "subunit-v1"
_ENDING = re.compile(rb"(?:success|successful|failure|error|skip|xfail|uxsuccess):? ")
_END_OF_DETAILS = b"]\n"
_DETAILS_BYTES = 64 * 1024
_LOST = "lost connection during"


class _Content(Protocol):
    def iter_text(self) -> list[str]: ...


class _Test(Protocol):
    def id(self) -> str: ...


_Details = Mapping[str, _Content]


class _Client:
    """A unittest result (as testtools extends it) that records into the collector."""

    def __init__(self, collector: Collector) -> None:
        self.first: datetime | None = None
        self.last: datetime | None = None
        self._collector = collector
        self.current: bytes = b""
        self._started: datetime | None = None

    def startTest(self, test: _Test) -> None:  # noqa: N802 - unittest's name
        self._started = self.last
        self.current = test.id().encode()

    def stopTest(self, test: _Test) -> None:  # noqa: N802 - unittest's name
        """The outcome has been recorded already."""

    def addSuccess(self, test: _Test, details: _Details | None = None) -> None:  # noqa: N802
        self._record(test, Status.PASSED, "")

    def addFailure(  # noqa: N802
        self, test: _Test, err: object = None, details: _Details | None = None
    ) -> None:
        self._record(test, Status.FAILED, _why(details) or "failed without a traceback")

    def addError(  # noqa: N802
        self, test: _Test, err: object = None, details: _Details | None = None
    ) -> None:
        if details is None and _LOST in str(err):
            if "failure report" in str(err) or "error report" in str(err):
                self._collector.incomplete("the stream stops in the middle of a report")
                self._record(test, Status.FAILED, "failed; the report of it breaks off")
            else:
                self._record(test, Status.UNFINISHED, "began, and its end was never reported")
            return
        self._record(test, Status.FAILED, _why(details) or "error without a traceback")

    def addSkip(  # noqa: N802
        self, test: _Test, reason: str | None = None, details: _Details | None = None
    ) -> None:
        self._record(test, Status.SKIPPED, reason or _why(details) or "skipped without a reason")

    def addExpectedFailure(  # noqa: N802
        self, test: _Test, err: object = None, details: _Details | None = None
    ) -> None:
        self._collector.count("with the ending xfail, counted as failed", test.id())
        self._record(test, Status.FAILED, f"failed as expected (xfail) {_why(details)}".strip())

    def addUnexpectedSuccess(  # noqa: N802
        self, test: _Test, details: _Details | None = None
    ) -> None:
        self._collector.count("with the ending uxsuccess, counted as failed", test.id())
        self._record(test, Status.FAILED, "passed although it was expected to fail (uxsuccess)")

    def time(self, instant: datetime) -> None:
        self.last = in_utc(instant)
        self.first = self.first or self.last

    def tags(self, new_tags: object, gone_tags: object) -> None:
        """Tags name workers here, not outcomes."""

    def progress(self, offset: object, whence: object) -> None:
        """How many tests a runner expects is no evidence."""

    def _record(self, test: _Test, status: Status, reason: str) -> None:
        seconds = None
        if self.last is not None and self._started is not None:
            seconds = max(0.0, (self.last - self._started).total_seconds())
        self._collector.add(
            test.id(),
            status,
            where=f"test[{self._collector.outcomes + 1}]",
            reason=reason_of(reason),
            finished=self.last,
            seconds=seconds,
        )


class _Forwarded:
    """Sees the lines python-subunit accepted, and so knows when a simple report begins.

    Its parser joins such a report line by line, which takes time by the square of the length;
    `load` hands it over in one piece instead.
    """

    def __init__(self, client: _Client) -> None:
        self.report_began = False
        self._client = client

    def write(self, line: bytes) -> None:
        ending = _ENDING.match(line)
        self.report_began = (
            ending is not None and line[ending.end() :] == self._client.current + b" [\n"
        )


class _Text:
    """Lines that are no subunit; an outcome among them belongs to no test that began."""

    def __init__(self) -> None:
        self.lines = 0
        self.stray: list[str] = []
        self.strays = 0

    def write(self, line: bytes) -> None:
        self.lines += 1
        if _ENDING.match(line):
            self.strays += 1
            if len(self.stray) < 3:
                self.stray.append(line[:100].decode("utf-8", "replace").strip())


def load(source: Source) -> Evidence:
    """Read a subunit v1 stream.

    A test that began and whose end is not there is unfinished, and the stream not complete.

    Raises:
        BadDocument: a line of the protocol is malformed, or the stream is beyond the limits.
    """
    collector = Collector(source.name, source.limits)
    client = _Client(collector)
    forwarded = _Forwarded(client)
    text = _Text()
    server = TestProtocolServer(client, stream=text, forward_stream=forwarded)
    report: list[bytes] | None = None
    size = 0
    for number, line in enumerate(source.lines(), 1):
        if not line.endswith(b"\n"):
            # Broken off here; python-subunit cuts the last byte of each line.
            line += b"\n"
        if report is not None and line != _END_OF_DETAILS:
            if size < _DETAILS_BYTES:
                report.append(line)
                size += len(line)
            continue
        try:
            if report is not None:
                server.lineReceived(b"".join(report))
                report = None
            server.lineReceived(line)
        except BadDocument:
            raise
        except AttributeError as error:
            # python-subunit has no handler for uxsuccess outside a test.
            raise BadDocument(
                source.name, f"line {number}", "expected the test to begin before it ends"
            ) from error
        except (ValueError, TypeError, AssertionError, IndexError) as error:
            raise BadDocument(
                source.name, f"line {number}", f"expected a line of subunit v1: {error}"
            ) from error
        if forwarded.report_began:
            report, size = [], 0
            forwarded.report_began = False
    server.lostConnection()
    if text.strays:
        collector.note(
            f"{text.strays} outcomes of tests that never began are not counted:"
            f" {', '.join(text.stray)}"
        )
    if source.reader.broke_off:
        collector.incomplete("the compressed data breaks off")
    return collector.evidence(FORMAT, source.digest, started=client.first, finished=client.last)


def _why(details: _Details | None) -> str:
    for name, content in (details or {}).items():
        if name.startswith(("reason", "traceback", "message")):
            try:
                return reason_of(None, "".join(content.iter_text()))
            except (UnicodeError, LookupError):
                return "the reason is no readable text"
    return ""
