"""Foreign guidelines: each programme's formats, with the dirt their files are known to have."""

from __future__ import annotations

import datetime
import json
from typing import Any

import pytest

from guidelines.catalog import parse_guideline
from guidelines.errors import BadDocument
from guidelines.evidence import Evidence, Fact
from guidelines.judge import judge
from guidelines.model import CapabilityStatus, Guideline
from guidelines.requirements import choose_program, find_program, is_in_force, resolve
from guidelines.verdict import State

ID = "11111111-2222-3333-4444-555555555555"
FLAG = {"date": "2030-01-01", "reason": "[D401] broken", "action": "fix"}


def parse(document: object) -> Guideline:
    return parse_guideline(json.dumps(document).encode(), source="g.json", digest="sha256:g")


def schema_1(capability: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {
        "id": "2030.01",
        "schema": "1.5",
        "status": "approved",
        "cutoff_score": "74",
        "platform": {"required": ["compute"], "advisory": [], "deprecated": [], "removed": []},
        "components": {"compute": {"required": ["cap"], "advisory": []}},
        "criteria": {"stable": {"Description": "x", "name": "Stable", "weight": 9}},
        "capabilities": {"cap": capability},
        **more,
    }


def schema_2(**more: Any) -> dict[str, Any]:
    return {
        "metadata": {
            "id": "2030.01",
            "schema": "2.0",
            "scoring": {"cutoff_score": 74, "criteria": {}},
            "os_trademark_approval": {"status": "draft", "replaces": "2029.11", "releases": []},
        },
        "platforms": {
            "OpenStack Powered Compute": {"description": "d", "components": [{"name": "core"}]}
        },
        "components": {"core": {"capabilities": {"required": ["cap"]}, "designated_sections": {}}},
        "capabilities": {"cap": {"tests": {"t.a": {"idempotent_id": f"id-{ID}"}}}},
        **more,
    }


@pytest.mark.parametrize(
    "tests",
    [
        ["t.a", "t.b"],
        {"t.a": {"idempotent_id": f"id-{ID}"}, "t.b": {}},
        {"t.a": f"id-{ID}", "t.b": None},
        [{"name": "t.a", "idempotent_id": ID}, "t.b"],
    ],
)
def test_every_form_of_tests_is_read(tests: object) -> None:
    guideline = parse(schema_1({"tests": tests}))

    assert list(guideline.checks) == ["t.a", "t.b"]


@pytest.mark.parametrize(
    "capability",
    [
        {"tests": ["t.a", "t.b"], "flagged": ["t.a"]},
        {"tests": {"t.a": {"flagged": FLAG}, "t.b": {}}},
        {"tests": {"t.a": {"flag": FLAG}, "t.b": {"flagged": False}}},
        {"tests": {"t.a": {"flagged": "D401 text"}, "t.b": {"flagged": {}}}},
    ],
)
def test_every_form_of_a_flag_is_read(capability: dict[str, Any]) -> None:
    guideline = parse(schema_1(capability))

    requirements = resolve(guideline, guideline.programs["platform"])

    assert [item.check.id for item in requirements.flagged] == ["t.a"]
    assert [item.check.id for item in requirements.must_pass] == ["t.b"]


@pytest.mark.parametrize(
    ("reason", "code"),
    [("[D401] x", "D401"), ("D406 x", "D406"), ("Resize is", None), ("D40 x", None)],
)
def test_code_of_a_flag(reason: str, code: str | None) -> None:
    guideline = parse(schema_1({"tests": {"t.a": {"flagged": {**FLAG, "reason": reason}}}}))

    flag = guideline.checks["t.a"].flag
    assert flag is not None
    assert flag.code == code


def test_misspelt_keys_are_understood_and_reported() -> None:
    guideline = parse(schema_1({"acheivements": ["stable"], "descriptin": "d", "tests": {}}))

    assert guideline.capabilities["cap"].achievements == ("stable",)
    assert guideline.capabilities["cap"].title == "d"
    assert [o.code for o in guideline.oddities].count("misspelt-key") == 2


def test_a_key_in_two_spellings_is_refused() -> None:
    with pytest.raises(BadDocument, match="two spellings"):
        parse(schema_1({"required-since": "2015.03", "required_since": "2016.01", "tests": {}}))


@pytest.mark.parametrize("spelling", ["required-since", "required_since"])
def test_required_since_in_both_spellings(spelling: str) -> None:
    guideline = parse(schema_1({spelling: "2015.03", "tests": {}}))

    assert guideline.capabilities["cap"].required_since == "2015.03"


def test_cut_off_as_text_is_a_number() -> None:
    assert parse(schema_1({"tests": {}})).scoring.cutoff == 74


def test_tags_behind_an_id_are_taken_off() -> None:
    guideline = parse(schema_1({"tests": {"t.a": {"idempotent_id": f"id-{ID},smoke"}}}))

    assert guideline.checks["t.a"].idempotent_id == ID
    assert "malformed-id" in {oddity.code for oddity in guideline.oddities}


def test_programs_answer_to_the_names_of_either_schema() -> None:
    new = parse(schema_2())
    old = parse(schema_1({"tests": {}}))

    assert find_program(new, "compute").id == "OpenStack Powered Compute"
    assert find_program(new, "openstack powered compute").id == "OpenStack Powered Compute"
    assert find_program(old, "OpenStack Powered Compute").id == "compute"
    assert list(old.programs) == ["platform", "compute"]
    assert new.replaces == "2029.11"


@pytest.mark.parametrize("key", ["add-ons", "add_ons", "addons"])
def test_an_add_on_names_its_host(key: str) -> None:
    document = schema_2()
    document[key] = {
        "DNS": {
            "components": [{"name": "core"}],
            "required_platform_components": [{"name": "far", "source": "next.json"}],
        }
    }

    guideline = parse(document)

    assert guideline.programs["DNS"].host == ("far",)
    assert resolve(guideline, find_program(guideline, "dns")).undefined == ("far",)


def test_the_stronger_status_of_two_components_counts() -> None:
    document = schema_2()
    document["platforms"]["OpenStack Powered Compute"]["components"].append({"name": "more"})
    document["components"]["more"] = {"capabilities": {"advisory": ["cap"], "removed": ["gone"]}}

    guideline = parse(document)

    requirements = resolve(guideline, guideline.programs["OpenStack Powered Compute"])
    assert requirements.statuses["cap"] is CapabilityStatus.REQUIRED


@pytest.mark.parametrize(
    ("document", "where"),
    [
        (schema_1({"tests": 5}), "capabilities.cap.tests"),
        (schema_1({"tests": [5]}), "capabilities.cap.tests.0"),
        (schema_1({"tests": {"t": {"aliases": [1]}}}), "capabilities.cap.tests.t.aliases"),
        (schema_1([]), "capabilities.cap"),  # type: ignore[arg-type]
        (schema_1({}, components={"c": {"required": "cap"}}), "components.c.required"),
        (schema_1({}, criteria={"a": {"weight": "heavy"}}), "criteria.a.weight"),
        (schema_2(metadata={"schema": "2.0"}), "metadata.id"),
    ],
)
def test_a_wrong_type_names_its_path(document: dict[str, Any], where: str) -> None:
    with pytest.raises(BadDocument) as caught:
        parse(document)

    assert caught.value.where == where


def test_kubernetes_list() -> None:
    guideline = parse(
        [
            {"testname": "A", "codename": "[sig-node] a [Conformance]", "release": "v1.9, v1.18"},
            {"testname": "B", "codename": "[sig-apps] b [Conformance]", "release": "1.25"},
            {"testname": "B", "codename": "[sig-apps] b [Conformance]", "release": "v1.21"},
        ]
    )

    assert guideline.id == "v1.25"
    assert len(resolve(guideline, guideline.programs["conformance"]).must_pass) == 2
    assert [oddity.code for oddity in guideline.oddities] == ["duplicate-test"]


def test_a_kubernetes_test_is_found_in_other_quotes() -> None:
    guideline = parse([{"codename": '[sig-node] a exec "cat x" [Conformance]', "release": "v1.9"}])

    assert guideline.checks['[sig-node] a exec "cat x" [Conformance]'].aliases == (
        "[sig-node] a exec 'cat x' [Conformance]",
    )


def test_a_kubernetes_test_without_codename_is_not_lost() -> None:
    with pytest.raises(BadDocument, match="codename"):
        parse([{"codename": "a"}, {"testname": "b"}])


SCOPE: dict[str, Any] = {
    "name": "Scope",
    "uuid": "u",
    "scripts": [
        {"executable": "x.py", "testcases": [{"id": "a"}, {"id": "b", "lifetime": "month"}]},
        {"testcases": [{"id": "doc", "description": "Manual check: read it"}]},
    ],
    "modules": [
        {"id": "m1", "targets": {"main": ["a"], "recommended": ["b"], "preview": ["doc"]}},
        {"id": "m2", "targets": {}},
    ],
    "versions": [
        {"version": "v1", "include": ["m1", {"ref": "m2", "parameters": {"x": 1}}]},
        {"version": "v2", "include": ["m1"]},
    ],
    "timeline": [
        {"date": "2030-03-01", "versions": {"v2": "effective", "v1": "warn"}},
        {"date": "2030-01-01", "versions": {"v1": "effective"}},
    ],
}


def test_scope_requires_the_main_target() -> None:
    guideline = parse(SCOPE)

    requirements = resolve(guideline, guideline.programs["v1"])

    assert [item.check.id for item in requirements.must_pass] == ["a"]
    assert {item.check.id: item.check.manual for item in requirements.advised} == {
        "b": False,
        "doc": True,
    }
    assert {item.check.id: item.check.holds for item in requirements.items} == {
        "a": "week",
        "b": "month",
        "doc": "week",
    }


@pytest.mark.parametrize(
    ("day", "version"),
    [("2030-01-01", "v1"), ("2030-02-28", "v1"), ("2030-03-01", "v2"), ("2035-01-01", "v2")],
)
def test_the_version_in_force_on_a_day(day: str, version: str) -> None:
    assert choose_program(parse(SCOPE), None, datetime.date.fromisoformat(day)).id == version


def test_before_the_first_entry_no_version_is_in_force() -> None:
    guideline = parse(SCOPE)
    day = datetime.date(2029, 12, 31)

    with pytest.raises(BadDocument, match="no version is effective on 2029-12-31"):
        choose_program(guideline, None, day)
    assert not is_in_force(guideline, guideline.programs["v1"], day)


def test_a_version_the_timeline_leaves_out_is_deprecated() -> None:
    guideline = parse({**SCOPE, "timeline": [{"date": "2030-03-01", "versions": {"v2": "draft"}}]})

    found = judge(guideline, [], program="v1", at=datetime.date(2030, 4, 1))

    assert "not-in-force" in {finding.code for finding in found.findings}


def test_an_undefined_module_cannot_be_satisfied() -> None:
    document = {**SCOPE, "versions": [{"version": "v1", "include": ["m1", "ghost"]}]}

    guideline = parse({**document, "timeline": []})

    assert len(resolve(guideline, guideline.programs["v1"]).must_pass) == 2
    assert "undefined-module" in {oddity.code for oddity in guideline.oddities}


def test_the_earlier_form_of_scopes_selects_by_tags() -> None:
    guideline = parse(
        {
            "name": "Old",
            "modules": [
                {
                    "id": "m",
                    "run": [{"executable": "x"}],
                    "testcases": [
                        {"id": "a", "tags": ["mandatory"]},
                        {"id": "b", "tags": ["domain"]},
                        {"id": "c", "tags": []},
                    ],
                }
            ],
            "versions": [
                {
                    "version": "v1",
                    "include": ["m"],
                    "targets": {"main": "mandatory", "preview": "domain/zones"},
                }
            ],
            "timeline": [],
        }
    )

    requirements = resolve(guideline, guideline.programs["v1"])
    assert [item.check.id for item in requirements.must_pass] == ["a"]
    assert [item.check.id for item in requirements.advised] == ["b"]


def test_the_oldest_form_of_scopes_lists_standards() -> None:
    guideline = parse(
        {
            "name": "Oldest",
            "versions": [
                {
                    "version": "v1",
                    "stabilized_at": "2022-01-01",
                    "obsoleted_at": "2023-01-01",
                    "standards": [
                        {"name": "s", "checks": [{"executable": "x.py", "id": "a"}]},
                        {"name": "o", "condition": "optional", "checks": [{"executable": "y.py"}]},
                    ],
                }
            ],
        }
    )

    requirements = resolve(guideline, guideline.programs["v1"])
    assert [item.check.id for item in requirements.must_pass] == ["a"]
    assert [item.check.id for item in requirements.advised] == ["y.py"]
    assert choose_program(guideline, None, datetime.date(2022, 6, 1)).id == "v1"


PROFILE = {
    "SchemaDefinition": "RedfishInteroperabilityProfile.v1_8_0",
    "ProfileName": "P",
    "ProfileVersion": "1.0",
    "Resources": {
        "ComputerSystem": {
            "PropertyRequirements": {
                "PowerState": {},
                "Boot": {
                    "ReadRequirement": "Recommended",
                    "PropertyRequirements": {
                        "Target": {"WriteRequirement": "Mandatory", "MinSupportValues": ["Pxe"]}
                    },
                },
            }
        }
    },
}


def test_redfish_profile() -> None:
    guideline = parse(PROFILE)

    items = {
        item.check.id: item for item in resolve(guideline, guideline.programs["profile"]).items
    }

    assert set(items) == {
        "ComputerSystem#read",
        "ComputerSystem.PowerState#read",
        "ComputerSystem.Boot#read",
        "ComputerSystem.Boot.Target#read",
        "ComputerSystem.Boot.Target#write",
    }
    assert items["ComputerSystem.Boot#read"].status is CapabilityStatus.ADVISORY
    assert items["ComputerSystem.Boot.Target#write"].conditions == (
        frozenset({"ComputerSystem.Boot"}),
    )


def test_redfish_profile_is_judged_by_facts() -> None:
    guideline = parse(PROFILE)
    body = Evidence(
        source="f",
        format="interop.result/1",
        digest="sha256:f",
        declared=frozenset({"ComputerSystem.Boot"}),
        facts=(
            Fact(name="ComputerSystem#read", value=True, source="api"),
            Fact(name="ComputerSystem.PowerState#read", value="On", source="api"),
            Fact(name="ComputerSystem.Boot.Target#write", value=("Hdd",), source="api"),
        ),
    )

    found = judge(guideline, [body], program="profile", at=datetime.date(2030, 1, 1))

    states = {item.id: item.state for item in found.items}
    assert states["ComputerSystem.PowerState#read"] is State.PASSED
    assert states["ComputerSystem.Boot.Target#write"] is State.FAILED
    assert states["ComputerSystem.Boot.Target#read"] is State.MISSING


@pytest.mark.parametrize(
    ("text", "names"),
    [
        (f"t.C.a[id-{ID},smoke]\n# note\n\nt.C.b\n", ["t.C.a", "t.C.b"]),
        ("- t.C.a\n- t.C.b\n", ["t.C.a", "t.C.b"]),
        ('["t.C.a", "t.C.b"]', ["t.C.a", "t.C.b"]),
        ("[sig-node] a b [Conformance]\n", ["[sig-node] a b [Conformance]"]),
        ("t.C.a\nt.C.a[smoke]\n", ["t.C.a"]),
    ],
)
def test_list_of_tests(text: str, names: list[str]) -> None:
    guideline = parse_guideline(text.encode(), source="x/list.lst", digest="sha256:g")

    assert list(guideline.checks) == names
    assert guideline.id == "list"


@pytest.mark.parametrize(
    "text",
    [
        "Some prose that is\nnot a list.",
        "<html></html>",
        "**/unary/x",
        "",
        "   \n",
        "42",
        "{}",
        "[]",
    ],
)
def test_what_is_no_guideline_is_refused(text: str) -> None:
    with pytest.raises(BadDocument):
        parse_guideline(text.encode(), source="f", digest="sha256:g")


GROUPED: dict[str, Any] = {
    "name": "Scope",
    "scripts": [{"executable": "x.py", "testcases": [{"id": "a"}, {"id": "b"}, {"id": "c"}]}],
    "groups": [
        {"id": "empty", "name": "Nothing yet"},
        {"id": "g1", "include": ["a", "b"]},
        {"id": "g2", "include": ["g1", "c"]},
        {"id": "all", "include": ["g2", "g1", "empty", "c"]},
    ],
    "versions": [{"version": "v1", "test": "all"}, {"version": "v2", "test": "a"}],
}


@pytest.mark.parametrize(("version", "tests"), [("v1", ["c", "a", "b"]), ("v2", ["a"])])
def test_a_version_of_groups_requires_every_test_below_them(version: str, tests: list[str]) -> None:
    guideline = parse(GROUPED)

    requirements = resolve(guideline, guideline.programs[version])

    assert [item.check.id for item in requirements.must_pass] == tests
    assert not guideline.oddities


def test_groups_of_a_version_are_its_capabilities() -> None:
    guideline = parse(GROUPED)

    assert list(resolve(guideline, guideline.programs["v1"]).statuses) == [
        "all",
        "g2",
        "g1",
        "empty",
    ]


def test_an_undefined_group_cannot_be_satisfied() -> None:
    guideline = parse({**GROUPED, "versions": [{"version": "v1", "test": "ghost"}]})

    assert guideline.oddities[0].code == "undefined-check"
    assert [item.check.id for item in resolve(guideline, guideline.programs["v1"]).must_pass] == [
        "ghost (undefined)"
    ]


@pytest.mark.parametrize("include", [["g"], ["h"]])
def test_a_group_that_includes_itself_is_refused(include: list[str]) -> None:
    groups = [{"id": "g", "include": include}, {"id": "h", "include": ["g"]}]

    with pytest.raises(BadDocument, match="includes itself"):
        parse({**GROUPED, "groups": groups, "versions": [{"version": "v1", "test": "g"}]})


def test_an_unknown_lifetime_is_refused() -> None:
    cases = [{"testcases": [{"id": "a", "lifetime": "fortnight"}]}]

    with pytest.raises(BadDocument, match="lifetime: 'fortnight' is no period"):
        parse({**SCOPE, "scripts": cases})
