"""Strict decoding: what the standard parsers let pass is refused in one line."""

from __future__ import annotations

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from guidelines.catalog import parse_guideline
from guidelines.decode import decode_json, decode_text, decode_yaml
from guidelines.errors import BadDocument

LAUGHS = "\n".join(
    ["a0: &a0 [1, 1, 1, 1, 1, 1, 1, 1, 1]"]
    + [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 12)]
)

KEYS = [
    "metadata",
    "components",
    "capabilities",
    "id",
    "criteria",
    "tests",
    "versions",
    "modules",
    "timeline",
    "Resources",
    "ProfileName",
    "codename",
    "schema",
    "required",
    "scripts",
    "testcases",
    "main",
]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[" * 200_000, "nested more than"),
        ('{"a": 1, "a": 2}', "'a' is given twice"),
        ('{"a": NaN}', "NaN"),
        ('{"a": -Infinity}', "Infinity"),
        ('{"a": 1e999}', "not finite"),
        ('{"a": ', "not JSON"),
        ('{"a": ' + "9" * 5000 + "}", "digits"),
    ],
)
def test_json_that_is_not_strict_is_refused(text: str, said: str) -> None:
    with pytest.raises(BadDocument, match=said):
        decode_json(text, "f.json")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[" * 200_000, "nested more than"),
        ("a: 1\nb: 2\na: 3", "line 3: the key 'a' is given twice"),
        ("&a [*a]", "nested more than"),
        ("a: .nan", "not finite"),
        (LAUGHS, "aliases that expand"),
        ("a: [1", "not YAML"),
        ("!!python/object/apply:os.system [true]", "not YAML"),
        ("a: 1\n---\nb: 2", "not YAML"),
        ("? [a, b]\n: 1\n? {x: 1}\n: 2", "not YAML"),
        ("day: 2026-02-31", "not YAML"),
    ],
)
def test_yaml_that_is_not_plain_is_refused(text: str, said: str) -> None:
    with pytest.raises(BadDocument, match=said):
        decode_yaml(text, "f.yaml")


@pytest.mark.parametrize("data", [b"\xff\xfe", b"a\x00b", b"\xc3("])
def test_bytes_that_are_no_text_are_refused(data: bytes) -> None:
    with pytest.raises(BadDocument):
        decode_text(data, "f")


def said_about(data: bytes) -> str | None:
    """Return what a person is told about *data*, or nothing if it is a guideline."""
    try:
        parse_guideline(data, source="f", digest="sha256:0")
    except BadDocument as error:
        return str(error)
    return None


def test_byte_order_mark_is_taken_off() -> None:
    assert decode_text(b"\xef\xbb\xbfid: 1", "f") == "id: 1"


@given(st.binary(max_size=400) | st.text(max_size=400).map(str.encode))
def test_any_bytes_give_a_guideline_or_one_line(data: bytes) -> None:
    assert said_about(data) is None or "\n" not in str(said_about(data))


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=5) | st.dates(),
        lambda inner: (
            st.lists(inner, max_size=4)
            | st.dictionaries(
                st.sampled_from(KEYS),
                inner,
                max_size=6,
            )
        ),
        max_leaves=25,
    )
)
def test_any_data_with_known_keys_gives_a_guideline_or_one_line(value: object) -> None:
    data = yaml.safe_dump(value).encode()
    assert said_about(data) is None or "\n" not in str(said_about(data))
