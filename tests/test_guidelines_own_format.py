"""Our own guideline format: its schema, its errors, and the files that come with the package."""

from __future__ import annotations

import copy
import datetime
import importlib.util
import json
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml

from guidelines.catalog import DATA, load_guideline, parse_guideline, shipped_guidelines
from guidelines.documents import all_schemas
from guidelines.errors import BadDocument, SchemaProblems
from guidelines.lint import lint
from guidelines.model import CapabilityStatus, ExpectationKind
from guidelines.requirements import find_program, resolve

SMALL: dict[str, Any] = {
    "schema": "interop.guideline/1",
    "id": "2030.01",
    "status": "draft",
    "scoring": {"cutoff": 5, "criteria": {"stable": {"name": "Stable", "weight": 10}}},
    "programs": {"all": {"components": ["base"]}},
    "components": {"base": {"capabilities": {"required": ["boot"]}}},
    "capabilities": {"boot": {"checks": ["boot-01"], "achievements": ["stable"]}},
    "checks": {
        "boot-01": {"title": "It boots", "level": 1, "references": [{"title": "RFC 1 section 1"}]}
    },
}


def parse(document: dict[str, Any]) -> Any:
    return parse_guideline(json.dumps(document).encode(), source="g", digest="sha256:0")


def changed(path: str, value: object) -> dict[str, Any]:
    document = copy.deepcopy(SMALL)
    node = document
    *parents, last = path.split("/")
    for key in parents:
        node = node[key]
    node[last] = value
    return document


def exporter() -> ModuleType:
    path = Path(__file__).parent / "export_schemas.py"
    spec = importlib.util.spec_from_file_location("export_schemas", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_small_guideline_is_read() -> None:
    guideline = parse(SMALL)

    assert guideline.id == "2030.01"
    assert guideline.default_program == "all"
    assert [item.check.id for item in resolve(guideline, guideline.programs["all"]).must_pass] == [
        "boot-01"
    ]
    assert lint(guideline) == ()


@pytest.mark.parametrize(
    ("path", "value", "where", "said"),
    [
        ("checks/boot-01/levle", 2, "checks.boot-01.levle", "did you mean 'level'"),
        ("capabilties", {}, "capabilties", "did you mean 'capabilities'"),
        ("programs/all/component", [], "programs.all.component", "did you mean 'components'"),
        ("components/base/capabilities/requierd", [], "requierd", "did you mean 'required'"),
        ("id", 2030.01, "id", "write it in quotes"),
        ("status", "done", "status", "'draft'"),
        ("checks/boot-01/level", 9, "checks.boot-01.level", "less than or equal to 6"),
        ("checks/boot-01/level", "1", "checks.boot-01.level", "valid integer"),
        ("checks/boot-01/expects", [{"fact": "a"}], "expects.0", "exactly one of"),
        ("checks/boot-01/expects", [{"fact": "a", "range": {}}], "range", "low, high or both"),
        ("timeline", [{"date": 5, "status": "draft"}], "timeline.0.date", "date"),
        ("programs/all/holds", "P1X", "programs.all.holds", "pattern"),
    ],
)
def test_a_wrong_key_is_named_with_its_path(
    path: str, value: object, where: str, said: str
) -> None:
    with pytest.raises(SchemaProblems) as caught:
        parse(changed(path, value))

    assert any(where in p.path and said in p.message for p in caught.value.problems)


def test_every_wrong_key_is_reported() -> None:
    document = changed("idd", "x")
    document["checks"]["boot-01"]["levl"] = 1

    with pytest.raises(SchemaProblems) as caught:
        parse(document)

    assert len(caught.value.problems) == 2
    assert "and 1 more" in str(caught.value)


def test_document_without_schema_is_told_which_to_name() -> None:
    document = copy.deepcopy(SMALL)
    del document["schema"]

    with pytest.raises(BadDocument, match=r"expected 'interop\.guideline/1'"):
        parse(document)


def test_result_is_not_taken_for_a_guideline() -> None:
    with pytest.raises(BadDocument, match="is not a guideline"):
        parse({"schema": "interop.result/1", "checks": []})


def test_yaml_and_json_give_the_same_guideline() -> None:
    document = changed("timeline", [{"date": "2030-01-05", "status": "draft"}])

    from_yaml = parse_guideline(yaml.safe_dump(document).encode(), source="g", digest="sha256:0")

    assert from_yaml == parse(document)
    assert from_yaml.timeline[0].date == datetime.date(2030, 1, 5)


def test_expectations_are_read() -> None:
    expects = [
        {"fact": "a", "equals": None},
        {"fact": "b", "one-of": [1, "x"]},
        {"fact": "c", "range": {"low": 1}, "unit": "s"},
        {"fact": "d", "same-across": "members"},
        {"fact": "e", "recorded": True, "optional": True},
        {"fact": "f", "contains": ["x"]},
    ]

    guideline = parse(changed("checks/boot-01/expects", expects))

    kinds = [item.kind for item in guideline.checks["boot-01"].expects]
    assert kinds == [
        ExpectationKind.EQUALS,
        ExpectationKind.ONE_OF,
        ExpectationKind.RANGE,
        ExpectationKind.SAME_ACROSS,
        ExpectationKind.RECORDED,
        ExpectationKind.CONTAINS,
    ]


def test_component_brings_what_it_depends_on() -> None:
    document = changed("components/top", {"requires": ["base"], "capabilities": {}})
    document["programs"]["add"] = {"components": ["top"], "add-on": True}

    guideline = parse(document)

    assert guideline.programs["add"].host == ("base",)
    items = resolve(guideline, guideline.programs["add"]).must_pass
    assert [(item.check.id, item.host) for item in items] == [("boot-01", True)]


@pytest.mark.parametrize("name", shipped_guidelines())
def test_shipped_guideline_passes_lint_without_a_finding(name: str) -> None:
    assert lint(load_guideline(name), at=datetime.date(2026, 11, 21)) == ()


@pytest.mark.parametrize("name", shipped_guidelines())
def test_every_shipped_program_requires_something_unconditionally(name: str) -> None:
    guideline = load_guideline(name)

    for program in guideline.programs.values():
        items = resolve(guideline, program).must_pass
        assert any(frozenset() in item.conditions for item in items)


def test_metal_checks_are_in_the_metal_program_only() -> None:
    guideline = load_guideline("2026.11")

    compute = resolve(guideline, find_program(guideline, "open-infrastructure-compute"))
    metal = resolve(guideline, find_program(guideline, "open-infrastructure-metal"))

    assert not [item for item in compute.items if item.check.id.startswith("bmc-")]
    assert {"bmc-01", "bmc-02", "bmc-03"} <= {item.check.id for item in metal.must_pass}
    assert compute.statuses["init-kernel"] is CapabilityStatus.ADVISORY


def test_digests_of_shipped_files_are_as_recorded() -> None:
    recorded = (DATA / "SHA256SUMS").read_text(encoding="utf-8")

    assert recorded == exporter().digest_text()


def test_a_published_file_cannot_get_another_digest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = exporter()
    (tmp_path / "data").mkdir()
    monkeypatch.setattr(module, "PACKAGE", tmp_path)
    file = tmp_path / "data" / "2030.01.yaml"
    file.write_text(yaml.safe_dump(changed("status", "approved")), encoding="utf-8")

    with pytest.raises(SystemExit, match="must not change"):
        module.check_published("0" * 64 + "  2030.01.yaml\n", module.digest_text())

    file.write_text(yaml.safe_dump(SMALL), encoding="utf-8")
    module.check_published("0" * 64 + "  2030.01.yaml\n", module.digest_text())


@pytest.mark.parametrize("name", sorted(all_schemas()))
def test_schema_file_is_exported_from_the_model(name: str) -> None:
    file = DATA.parent / "schema" / name

    assert file.read_text(encoding="utf-8") == exporter().schema_text(all_schemas()[name])


def test_unknown_id_names_the_shipped_ones() -> None:
    with pytest.raises(BadDocument, match=r"shipped are 2026\.11"):
        load_guideline("1999.01")


def test_a_program_is_found_in_any_case_and_a_wrong_one_suggested() -> None:
    guideline = load_guideline("2026.11")

    assert find_program(guideline, "OPEN-infrastructure-metal").id == "open-infrastructure-metal"
    with pytest.raises(BadDocument, match="did you mean 'open-infrastructure-metal'"):
        find_program(guideline, "open-infrastructure-metl")
