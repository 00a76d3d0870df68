"""The pace of calls: the declared rate, slower when throttled, faster again when all is calm."""

from __future__ import annotations

import pytest

from provisioner.clock import ManualClock
from provisioner.errors import Throttled
from provisioner.pace import Pace
from provisioner.waiting import Cancel, Cancelled


def test_without_a_declared_rate_nothing_waits() -> None:
    clock = ManualClock()
    pace = Pace(clock)
    begun = clock.monotonic()

    for _ in range(100):
        pace.call(lambda: None)

    assert clock.monotonic() == begun


def test_the_declared_rate_is_kept() -> None:
    clock = ManualClock()
    pace = Pace(clock, rate=10)
    begun = clock.monotonic()

    for _ in range(21):
        pace.call(lambda: None)

    assert clock.monotonic() - begun == pytest.approx(2.0)


def test_a_throttled_call_is_made_again_after_what_the_platform_says() -> None:
    clock = ManualClock()
    pace = Pace(clock)
    begun = clock.monotonic()
    answers = [Throttled("slow down", retry_after=7), Throttled("still", retry_after=7), None]

    def act() -> float:
        answer = answers.pop(0)
        if answer is not None:
            raise answer
        return clock.monotonic() - begun

    assert pace.call(act) >= 14
    assert pace.limit > 0


def test_the_rate_is_halved_and_recovers() -> None:
    clock = ManualClock()
    pace = Pace(clock, rate=40)
    for _ in range(20):
        pace.call(lambda: None)
    answers = [Throttled("slow down")]

    def act() -> None:
        if answers:
            raise answers.pop()

    pace.call(act)
    halved = pace.limit
    for _ in range(400):
        pace.call(lambda: None)

    assert halved == pytest.approx(20)
    assert pace.limit == pytest.approx(40)


def test_a_platform_that_only_throttles_is_given_up() -> None:
    def act() -> None:
        raise Throttled("no", retry_after=1)

    with pytest.raises(Throttled):
        Pace(ManualClock(), attempts=5).call(act)


def test_a_cancel_ends_the_wait_for_a_turn() -> None:
    cancel = Cancel()
    pace = Pace(ManualClock(), rate=0.01, cancel=cancel)
    pace.call(lambda: None)
    cancel.request()

    with pytest.raises(Cancelled):
        pace.call(lambda: None)
