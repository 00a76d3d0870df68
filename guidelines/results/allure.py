"""Allure results: a folder of ``*-result.json`` files, or one of them."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from guidelines.errors import BadDocument
from guidelines.evidence import Evidence, Status
from guidelines.results.collector import Collector, reason_of
from guidelines.results.instants import from_epoch
from guidelines.results.source import MIB, Limits, Source
from guidelines.results.strict_json import Foreign, checked, parse

FORMAT = "allure"
SUFFIX = "-result.json"
IDS = ("AS_ID", "ALLURE_ID")  # labels with the id of a test; adapters differ in case
_FILE_BYTES = 8 * MIB
_STATUSES = {
    "passed": Status.PASSED,
    "failed": Status.FAILED,
    # Allure: broken is a test that could not be carried through, failed one that was and found.
    "broken": Status.BLOCKED,
    "skipped": Status.SKIPPED,
}


class _Details(Foreign):
    message: str | None = None
    trace: str | None = None
    flaky: bool | None = None


class _Label(Foreign):
    name: str
    value: str | None = None


class _Result(Foreign):
    uuid: str | None = None
    name: str | None = None
    fullName: str | None = None  # noqa: N815 - the format's name
    historyId: str | None = None  # noqa: N815 - the format's name
    status: str | None = None
    stage: str | None = None
    statusDetails: _Details | None = None  # noqa: N815 - the format's name
    labels: list[_Label] | None = None
    start: int | float | None = None
    stop: int | float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Read:
    result: _Result
    where: str

    @property
    def order(self) -> tuple[float, float, str]:
        """Retries of one test in the order Allure takes them: by start, then by end."""
        return (self.result.start or 0, self.result.stop or 0, self.where)


def recognises(value: object) -> bool:
    """Whether this is one Allure result: an identity, a status or stage, and a name."""
    return (
        isinstance(value, dict)
        and isinstance(value.get("uuid"), str)
        and ("status" in value or "stage" in value)
        and ("name" in value or "fullName" in value)
    )


def load(source: Source, value: Any) -> Evidence:
    """Read a single result file.

    Raises:
        BadDocument: a key is missing or of another kind.
    """
    read = _Read(result=checked(_Result, value, source.name), where="")
    return _evidence([read], Collector(source.name, source.limits), source.digest)


def load_folder(folder: Path, limits: Limits) -> Evidence:
    """Read every ``*-result.json`` of a folder; links are not followed.

    Several results with one ``historyId`` are one test and its retries; the last counts.

    Raises:
        BadDocument: there is none, too many, or one that is no Allure result.
    """
    source = str(folder)
    collector = Collector(source, limits)
    digest = hashlib.sha256()
    reads: list[_Read] = []
    total = 0
    for name in _result_files(folder, source, limits, collector):
        data = _bytes(folder / name, source, name)
        total += len(data)
        if total > limits.unpacked_bytes:
            raise BadDocument(source, name, f"more than the {limits.unpacked_bytes} bytes read")
        digest.update(f"{name}\0{hashlib.sha256(data).hexdigest()}\n".encode(errors="replace"))
        value = parse(data, f"{source}/{name}", limits)
        if not recognises(value):
            raise BadDocument(source, name, "expected an Allure result: uuid, name and status")
        reads.append(_Read(result=checked(_Result, value, f"{source}/{name}"), where=name))
    return _evidence(reads, collector, f"sha256:{digest.hexdigest()}")


def _result_files(folder: Path, source: str, limits: Limits, collector: Collector) -> list[str]:
    names: list[str] = []
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                if not entry.name.endswith(SUFFIX):
                    continue
                if not entry.is_file(follow_symlinks=False):
                    collector.count("that is no plain file and was not read", entry.name)
                    continue
                names.append(entry.name)
                if len(names) > limits.members:
                    raise BadDocument(source, "folder", f"more than {limits.members} results")
    except OSError as error:
        raise BadDocument(source, "folder", (error.strerror or str(error)).lower()) from error
    if not names:
        raise BadDocument(
            source,
            "folder",
            f"no result.json and no *{SUFFIX} in it; expected results of one platform",
        )
    return sorted(names)


def _bytes(path: Path, source: str, name: str) -> bytes:
    try:
        with path.open("rb") as file:
            data = file.read(_FILE_BYTES + 1)
    except OSError as error:
        raise BadDocument(source, name, (error.strerror or str(error)).lower()) from error
    if len(data) > _FILE_BYTES:
        raise BadDocument(source, name, f"more than the {_FILE_BYTES} bytes that are read")
    return data


def _evidence(reads: list[_Read], collector: Collector, digest: str) -> Evidence:
    final: dict[tuple[str, str], _Read] = {}
    for read in sorted(reads, key=lambda read: read.order):
        result = read.result
        own = result.historyId or result.uuid or read.where
        key = (own, result.fullName or result.name or "")
        if key in final:
            earlier = final[key].result.status
            kind = "retried" if earlier == result.status else "retried with another outcome (flaky)"
            collector.count(kind, result.name or result.fullName or own)
        final[key] = read
    kept = {id(read) for read in final.values()}
    for read in reads:
        if id(read) in kept:
            _add(read, collector)
    starts = [read.result.start for read in reads if read.result.start]
    stops = [read.result.stop for read in reads if read.result.stop]
    return collector.evidence(
        FORMAT,
        digest,
        started=from_epoch(min(starts, default=None)),
        finished=from_epoch(max(stops, default=None)),
    )


def _add(read: _Read, collector: Collector) -> None:
    result = read.result
    said = (result.status or "").lower()
    details = result.statusDetails or _Details()
    status = _STATUSES.get(said, Status.BLOCKED)
    if result.status is None and result.stage not in (None, "finished"):
        status = Status.UNFINISHED
    reason = ""
    if status is not Status.PASSED:
        reason = reason_of(details.message, details.trace or "") or _unsaid(said, result.stage)
    if details.flaky:
        collector.count("marked flaky", result.name or "")
    full = result.fullName
    forms = {form for form in (full, full.replace("#", ".") if full else None) if form}
    if full and ":" in full:
        # allure-pytest writes package.module:Class#test or package.module#test.
        forms.add(full.replace(":", ".").replace("#", "."))
    forms.update(
        label.value for label in result.labels or () if label.name.upper() in IDS and label.value
    )
    seconds = (
        (result.stop - result.start) / 1000
        if result.stop and result.start and result.stop >= result.start
        else None
    )
    collector.add(
        result.name or full or "",
        status,
        where=read.where or "status",
        reason=reason,
        forms=forms,
        finished=from_epoch(result.stop),
        seconds=seconds,
    )


def _unsaid(said: str, stage: str | None) -> str:
    if said:
        return f"status is {said[:60]}"
    return f"no status; stage is {stage}" if stage else "no status"
