"""The one wait(): boundaries, transitions, tolerance, cancellation; all on a manual clock."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import pytest

from provisioner.clock import ManualClock
from provisioner.driver import State, Status
from provisioner.errors import Lost, NotFound, PlatformFault, Throttled, Timeout, Unauthorized
from provisioner.features import Completed
from provisioner.insides import KEY_S, reachable
from provisioner.waiting import Cancel, Cancelled, Transition, wait

PENDING = State(status=Status.PENDING)
READY = State(status=Status.READY)
FAILED = State(status=Status.FAILED, reason="no boot device")


def script(answers: Iterable[State | Exception | None]) -> Callable[[], State | None]:
    """A reader that gives the answers in turn and repeats the last."""
    left = list(answers)

    def read() -> State | None:
        answer = left.pop(0) if len(left) > 1 else left[0]
        if isinstance(answer, Exception):
            raise answer
        return answer

    return read


def test_ready_at_once_needs_one_poll_and_no_time() -> None:
    clock = ManualClock()

    value, how = wait(script([READY]), target=["ready"], timeout_s=0, clock=clock, why="x")

    assert value == READY
    assert how.polls == 1
    assert how.seconds == 0


def test_ready_in_the_last_interval_is_not_late() -> None:
    clock = ManualClock()
    begun = clock.monotonic()

    def read() -> State:
        return READY if clock.monotonic() - begun >= 10 else PENDING

    _, how = wait(read, target=["ready"], timeout_s=10, clock=clock, why="x", interval=(4, 4))

    assert how.seconds == 10


def test_a_timeout_tells_the_history_and_what_more_is_known() -> None:
    with pytest.raises(Timeout, match=r"machine app-1: still pending after 5 s; .*console: boot"):
        wait(
            script([None, PENDING]),
            target=["ready"],
            timeout_s=5,
            clock=ManualClock(),
            why="machine app-1",
            not_found_ok=3,
            describe=lambda: "console: boot",
        )


def test_a_failed_state_ends_the_wait_with_its_reason() -> None:
    with pytest.raises(PlatformFault, match="is failed; reason: no boot device"):
        wait(
            script([PENDING, FAILED]),
            target=["ready"],
            fail=["failed"],
            timeout_s=60,
            clock=ManualClock(),
            why="machine a",
        )


def test_an_unexpected_state_is_a_fault_when_pending_is_listed() -> None:
    with pytest.raises(PlatformFault, match="stopped, unexpected"):
        wait(
            script([State(status=Status.STOPPED)]),
            target=["ready"],
            pending=["pending"],
            timeout_s=60,
            clock=ManualClock(),
            why="machine a",
        )


def test_missing_is_tolerated_as_often_as_said() -> None:
    read = script([None, NotFound("no"), READY])

    value, _ = wait(
        read, target=["ready"], timeout_s=60, clock=ManualClock(), why="x", not_found_ok=2
    )

    assert value == READY


def test_missing_once_more_is_not_found() -> None:
    with pytest.raises(NotFound):
        wait(
            script([None, None, None]),
            target=["ready"],
            timeout_s=60,
            clock=ManualClock(),
            why="x",
            not_found_ok=2,
        )


def test_a_target_must_be_stable() -> None:
    seen: list[Transition] = []

    _, how = wait(
        script([READY, PENDING, READY, READY, READY]),
        target=["ready"],
        timeout_s=600,
        clock=ManualClock(),
        why="x",
        stable=3,
        on_transition=seen.append,
    )

    assert how.polls == 5
    assert [t.state for t in seen] == ["ready", "pending", "ready"]


def test_gone_can_be_the_target() -> None:
    value, how = wait(
        script([PENDING, None]), target=["gone"], timeout_s=60, clock=ManualClock(), why="x"
    )

    assert value is None
    assert how.history[-1].state == "gone"


def test_lost_polls_are_tolerated_in_a_row_only_so_often() -> None:
    answers = [Lost("no answer")] * 3

    with pytest.raises(Lost):
        wait(
            script(answers),
            target=["ready"],
            timeout_s=600,
            clock=ManualClock(),
            why="x",
            lost_ok=2,
        )


def test_throttling_is_obeyed() -> None:
    clock = ManualClock()
    read = script([Throttled("slow down", retry_after=30), READY])

    _, how = wait(read, target=["ready"], timeout_s=600, clock=clock, why="x")

    assert how.seconds == 30


def test_a_cancel_during_a_pause_ends_the_wait() -> None:
    cancel = Cancel()
    clock = ManualClock()

    def read() -> State:
        if clock.monotonic() > 1_003:
            cancel.request("stop")
        return PENDING

    with pytest.raises(Cancelled, match="stop"):
        wait(read, target=["ready"], timeout_s=600, clock=clock, why="x", cancel=cancel)


def test_the_deadline_of_the_run_beats_the_timeout() -> None:
    clock = ManualClock()

    with pytest.raises(Timeout, match="after 7 s"):
        wait(
            script([PENDING]),
            target=["ready"],
            timeout_s=600,
            clock=clock,
            why="x",
            deadline=clock.monotonic() + 7,
        )


@dataclass
class Door:
    """A machine's way in that refuses the key so many times."""

    refusals: int

    def run(
        self, command: str, *, stdin: bytes = b"", timeout_s: float = 60.0, sudo: bool = False
    ) -> Completed:
        self.refusals -= 1
        if self.refusals >= 0:
            raise Unauthorized("the key is refused")
        return Completed(command=command, code=0, stdout=b"", stderr=b"")

    def put(self, data: bytes, path: str, mode: int = 0o644, sudo: bool = False) -> None:
        raise AssertionError("nothing is put")

    def close(self) -> None:
        """Nothing is open."""


def test_a_machine_may_answer_before_it_has_our_key() -> None:
    reachable(Door(3), ManualClock(), Cancel(), "m-1", 600)


def test_a_key_that_stays_refused_is_refused() -> None:
    clock = ManualClock()
    begun = clock.monotonic()

    with pytest.raises(Unauthorized):
        reachable(Door(10_000), clock, Cancel(), "m-1", 600)

    assert KEY_S < clock.monotonic() - begun < 2 * KEY_S
