"""What must hold for every guideline and every body of evidence."""

from __future__ import annotations

import datetime
import json
from datetime import UTC

from hypothesis import given, settings
from hypothesis import strategies as st

from guidelines.catalog import parse_guideline
from guidelines.evidence import Evidence, Outcome, Status
from guidelines.judge import judge
from guidelines.model import Guideline
from guidelines.verdict import Conclusion, State, Verdict
from guidelines.waivers import Waiver

DAY = datetime.date(2030, 6, 1)
RANK = {Conclusion.NOT_COMPLIANT: 0, Conclusion.INCONCLUSIVE: 1, Conclusion.COMPLIANT: 2}
NAMES = [f"t.C.test_{number}" for number in range(6)]
FEATURES = ["volume", "console"]
IDS = [f"00000000-0000-0000-0000-00000000000{number}" for number in range(3)]

names = st.sampled_from(NAMES)
hours = st.none() | st.integers(0, 5).map(
    lambda hour: datetime.datetime(2030, 5, 31, hour, tzinfo=UTC)
)


@st.composite
def guidelines(draw: st.DrawFn) -> Guideline:
    used = draw(st.lists(names, unique=True, max_size=5))
    capabilities = {}
    statuses: dict[str, list[str]] = {"required": [], "advisory": [], "removed": []}
    for number in range(draw(st.integers(0, 3))):
        name = f"cap-{number}"
        part: dict[str, object] = {"checks": draw(st.lists(st.sampled_from(used), unique=True))
                                   if used else []}  # fmt: skip
        if draw(st.booleans()):
            part["when"] = {"declares": [draw(st.sampled_from(FEATURES))]}
        capabilities[name] = part
        statuses[draw(st.sampled_from(sorted(statuses)))].append(name)
    flag = {"reason": "[D400] x", "action": "y", "date": "2030-01-01"}
    document = {
        "schema": "interop.guideline/1",
        "id": "2030.01",
        "status": "draft",
        "programs": {
            "p": {"components": ["c"], **({"holds": "P30D"} if draw(st.booleans()) else {})}
        },
        "components": {"c": {"capabilities": statuses}},
        "capabilities": capabilities,
        "checks": {
            name: {
                "title": name,
                "level": draw(st.integers(0, 3)),
                **({"flag": flag} if draw(st.integers(0, 4)) == 0 else {}),
                **({"aliases": [draw(names)]} if draw(st.integers(0, 3)) == 0 else {}),
                **({"idempotent-id": draw(st.sampled_from(IDS))} if draw(st.booleans()) else {}),
            }
            for name in used
        },
    }
    return parse_guideline(json.dumps(document).encode(), source="g", digest="sha256:g")


@st.composite
def outcomes(draw: st.DrawFn, status: Status | None = None) -> Outcome:
    name = draw(names)
    covers = "t.C" if draw(st.integers(0, 7)) == 0 else None
    if covers and status is Status.FAILED:
        # What a loader makes of a set-up that failed.
        status = Status.BLOCKED
    return Outcome(
        name=f"setUpClass ({covers})" if covers else name,
        names=frozenset({f"setUpClass ({covers})" if covers else name}),
        idempotent_id=None if covers else draw(st.none() | st.sampled_from(IDS)),
        status=status or draw(st.sampled_from(list(Status))),
        where=f"f#{name}",
        finished=draw(hours),
        covers=covers,
    )


@st.composite
def documents(draw: st.DrawFn) -> Evidence:
    number = draw(st.integers(0, 10**9))
    return Evidence(
        source=f"f{number}",
        format="junit",
        digest=f"sha256:{number}",
        finished=draw(hours),
        complete=draw(st.integers(0, 5)) > 0,
        outcomes=tuple(draw(st.lists(outcomes(), max_size=10))),
        declared=frozenset(draw(st.lists(st.sampled_from(FEATURES)))),
    )


bodies = st.lists(documents(), max_size=3, unique_by=lambda item: item.digest)


def verdict(
    guideline: Guideline, body: list[Evidence], waivers: tuple[Waiver, ...] = ()
) -> Verdict:
    return judge(guideline, body, program="p", at=DAY, waivers=waivers)


@given(guidelines(), bodies)
def test_the_states_always_add_up(guideline: Guideline, body: list[Evidence]) -> None:
    found = verdict(guideline, body)

    assert found.counts.total == found.counts.required == len(found.items)
    assert len({item.id for item in found.items}) == len(found.items)
    assert all(item.reason for item in found.items)


@given(guidelines(), bodies)
def test_judging_is_a_pure_function(guideline: Guideline, body: list[Evidence]) -> None:
    first = json.dumps(verdict(guideline, body).to_json())

    assert json.dumps(verdict(guideline, body).to_json()) == first


@given(guidelines(), bodies, st.randoms(use_true_random=False))
def test_the_order_of_documents_does_not_matter(
    guideline: Guideline, body: list[Evidence], random: st.DataObject
) -> None:
    shuffled = list(body)
    random.shuffle(shuffled)  # type: ignore[attr-defined]

    assert verdict(guideline, shuffled).to_json() == verdict(guideline, body).to_json()


@given(guidelines(), st.lists(documents(), min_size=1, max_size=3, unique_by=lambda e: e.digest),
       outcomes(Status.FAILED), st.integers(0, 2))  # fmt: skip
@settings(max_examples=300)
def test_adding_a_failure_never_improves_a_verdict(
    guideline: Guideline, body: list[Evidence], failure: Outcome, place: int
) -> None:
    before = verdict(guideline, body)
    chosen = body[place % len(body)]
    worse = Evidence(
        source=chosen.source,
        format=chosen.format,
        digest=chosen.digest,
        finished=chosen.finished,
        complete=chosen.complete,
        outcomes=(*chosen.outcomes, failure),
        declared=chosen.declared,
    )

    after = verdict(guideline, [worse if item is chosen else item for item in body])

    assert RANK[after.verdict] <= RANK[before.verdict]


@given(guidelines(), bodies, names)
@settings(max_examples=300)
def test_removing_what_is_known_of_a_test_never_makes_compliant(
    guideline: Guideline, body: list[Evidence], name: str
) -> None:
    before = verdict(guideline, body)
    less = [
        Evidence(
            source=item.source,
            format=item.format,
            digest=item.digest,
            finished=item.finished,
            complete=item.complete,
            outcomes=tuple(o for o in item.outcomes if o.name != name and o.covers is None),
            declared=item.declared,
        )
        for item in body
    ]

    after = verdict(guideline, less)

    other = _found_by_alias(guideline, name) or _made_ambiguous(guideline, body, name)
    if before.verdict is Conclusion.NOT_COMPLIANT and not other:
        assert after.verdict is not Conclusion.COMPLIANT


def _made_ambiguous(guideline: Guideline, body: list[Evidence], name: str) -> bool:
    """Two tests of a run that share an id are neither; without one, the id means the other.

    Source: an id counts only if it means one test in both guideline and run.
    """
    named = {check.idempotent_id for check in guideline.checks.values() if check.id != name}
    ids = {o.idempotent_id for item in body for o in item.outcomes if o.name == name}
    return bool((ids & named) - {None})


def _found_by_alias(guideline: Guideline, name: str) -> bool:
    """Without the record under its name, a test may be found under its alias: another record."""
    check = guideline.checks.get(name)
    return check is not None and bool(check.aliases)


@given(guidelines(), bodies)
def test_compliant_means_that_something_passed_and_nothing_else_happened(
    guideline: Guideline, body: list[Evidence]
) -> None:
    found = verdict(guideline, body)

    if found.verdict is Conclusion.COMPLIANT:
        assert found.counts.passed > 0
        assert {item.state for item in found.items} <= {State.PASSED, State.NOT_APPLICABLE}
        assert body


@given(guidelines(), bodies, names)
def test_a_waiver_never_worsens_a_verdict(
    guideline: Guideline, body: list[Evidence], name: str
) -> None:
    waiver = Waiver(check=name, owner="o", reason="r", expires=DAY, where="w")

    found = verdict(guideline, body, (waiver,))

    assert RANK[found.verdict] >= RANK[found.verdict_without_waivers]
    assert found.verdict_without_waivers is verdict(guideline, body).verdict
