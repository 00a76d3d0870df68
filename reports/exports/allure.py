"""Results as an Allure results folder: labels, history, categories, environment, attachments.

Written with the classes of allure-python-commons, so that the files are those of its adapters.
``broken`` is what could not be told. ``historyId`` is platform and check, so that Allure's history
follows a check over runs, and the folders of several platforms make one report.

Source: Allure documentation, "How it works: Test result files", "History files", "Categories".
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from allure_commons.model2 import Attachment, Label, Link, Parameter, StatusDetails, TestResult
from attr import asdict

from reports.exports.allure_around import CATEGORIES, environment, executor, history, trend
from reports.exports.allure_words import case_id, history_id, message, severity, status
from reports.exports.entries import Entry, entries, first_line, identity, milliseconds
from reports.subject import About, Subject

KEPT = ("uuid", "start", "stop", "attachments", "steps", "titlePath")  # of what pytest wrote


def allure(
    subjects: Sequence[Subject],
    about: Mapping[str, About],
    *,
    baselines: Sequence[Subject] = (),
    build: Mapping[str, str] | None = None,
) -> Iterator[tuple[str, str]]:
    """Every file of the folder as its name and text.

    Args:
        subjects: the results.
        about: what the guideline says of the checks.
        baselines: earlier results, oldest first: the history.
        build: of the CI system, in the words of Allure's executor.json.
    """
    for subject in subjects:
        for entry in entries(subject, about):
            yield from _files(subject, entry)
    yield from context(subjects, build or {})
    if baselines:
        yield "history/history.json", _text(history(baselines, about))
        yield "history/history-trend.json", _text(trend(baselines, about))


def context(subjects: Sequence[Subject], build: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """The files that are about all results together."""
    yield "categories.json", _text(CATEGORIES)
    yield "environment.properties", environment(subjects)
    yield "executor.json", _text(executor(subjects, build))


def judged(
    written: Mapping[str, Mapping[str, Any]],
    subject: Subject,
    about: Mapping[str, About],
    *,
    missing: bool,
) -> Iterator[tuple[str, str]]:
    """The results that allure-pytest has written, as they were judged.

    While a run goes on, they say what pytest knows: no platform, no waiver, no requirement. The
    last result of each check gets what an export says of it, and keeps its steps, times and
    attachments; earlier ones become its retries.

    Args:
        written: the documents by the names of their files.
        subject: the result with its verdict.
        about: what the guideline says of the checks.
        missing: whether required checks without a result get one.
    """
    last: dict[str, tuple[str, Mapping[str, Any]]] = {}
    by_id = {entry.id: entry for entry in entries(subject, about)}
    for name, document in sorted(written.items(), key=lambda item: item[1].get("start") or 0):
        entry = by_id.get(_check(document))
        if entry is not None:
            if entry.id in last:
                yield _again(subject, entry, *last[entry.id])
            last[entry.id] = (name, document)
    for id_, (name, document) in last.items():
        ours = _plain(_result(subject, by_id[id_], document["uuid"], ()))
        yield name, _text({**ours, **{key: document[key] for key in KEPT if key in document}})
    for entry in by_id.values():
        if missing and entry.against and entry.id not in last:
            yield from _files(subject, entry)


def _again(
    subject: Subject, entry: Entry, name: str, document: Mapping[str, Any]
) -> tuple[str, str]:
    """An earlier result of a check that was done again: what it said, as a retry of the last."""
    ours = _plain(_result(subject, entry, document["uuid"], ()))
    same = {key: ours[key] for key in ("historyId", "testCaseId", "fullName", "parameters")}
    return name, _text({**document, **same})


def _check(document: Mapping[str, Any]) -> str:
    """The check that a result is of, by its label."""
    labels = document.get("labels") or ()
    return next((str(one["value"]) for one in labels if one["name"] == "AS_ID"), "")


def _files(subject: Subject, entry: Entry) -> Iterator[tuple[str, str]]:
    """The file of a check, after those of its evidence."""
    uuid = str(identity("allure", subject.digest or subject.id, subject.label, entry.id))
    attachments = []
    notes = [(note.title, note.text) for record in entry.records for note in record.evidence]
    facts = [f.model_dump(mode="json") for record in entry.records for f in record.facts]
    if facts:
        notes.append(("facts", json.dumps(facts, ensure_ascii=False, indent=1)))
    for number, (title, text) in enumerate(notes):
        name = f"{identity(uuid, str(number))}-attachment.txt"
        attachments.append(Attachment(name=first_line(title), source=name, type="text/plain"))
        yield name, text
    yield f"{uuid}-result.json", _text(_plain(_result(subject, entry, uuid, attachments)))


def _result(
    subject: Subject, entry: Entry, uuid: str, attachments: Iterable[Attachment]
) -> TestResult:
    said = status(entry)
    return TestResult(
        uuid=uuid,
        historyId=history_id(subject, entry),
        testCaseId=case_id(entry.id),
        fullName=next((record.test for record in entry.records), entry.id),
        name=f"{entry.id} {entry.title}".strip(),
        status=said,
        statusDetails=None
        if said == "passed"
        else StatusDetails(message=message(entry), trace=_trace(subject, entry) or None),
        stage="finished",
        description=entry.title or None,
        start=milliseconds(entry.start),
        stop=milliseconds(entry.stop),
        labels=_labels(subject, entry),
        links=_links(entry),
        parameters=[Parameter(name="platform", value=subject.platform)],
        attachments=list(attachments),
    )


def _trace(subject: Subject, entry: Entry) -> str:
    """Where it went wrong, and how to see it again."""
    again = entry.again(subject) if entry.state != "not-applicable" else ""
    parts = (entry.trace or entry.evidence, f"to repeat it: {again}" if again else "")
    return "\n".join(part for part in parts if part)


def _labels(subject: Subject, entry: Entry) -> list[Label]:
    labels = [
        *(("epic", epic) for epic in _epics(subject, entry)),
        ("feature", entry.topic),
        *(("story", capability) for capability in entry.about.capabilities),
        ("severity", severity(entry.about, required=entry.required)),
        ("parentSuite", subject.label),
        ("suite", entry.topic),
        ("host", subject.platform),
        ("framework", "interop"),
        ("AS_ID", entry.id),
        *(("tag", tag) for tag in ("required" if entry.required else "advisory", entry.state)),
        ("tag", entry.id),
    ]
    return [Label(name=name, value=value) for name, value in labels]


def _epics(subject: Subject, entry: Entry) -> Sequence[str]:
    """The components that hold the check, those of the program before all others."""
    held = entry.about.components
    asked = subject.judgement.components if subject.judgement else ()
    return [name for name in held if name in asked] or held or ("interop",)


def _links(entry: Entry) -> list[Link]:
    return [
        Link(type="link", url=url, name=title)
        for title, url in entry.about.references
        if url.startswith(("https://", "http://"))
    ]


def _plain(result: TestResult) -> dict[str, Any]:
    """A result as plain JSON values, without what is empty."""
    found: dict[str, Any] = asdict(result, filter=lambda _, value: bool(value) or value == 0)
    return found


def _text(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, indent=1) + "\n"
