"""What our states are in Allure's words, and what identifies a check there over time."""

from __future__ import annotations

import hashlib

from reports.exports.entries import Entry
from reports.subject import About, Subject

STATUSES = ("failed", "broken", "skipped", "passed", "unknown")
SEVERITIES = {0: "blocker", 1: "blocker", 2: "critical", 3: "normal"}


def status(entry: Entry) -> str:
    """Our state in Allure's words."""
    return entry.status("broken")


def message(entry: Entry) -> str:
    """Why it did not pass, so that the categories can tell the kinds of skips apart."""
    text = entry.reason or entry.state
    if status(entry) == "skipped" and entry.state != "skipped":
        text = f"{entry.state.replace('-', ' ')}: {text}"
    return text if entry.required or entry.state == "not-applicable" else f"advisory, {text}"


def severity(about: About, *, required: bool) -> str:
    """How bad it is if the check fails, in Allure's words: the lower the level, the worse."""
    level = 3 if about.level is None else about.level
    return SEVERITIES.get(level, "normal") if required else "minor"


def history_id(subject: Subject, entry: Entry) -> str:
    """The same check on the same platform, in every run.

    Without the platform, Allure takes the results of several for retries of one: it shows the last.
    """
    return case_id(f"{subject.platform}\0{entry.id}")


def case_id(text: str) -> str:
    """An identity as Allure's adapters write it."""
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()
