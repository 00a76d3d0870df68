"""platforms.yaml: layers, provenance, secrets, and one clear line for bad input."""

from __future__ import annotations

from pathlib import Path

import pytest

from guidelines.errors import BadDocument
from harness.config import load_platforms, read_platforms


def write(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def test_a_later_file_overrides_key_by_key(tmp_path: Path) -> None:
    below = write(tmp_path / "a.yaml", "platforms:\n  x:\n    kind: fake\n    a: {b: 1, c: 2}\n")
    above = write(tmp_path / "b.yaml", "platforms:\n  x:\n    a: {c: 3}\n")

    config = load_platforms([below, above])["x"]

    assert config.kind == "fake"
    assert config.settings == {"a": {"b": 1, "c": 3}}


def test_every_value_knows_its_file_and_line(tmp_path: Path) -> None:
    below = write(tmp_path / "a.yaml", "platforms:\n  x:\n    kind: fake\n    a: {b: 1, c: 2}\n")
    above = write(tmp_path / "b.yaml", "platforms:\n  x:\n    a:\n      c: 3\n")

    sources = read_platforms([below, above]).sources

    assert str(sources["x.kind"]) == f"{below}:3"
    assert str(sources["x.a.c"]) == f"{above}:4"


def test_secrets_come_by_reference(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BMC_PASSWORD", "from-env")
    write(tmp_path / "pw", "from-file\n")
    text = (
        "platforms:\n  x:\n    kind: metal\n    one: {env: BMC_PASSWORD}\n"
        "    two: {file: pw}\n    three: {cmd: [echo, from-cmd]}\n"
    )

    settings = load_platforms([write(tmp_path / "p.yaml", text)])["x"].settings

    assert settings == {"one": "from-env", "two": "from-file", "three": "from-cmd"}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("- 1\n", "expected a mapping"),
        ("platforms: 3\n", "platforms: expected a mapping of names"),
        ("plattforms: {}\n", "plattforms: unknown key, expected platforms"),
        ("platforms:\n  x: {kind: 3}\n", "platforms.x.kind"),
        ("platforms:\n  x: {}\n", "platforms.x.kind: field required"),
        ("platforms:\n  x: {kind: a, kind: b}\n", "platforms.x.kind: key is written twice"),
        ("platforms:\n  x: {kind: a, p: {env: NOT_SET_ANYWHERE}}\n", "NOT_SET_ANYWHERE is not set"),
        ("platforms: {x: [\n", "line 2"),
        ("platforms: " + "{a: " * 60 + "1" + "}" * 60, "nested too deeply"),
    ],
)
def test_bad_input_is_one_line_with_the_path(tmp_path: Path, text: str, expected: str) -> None:
    file = write(tmp_path / "p.yaml", text)

    with pytest.raises(BadDocument) as caught:
        load_platforms([file])

    assert expected in str(caught.value)
    assert str(file) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_an_unknown_platform_names_the_nearest(tmp_path: Path) -> None:
    file = write(tmp_path / "p.yaml", "platforms:\n  lab-metal: {kind: metal}\n")

    with pytest.raises(BadDocument, match="did you mean 'lab-metal'"):
        read_platforms([file]).get("lab-mettal")


def test_what_is_private_is_told_with_what_is_declared(tmp_path: Path) -> None:
    text = "platforms:\n  x: {kind: fake, declared: {account: 7}, private: [account]}\n"

    declared = load_platforms([write(tmp_path / "p.yaml", text)])["x"].declared

    assert declared == {"emulator": False, "account": 7, "private": ["account"]}


@pytest.mark.parametrize("private", ["account", "[7]", "{account: true}"])
def test_private_is_a_list_of_names(tmp_path: Path, private: str) -> None:
    file = write(tmp_path / "p.yaml", f"platforms:\n  x: {{kind: fake, private: {private}}}\n")

    with pytest.raises(BadDocument, match=r"platforms\.x\.private: expected a list of names"):
        load_platforms([file])


def test_only_the_secrets_of_the_platforms_in_use_are_looked_up(tmp_path: Path) -> None:
    text = (
        "platforms:\n  x: {kind: fake, password: {cmd: [echo, s3cret]}}\n"
        "  y: {kind: fake, password: {env: INTEROP_NOT_SET}}\n"
    )
    file = write(tmp_path / "p.yaml", text)

    read = read_platforms([file], ["x"])

    assert read.get("x").settings["password"] == "s3cret"
    assert read.secrets == {"s3cret"}
    with pytest.raises(BadDocument, match="INTEROP_NOT_SET is not set"):
        read_platforms([file], ["y"])
