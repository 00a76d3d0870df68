"""Redfish interoperability profiles (DMTF DSP0272): what a service must offer, as checks.

Each requirement on a resource, property or action becomes a check that is decided by a fact of
the same name, such as ``ComputerSystem.Boot.BootSourceOverrideTarget#write``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from guidelines.errors import BadDocument
from guidelines.evidence import FactValue
from guidelines.foreign.keys import Oddities, kind_of
from guidelines.model import (
    Capability,
    CapabilityStatus,
    CheckDef,
    Component,
    Expectation,
    ExpectationKind,
    Guideline,
    Program,
    Reference,
)

PROGRAM = "profile"
# DSP0272: a read requirement that is not given is Mandatory.
_MANDATORY = "Mandatory"
_ADVISED = {"Recommended", "Supported", "IfImplemented", "IfPopulated", "Conditional"}
_NOTHING = {"None", "Prohibited", "Replaced"}
_SPECIFICATION = Reference(
    title="DMTF DSP0272, Redfish Interoperability Profiles", url="https://www.dmtf.org/dsp/DSP0272"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Requirement:
    check: CheckDef
    required: bool


def is_profile(data: object) -> bool:
    """Tell whether *data* is an interoperability profile, by its content."""
    return isinstance(data, dict) and (
        str(data.get("SchemaDefinition", "")).startswith("RedfishInteroperabilityProfile")
        or {"ProfileName", "Resources"} <= data.keys()
    )


def read_profile(data: Mapping[str, Any], source: str, digest: str) -> Guideline:
    """Return the guideline in *data*.

    Raises:
        BadDocument: a part has the wrong type.
    """
    oddities = Oddities()
    capabilities: dict[str, Capability] = {}
    lists: dict[CapabilityStatus, list[str]] = {status: [] for status in CapabilityStatus}
    for resource, value in _mapping(data.get("Resources") or {}, source, "Resources").items():
        found: list[_Requirement] = []
        _walk(value, resource, frozenset(), found, source, f"Resources.{resource}", oddities)
        for required, suffix, status in (
            (True, "", CapabilityStatus.REQUIRED),
            (False, "/recommended", CapabilityStatus.ADVISORY),
        ):
            checks = tuple(item.check for item in found if item.required is required)
            if checks:
                name = f"{resource}{suffix}"
                capabilities[name] = Capability(
                    id=name, title=str(_mapping(value, source, resource).get("Purpose") or ""),
                    checks=checks,
                )  # fmt: skip
                lists[status].append(name)
    others = _mapping(data.get("RequiredProfiles") or {}, source, "RequiredProfiles")
    version = str(data.get("ProfileVersion") or "")
    name = str(data.get("ProfileName") or "profile")
    return Guideline(
        id=f"{name}-{version}" if version else name,
        format="redfish",
        schema=str(data.get("SchemaDefinition") or "RedfishInteroperabilityProfile"),
        status="",
        source=source,
        digest=digest,
        title=str(data.get("Purpose") or name),
        programs={
            PROGRAM: Program(
                id=PROGRAM,
                title=name,
                components=(PROGRAM, *others),
                sources=dict.fromkeys(others, "another profile"),
                aliases=(name,),
            )
        },
        components={
            PROGRAM: Component(
                id=PROGRAM, capabilities={key: tuple(value) for key, value in lists.items()}
            )
        },
        capabilities=capabilities,
        default_program=PROGRAM,
        oddities=oddities.all(),
    )


def _walk(
    value: object,
    name: str,
    inside: frozenset[str],
    found: list[_Requirement],
    source: str,
    path: str,
    oddities: Oddities,
) -> None:
    """Add the requirements of one resource, property or action and of what it contains.

    What is mandatory inside something optional is mandatory where that is implemented: the check
    applies to platforms that declare it.
    """
    fields = _mapping(value, source, path)
    read = str(fields.get("ReadRequirement") or _MANDATORY)
    write = str(fields.get("WriteRequirement") or "None")
    for strength, verb in ((read, "read"), (write, "write")):
        if strength in _NOTHING:
            continue
        if strength not in _ADVISED and strength != _MANDATORY:
            oddities.warning("unknown-requirement", path, f"{strength!r} is not a requirement")
        check_id = f"{name}#{verb}"
        found.append(
            _Requirement(
                required=strength not in _ADVISED,
                check=CheckDef(
                    id=check_id,
                    title=str(fields.get("Purpose") or ""),
                    when=inside if strength not in _ADVISED else frozenset(),
                    expects=(_expectation(check_id, fields, verb),),
                    references=(_SPECIFICATION,),
                    judged_by_facts=True,
                ),
            )
        )
    deeper = inside if read == _MANDATORY else inside | {name}
    for key, joint in (("PropertyRequirements", "."), ("ActionRequirements", ".Actions."),
                       ("Parameters", "?")):  # fmt: skip
        children = fields.get(key) or {}
        for child, item in _mapping(children, source, f"{path}.{key}").items():
            _walk(item, f"{name}{joint}{child}", deeper, found, source, f"{path}.{key}.{child}",
                  oddities)  # fmt: skip


def _expectation(name: str, fields: Mapping[str, Any], verb: str) -> Expectation:
    values = _values(fields.get("Values"))
    supported = _values(fields.get("MinSupportValues"))
    comparison = str(fields.get("Comparison") or ("AnyOf" if values else ""))
    if supported:
        return Expectation(fact=name, kind=ExpectationKind.CONTAINS, values=supported)
    if verb == "read" and values and comparison == "AnyOf":
        return Expectation(fact=name, kind=ExpectationKind.ONE_OF, values=values)
    if verb == "read" and values and comparison == "AllOf":
        return Expectation(fact=name, kind=ExpectationKind.CONTAINS, values=values)
    if verb == "read" and len(values) == 1 and comparison == "Equal":
        return Expectation(fact=name, kind=ExpectationKind.EQUALS, values=values)
    return Expectation(fact=name, kind=ExpectationKind.RECORDED)


def _values(value: object) -> tuple[FactValue, ...]:
    if isinstance(value, list):
        return tuple(item for item in value if not isinstance(item, (dict, list)))
    return ()


def _mapping(value: object, source: str, path: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise BadDocument(source, path, f"expected a mapping, found {kind_of(value)}")
    return {str(key): item for key, item in value.items()}
