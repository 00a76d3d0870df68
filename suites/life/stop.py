"""A soft stop reaches the guest, and the state told on the way is true."""

from __future__ import annotations

import signal

import pytest

from suites.claims import claim, observed_as_declared, same
from suites.lifetime import Lifetime
from suites.seams import Evidence, Observe, Patience, Subject
from suites.turn import SAMPLE_S, Turn, history

QUIET = ("stopped", "pending", "deleting")


@pytest.mark.check("life-02", needs=("machine", "power"))
@pytest.mark.cost("own")
def test_a_soft_stop_reaches_the_guest(
    lifetime: Lifetime, patience: Patience, observe: Observe
) -> None:
    """A soft stop has the guest end its services with SIGTERM before the power goes."""
    turn = lifetime.soft()
    name = lifetime.member.name

    claim(
        turn.silent,
        f"{name}: after a soft stop nobody answers any more",
        expected=f"silence within {patience('stop'):g} s",
        actual="it still answers",
    )
    observe("soft-stop-duration", round(turn.off_at - turn.began, 3), unit="s", source="observed")
    stops = [s for s in turn.after.service["stops"] if s["boot"] == turn.before.boot]
    claim(
        stops,
        f"{name}: the service was told to stop before the power went",
        expected="a SIGTERM in the boot that was stopped",
        actual="none: the power went without a word",
    )
    same(f"{name}: signal", expected=int(signal.SIGTERM), actual=stops[-1]["signal"])
    grace = turn.off_at - (stops[-1]["at"] - turn.before.lag)
    observe("time-from-signal-to-power-off", round(grace, 3), unit="s", source="observed")


@pytest.mark.check("life-03", needs=("machine", "reboot"))
@pytest.mark.cost("own")
def test_the_state_told_is_true_and_in_order(
    subject: Subject, lifetime: Lifetime, observe: Observe, evidence: Evidence
) -> None:
    """The API never says ready while the machine is off or before it boots, and never flaps."""
    turns = [lifetime.reboot()]
    if "power" in subject.description.features:
        turns += [lifetime.soft(), lifetime.hard()]
    for turn in turns:
        evidence(f"{turn.name}: status by API", history(turn))
        first = _first_ready(turn)
        claim(
            first is not None,
            f"{turn.name}: the machine is told to be ready again",
            expected="ready",
            actual=history(turn),
        )
        assert first is not None
        observe(
            f"ready-to-login-{turn.name}",
            round(turn.back_at - first, 3),
            unit="s",
            source="observed",
        )
        later = [s.status for s in turn.samples if s.at > first and s.status in QUIET]
        same(f"{turn.name}: statuses after ready", expected=[], actual=later)
        if not turn.off_at:
            continue
        same(
            f"{turn.name}: status by API while the machine is off",
            expected="stopped",
            actual=turn.state_when_off,
        )
        booted = turn.after.identity["booted_at"] - turn.after.lag
        observe(
            f"boot-after-power-on-{turn.name}",
            round(booted - turn.on_at, 3),
            unit="s",
            source="observed",
        )
        claim(
            first >= booted - SAMPLE_S - (turn.after.answered - turn.after.asked) / 2,
            f"{turn.name}: ready is not told before the guest boots",
            expected=f"{booted - turn.began:.1f} s or later",
            actual=f"{first - turn.began:.1f} s",
        )
    observed_as_declared(subject, observe, "tells-pending", _tells(turns, "pending"))


def _first_ready(turn: Turn) -> float | None:
    """When ready was first told after the machine was started (or, for a reboot, at all)."""
    since = turn.on_at - SAMPLE_S if turn.on_at else turn.began
    told = [s.at for s in turn.samples if s.at >= since and s.status == "ready"]
    if turn.on_at:  # the sample that was asked before the start may be answered after it
        told = [at for at in told if at >= turn.on_at]
    else:
        down = [s.at for s in turn.samples if s.status in QUIET]
        told = [at for at in told if at >= max(down, default=turn.began)]
    return min(told, default=None)


def _tells(turns: list[Turn], status: str) -> bool:
    """Whether a status was ever told."""
    return any(sample.status == status for turn in turns for sample in turn.samples)
