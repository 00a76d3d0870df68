"""A pytest plugin that tells Allure what a check is: for teams that look at nothing else.

Each check becomes a test with the program's component as epic, what a user would feel as feature,
its capability as story, a severity by level and status, links to what the requirement rests on,
and its evidence as attachments, without secrets. Without allure-pytest it does nothing. What pytest
cannot know (the platform, waivers, what is required) is told once the verdict is there.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from allure_commons import hookimpl, plugin_manager

from harness.mask import Masker
from harness.plugin import check_of
from harness.stash import MASKER, SESSION
from reports.exports.allure_words import severity
from reports.subject import About

EPIC = "interop"  # of checks that no component holds


class Masked:
    """Takes secrets out of the errors that allure-pytest writes, as they are out of our records."""

    def __init__(self, masker: Masker) -> None:
        self._masker = masker

    @hookimpl(tryfirst=True)
    def report_result(self, result: Any) -> None:
        """A test's result, just before it is written."""
        self._mask(result)

    @hookimpl(tryfirst=True)
    def report_container(self, container: Any) -> None:
        """What was got ready and cleaned up, just before it is written."""
        for step in (*container.befores, *container.afters):
            self._mask(step)

    def _mask(self, item: Any) -> None:
        details = item.statusDetails
        for name in ("message", "trace") if details else ():
            setattr(details, name, self._masker.text(getattr(details, name) or ""))
        for step in item.steps:
            self._mask(step)


@pytest.hookimpl(trylast=True)
def pytest_configure(config: pytest.Config) -> None:
    """Have Allure's writer pass by the masker."""
    masker = config.stash.get(MASKER, None)
    if masker is not None and config.pluginmanager.hasplugin("allure_pytest"):
        plugin_manager.register(Masked(masker), "interop-masked")
        config.add_cleanup(lambda: plugin_manager.unregister(name="interop-masked"))


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Mark the checks with what allure-pytest writes into its results."""
    session = config.stash.get(SESSION, None)
    if session is None or not config.pluginmanager.hasplugin("allure_pytest"):
        return
    about = _about(session.guideline)
    for item in items:
        check = check_of(item)
        if check is not None:
            _mark(item, check[0], about.get(check[0]))


@pytest.hookimpl(wrapper=True, trylast=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[Any]) -> Iterator[Any]:
    """Attach a check's evidence and facts once it has ended."""
    report = yield
    config = item.config
    if call.when == "teardown" and config.pluginmanager.hasplugin("allure_pytest"):
        from harness.recorder import DRAFT

        draft = item.stash.get(DRAFT, None)
        if draft is not None:
            _attach(draft.record(config.stash[MASKER]))
    return report


def _about(reference: str) -> Mapping[str, About]:
    """What the guideline of the run says of its checks."""
    from guidelines.catalog import load_guideline
    from harness.subjects import about_checks

    if not reference:
        return {}
    guideline = load_guideline(reference)
    return about_checks(guideline, list(guideline.programs))


def _mark(item: pytest.Item, check: str, about: About | None) -> None:
    """The marks of one check; allure-pytest reads marks, so no test has to know of it."""
    from reports.compare.topics import TOPICS, topic_of

    known = about or About(id=check, status="advisory")
    function = getattr(item, "function", None)
    if function is not None:
        function.__allure_display_name__ = f"{check} {known.title}".strip()
    for epic in known.components or (EPIC,):
        _label(item, "epic", epic)
    _label(item, "feature", TOPICS[topic_of(check, about)])
    for story in known.capabilities:
        _label(item, "story", story)
    _label(item, "severity", severity(known, required=known.status == "required"))
    _label(item, "tag", check)
    _label(item, "AS_ID", check)
    for title, url in known.references:
        if url.startswith(("https://", "http://")):
            item.add_marker(pytest.mark.allure_link(url, link_type="link", name=title))


def _label(item: pytest.Item, kind: str, value: str) -> None:
    item.add_marker(pytest.mark.allure_label(value, label_type=kind))


def _attach(record: Mapping[str, Any]) -> None:
    """The evidence of a record, masked already."""
    import json

    import allure

    for note in record["evidence"]:
        allure.attach(note["text"], note["title"][:200], allure.attachment_type.TEXT)
    if record["facts"]:
        text = json.dumps(record["facts"], ensure_ascii=False, indent=1)
        allure.attach(text, "facts", allure.attachment_type.JSON)
