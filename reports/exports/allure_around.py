"""What stands around the results in an Allure folder: categories, environment, executor, history.

The expressions of the categories are such that Allure 2 (Java) and Allure 3 (JavaScript) read them
alike: each is anchored, and without flags.

Source: Allure documentation, "Categories", "Environment", "Executor", "History files".
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from reports.exports.allure_words import STATUSES, history_id, status
from reports.exports.entries import Entry, entries, first_line, identity, instant, milliseconds
from reports.subject import About, Subject

CATEGORIES = [
    {"name": "Requirement not met", "matchedStatuses": ["failed"]},
    {"name": "Could not be told", "matchedStatuses": ["broken"]},
    {
        "name": "Waived",
        "matchedStatuses": ["skipped"],
        "messageRegex": r"^(advisory, )?waived: [\s\S]*",
    },
    {
        "name": "Does not apply",
        "matchedStatuses": ["skipped"],
        "messageRegex": r"^not applicable: [\s\S]*",
    },
    {
        "name": "Advisory",
        "matchedStatuses": ["skipped"],
        "messageRegex": r"^advisory, (?!waived: )[\s\S]*",
    },
]


def environment(subjects: Sequence[Subject]) -> str:
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
    return re.sub("([ :=#!])", r"\\\1", _value(text))


def _value(text: str) -> str:
    """One line of ASCII: Java reads Latin-1, and the rest by its escapes."""
    line = " ".join(text.split()).replace("\\", "\\\\")
    return "".join(char if char.isascii() else _escaped(char) for char in line)


def _escaped(char: str) -> str:
    pairs = char.encode("utf-16-be", "surrogatepass").hex()
    return "".join(f"\\u{pairs[i : i + 4]}" for i in range(0, len(pairs), 4))


def executor(subjects: Sequence[Subject], build: Mapping[str, str]) -> dict[str, Any]:
    """Who ran it: the *build* of a CI system, or nobody but us; ordered by time in the trend."""
    run = subjects[0].run or subjects[0].id or subjects[0].label
    own = {"name": "Interop", "type": "interop", "buildName": run, "reportName": f"Interop {run}"}
    return {**own, "buildOrder": _order(subjects), **build}


def _order(subjects: Sequence[Subject]) -> int:
    """Seconds since 1970 at the end of the run; 0 if unknown."""
    return milliseconds(instant(subjects[0].finished)) // 1000


def history(baselines: Sequence[Subject], about: Mapping[str, About]) -> dict[str, Any]:
    """What each check was, newest first, as Allure's own reports leave it."""
    found: dict[str, Any] = {}
    for baseline in reversed(baselines):
        for entry in entries(baseline, about):
            said = status(entry)
            one = found.setdefault(
                history_id(baseline, entry),
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


def trend(baselines: Sequence[Subject], about: Mapping[str, About]) -> list[dict[str, Any]]:
    """How many were what in each earlier run, newest first."""
    runs: dict[str, list[Subject]] = {}
    for baseline in baselines:
        runs.setdefault(baseline.run or baseline.id, []).append(baseline)
    found = []
    for order, (run, many) in enumerate(runs.items(), start=1):
        count = Counter(status(entry) for one in many for entry in entries(one, about))
        data = {word: count[word] for word in STATUSES}
        total = sum(data.values())
        build = {"buildOrder": _order(many) or order, "reportName": run, "reportUrl": ""}
        found.append({**build, "data": {**data, "total": total}})
    return found[::-1]
