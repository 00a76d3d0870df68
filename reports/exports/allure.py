"""Results as an Allure results folder: labels, history, categories, environment, attachments.

Written with the classes of allure-python-commons, so that the files are those of its adapters.
``broken`` is what could not be told. ``historyId`` is platform and check, so that Allure's history
follows a check over runs.

Source: Allure documentation, "How it works: Test result files", "History files", "Categories".
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from allure_commons.model2 import Attachment, Label, Link, Parameter, StatusDetails, TestResult
from attr import asdict

from reports.exports.entries import Entry, entries, first_line, identity, instant, milliseconds
from reports.subject import About, Subject

STATUSES = ("failed", "broken", "skipped", "passed", "unknown")
CATEGORIES = [
    {"name": "Requirement not met", "matchedStatuses": ["failed"]},
    {"name": "Could not be told", "matchedStatuses": ["broken"]},
    {"name": "Waived", "matchedStatuses": ["skipped"], "messageRegex": "(?s)waived: .*"},
    {
        "name": "Does not apply",
        "matchedStatuses": ["skipped"],
        "messageRegex": "(?s)not applicable: .*",
    },
    {"name": "Advisory", "matchedStatuses": ["skipped"], "messageRegex": "(?s)advisory, .*"},
]
SEVERITIES = {0: "blocker", 1: "blocker", 2: "critical", 3: "normal"}


def allure(
    subjects: Sequence[Subject],
    about: Mapping[str, About],
    *,
    baselines: Sequence[Subject] = (),
) -> Iterator[tuple[str, str]]:
    """Every file of the folder as its name and text; *baselines*, oldest first, are the history."""
    for subject in subjects:
        for entry in entries(subject, about):
            yield from _files(subject, entry)
    yield from context(subjects)
    if baselines:
        yield "history/history.json", _text(_history(baselines, about))
        yield "history/history-trend.json", _text(_trend(baselines, about))


def context(subjects: Sequence[Subject]) -> Iterator[tuple[str, str]]:
    """The files that are about all results together: categories and environment."""
    yield "categories.json", _text(CATEGORIES)
    yield "environment.properties", _environment(subjects)


def status(entry: Entry) -> str:
    """Our state in Allure's words."""
    if entry.state == "passed":
        return "passed"
    if entry.state == "blocked":
        return "broken"
    if entry.state == "failed" and entry.required:
        return "failed"
    return "failed" if entry.against else "skipped"


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
    said = status(entry)
    message = entry.reason or entry.state
    if said == "skipped" and entry.state != "skipped":
        message = f"{entry.state.replace('-', ' ')}: {message}"
    if not entry.required:
        message = f"advisory, {message}"
    result = TestResult(
        uuid=uuid,
        historyId=_history_id(subject, entry),
        testCaseId=hashlib.md5(entry.id.encode(), usedforsecurity=False).hexdigest(),
        fullName=next((record.test for record in entry.records), entry.id),
        name=f"{entry.id} {entry.title}".strip(),
        status=said,
        statusDetails=None
        if said == "passed"
        else StatusDetails(message=message, trace=entry.trace or entry.evidence or None),
        stage="finished",
        description=entry.title or None,
        start=milliseconds(entry.start),
        stop=milliseconds(entry.stop),
        labels=_labels(subject, entry),
        links=_links(entry),
        parameters=[Parameter(name="platform", value=subject.platform)],
        attachments=attachments,
    )
    yield (
        f"{uuid}-result.json",
        _text(asdict(result, filter=lambda _, value: bool(value) or value == 0)),
    )


def severity(about: About, *, required: bool) -> str:
    """How bad it is if the check fails, in Allure's words: the lower the level, the worse."""
    level = 3 if about.level is None else about.level
    return SEVERITIES.get(level, "normal") if required else "minor"


def _labels(subject: Subject, entry: Entry) -> list[Label]:
    epic = subject.judgement.program if subject.judgement else "interop"
    labels = [
        ("epic", epic),
        ("feature", entry.topic),
        *(("story", capability) for capability in entry.about.capabilities),
        ("severity", severity(entry.about, required=entry.required)),
        ("parentSuite", subject.label),
        ("suite", entry.topic),
        ("host", subject.platform),
        ("framework", "interop"),
        ("AS_ID", entry.id),
        *(("tag", tag) for tag in ("required" if entry.required else "advisory", entry.state)),
    ]
    return [Label(name=name, value=value) for name, value in labels]


def _links(entry: Entry) -> list[Link]:
    return [
        Link(type="link", url=url, name=title)
        for title, url in entry.about.references
        if url.startswith(("https://", "http://"))
    ]


def _history_id(subject: Subject, entry: Entry) -> str:
    text = f"{subject.platform}\0{entry.id}"
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()


def _environment(subjects: Sequence[Subject]) -> str:
    """Java properties, one line a word; what is said of a result begins with its label."""
    lines = []
    for subject in subjects:
        judgement = subject.judgement
        told = {
            "kind": subject.kind,
            "emulator": "yes" if subject.emulator else "no",
            "run": subject.run,
            "suites": subject.suite,
            "verdict": judgement.verdict if judgement else "not judged",
            "guideline": f"{judgement.guideline} {judgement.program}" if judgement else "",
        }
        lines += [f"{_key(f'{subject.label}.{k}')}={_value(v)}" for k, v in told.items() if v]
    return "\n".join(lines) + "\n"


def _key(text: str) -> str:
    return "".join(f"\\{char}" if char in " :=#!\\" else char for char in _value(text))


def _value(text: str) -> str:
    return " ".join(text.split()).replace("\\", "\\\\")


def _history(baselines: Sequence[Subject], about: Mapping[str, About]) -> dict[str, Any]:
    """What each check was, newest first, as Allure's own reports leave it."""
    found: dict[str, Any] = {}
    for baseline in reversed(baselines):
        for entry in entries(baseline, about):
            said = status(entry)
            one = found.setdefault(
                _history_id(baseline, entry),
                {"statistic": {**dict.fromkeys(STATUSES, 0), "total": 0}, "items": []},
            )
            one["statistic"][said] += 1
            one["statistic"]["total"] += 1
            one["items"].append(_item(baseline, entry, said))
    return found


def _item(baseline: Subject, entry: Entry, said: str) -> dict[str, Any]:
    uid = identity("history", baseline.digest or baseline.id, entry.id).hex[:16]
    start, stop = milliseconds(entry.start), milliseconds(entry.stop)
    item: dict[str, Any] = {"uid": uid, "status": said}
    if entry.reason:
        item["statusDetails"] = first_line(entry.reason)
    return {**item, "time": {"start": start, "stop": stop, "duration": stop - start}}


def _trend(baselines: Sequence[Subject], about: Mapping[str, About]) -> list[dict[str, Any]]:
    """How many were what in each earlier run, newest first."""
    runs: dict[str, list[Subject]] = {}
    for baseline in baselines:
        runs.setdefault(baseline.run or baseline.id, []).append(baseline)
    trend = []
    for order, (run, many) in enumerate(runs.items(), start=1):
        count = Counter(status(entry) for one in many for entry in entries(one, about))
        data = {word: count[word] for word in STATUSES}
        total = sum(data.values())
        when = milliseconds(instant(many[0].finished)) // 1000
        build = {"buildOrder": when or order, "reportName": run, "reportUrl": ""}
        trend.append({**build, "data": {**data, "total": total}})
    return trend[::-1]


def _text(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, indent=1) + "\n"
