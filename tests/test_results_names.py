"""Names of tests: every form they are matched by, and what must not be taken off."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guidelines.results.names import demanded_forms, plain, read_name, uuid_of

UUID = "0146f675-ffbd-4208-b3a4-60eb628dbc5e"


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        (f"a.b.T.test_x[id-{UUID},smoke]", "a.b.T.test_x"),
        (f"a.b.T.test_x[gate,id-{UUID}]", "a.b.T.test_x"),
        ("tempest.api.T.test_x[anything]", "tempest.api.T.test_x"),
        ("a.b.T.test_x[compute,smoke]", "a.b.T.test_x"),
        (
            "[It] [sig-node] Pods should run [Conformance]",
            "[sig-node] Pods should run [Conformance]",
        ),
        ("doesn&#39;t fail", "doesn't fail"),
        ("doesn&amp;#39;t fail", "doesn't fail"),
        ("a  b\n c", "a b c"),
        ("\x1b[31mred\x1b[0m", "red"),
    ],
)
def test_the_shown_name_is_undecorated(written: str, expected: str) -> None:
    name = read_name(written)

    assert name.display == expected
    assert expected in name.forms


@pytest.mark.parametrize(
    "written",
    [
        "[sig-node] Pods should run [Conformance]",
        "tests/test_a.py::test_x[id-1]",
        "a.b.test_x[param]",
        "a & b &para c",
        "net-09",
    ],
)
def test_brackets_that_belong_to_the_name_stay(written: str) -> None:
    assert read_name(written).forms == {written}


def test_a_scenario_is_shown_and_matches_with_and_without() -> None:
    name = read_name(f"a.b.T.test_x(ipv6)[id-{UUID}]")

    assert name.display == "a.b.T.test_x(ipv6)"
    assert {"a.b.T.test_x", "a.b.T.test_x(ipv6)", f"a.b.T.test_x[id-{UUID}]"} <= name.forms


@pytest.mark.parametrize(
    ("demanded", "recorded", "expected"),
    [
        ("a.b.test_x", "a.b.test_x(ipv6)", True),
        ("a.b.test_x(ipv6)", "a.b.test_x(ipv6)", True),
        ("a.b.test_x(ipv4)", "a.b.test_x(ipv6)", False),
        ("a.b.test_x(ipv4)", "a.b.test_x", False),
        (f"a.b.test_x(ipv4)[id-{UUID}]", f"a.b.test_x(ipv6)[id-{UUID}]", False),
        (f"a.b.test_x(ipv4)[id-{UUID}]", "a.b.test_x(ipv4)", True),
        (f"a.b.test_x[id-{UUID},smoke]", f"a.b.test_x[id-{UUID}]", True),
        ("a.b.test_x[p1]", "a.b.test_x[p2]", False),
        ("[sig] x [Conformance]", "[It] [sig] x [Conformance]", True),
        ("[sig] x (slow)", "[It] [sig] x (slow)", True),
        ("it&#39;s", "it's", True),
    ],
)
def test_one_scenario_is_no_evidence_for_another(
    demanded: str, recorded: str, expected: bool
) -> None:
    assert bool(demanded_forms(demanded) & read_name(recorded).forms) is expected


def test_the_idempotent_id_is_found() -> None:
    assert read_name(f"a.b.T.test_x[id-{UUID.upper()},smoke]").idempotent_id == UUID
    assert read_name("a.b.T.test_x").idempotent_id is None
    assert uuid_of(f"id-{UUID}") == uuid_of(UUID) == UUID
    assert uuid_of("id-1") is None


def test_a_class_name_gives_the_full_name() -> None:
    name = read_name(f"test_x[id-{UUID},smoke]", qualifiers=["a.b.T"])

    assert name.display == "a.b.T.test_x"
    assert name.idempotent_id == UUID


@pytest.mark.parametrize(
    ("written", "fixture", "scope"),
    [
        ("setUpClass (a.b.T)", "setUpClass", "a.b.T"),
        ("setUpModule (a.b)", "setUpModule", "a.b"),
        ("tearDownClass (a.b.T)", "tearDownClass", "a.b.T"),
        ("unittest.loader._FailedTest.a.b", "import", "a.b"),
    ],
)
def test_a_fixture_is_told_from_a_test(written: str, fixture: str, scope: str) -> None:
    name = read_name(written)

    assert (name.fixture, name.scope) == (fixture, scope)


def test_a_fixture_cut_at_its_last_dot_is_put_together() -> None:
    name = read_name("T)", qualifiers=["setUpClass (a.b"])

    assert (name.fixture, name.scope) == ("setUpClass", "a.b.T")


@given(st.text(max_size=80))
def test_any_text_gives_printable_names(text: str) -> None:
    name = read_name(text)

    assert "\x1b" not in name.display
    assert "\n" not in name.display
    assert plain(plain(text)) == plain(text)
