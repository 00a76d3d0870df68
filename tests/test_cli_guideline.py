"""``interop guideline`` and ``interop judge``: what they print, and the exit codes."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from click.testing import CliRunner, Result

from guidelines.documents import OUTPUTS
from guidelines.errors import BadDocument
from harness.cli.guideline import guideline_command
from harness.cli.judge import judge_command

TESTS = ["t.C.a", "t.C.b"]
WORKSHEET = "a: [1,1,1] [1,1,1] [1,1,1] [1,1,1] [1] [99]*\n"


def run(*arguments: object) -> Result:
    command = judge_command if arguments[0] == "judge" else guideline_command
    words = [str(argument) for argument in arguments]
    return CliRunner().invoke(command, words[1:] if words[0] == "judge" else words)


def document(result: Result, name: str) -> Any:
    value = json.loads(result.output)
    OUTPUTS[name].model_validate(value)
    return value


def guideline(folder: Path, tests: dict[str, Any], name: str = "g.json") -> Path:
    file = folder / name
    file.write_text(
        json.dumps(
            {
                "id": name.removesuffix(".json"),
                "schema": "1.6",
                "status": "approved",
                "platform": {"required": ["compute"]},
                "components": {"compute": {"required": ["cap"]}},
                "criteria": {"stable": {"weight": 9}},
                "capabilities": {
                    "cap": {
                        "achievements": ["stable"],
                        "admin": False,
                        "description": "d",
                        "project": "p",
                        "required-since": "2029.01",
                        "tests": tests,
                    }
                },
            }
        )
    )
    return file


def junit(folder: Path, **failures: bool) -> Path:
    file = folder / "junit.xml"
    cases = "".join(
        f'<testcase classname="t.C" name="{name}">{"<failure/>" if failed else ""}</testcase>'
        for name, failed in failures.items()
    )
    file.write_text(f'<testsuite tests="{len(failures)}">{cases}</testsuite>')
    return file


def test_list_and_show() -> None:
    listed = document(run("list", "--json"), "list")
    shown = document(run("show", "2026.11", "--json"), "show")

    assert [item["id"] for item in listed["guidelines"]] == ["2026.11"]
    metal = shown["programs"]["open-infrastructure-metal"]
    assert metal["tests"]["must_pass"] == metal["tests"]["required"] > 30


@pytest.mark.parametrize("form", ["text", "markdown"])
@pytest.mark.parametrize(
    "words", [("list",), ("show", "2026.11"), ("lint", "2026.11"), ("score", "2026.11")]
)
def test_commands_print_for_people(words: tuple[str, ...], form: str) -> None:
    result = run(*words, "--format", form)

    assert result.exit_code == 0
    assert result.output


def test_show_counts_entries_and_distinct_tests(tmp_path: Path) -> None:
    flag = {"reason": "[D401] x", "action": "y", "date": "2030-01-01"}
    file = guideline(tmp_path, {"t.C.a": {"flagged": flag}, "t.C.b": {}})

    shown = document(run("show", file, "--json"), "show")

    assert list(shown["programs"]) == ["platform", "compute"]
    assert (shown["id"], shown["schema"], shown["status"]) == ("g", "1.6", "approved")
    assert shown["programs"]["compute"]["tests"] == {
        "required": 2,
        "flagged": 1,
        "must_pass": 1,
        "must_pass_distinct": 1,
    }


def test_lint_exits_1_on_an_error_and_0_on_a_warning(tmp_path: Path) -> None:
    warned = guideline(tmp_path, {"t.C.a": {}, "t.C.b": {"idempotent_id": "x"}})
    broken = guideline(tmp_path, {}, "broken.json")

    assert run("lint", warned).exit_code == 0
    assert run("lint", warned, "--strict").exit_code == 1
    result = run("lint", broken, "--json")
    assert result.exit_code == 1
    assert "empty-program" in {item["code"] for item in document(result, "lint")["findings"]}


def test_lint_tells_every_wrong_key_of_our_format(tmp_path: Path) -> None:
    file = tmp_path / "g.yaml"
    file.write_text("schema: interop.guideline/1\nid: x\nstatuss: draft\n")

    result = run("lint", file, "--json")

    found = document(result, "lint")["findings"]
    assert result.exit_code == 1
    assert {item["code"] for item in found} == {"schema"}
    assert any("did you mean 'status'" in item["message"] for item in found)


def test_diff(tmp_path: Path) -> None:
    old = guideline(tmp_path, {"t.C.a": {}}, "old.json")
    new = guideline(tmp_path, {"t.C.b": {}}, "new.json")

    found = document(run("diff", old, new, "--json"), "diff")

    assert (found["tests"]["added"], found["tests"]["removed"]) == (["t.C.b"], ["t.C.a"])
    assert "tests +1 -1" in run("diff", old, new).output


def test_score(tmp_path: Path) -> None:
    file = tmp_path / "scores.txt"
    file.write_text(WORKSHEET)

    result = run("score", file, "--json")

    assert result.exit_code == 1
    assert document(result, "score")["capabilities"][0]["total"] == 100
    supposed = run("score", file, "--what-if", "tools=0", "--json")
    assert supposed.exit_code == 0
    assert document(supposed, "score")["capabilities"][0]["total"] == 94


@pytest.mark.parametrize("change", ["tools", "tools=", "tools=x", "tools=-1", "=1", "tool=0"])
def test_a_wrong_supposition_is_bad_input(tmp_path: Path, change: str) -> None:
    file = tmp_path / "scores.txt"
    file.write_text(WORKSHEET)

    assert isinstance(run("score", file, "--what-if", change).exception, BadDocument)


def test_tests_prints_one_id_a_line(tmp_path: Path) -> None:
    flag = {"reason": "[D401] x", "action": "y", "date": "2030-01-01"}
    file = guideline(tmp_path, {"t.C.a": {"flagged": flag}, "t.C.b": {"aliases": ["t.C.o"]}})

    assert run("tests", file).output.split() == TESTS
    narrowed = run("tests", file, "--program", "compute", "--status", "required", "--no-flagged")
    assert narrowed.output.split() == ["t.C.b"]
    assert run("tests", file, "--no-flagged", "--aliases").output.split() == ["t.C.b", "t.C.o"]
    assert run("tests", file, "--status", "advisory").output == ""


def test_a_name_with_control_characters_stays_on_its_line(tmp_path: Path) -> None:
    file = guideline(tmp_path, {"t.C.a\nt.C.evil \x1b[31m": {}})

    assert len(run("tests", file).output.splitlines()) == 1
    assert "\x1b" not in run("tests", file).output


@pytest.mark.parametrize(
    ("failures", "code", "word"),
    [
        ({"a": False, "b": False}, 0, "compliant"),
        ({"a": False, "b": True}, 1, "not-compliant"),
        ({"a": False}, 1, "not-compliant"),
    ],
)
def test_judge(tmp_path: Path, failures: dict[str, bool], code: int, word: str) -> None:
    guide = guideline(tmp_path, {"t.C.a": {}, "t.C.b": {}})

    result = run("judge", junit(tmp_path, **failures), "--guideline", guide, "--json")

    assert result.exit_code == code
    assert document(result, "verdict")["verdict"] == word


@pytest.mark.parametrize("form", ["text", "markdown"])
def test_judge_prints_for_people(tmp_path: Path, form: str) -> None:
    guide = guideline(tmp_path, {"t.C.a": {}, "t.C.b": {}})

    result = run("judge", junit(tmp_path, a=False, b=True), "--guideline", guide, "--format", form)

    assert result.output.rstrip().endswith("not-compliant (1 required item failed)")
    assert "t.C.b" in result.output or "t.C.b".replace("_", "\\_") in result.output


def test_judge_writes_junit(tmp_path: Path) -> None:
    guide = guideline(tmp_path, {"t.C.a": {}, "t.C.b": {}, "t.C.c": {}})
    out = tmp_path / "out.xml"

    run("judge", junit(tmp_path, a=False, b=True), "--guideline", guide, "--junit", out)

    suite = ET.parse(out).getroot()[0]  # noqa: S314 - our own output
    assert (suite.get("tests"), suite.get("failures")) == ("3", "2")


def test_judge_with_waivers_and_known_failures(tmp_path: Path) -> None:
    guide = guideline(tmp_path, {"t.C.a": {}, "t.C.b": {}})
    waivers = tmp_path / "waivers.yaml"
    waivers.write_text(
        "waivers:\n- {check: t.C.b, owner: ann, reason: bug 1, expires: 2030-01-01}\n"
    )
    known = tmp_path / "known.txt"
    known.write_text("**.b\n")
    body = junit(tmp_path, a=False, b=True)

    for option, file in (("--waivers", waivers), ("--known-failing", known)):
        result = run(
            "judge", body, "--guideline", guide, option, file, "--at", "2029-12-31", "--json"
        )
        found = document(result, "verdict")
        assert result.exit_code == 0
        assert found["counts"]["waived"] == 1
        assert found["verdict_without_waivers"] == "not-compliant"

    passing = junit(tmp_path, a=False, b=False)
    strict = run("judge", passing, "--guideline", guide, "--known-failing", known, "--strict")
    assert strict.exit_code == 1


def test_preview(tmp_path: Path) -> None:
    old = guideline(tmp_path, {"t.C.a": {}}, "old.json")
    new = guideline(tmp_path, {"t.C.a": {}, "t.C.b": {}}, "new.json")
    words = ("preview", junit(tmp_path, a=False), "--from", old, "--to", new)

    result = run(*words, "--program", "compute", "--json")

    assert result.exit_code == 1
    found = document(result, "preview")
    assert (found["from"], found["to"]) == ("old", "new")
    assert {item["id"]: item["after"] for item in found["items"]} == {
        "t.C.a": "passed",
        "t.C.b": "missing",
    }
    assert "old: compliant -> new: not-compliant" in run(*words).output


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\xff\xfe\x00",
        b'{"a": 1, "a": 2}',
        b"[" * 100_000,
        b"x" * (17 * 1024 * 1024),
        gzip.compress(b"\x00" * (64 * 1024 * 1024)),
        b'<!DOCTYPE a [<!ENTITY b "c">]><a/>',
    ],
    ids=["empty", "bytes", "twice", "deep", "long", "bomb", "xml"],
)
def test_a_hostile_guideline_is_one_line(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "g"
    file.write_bytes(content)

    result = run("show", file)

    assert isinstance(result.exception, BadDocument)
    assert len(str(result.exception).splitlines()) == 1


def test_a_wrong_day_is_a_usage_error(tmp_path: Path) -> None:
    result = run("show", "2026.11", "--at", "tomorrow")

    assert result.exit_code == 2
    assert "YYYY-MM-DD" in result.output


def test_a_missing_guideline_is_bad_input(tmp_path: Path) -> None:
    result = run("judge", junit(tmp_path, a=False), "--guideline", tmp_path / "none.json")

    assert isinstance(result.exception, BadDocument)


@pytest.mark.parametrize("option", ["--waivers", "--known-failing"])
def test_a_directory_of_exceptions_is_one_line(tmp_path: Path, option: str) -> None:
    words = (junit(tmp_path), "--guideline", guideline(tmp_path, {"t.a": {}}), option, tmp_path)

    error = run("judge", *words).exception

    assert isinstance(error, BadDocument)
    assert str(error) == f"{tmp_path}: file: is a directory"
