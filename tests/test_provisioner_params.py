"""Layers of parameters and their expansion: who wins, cycles, types, and four properties."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provisioner.documents import BadWorkload
from provisioner.params import LAYERS, MISSING, Layer, Param, choose, expand, explain
from provisioner.templates import BadTemplate, references, render


def params(*names: str, **spec: Any) -> dict[str, Param]:
    return {name: Param(name=name, **spec) for name in names}


def test_the_strongest_layer_wins_and_the_losers_are_told() -> None:
    param = Param(name="a", default="d", source="w.yaml:3")
    layers = [
        Layer(name="command line", values={"a": "c"}, sources={"a": "--set"}),
        Layer(name="group", values={"a": "g"}, sources={"a": "w.yaml:9"}),
    ]

    told = explain(param, layers)

    assert told.value == "c"
    assert told.winner is not None
    assert told.winner.source == "--set"
    assert [(c.layer, c.value, c.source) for c in told.losers] == [
        ("group", "g", "w.yaml:9"),
        ("default", "d", "w.yaml:3"),
    ]


def test_composed_values_are_merged_across_layers() -> None:
    param = Param(name="a", type="object", compose=True, default={"x": 1, "y": 1})

    told = explain(param, [Layer(name="group", values={"a": {"y": 2}})])

    assert told.value == {"x": 1, "y": 2}


@pytest.mark.parametrize(
    ("spec", "value", "problem"),
    [
        ({"type": "integer"}, "8080", "is str, expected integer"),
        ({"type": "integer"}, True, "is bool, expected integer"),
        ({"type": "integer", "minimum": 1024}, 80, "less than the minimum 1024"),
        ({"type": "number", "maximum": 1}, 1.5, "more than the maximum 1"),
        ({"enum": ("a", "b")}, "c", "not one of a, b"),
        ({"pattern": "[a-z]+"}, "A", "does not match"),
        ({"secret": True, "type": "integer"}, "hunter2", "the value is str"),
    ],
)
def test_a_value_of_the_wrong_kind_is_refused_with_its_place(
    spec: dict[str, Any], value: object, problem: str
) -> None:
    layer = Layer(name="group", values={"a": value}, sources={"a": "w.yaml:9"})

    with pytest.raises(BadWorkload) as caught:
        choose(params("a", **spec), [layer])

    assert str(caught.value).startswith("w.yaml:9: a: ")
    assert problem in str(caught.value)
    assert "hunter2" not in str(caught.value)


def test_values_refer_to_others_to_any_depth_and_keep_their_type() -> None:
    declared = {**params("url", "host"), "port": Param(name="port", type="integer")}
    declared["again"] = Param(name="again", type="integer")
    values = {
        "url": "http://{{ host }}:{{ port }}",
        "host": "h{{ port }}",
        "port": 80,
        "again": "{{ port }}",
    }

    done = expand(values, declared)

    assert done == {"url": "http://h80:80", "host": "h80", "port": 80, "again": 80}


def test_a_cycle_is_named_in_full() -> None:
    values = {"a": "{{ b }}", "b": "{{ c }}", "c": "{{ a }}"}

    with pytest.raises(BadWorkload, match="refers to itself: a -> b -> c -> a"):
        expand(values, params(*values))


def test_a_chain_that_is_too_deep_is_refused() -> None:
    values = {f"p{n}": f"{{{{ p{n + 1} }}}}" for n in range(20)} | {"p20": "end"}

    with pytest.raises(BadWorkload, match="nested more than 16 deep"):
        expand(values, params(*values))


def test_a_value_that_expands_to_itself_for_ever_is_refused() -> None:
    values = {"a": "{{ '{{' }} 'x' {{ '}}' }}", "b": "{{ '{' * 1 ~ '{ b }}' }}"}

    with pytest.raises(BadWorkload):
        expand(values, params(*values))


def test_late_names_wait_for_their_context() -> None:
    values = {"url": "http://{{ member.name }}", "next": "{{ url }}/x"}

    assert expand(values, params(*values)) == values
    done = expand(values, params(*values), {"member": {"name": "app-1"}})
    assert done["next"] == "http://app-1/x"


def test_an_unknown_name_is_named() -> None:
    with pytest.raises(BadWorkload, match=r"a: refers to nobody\.knows, which is unknown"):
        expand({"a": "{{ nobody.knows }}"}, params("a"))


@pytest.mark.parametrize(
    "text",
    [
        "{{ ''.__class__.__mro__ }}",
        "{{ x.__init__.__globals__ }}",
        "{{ 'a' * 1000000000 }}",
        "{% for i in range(99999) %}{% for j in range(99999) %}xxxxx{% endfor %}{% endfor %}",
        "{{ 2 ** 100000000 }}",
        "{{ missing }}",
    ],
)
def test_the_sandbox_holds(text: str) -> None:
    with pytest.raises(BadTemplate):
        render(text, {"x": {}}, "here")


def test_references_are_the_longest_dotted_names_without_own_ones() -> None:
    text = "{% for m in members.app %}{{ m.address }}{{ loop.index }}{% endfor %}{{ a['b'].c }}"

    assert references(text) == {"members.app", "a.b.c"}


NAMES = ["a", "b", "c", "d"]
PLAIN = st.one_of(st.integers(), st.booleans(), st.text("xyz ", max_size=5))
REFERRING = st.lists(
    st.one_of(st.text("xy", max_size=3), st.sampled_from([f"{{{{ {n} }}}}" for n in NAMES])),
    max_size=3,
).map("".join)
VALUES = st.dictionaries(st.sampled_from(NAMES), st.one_of(PLAIN, REFERRING), max_size=4)


@given(VALUES, st.randoms(use_true_random=False))
def test_expansion_is_deterministic_order_independent_and_idempotent(
    values: dict[str, Any], order: Any
) -> None:
    shuffled = list(values.items())
    order.shuffle(shuffled)
    try:
        once = expand(values, {})
    except BadWorkload:
        with pytest.raises(BadWorkload):
            expand(dict(shuffled), {})
        return

    assert expand(dict(shuffled), {}) == once
    assert expand(once, {}) == once


@given(st.lists(st.one_of(st.none(), st.integers()), min_size=7, max_size=7))
def test_a_stronger_layer_never_loses(given_values: list[int | None]) -> None:
    param = Param(name="a", type="integer", default=given_values[6] or MISSING)
    layers = [
        Layer(name=name, values={} if value is None else {"a": value})
        for name, value in zip(LAYERS[:6], given_values[:6], strict=True)
    ]

    told = explain(param, layers)

    there = [v for v in given_values[:6] if v is not None] + [given_values[6] or MISSING]
    assert told.value == there[0]
