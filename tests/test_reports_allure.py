"""Allure: a team that looks at nothing else misses nothing, and takes no platform for another."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from export_subjects import (
    ABOUT,
    ADVISED,
    EVERY,
    FULL,
    NOW,
    state_of,
    subject,
)

from guidelines.results import load_results
from harness.allure_folder import build_of
from reports.exports.allure import allure, judged
from reports.exports.ctrf import ctrf
from reports.junit import suites


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    old = subject(dict.fromkeys(EVERY, "passed"), run="older", digest="sha256:older")
    for name, text in allure([FULL], ABOUT, baselines=[old]):
        file = tmp_path / name
        file.parent.mkdir(exist_ok=True)
        file.write_text(text, encoding="utf-8")
    return tmp_path


def results_in(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(file.read_text()) for file in sorted(folder.glob("*-result.json"))]


def test_allure_says_broken_where_we_could_not_tell(folder: Path) -> None:
    said = {r["name"].split()[0]: r["status"] for r in results_in(folder)}

    assert state_of(said) == {
        "failed": "failed", "skipped": "failed", "missing": "failed", "blocked": "broken",
        "waived": "skipped", "not-applicable": "skipped", "passed": "passed",
    }  # fmt: skip


def test_a_failure_says_how_to_repeat_it_in_allure_and_ctrf() -> None:
    one = subject({"net-00": "failed"}, seed=7)

    files = dict(allure([one], ABOUT))
    (result,) = (json.loads(t) for n, t in files.items() if n.endswith("-result.json"))
    (test,) = ctrf([one], ABOUT, made=NOW)["results"]["tests"]

    command = "interop run -p cloud --select net-00 --seed 7"
    assert result["statusDetails"]["trace"].endswith(f"\nto repeat it: {command}")
    assert test["extra"]["repeat"] == command


def test_allure_has_labels_links_and_every_attachment(folder: Path) -> None:
    results = results_in(folder)
    found = next(r for r in results if r["name"].startswith("net-00"))

    labels = {(label["name"], label["value"]) for label in found["labels"]}
    assert {("epic", "network"), ("feature", "Addresses and names"), ("severity", "normal"),
            ("story", "addressing"), ("parentSuite", "cloud")} <= labels  # fmt: skip
    assert [link["url"] for link in found["links"]] == ["https://www.rfc-editor.org/rfc/rfc1035"]
    named = {a["source"] for r in results for a in r.get("attachments", [])}
    assert named == {file.name for file in folder.glob("*-attachment.txt")}
    assert named


def test_allure_history_follows_a_check_and_categories_match_their_messages(folder: Path) -> None:
    history = json.loads((folder / "history" / "history.json").read_text())
    trend = json.loads((folder / "history" / "history-trend.json").read_text())
    categories = json.loads((folder / "categories.json").read_text())

    ids = {r["historyId"] for r in results_in(folder) if r["name"].startswith("net-")}
    assert set(history) == ids
    assert trend[0]["data"]["passed"] == len(EVERY)
    for result in results_in(folder):
        if result["status"] != "passed":
            message = result["statusDetails"]["message"]
            assert [c["name"] for c in categories if result["status"] in c["matchedStatuses"]
                    and re.fullmatch(c.get("messageRegex", "(?s).*"), message)]  # fmt: skip


def pytests(name: str, start: int, **more: Any) -> dict[str, Any]:
    """A result as allure-pytest writes it, which knows of no platform and no verdict."""
    label = {"name": "AS_ID", "value": name}
    return {"uuid": f"{name}-{start}", "historyId": name, "fullName": f"x#{name}", "start": start,
            "stop": start + 1, "labels": [label], "name": name, **more}  # fmt: skip


def judged_results(states: Mapping[str, str], *written: dict[str, Any], name: str = "cloud",
                   missing: bool = True) -> dict[str, dict[str, Any]]:  # fmt: skip
    files = {f"{document['uuid']}-result.json": document for document in written}
    told = judged(files, subject(states, name), ABOUT, missing=missing)
    return {file: json.loads(text) for file, text in told if file.endswith("-result.json")}


def test_what_pytest_wrote_for_allure_is_told_as_it_was_judged() -> None:
    steps = [{"name": "a step"}]
    attached = [{"name": "log", "source": "a", "type": "text/plain"}]
    wrote = [pytests(id_, 5, status="broken", steps=steps, attachments=attached) for id_ in EVERY
             if EVERY[id_] != "missing"]  # fmt: skip

    found = judged_results(EVERY, *wrote)

    exported = {r["name"]: r for n, t in allure([subject(EVERY)], ABOUT)
                if n.endswith("-result.json") for r in [json.loads(t)]}  # fmt: skip
    assert {r["name"] for r in found.values()} == set(exported)
    for result in found.values():
        same = ("status", "historyId", "labels", "links", "parameters", "statusDetails")
        export = exported[result["name"]]
        assert {k: result.get(k) for k in same} == {k: export.get(k) for k in same}
        if "missing" not in result.get("statusDetails", {}).get("message", ""):
            assert (result["steps"], result["attachments"]) == (steps, attached)
    assert len(judged_results(EVERY, *wrote, missing=False)) == len(wrote)


def test_the_same_check_of_two_platforms_is_no_retry_in_allure() -> None:
    wrote = pytests("net-00", 5, status="passed")

    ids = {r["historyId"] for name in ("a", "b")
           for r in judged_results({"net-00": "passed"}, wrote, name=name).values()}  # fmt: skip

    assert len(ids) == 2


def test_an_earlier_try_of_a_check_stays_what_it_was() -> None:
    tries = [pytests("net-00", 9, status="passed"), pytests("net-00", 5, status="broken")]

    found = judged_results({"net-00": "passed"}, *tries)

    assert [found[f"net-00-{n}-result.json"]["status"] for n in (5, 9)] == ["broken", "passed"]
    assert len({(r["historyId"], r["fullName"]) for r in found.values()}) == 1


def test_allure_is_told_of_the_build_that_ran_us(tmp_path: Path) -> None:
    github = {"GITHUB_ACTIONS": "true", "GITHUB_SERVER_URL": "https://github.example",
              "GITHUB_REPOSITORY": "a/b", "GITHUB_RUN_ID": "7", "GITHUB_WORKFLOW": "interop",
              "GITHUB_RUN_NUMBER": "3"}  # fmt: skip
    gitlab = {"GITLAB_CI": "true", "CI_JOB_NAME": "interop", "CI_PIPELINE_IID": "3",
              "CI_JOB_URL": "https://gitlab.example/a/b/-/jobs/7"}  # fmt: skip

    urls = []
    for environment in (github, gitlab, {}):
        files = dict(allure([FULL], ABOUT, build=build_of(environment)))
        told = json.loads(files["executor.json"])
        urls.append((told["buildName"], told.get("buildUrl")))

    assert urls == [
        ("interop #3", "https://github.example/a/b/actions/runs/7"),
        ("interop #3", "https://gitlab.example/a/b/-/jobs/7"),
        ("run-cloud", None),
    ]


def test_allure_environment_is_ascii_which_java_reads() -> None:
    text = dict(allure([subject(EVERY, "größe \\ 😀: 1")], ABOUT))["environment.properties"]

    assert text.splitlines()[0] == r"gr\u00f6\u00dfe\ \\\ \ud83d\ude00\:\ 1.kind=fake"


def test_allure_environment_is_one_line_a_word(folder: Path) -> None:
    lines = (folder / "environment.properties").read_text().splitlines()

    assert "cloud.verdict=not-compliant" in lines
    assert all(re.fullmatch(r"[^=\s]+=.+", line) for line in lines)


@pytest.mark.parametrize("form", ["junit", "ctrf", "allure"])
def test_our_own_reader_reads_what_we_write(form: str, folder: Path, tmp_path: Path) -> None:
    file = tmp_path / f"export.{'xml' if form == 'junit' else 'json'}"
    if form == "allure":
        file = folder
    elif form == "junit":
        file.write_text(suites([FULL], ABOUT), encoding="utf-8")
    else:
        file.write_text(json.dumps(ctrf([FULL], ABOUT, made=NOW)), encoding="utf-8")

    evidence = load_results(file)

    assert len(evidence.outcomes) == len(EVERY) + len(ADVISED)
    names = {name for outcome in evidence.outcomes for name in outcome.names}
    assert {*EVERY, *ADVISED} <= names  # so that a guideline's checks are found in it
