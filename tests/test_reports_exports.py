"""Exports: each is valid by its own schema, and says what our states mean and nothing better."""

from __future__ import annotations

import csv
import io
import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import xmlschema
from click.testing import CliRunner
from defusedxml import ElementTree
from export_subjects import (
    ABOUT,
    ADVISED,
    ALL,
    BAD,
    DIGEST,
    EVERY,
    FULL,
    NOW,
    record,
    state_of,
    subject,
)
from oscal_bindings.parser import parse_oscal

from harness.cli.compare import compare_command
from harness.cli.export import FORMATS, export_command
from reports.compare.text import LONGEST
from reports.exports.ctrf import ctrf
from reports.exports.oscal import oscal, token
from reports.exports.sarif import sarif
from reports.exports.summary import facts_csv, github, markdown
from reports.junit import suites
from reports.result import FactRecord

SCHEMAS = Path(__file__).parent / "data" / "schemas"


def schema(name: str) -> Any:
    return json.loads((SCHEMAS / name).read_text(encoding="utf-8"))


def validate(document: Any, name: str) -> None:
    found = schema(name)
    made = jsonschema.validators.validator_for(found)
    made.check_schema(found)
    made(found, format_checker=made.FORMAT_CHECKER).validate(json.loads(json.dumps(document)))


def test_junit_is_valid_and_a_required_check_that_was_skipped_is_no_harmless_skip() -> None:
    text = suites(ALL, ABOUT)

    xmlschema.XMLSchema(str(SCHEMAS / "junit-10.xsd")).validate(text)
    suite = ElementTree.fromstring(text)[0]
    cases = {case.get("name"): [e.tag for e in case if e.tag != "system-out"] for case in suite}
    said = state_of({name: (tags[0] if tags else "") for name, tags in cases.items() if name})
    assert said == {
        "failed": "failure", "skipped": "failure", "missing": "failure", "blocked": "error",
        "waived": "skipped", "not-applicable": "skipped", "passed": "",
    }  # fmt: skip
    tags = [tag for name, tags in cases.items() if name for tag in tags]
    assert suite.get("failures") == str(tags.count("failure"))
    assert suite.get("errors") == str(tags.count("error"))
    assert suite.get("skipped") == str(tags.count("skipped"))


def test_the_same_check_of_two_platforms_is_two_tests_in_junit() -> None:
    root = ElementTree.fromstring(suites([subject(EVERY, name) for name in ("a", "b")], ABOUT))

    known = {(case.get("classname"), case.get("name")) for case in root.iter("testcase")}
    assert len(known) == 2 * len(EVERY)


def test_an_advised_check_never_fails_a_build() -> None:
    suite = ElementTree.fromstring(suites([subject(ADVISED)], ABOUT))[0]

    assert (suite.get("failures"), suite.get("errors")) == ("0", "0")


def test_ctrf_is_valid_and_its_summary_adds_up() -> None:
    found = ctrf(ALL, ABOUT, made=NOW)

    validate(found, "ctrf-schema-0.0.json")
    tests = found["results"]["tests"]
    summary = found["results"]["summary"]
    words = ("passed", "failed", "skipped", "pending", "other")
    assert summary["tests"] == len(tests) == sum(summary[word] for word in words)
    mine = {t["testId"]: t["status"] for t in tests if t["suite"][0] == "cloud"}
    assert state_of(mine) == {
        "failed": "failed", "skipped": "failed", "missing": "failed", "blocked": "other",
        "waived": "skipped", "not-applicable": "skipped", "passed": "passed",
    }  # fmt: skip


def test_sarif_is_valid_and_waivers_are_suppressions() -> None:
    found = sarif(ALL, ABOUT)

    validate(found, "sarif-2.1.0.json")
    run = found["runs"][0]
    results = {r["ruleId"]: r for r in run["results"]}
    assert state_of({id_: r["kind"] for id_, r in results.items()}) == {
        "failed": "fail", "skipped": "fail", "missing": "open", "blocked": "open",
        "waived": "fail", "not-applicable": "notApplicable", "passed": "pass",
    }  # fmt: skip
    suppressed = {r["properties"]["state"] for r in run["results"] if "suppressions" in r}
    assert suppressed == {"waived"}
    assert {rule["id"] for rule in run["tool"]["driver"]["rules"]} == set(results)
    assert found["runs"][2]["invocations"][0]["executionSuccessful"] is False


def test_sarif_says_what_is_new_changed_and_gone() -> None:
    old = subject({"net-00": "passed", "net-01": "blocked", "net-09": "passed"})
    new = subject({"net-00": "failed", "net-01": "blocked", "net-02": "failed"})

    found = sarif([new], ABOUT, baselines=[old])

    validate(found, "sarif-2.1.0.json")
    states = {r["ruleId"]: r["baselineState"] for r in found["runs"][0]["results"]}
    assert states == {
        "net-00": "updated", "net-01": "unchanged", "net-02": "new", "net-09": "absent"
    }  # fmt: skip


def test_sarif_for_alerts_has_no_passes() -> None:
    (run, *_) = sarif([FULL], ABOUT, passes=False)["runs"]

    states = {r["properties"]["state"] for r in run["results"]}
    assert states == {"failed", "skipped", "missing", "blocked"}
    gone = sarif([subject({"net-00": "failed"})], ABOUT, baselines=[FULL], passes=False)
    assert [r["ruleId"] for r in gone["runs"][0]["results"]] == ["net-00"]


def test_sarif_has_what_code_scanning_asks_for() -> None:
    (run,) = sarif([FULL], ABOUT)["runs"]

    rules = run["tool"]["driver"]["rules"]
    assert all("RFC 1035: https://www.rfc-editor.org" in rule["help"]["text"] for rule in rules)
    assert all(rules[r["ruleIndex"]]["id"] == r["ruleId"] for r in run["results"])
    assert all(r["partialFingerprints"]["primaryLocationLineHash"] for r in run["results"])
    assert run["automationDetails"]["id"].rpartition("/")[0] == "interop/cloud"
    link = subject({"net-00": "failed"}, kind="[see](https://x.example)")
    item = replace(link.judgement.items["net-00"], reason="[see](https://x.example)")  # type: ignore[union-attr]
    said = replace(link, judgement=replace(link.judgement, items={"net-00": item}))  # type: ignore[type-var]
    text = sarif([said], ABOUT)["runs"][0]["results"][0]["message"]["text"]
    assert text.endswith("[see] (https://x.example)")


def test_fingerprints_are_of_platform_and_check() -> None:
    one, other = (sarif([subject(EVERY, name, run="x")], ABOUT) for name in ("a", "b"))
    again = sarif([subject(EVERY, "a", run="y")], ABOUT)

    prints = [[r["partialFingerprints"] for r in s["runs"][0]["results"]] for s in
              (one, other, again)]  # fmt: skip
    assert prints[0] == prints[2]
    assert not [p for p in prints[0] if p in prints[1]]


def test_oscal_is_valid_and_evidence_expires() -> None:
    found = oscal(ALL, ABOUT, made=NOW)

    parse_oscal(json.dumps(found))
    result = found["assessment-results"]["results"][0]
    assert {o["expires"] for o in result["observations"]} == {"2027-05-20T00:00:00Z"}
    satisfied = {f["target"]["target-id"] for f in result["findings"]
                 if f["target"]["status"]["state"] == "satisfied"}  # fmt: skip
    assert satisfied == {id_ for id_, s in {**EVERY, **ADVISED}.items() if s == "passed"}
    uuids = {o["uuid"] for o in result["observations"]}
    assert {r["observation-uuid"] for f in result["findings"]
            for r in f["related-observations"]} == uuids  # fmt: skip
    assert {r["status"] for r in result["risks"]} == {"deviation-approved"}


def test_oscal_says_where_evidence_stands_by_uri_references() -> None:
    (result, *_) = oscal([subject({"net-00": "failed"}, "a b%")], ABOUT, made=NOW)[
        "assessment-results"
    ]["results"]

    (link,) = result["observations"][0]["relevant-evidence"]
    assert link["href"] == "a%20b%25/result.json#checks%5B0%5D"


@pytest.mark.parametrize("break_", ["uuid", "results", "metadata"])
def test_the_oscal_validator_notices_a_broken_document(break_: str) -> None:
    found = oscal([FULL], ABOUT, made=NOW)
    del found["assessment-results"][break_]

    with pytest.raises(Exception, match=re.compile("field required|validation|required", re.I)):
        parse_oscal(json.dumps(found))


def test_the_other_validators_notice_a_broken_document() -> None:
    report, scan = ctrf([FULL], ABOUT, made=NOW), sarif([FULL], ABOUT)
    report["results"]["tests"][0]["status"] = "waived"
    scan["runs"][0]["results"][0]["kind"] = "waived"

    with pytest.raises(jsonschema.ValidationError):
        validate(report, "ctrf-schema-0.0.json")
    with pytest.raises(jsonschema.ValidationError):
        validate(scan, "sarif-2.1.0.json")
    with pytest.raises(xmlschema.XMLSchemaValidationError):
        xmlschema.XMLSchema(str(SCHEMAS / "junit-10.xsd")).validate("<testsuites><x/></testsuites>")


@pytest.mark.parametrize("name", ["tempest.api.x[id-1,smoke]", "9-lives", "[sig] a b", "ok-1"])
def test_any_name_becomes_an_oscal_token(name: str) -> None:
    assert re.fullmatch(r"[A-Za-z_][\w.\-]*", token(name))


def test_exports_of_one_result_are_the_same_each_time() -> None:
    for make in (ctrf, oscal):
        assert make([FULL], ABOUT, made=NOW) == make([FULL], ABOUT, made=NOW)


def test_annotations_cannot_be_forged_and_say_what_matters() -> None:
    lines = github([FULL], ABOUT).splitlines()

    assert all(re.match(r"::(error|warning|notice) title=[^:,]+::", line) for line in lines)
    errors = {
        line.split()[1].removeprefix("title=") for line in lines if line.startswith("::error")
    }
    assert errors == {id_ for id_, s in EVERY.items() if s in ("failed", "skipped", "missing")}
    assert lines[-1].startswith("::notice title=Interop::cloud: not-compliant")


def test_of_very_many_findings_github_is_told_ten_of_a_kind_the_worst_first() -> None:
    many = [subject({**EVERY, **ADVISED}, f"cloud-{n}") for n in range(9)]

    lines = github(many, ABOUT).splitlines()

    kinds = [line[2:].split()[0] for line in lines]
    assert kinds == ["error"] * 10 + ["warning"] * 10 + ["notice"] * 9
    assert all(" failed on " in line for line in lines[:9])
    assert lines[9] == "::error title=Interop::and 18 more: see the summary"


def test_what_is_wrong_with_a_waiver_is_told_once_for_all_platforms() -> None:
    note = "the waiver of net-09 expired on 2026-01-01"
    many = [subject({"adv-00": "failed"}, name) for name in ("a", "b")]
    told = [replace(s, judgement=replace(s.judgement, waivers=(note,))) for s in many]  # type: ignore[type-var]

    lines = github(told, ABOUT).splitlines()

    assert [line for line in lines if "waiver" in line] == [
        f"::warning title=Interop waivers::{note}"
    ]
    assert markdown(told, ABOUT).count(f"**Waivers:** {note}") == len(told)


def test_a_summary_is_never_too_long_for_a_builds_page() -> None:
    many = [subject(EVERY, f"cloud-{n}") for n in range(1200)]

    text = markdown(many, ABOUT)

    assert len(text.encode()) < LONGEST + 100
    assert re.search(r"\n\n\d+ more lines are left out here\.\n$", text)
    assert "left out" not in markdown(many[:9], ABOUT)


def test_the_summary_takes_hostile_words_as_words_and_tells_what_did_not_finish() -> None:
    text = markdown(ALL, ABOUT)

    assert "<b>" not in text
    assert "**Did not finish:**" in text
    rows = [line for line in text.splitlines() if line.startswith("| ")]
    assert {len(re.findall(r"(?<!\\)\|", row)) for row in rows} == {5}


def test_facts_are_one_a_line() -> None:
    rows = list(csv.DictReader(io.StringIO(facts_csv([FULL]))))

    assert len(rows) == len(FULL.records)
    assert json.loads(rows[0]["value"]) == ["a", BAD]
    assert rows[0]["member"] == "m-1"


def test_a_sheet_runs_no_formula_and_keeps_its_numbers() -> None:
    values: list[Any] = ["=cmd|'/c calc'!A1", "\uff1d1+1", "a\n=1", -5, -0.5, True, ["-1"], None]
    facts = [FactRecord(name="f", value=value, source="guest") for value in values]
    told = record("net-00", "passed").model_copy(update={"facts": facts})
    text = facts_csv([replace(subject({}), records=(told,))])

    assert re.fullmatch(r"(?:[^\r\n\"]|\"[^\"]*\"|\r\n)*", text)
    read = [row["value"] for row in csv.DictReader(io.StringIO(text, newline=""))]
    assert read == ["'=cmd|'/c calc'!A1", "'\uff1d1+1", "a\n=1", "-5", "-0.5", "true",
                    '["-1"]', "null"]  # fmt: skip


PRIVATE = ("acct-4711-secret", "bmc-admin-9f", "10.9.8.7", "hunter2-password-x")


@pytest.fixture
def told(tmp_path: Path) -> Path:
    """A result that tells everything it should keep to itself, in every place that is exported."""
    said = f"login {PRIVATE[0]} at https://{PRIVATE[2]}/redfish/v1 password={PRIVATE[3]}"
    check = record("bmc-01", "failed", said).model_dump(mode="json")
    check["facts"] = [{"name": "account", "value": PRIVATE[0], "source": "api"},
                      {"name": "login", "value": PRIVATE[1], "source": "api"}]  # fmt: skip
    check["evidence"] = [{"title": f"$ curl https://{PRIVATE[2]}/redfish/v1", "text": said}]
    document = {
        "schema": "interop.result/1", "id": "r", "run": "r", "started": NOW, "finished": NOW,
        "complete": True, "tool": {"version": "0.1.0"}, "suite": {"digest": DIGEST, "seed": 1},
        "platform": {
            "name": "metal", "kind": "metal", "features": ["bmc"],
            "declared": {"account": PRIVATE[0], "private": ["account"]},
            "described": {"controller": {"bmc_address": PRIVATE[2], "password": PRIVATE[3]}},
            "profile": {"tenant": PRIVATE[1]},
        },
        "checks": [check],
    }  # fmt: skip
    file = tmp_path / "metal" / "result.json"
    file.parent.mkdir()
    file.write_text(json.dumps(document))
    (tmp_path / "private.yaml").write_text(f"values: [{PRIVATE[1]}]\n")
    return file


@pytest.mark.parametrize("form", FORMATS)
def test_no_private_value_reaches_an_export(form: str, told: Path, tmp_path: Path) -> None:
    target = tmp_path / "out"
    words = [str(told), "--format", form, "--to", str(target)]
    rules = str(tmp_path / "private.yaml")

    done = CliRunner().invoke(export_command, [*words, "--private", rules])

    assert done.exit_code == 0, done.output
    files = [file for file in (target, *target.rglob("*")) if file.is_file()]
    text = "\n".join(file.read_text(encoding="utf-8") for file in files)
    assert text
    assert [value for value in PRIVATE if value in text] == []


def test_for_ones_own_eyes_nothing_is_taken_out(told: Path) -> None:
    done = CliRunner().invoke(export_command, [str(told), "--format", "csv", "--unredacted"])

    assert PRIVATE[0] in done.output


@pytest.mark.parametrize("form", ["text", "markdown", "json", "html", "csv"])
def test_no_private_value_reaches_a_comparison_for_others(
    form: str, told: Path, tmp_path: Path
) -> None:
    other = tmp_path / "again" / "result.json"
    other.parent.mkdir()
    document = json.loads(told.read_text())
    document["checks"][0]["facts"][0]["value"] = "another"
    other.write_text(json.dumps(document))
    out = tmp_path / "comparison"
    words = [str(told), str(other), "--anyway", "--format", form, "--output", str(out)]

    # What no form marks as private is named by a rule of the publisher's.
    rules = ["--redact", "--private", str(tmp_path / "private.yaml")]
    done = CliRunner().invoke(compare_command, [*words, *rules], standalone_mode=False)

    assert done.exception is None, done.exception
    assert [value for value in PRIVATE if value in out.read_text(encoding="utf-8")] == []
