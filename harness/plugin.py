"""The pytest plugin: runs suites against one platform when ``--interop-session`` is given.

Without that option it registers its marks and does nothing else. Fixtures are in
``harness.fixtures``; records are made by ``harness.recorder``.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from harness.stash import CURRENT, JOURNAL, MASKER, OPENED, SESSION

COSTS = ("api", "shared", "own")
# what runs side by side: what only looks, and what has machines of its own and does them harm
LANES = {"looking": ("api", "shared"), "handling": ("own",)}
CHECK: pytest.StashKey[tuple[str, tuple[str, ...]]] = pytest.StashKey()


def pytest_addoption(parser: pytest.Parser) -> None:
    """One option, prefixed so that it collides with no other plugin's."""
    group = parser.getgroup("interop")
    group.addoption(
        "--interop-session",
        type=Path,
        default=None,
        help="session file written by `interop run`; without it this plugin does nothing",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Register the marks; with a session, load it and the fixtures."""
    config.addinivalue_line(
        "markers", "check(id, needs=()): permanent id of the check, and the features it needs"
    )
    config.addinivalue_line("markers", "cost(group, last=False): api, shared or own (may destroy)")
    file = config.getoption("--interop-session")
    if file is None:
        return
    from harness.mask import Masker
    from harness.recorder import Journal
    from harness.session import Session

    pytest.register_assert_rewrite("suites")
    session = config.stash[SESSION] = Session.load(file)
    config.stash[MASKER] = Masker()
    config.stash[JOURNAL] = Journal(session.checks, session.lane)
    config.add_cleanup(config.stash[JOURNAL].close)
    config.pluginmanager.import_plugin("harness.fixtures")


def check_of(item: pytest.Item) -> tuple[str, tuple[str, ...]] | None:
    """The id of an item's check and the features it needs; None for what is no check."""
    mark = item.get_closest_marker("check")
    if mark is None:
        return None
    return str(mark.args[0]), tuple(mark.kwargs.get("needs", ()))


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Keep the selected checks, the cheap ones first, so that a first signal comes early.

    Among those of one cost, those that look at the standing members come later: handling begins
    before the workload stands. Those marked ``cost("own", last=True)`` come last: what they leave
    is of no use to anybody.
    """
    session = config.stash.get(SESSION, None)
    if session is None:
        return
    chosen, costs = set(session.select), LANES.get(session.lane, COSTS)
    kept: list[pytest.Item] = []
    dropped: list[pytest.Item] = []
    for item in items:
        check = check_of(item)
        wanted = COSTS[_cost(item)[0]] in costs
        if wanted and check is not None and (not chosen or check[0] in chosen):
            item.stash[CHECK] = check
            kept.append(item)
        else:
            dropped.append(item)
    if dropped:
        config.hook.pytest_deselected(items=dropped)
    items[:] = sorted(kept, key=_cost)


def _cost(item: pytest.Item) -> tuple[int, bool, bool]:
    """Where an item stands in the order: its cost, whether it is last, whether it needs members."""
    mark = item.get_closest_marker("cost")
    waits = "members" in getattr(item, "fixturenames", ())
    if mark is None:
        return COSTS.index("shared"), False, waits
    return COSTS.index(mark.args[0]), bool(mark.kwargs.get("last")), waits


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Open the record, and end it at once if the platform lacks what the check needs."""
    if item.config.stash.get(SESSION, None) is None:
        return
    from harness.recorder import NotApplicable, begin

    id_, needs = item.stash[CHECK]  # what has none was deselected
    item.config.stash[CURRENT] = begin(item, id_)
    item.config.stash[JOURNAL].begin(id_)
    description = item.config.stash[OPENED].description()
    for feature in needs:
        if feature not in description.features:
            why = description.absent.get(feature, "the platform's description does not offer it")
            raise NotApplicable(f"no {feature}: {why}")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[Any]) -> Iterator[Any]:
    """Take each phase into the record, and write it after the last one."""
    report = yield
    if item.config.stash.get(SESSION, None) is None:
        return report
    from harness.recorder import DRAFT, settle

    draft = item.stash.get(DRAFT, None)
    if draft is not None:
        settle(draft, call)
        if call.when == "teardown":
            item.config.stash[JOURNAL].append(draft.record(item.config.stash[MASKER]))
    return report
