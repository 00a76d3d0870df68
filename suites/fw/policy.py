"""What a firewall lets in when nothing is said, and when something is."""

from __future__ import annotations

import pytest

from suites.claims import claim, observed_as_declared, same
from suites.fw.walled import OPEN, Wall, answers
from suites.seams import Inside, Members, NotApplicable, Observe, Patience, Subject

SHUT_PORT = 8079  # the probe listens there, and no rule of the reference workload mentions it
OPEN_PORT = 8080


@pytest.mark.check("fw-01", needs=("machine", "firewall"))
@pytest.mark.cost("own")
def test_nothing_gets_in_unless_a_rule_says_so(
    subject: Subject, wall: Wall, observe: Observe
) -> None:
    """A machine whose firewall has no rule lets nothing in, and answers once a rule lets it."""
    seen = wall.record()

    observed_as_declared(subject, observe, "default-in", seen.with_no_rule)
    observe("seen-from", seen.seen_from, source="observed")
    claim(
        seen.with_no_rule not in OPEN,
        f"tcp/22 of a machine whose firewall has no rule, from {seen.seen_from}",
        expected="silence",
        actual=seen.with_no_rule,
    )
    if not seen.changeable:
        up = answers(seen.seen_from)
        claim(
            seen.first_open in up,
            "tcp/22 of the same machine once a rule lets it in (so it was up)",
            expected=" or ".join(up),
            actual=seen.first_open,
        )


@pytest.mark.check("fw-02", needs=("machine", "firewall"))
@pytest.mark.cost("shared")
def test_members_of_a_group_need_a_rule_too(
    subject: Subject,
    members: Members,
    inside: Inside,
    observe: Observe,
    not_applicable: NotApplicable,
) -> None:
    """Between members of one group a port is shut unless a rule opens it."""
    if len(members) < 2:
        not_applicable("there is only one member")
    first, second = members[0], members[1]
    here = inside(second).observe("tcp", targets=[["127.0.0.1", SHUT_PORT]])["results"][0]
    same(f"{second.name} listens on tcp/{SHUT_PORT}", expected="open", actual=here["state"])

    seen = inside(first).observe(
        "tcp", targets=[[second.address(), OPEN_PORT], [second.address(), SHUT_PORT]]
    )["results"]

    states = {int(result["port"]): result["state"] for result in seen}
    observed_as_declared(subject, observe, "same-group-open", states[SHUT_PORT] in OPEN)
    same(
        f"{first.name} to {second.name}: tcp/{OPEN_PORT}, which a rule opens",
        expected="open",
        actual=states[OPEN_PORT],
    )
    claim(
        states[SHUT_PORT] not in OPEN,
        f"{first.name} to {second.name}: tcp/{SHUT_PORT}, which no rule opens",
        expected="silence",
        actual=states[SHUT_PORT],
    )


@pytest.mark.check("fw-03", needs=("machine", "firewall"))
@pytest.mark.cost("own")
def test_a_rule_takes_effect_in_time(
    subject: Subject,
    wall: Wall,
    patience: Patience,
    observe: Observe,
    not_applicable: NotApplicable,
) -> None:
    """A rule opens a port in time, and taking it away shuts it in time; what flows may go on."""
    seen = wall.record()
    if seen.changeable:
        not_applicable(f"rules of a firewall that exists cannot be changed: {seen.changeable}")

    observe("rule-removed-after", seen.closed_after, unit="s", source="observed")
    observe("rule-effective-after", seen.opened_after, unit="s", source="observed")
    claim(
        seen.closed not in OPEN,
        f"tcp/22 within {patience('rule'):g} s of its rule being taken away",
        expected="silence",
        actual=seen.closed,
    )
    claim(
        seen.opened in OPEN,
        f"tcp/22 within {patience('rule'):g} s of its rule being added",
        expected="open",
        actual=seen.opened,
    )
    if seen.flow:
        observed_as_declared(subject, observe, "existing-flow-without-rule", seen.flow)
