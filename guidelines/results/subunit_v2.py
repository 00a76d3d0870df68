"""Subunit version 2: binary packets, read with python-subunit."""

from __future__ import annotations

import io
import re
import struct
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import datetime

from subunit import ByteStreamToStreamResult

from guidelines.errors import BadDocument
from guidelines.evidence import Evidence, Status
from guidelines.results.collector import Collector, Excerpt, reason_of
from guidelines.results.source import Source

FORMAT = "subunit-v2"
# A packet's signature and the first nibble of its flags, which is the version, after text.
_PACKET_AFTER_TEXT = re.compile(rb"[\x00-\x7f](?=\xb3[\x20-\x2f])")
_PARSER = "subunit.parser"
# Attachments that say why; everything else (logs, console output) is passed over.
_TELLING = ("reason", "traceback", "message")
_DAMAGED_PACKETS = 1000

_ENDINGS = {
    "success": (Status.PASSED, ""),
    "fail": (Status.FAILED, "failed without a traceback"),
    "skip": (Status.SKIPPED, "skipped without a reason"),
    # An expected failure is still behaviour that was not there; an unexpected success makes the
    # run unsuccessful in unittest and in testtools. Neither is a pass.
    "xfail": (Status.FAILED, "failed as expected (xfail)"),
    "uxsuccess": (Status.FAILED, "passed although it was expected to fail (uxsuccess)"),
}


@dataclass(slots=True)
class _Running:
    started: datetime | None = None
    seen: bool = False
    texts: dict[str, Excerpt] | None = None


class _PacketSource:
    """The stream as python-subunit wants it, with two traps of its parser closed.

    It asks for one byte exactly where a packet should begin and would report text between
    packets byte by byte; such text is passed over here. It takes a claimed length without
    checking, and a negative one would read everything.
    """

    def __init__(self, stream: io.BufferedReader) -> None:
        self._stream = stream
        self.passed_over = 0

    def read(self, size: int) -> bytes:
        if size > 1:
            return self._stream.read(size)
        if size == 1:
            byte = self._stream.read(1)
            return byte if byte in (b"\xb3", b"") else self._next_packet(byte)
        return b""

    def _next_packet(self, last: bytes) -> bytes:
        self.passed_over += 1
        while window := self._stream.peek():
            found = _PACKET_AFTER_TEXT.search(last + window)
            if found:
                self.passed_over += found.end() - 1
                self._stream.read(found.end() - 1)
                return self._stream.read(1)
            # Keep two bytes back, in case the signature straddles two windows.
            taken = self._stream.read(max(1, len(window) - 2))
            self.passed_over += len(taken)
            last = taken[-1:]
        return b""


class _Listener:
    """Receives python-subunit's events and closes a test when its end is reported."""

    def __init__(self, collector: Collector) -> None:
        self.started: datetime | None = None
        self.finished: datetime | None = None
        self._collector = collector
        self._limit = collector.limits.outcomes
        self._running: dict[str | tuple[str, str], _Running] = {}
        self._listed: set[str] = set()
        self._ended: set[str] = set()
        self._damaged = 0
        self._broke_off = False

    def status(
        self,
        test_id: str | None = None,
        test_status: str | None = None,
        test_tags: AbstractSet[str] | None = None,
        runnable: bool = True,
        file_name: str | None = None,
        file_bytes: bytes | memoryview | None = None,
        eof: bool = False,
        mime_type: str | None = None,
        route_code: str | None = None,
        timestamp: datetime | None = None,
    ) -> None:
        """One event, as testtools' StreamResult defines it."""
        if timestamp is not None:
            if self.started is None or self.finished is None:
                self.started = self.finished = timestamp
            elif timestamp > self.finished:
                self.finished = timestamp
            elif timestamp < self.started:
                self.started = timestamp
        if test_id is None:
            return
        if test_id == _PARSER and route_code is None:
            if test_status == "fail":
                self._damage(bytes(file_bytes or b"").decode("utf-8", "replace"))
            return
        if test_status == "exists":
            self._listed.add(test_id)
            if len(self._listed) > self._limit:
                raise BadDocument(self._collector.source, "packets", "too many listed tests")
            return
        key = test_id if route_code is None else (test_id, route_code)
        running = self._running.get(key)
        if running is None:
            running = self._running[key] = _Running()
            if len(self._running) > self._limit:
                raise BadDocument(self._collector.source, "packets", "too many tests at once")
        if file_bytes is not None and file_name is not None and file_name.startswith(_TELLING):
            kind = next(kind for kind in _TELLING if file_name.startswith(kind))
            text = bytes(file_bytes[-8192:]).decode("utf-8", "replace")
            if running.texts is None:
                running.texts = {}
            running.texts.setdefault(kind, Excerpt()).add(text)
        if test_status is None:
            return
        if test_status == "inprogress":
            running.seen = True
            if timestamp is not None:
                running.started = timestamp
            return
        self._end(test_id, test_status, running, timestamp)
        del self._running[key]

    def end(self) -> None:
        """The stream has ended: what still runs is unfinished; what was only listed is no item."""
        begun: set[str] = set()
        for key, running in self._running.items():
            test_id = key if isinstance(key, str) else key[0]
            begun.add(test_id)
            if running.seen:
                self._record(
                    test_id, Status.UNFINISHED, "began, and its end was never reported", running
                )
        never = len(self._listed - self._ended - begun)
        if never:
            self._collector.note(f"{never} tests are only listed (exists), not run")
        if self._broke_off:
            self._collector.incomplete("the stream stops in the middle of a packet")
        if self._damaged:
            self._collector.incomplete(f"{self._damaged} damaged packets were passed over")

    @property
    def listed(self) -> bool:
        """Whether a test was announced at all."""
        return bool(self._listed or self._running)

    @property
    def damaged(self) -> bool:
        """Whether anything was wrong with the packets."""
        return self._broke_off or self._damaged > 0

    def malformed(self) -> None:
        """A packet whose sum is right and whose content makes no sense."""
        self._damage("malformed packet")

    def _damage(self, message: str) -> None:
        if message.startswith("Short read"):
            self._broke_off = True
            return
        self._damaged += 1
        if self._damaged > _DAMAGED_PACKETS:
            raise BadDocument(
                self._collector.source,
                "packets",
                f"more than {_DAMAGED_PACKETS} are damaged; expected a subunit v2 stream",
            )

    def _end(
        self, test_id: str, ending: str, running: _Running, timestamp: datetime | None
    ) -> None:
        status, reason = _ENDINGS[ending]
        if ending in ("xfail", "uxsuccess"):
            self._collector.count(f"with the ending {ending}, counted as failed", test_id)
        if running.texts and status is not Status.PASSED:
            kind = next(kind for kind in _TELLING if kind in running.texts)
            told = reason_of(None, str(running.texts[kind]))
            if told:
                reason = f"{reason}: {told}" if ending in ("xfail", "uxsuccess") else told
        self._record(test_id, status, reason, running, timestamp)
        if self._listed:
            self._ended.add(test_id)

    def _record(
        self,
        test_id: str,
        status: Status,
        reason: str,
        running: _Running,
        finished: datetime | None = None,
    ) -> None:
        seconds = None
        if finished is not None and running.started is not None:
            seconds = max(0.0, (finished - running.started).total_seconds())
        self._collector.add(
            test_id,
            status,
            where=f"test[{self._collector.outcomes + 1}]",
            reason=reason,
            finished=finished,
            seconds=seconds,
        )


def load(source: Source) -> Evidence:
    """Read a subunit v2 stream.

    Text between packets is passed over and counted. A stream that stops in the middle gives what
    came before and is not complete.

    Raises:
        BadDocument: there is no packet in it, too many are damaged, or it is beyond the limits.
    """
    collector = Collector(source.name, source.limits)
    listener = _Listener(collector)
    packets = _PacketSource(source.stream)
    parser = ByteStreamToStreamResult(packets, non_subunit_name="text")
    while True:
        try:
            parser.run(listener)
            break
        except (struct.error, IndexError, OverflowError, UnicodeError):
            listener.malformed()
    listener.end()
    strange = listener.damaged or packets.passed_over
    if not collector.outcomes and not listener.listed and strange:
        raise BadDocument(source.name, "packets", "no intact one; expected a subunit v2 stream")
    if packets.passed_over:
        collector.note(f"{packets.passed_over} bytes between packets are no subunit")
    if source.reader.broke_off:
        collector.incomplete("the compressed data breaks off")
    return collector.evidence(
        FORMAT, source.digest, started=listener.started, finished=listener.finished
    )
