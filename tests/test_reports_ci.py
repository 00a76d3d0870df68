"""A vendor's build: an empty HOME, no terminal, nothing but PATH; policies, waivers, exit codes."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from guidelines.catalog import load_guideline
from harness.allure_folder import tell_verdict
from harness.cli.policy import gated
from reports.read import read_result, read_verdict

INTEROP = str(Path(sys.executable).with_name("interop"))
SCHEMA = Path(__file__).parent.parent / "reports" / "schema" / "comparison-1.json"
FEW = "net-09,net-06,ent-01"
WAIVER = {"check": "net-09", "owner": "vendor", "reason": "ticket 7", "expires": "2099-01-01"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Build:
    """A folder in which commands run as in a container: no terminal, nothing of ours around."""

    place: Path

    def interop(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run the command with PATH and an empty HOME alone."""
        home = self.place / "home"
        home.mkdir(exist_ok=True)
        environment = {"PATH": os.environ["PATH"], "HOME": str(home)}
        return subprocess.run(
            [INTEROP, *words], cwd=self.place, env=environment, capture_output=True, text=True,
            timeout=180, stdin=subprocess.DEVNULL, start_new_session=True,
        )  # fmt: skip

    def run(self, *words: str, platform: str = "cloud") -> subprocess.CompletedProcess[str]:
        """``interop run`` of a few checks."""
        return self.interop("run", "-p", platform, "--select", FEW, *words)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ran:
    """A run that has ended, and what it told a program."""

    done: subprocess.CompletedProcess[str]
    told: dict[str, Any]

    @property
    def folder(self) -> Path:
        return Path(self.told["folder"])


def platforms(place: Path, defects: list[str]) -> None:
    entry = {"kind": "fake", "emulator": True, "defects": defects}
    (place / "platforms.yaml").write_text(json.dumps({"platforms": {"cloud": entry}}))


@pytest.fixture(scope="module")
def build(tmp_path_factory: pytest.TempPathFactory) -> Build:
    place = tmp_path_factory.mktemp("build")
    (place / "waivers.json").write_text(json.dumps([WAIVER]))
    return Build(place=place)


@pytest.fixture(scope="module")
def good(build: Build) -> Ran:
    platforms(build.place, [])
    done = build.run("--json", "--fail-on", "not-compliant")
    assert done.stdout, done.stderr
    return Ran(done=done, told=json.loads(done.stdout))


@pytest.fixture(scope="module")
def bad(build: Build, good: Ran) -> Ran:
    platforms(build.place, ["net-09"])
    words = ("--fail-on", "regression", "--baseline", str(good.folder))
    done = build.run("--json", "--waivers", "waivers.json", *words)
    assert done.stdout, done.stderr
    return Ran(done=done, told=json.loads(done.stdout))


def test_standard_output_is_one_document_for_a_program(good: Ran) -> None:
    cloud = good.told["platforms"]["cloud"]

    assert good.told["schema"] == "interop.run-summary/1"
    assert good.told["exit_code"] == good.done.returncode == 0
    assert cloud["verdict"] == "inconclusive"
    assert cloud["counts"]["passed"] == 3
    assert good.done.stderr == ""
    for key in ("result", "verdict_file", "junit"):
        assert Path(cloud[key]).is_file()


def test_nothing_is_left_in_an_empty_home_but_our_state(build: Build, good: Ran) -> None:
    left = {
        str(path.relative_to(build.place / "home"))
        for path in (build.place / "home").rglob("*") if path.is_file()
    }  # fmt: skip

    assert all(name.startswith(".local/state/interop/") for name in left)


def test_a_log_has_whole_lines_and_no_colours(build: Build, good: Ran) -> None:
    platforms(build.place, ["net-09"])

    done = build.run()

    told = "check net-09 failed"
    (line,) = (line for line in done.stdout.splitlines() if told in line)
    assert line.endswith("front-1: host name: expected front-1, actual front-1-wrong")
    assert re.search(r"seed \d+$", done.stdout, re.MULTILINE)
    assert not {"\x1b", "\r"} & set(done.stdout + done.stderr)


def test_a_regression_fails_the_build_and_is_told(bad: Ran) -> None:
    assert bad.done.returncode == bad.told["exit_code"] == 1
    assert "cloud: net-09 was passed, is waived" in bad.done.stderr


def test_a_run_keeps_its_waivers_and_its_verdict_says_so(bad: Ran) -> None:
    verdict = json.loads((bad.folder / "cloud" / "verdict.json").read_text())
    states = {item["id"]: (item["state"], item["reason"]) for item in verdict["items"]}

    assert states["net-09"][0] == "waived"
    assert "waived by vendor until 2099-01-01: ticket 7" in states["net-09"][1]
    assert json.loads((bad.folder / "waivers.yaml").read_text()) == [WAIVER]


def test_a_build_is_told_what_is_wrong_with_its_waivers(build: Build, bad: Ran) -> None:
    wrong = [{**WAIVER, "expires": "2026-01-01"}, {**WAIVER, "check": "net-99"},
             {**WAIVER, "check": "net-06"}, {**WAIVER, "scope": "other"}]  # fmt: skip
    (build.place / "wrong.json").write_text(json.dumps(wrong))
    expired = "the waiver of net-09 expired on 2026-01-01"
    unused = "the waiver of net-99 matches nothing open-infrastructure-metal asks for"
    platforms(build.place, ["net-09"])

    done = build.run("--quiet", "--waivers", "wrong.json")
    folder = max((build.place / "results").iterdir(), key=lambda path: path.stat().st_mtime)
    told = {form: build.interop("export", str(folder), "--format", form).stdout
            for form in ("annotations", "markdown")}  # fmt: skip

    needless = "net-06 needs no waiver any more; remove it"
    assert done.returncode == 1
    line = done.stdout.splitlines()[0]
    assert line.startswith("cloud: not-compliant, level none (1 required item failed; ")
    assert [note for note in (expired, unused, needless) if note not in line] == []
    assert f"::warning title=Interop waivers::{expired}" in told["annotations"].splitlines()
    assert f"**Waivers:** {expired}" in told["markdown"].splitlines()
    assert "another platform" not in told["annotations"]


def test_results_that_did_not_finish_are_not_compared_unless_told_to(
    build: Build, good: Ran, bad: Ran
) -> None:
    words = ("compare", str(bad.folder), "--baseline", str(good.folder))

    refused = build.interop(*words)
    told = build.interop(*words, "--anyway", "--json", "--fail-on", "regression")

    assert refused.returncode == 2
    assert "only selected checks ran" in refused.stderr
    assert len(refused.stderr.strip().splitlines()) == 1
    assert told.returncode == 1
    document = json.loads(told.stdout)
    jsonschema.validate(document, json.loads(SCHEMA.read_text()))
    assert document["anyway"] is True
    (change,) = (c for c in document["changes"]["checks"] if c["kind"] == "regression")
    assert (change["check"], change["after"]) == ("net-09", "waived")


@pytest.mark.parametrize("form", ["text", "markdown", "html", "csv"])
def test_a_comparison_is_written_in_every_format(
    build: Build, good: Ran, bad: Ran, form: str
) -> None:
    file = build.place / f"comparison.{form}"

    words = ("--anyway", "--format", form, "--output", str(file))
    done = build.interop("compare", str(good.folder), str(bad.folder), *words)

    assert done.returncode == 0, done.stderr
    assert "net-09" in file.read_text()


@pytest.mark.parametrize(
    "form", ["junit", "ctrf", "sarif", "oscal", "markdown", "annotations", "csv"]
)
def test_a_run_is_exported_for_a_build(build: Build, bad: Ran, form: str) -> None:
    done = build.interop("export", str(bad.folder), "--format", form)

    assert done.returncode == 0, done.stderr
    assert ("alloc-01" if form == "annotations" else "net-09") in done.stdout


def test_allure_results_are_a_new_folder_with_history(build: Build, good: Ran, bad: Ran) -> None:
    target = build.place / "allure"
    words = ("export", str(bad.folder), "--format", "allure", "--to", str(target))

    done = build.interop(*words, "--baseline", str(good.folder))
    again = build.interop(*words)

    assert done.returncode == 0, done.stderr
    assert (target / "history" / "history-trend.json").is_file()
    assert again.returncode == 2
    assert "expected a new folder" in again.stderr


def test_the_runs_own_allure_results_carry_what_the_guideline_says(good: Ran) -> None:
    found = [
        json.loads(file.read_text())
        for file in (good.folder / "cloud" / "allure").glob("*-result.json")
    ]
    one = next(result for result in found if result["name"].startswith("net-09 "))

    labels = {(label["name"], label["value"]) for label in one["labels"]}
    assert {("epic", "network"), ("feature", "Addresses and names"), ("story", "network-names"),
            ("severity", "normal"), ("tag", "net-09")} <= labels  # fmt: skip
    assert any(link["url"].startswith("https://www.rfc-editor.org/") for link in one["links"])
    names = {attachment["name"] for attachment in one["attachments"]}
    assert "facts" in names
    assert len(names) > 1
    assert (good.folder / "cloud" / "allure" / "categories.json").is_file()


def test_the_runs_own_allure_results_say_what_the_verdict_says(bad: Ran) -> None:
    folder = bad.folder / "cloud" / "allure"
    found = {r["name"].split()[0]: r for r in map(read, folder.glob("*-result.json"))}

    assert set(found) == set(FEW.split(","))  # the others were not asked for
    assert found["net-09"]["status"] == "skipped"
    assert found["net-09"]["statusDetails"]["message"].startswith("waived: ")
    assert found["net-06"]["status"] == "passed"
    assert all({"name": "platform", "value": "cloud"} in r["parameters"] for r in found.values())
    assert read(folder / "executor.json")["buildName"] == bad.folder.name


def test_a_file_that_breaks_off_and_checks_that_never_ran_are_told_to_allure(
    good: Ran, tmp_path: Path
) -> None:
    run = good.folder / "cloud"
    folder = Path(shutil.copytree(run / "allure", tmp_path / "allure"))
    (folder / "broken-result.json").write_text('{"uuid": "b')
    verdict = read_verdict(run)

    tell_verdict(folder, read_result(run), verdict, load_guideline("2026.11"), {}, missing=True)

    (folder / "broken-result.json").unlink()
    found = {r["name"].split()[0]: r["status"] for r in map(read, folder.glob("*-result.json"))}
    assert {found.pop(name) for name in FEW.split(",")} == {"passed"}
    assert set(found.values()) == {"failed"}
    assert len(found) == verdict.counts["missing"] > 0


def read(file: Path) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(file.read_text())
    return document


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["--fail-on", "regression"], "--baseline"),
        (["--baseline", "."], "--fail-on regression"),
        (["--waivers", "none.yaml"], "none.yaml"),
        (["--fail-on", "sometimes"], "sometimes"),
    ],
)
def test_bad_input_is_exit_code_2_and_starts_nothing(
    build: Build, good: Ran, words: list[str], expected: str
) -> None:
    before = set((build.place / "results").iterdir())

    done = build.run(*words)

    assert done.returncode == 2
    assert expected in done.stderr
    assert set((build.place / "results").iterdir()) == before


def test_a_baseline_of_other_suites_is_refused_before_anything_starts(
    build: Build, good: Ran
) -> None:
    old = json.loads((good.folder / "cloud" / "result.json").read_text())
    old["suite"]["digest"] = "sha256:" + "0" * 64
    (build.place / "old.json").write_text(json.dumps(old))
    before = set((build.place / "results").iterdir())

    done = build.run("--fail-on", "regression", "--baseline", "old.json")

    assert done.returncode == 2
    assert "make a new baseline" in done.stderr
    assert set((build.place / "results").iterdir()) == before


@pytest.mark.parametrize(
    ("policy", "codes"),
    [("verdict", [0, 1, 3]), ("not-compliant", [0, 1, 0]), ("never", [0, 0, 0])],
)
def test_policies_turn_verdicts_into_exit_codes(policy: str, codes: list[int]) -> None:
    assert [gated(code, policy) for code in (0, 1, 3)] == codes


def test_judge_follows_the_policy(build: Build, bad: Ran) -> None:
    result = str(bad.folder / "cloud" / "result.json")
    words = ("judge", result, "--guideline", "2026.11", "--program", "open-infrastructure-metal")

    codes = [build.interop(*words, "--fail-on", policy).returncode for policy in
             ("verdict", "not-compliant", "never")]  # fmt: skip

    assert codes[1:] == [int(codes[0] == 1), 0]
    assert codes[0] in (1, 3)


@pytest.fixture
def elsewhere(build: Build) -> tuple[str, ...]:
    """Two results made by another tool, and the list of tests they are judged by."""
    case = '<testcase classname="tests.a" name="test_{}">{}</testcase>'
    for name, end in (("x", ""), ("y", '<failure message="boom"/>')):
        inside = case.format("one", "") + case.format("two", end)
        (build.place / f"{name}.xml").write_text(f'<testsuite name="s">{inside}</testsuite>')
    (build.place / "list.txt").write_text(
        "tests.a.test_one\ntests.a.test_two\ntests.b.test_three\n"
    )
    return "--guideline", "list.txt"


def test_results_made_elsewhere_are_compared_by_any_guideline(
    build: Build, elsewhere: tuple[str, ...]
) -> None:
    done = build.interop("compare", "x.xml", "y.xml", *elsewhere, "--json")

    document = json.loads(done.stdout)
    rows = {row["id"]: [cell["state"] for cell in row["cells"]] for row in document["rows"]}
    assert rows == {
        "tests.a.test_two": ["passed", "failed"],
        "tests.a.test_one": ["passed", "passed"],
        "tests.b.test_three": ["missing", "missing"],
    }
    assert document["scores"][0]["points"] == 333
    assert [o["code"] for o in document["objections"]] == ["suite-unknown"]


@pytest.mark.parametrize("command", [["compare", "x.xml"], ["export", "--format", "sarif"]])
@pytest.mark.parametrize("name", ["json-deep", "xml-billion-laughs", "json-nan", "yaml-tag"])
def test_a_hostile_result_is_one_line_and_exit_code_2(
    build: Build, elsewhere: tuple[str, ...], command: list[str], name: str
) -> None:
    file = Path(__file__).parent / "data" / "results" / name

    done = build.interop(*command, str(file), *elsewhere)

    assert done.returncode == 2
    assert len(done.stderr.strip().splitlines()) == 1
