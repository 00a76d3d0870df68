"""Looks a folder over before it is submitted to the Kubernetes conformance programme."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from guidelines.errors import BadDocument
from guidelines.evidence import Evidence, Status
from guidelines.foreign.submission import FILES, FOLDER, Log, product_faults, read_log
from guidelines.judge import judge
from guidelines.model import Guideline
from guidelines.results import load_results
from guidelines.verdict import State

MAX_BYTES = 1024 * 1024 * 1024  # of the log
MAX_TEXT = 4 * 1024 * 1024  # of the other files
SUPPORTED = 2  # releases before the newest that are still taken; Certified Kubernetes terms


@dataclass(frozen=True, slots=True, kw_only=True)
class Remark:
    """One requirement: ``holds``, ``fails``, ``unknown`` (could not be told) or ``note``."""

    state: str
    topic: str
    text: str


def look_over(folder: Path, conformance: Guideline | None, newest: str | None) -> list[Remark]:
    """Every requirement that can be looked at without the network.

    Args:
        folder: ``vX.Y/PRODUCT`` with the four files in it.
        conformance: the release's ``conformance.yaml``, if it is at hand.
        newest: the newest release of Kubernetes, such as ``v1.35``, if known.

    Raises:
        BadDocument: no such folder, or a file that cannot be read.
    """
    remarks = list(_files(folder))
    release = folder.resolve().parent.name
    remarks += _release(release, newest)
    there = {name for name in FILES if _plain(folder / name)}
    if "PRODUCT.yaml" in there:
        remarks += _product(folder / "PRODUCT.yaml")
    log = _log(folder / "e2e.log") if "e2e.log" in there else None
    if log is not None:
        remarks += _said(log, release)
    if "junit_01.xml" in there:
        evidence = load_results(folder / "junit_01.xml")
        remarks += _tests(evidence, conformance, release)
        if log is not None:
            remarks += _agree(log, evidence)
    addresses = "whether the web addresses answer was not looked at: that needs the network"
    return [*remarks, Remark(state="note", topic="PRODUCT.yaml", text=addresses)]


def _plain(path: Path) -> bool:
    return path.is_file() and not path.is_symlink() and path.stat().st_size > 0


def _files(folder: Path) -> Iterator[Remark]:
    try:
        present = sorted(entry.name for entry in os.scandir(folder))
    except OSError as error:
        raise BadDocument(str(folder), "", (error.strerror or str(error)).lower()) from error
    for name in FILES:
        if name not in present:
            yield Remark(state="fails", topic="files", text=f"{name} is missing")
        elif not _plain(folder / name):
            yield Remark(state="fails", topic="files", text=f"{name} is empty or no plain file")
    extra = [name for name in present if name not in FILES]
    if extra:
        text = f"only {', '.join(FILES)} belong here, not {', '.join(extra[:5])[:200]}"
        yield Remark(state="fails", topic="files", text=text)
    if not extra and all(_plain(folder / name) for name in FILES):
        yield Remark(state="holds", topic="files", text="the four files are there and no other")


def _release(release: str, newest: str | None) -> Iterator[Remark]:
    """The folder above is named by the release, and that one is still taken."""
    if not FOLDER.fullmatch(release):
        text = f"the folder is to be vX.Y/PRODUCT; the one above is called {release[:60]!r}"
        yield Remark(state="fails", topic="release", text=text)
        return
    if newest is None:
        text = f"whether {release} is still taken was not looked at; name the --newest release"
        yield Remark(state="note", topic="release", text=text)
        return
    if not FOLDER.fullmatch(newest):
        raise BadDocument("--newest", "", f"expected such as v1.35, got {newest[:40]!r}")
    behind = _minor(newest) - _minor(release)
    taken = 0 <= behind <= SUPPORTED
    text = f"{release} is one of the releases taken while {newest} is the newest"
    if not taken:
        text = f"{release} is not taken: {newest} is the newest, and {SUPPORTED} before it are"
    yield Remark(state="holds" if taken else "fails", topic="release", text=text)


def _minor(release: str) -> int:
    return int(release.split(".")[1])


def _product(path: Path) -> Iterator[Remark]:
    with path.open("rb") as stream:
        data = stream.read(MAX_TEXT + 1)
    if len(data) > MAX_TEXT:
        raise BadDocument(str(path), "", f"larger than {MAX_TEXT} bytes")
    faults = list(product_faults(data, str(path)))
    for fault in faults:
        yield Remark(state="fails", topic="PRODUCT.yaml", text=fault)
    if not faults:
        yield Remark(
            state="holds", topic="PRODUCT.yaml", text="every field is there and well formed"
        )


def _log(path: Path) -> Log:
    if path.stat().st_size > MAX_BYTES:
        raise BadDocument(str(path), "", f"larger than {MAX_BYTES} bytes")
    with path.open("rb") as stream:
        return read_log(stream)


def _said(log: Log, release: str) -> Iterator[Remark]:
    """The log ends well, and names the versions that the folder claims."""
    if log.success is None or log.ran is None:
        text = "no summary in it (Ran N of M Specs; SUCCESS! -- ...): the run broke off"
        yield Remark(state="fails", topic="e2e.log", text=text)
    elif not log.success or log.failed or log.pending or log.flaked:
        text = f"{log.failed} failed, {log.pending} pending, {log.flaked} flaked; none may"
        yield Remark(state="fails", topic="e2e.log", text=text)
    else:
        text = f"success: {log.passed} of {log.known} ran and passed in {log.seconds:.0f} s"
        yield Remark(state="holds", topic="e2e.log", text=text)
    for what, version in (("kube-apiserver", log.server), ("e2e test", log.tests)):
        if version is None:
            yield Remark(state="fails", topic="e2e.log", text=f"no '{what} version' in it")
        elif FOLDER.fullmatch(release) and not re.match(rf"{re.escape(release)}\.", version):
            text = f"{what} version is {version}; the folder claims {release}"
            yield Remark(state="fails", topic="e2e.log", text=text)
        else:
            yield Remark(state="holds", topic="e2e.log", text=f"{what} version is {version}")


def _specs(evidence: Evidence) -> Counter[Status]:
    """Tests by how they ended; what Ginkgo reports of its own set-up is none."""
    return Counter(one.status for one in evidence.outcomes if "[sig-" in one.name)


def _tests(evidence: Evidence, conformance: Guideline | None, release: str) -> Iterator[Remark]:
    """Every test the release requires is there and passed."""
    topic = "junit_01.xml"
    if not evidence.complete:
        text = f"it is not whole: {'; '.join(evidence.notes[:2])}"
        yield Remark(state="fails", topic=topic, text=text[:300])
    if conformance is None:
        bad = _specs(evidence)[Status.FAILED]
        text = "which tests are required cannot be told; name the release's list with --conformance"
        if bad:
            yield Remark(state="fails", topic=topic, text=f"{bad} tests failed")
        yield Remark(state="unknown", topic=topic, text=text)
        return
    if FOLDER.fullmatch(release) and conformance.id != release:
        text = f"the list goes up to {conformance.id}; the folder claims {release}"
        yield Remark(state="fails", topic=topic, text=text)
    program = conformance.default_program or next(iter(conformance.programs))
    verdict = judge(conformance, [evidence], program=program, at=date.today())
    counts = verdict.counts
    for item in verdict.items:
        if item.state is not State.PASSED:
            yield Remark(state="fails", topic=topic, text=f"{item.state.value}: {item.id}"[:300])
    if counts.passed == counts.required:
        text = f"all {counts.required} required tests are there and passed"
        yield Remark(state="holds", topic=topic, text=text)


def _agree(log: Log, evidence: Evidence) -> Iterator[Remark]:
    """Log and JUnit tell of the same run."""
    if log.success is None:
        return
    specs = _specs(evidence)
    pairs = (
        ("passed", log.passed, specs[Status.PASSED]),
        ("failed", log.failed, specs[Status.FAILED]),
        ("skipped or pending", (log.skipped or 0) + (log.pending or 0), specs[Status.SKIPPED]),
    )
    different = [f"{name} {said} and {found}" for name, said, found in pairs if said != found]
    if different:
        text = f"e2e.log and junit_01.xml tell of different runs: {'; '.join(different)}"
        yield Remark(state="fails", topic="log and JUnit", text=text)
    else:
        text = f"both tell of {log.passed} passed and {log.failed} failed"
        yield Remark(state="holds", topic="log and JUnit", text=text)
