"""OpenStack interoperability guidelines (DefCore): JSON schemas 1.2 to 1.6, and 2.0.

The approved files are dirty in ways their own schema does not see; what can be understood is
understood and reported as an oddity, and nothing required gets lost on the way.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from guidelines.errors import BadDocument
from guidelines.foreign.defcore_capability import read_capability
from guidelines.foreign.defcore_parts import (
    read_components,
    read_criteria,
    read_mapping,
    read_status_lists,
)
from guidelines.foreign.keys import ForeignPart, Oddities, canonical_keys, kind_of, read_part
from guidelines.model import (
    Capability,
    CapabilityStatus,
    Component,
    Guideline,
    Program,
    ProgramKind,
    Scoring,
)

_KEYS_1 = [
    "id",
    "schema",
    "reference",
    "source",
    "status",
    "replaces",
    "cutoff_score",
    "target_approval",
    "releases",
    "platform",
    "components",
    "test-repositories",
    "capabilities",
    "designated-sections",
    "criteria",
]
_KEYS_2 = [
    "metadata",
    "platforms",
    "add-ons",
    "verticals",
    "components",
    "capabilities",
    "designated_sections",
    "test_repositories",
]
_SPELLINGS_2 = {
    "add_ons": "add-ons",
    "addons": "add-ons",
    "designated-sections": "designated_sections",
    "test-repositories": "test_repositories",
}
# RefStack names its targets as schema 1 named the components, whatever the file says.
_TARGETS = {
    "OpenStack Powered Platform": ("platform",),
    "OpenStack Powered Compute": ("compute",),
    "OpenStack Powered Storage": ("object", "storage"),
    "platform": ("OpenStack Powered Platform",),
    "compute": ("OpenStack Powered Compute", "os_powered_compute"),
    "object": ("OpenStack Powered Storage", "os_powered_storage", "storage"),
    "DNS": ("os_powered_dns", "dns"),
    "Orchestration": ("os_powered_orchestration", "orchestration"),
}


class _Heading(ForeignPart):
    id: str
    schema_version: str
    status: str = ""
    replaces: str | None = None
    cutoff_score: float | None = None


class _ComponentReference(ForeignPart):
    name: str
    source: str | None = None


class _Program(ForeignPart):
    description: str = ""
    components: tuple[_ComponentReference, ...] = ()
    required_platform_components: tuple[_ComponentReference, ...] = ()
    optional_platform_components: tuple[_ComponentReference, ...] = ()


def is_defcore(data: object) -> bool:
    """Tell whether *data* is an OpenStack guideline, by its content."""
    if not isinstance(data, dict) or not {"components", "capabilities"} <= data.keys():
        return False
    if isinstance(data.get("metadata"), dict):
        return True
    return "id" in data and ("criteria" in data or "platform" in data or "schema" in data)


def read_defcore(data: Mapping[str, Any], source: str, digest: str) -> Guideline:
    """Return the guideline in *data*.

    Raises:
        BadDocument: a part needed for judging is absent or of the wrong type.
    """
    oddities = Oddities()
    if "metadata" in data:
        return _read_2(data, source, digest, oddities)
    return _read_1(data, source, digest, oddities)


def _read_1(data: Mapping[str, Any], source: str, digest: str, oddities: Oddities) -> Guideline:
    top = canonical_keys(
        data, _KEYS_1, source=source, path="", oddities=oddities,
        spellings={"test_repositories": "test-repositories", "cutoff-score": "cutoff_score",
                   "designated_sections": "designated-sections"},
    )  # fmt: skip
    schema = str(top.get("schema", "1"))
    heading = _heading({**top, "schema_version": schema}, source, "")
    components = read_components(top.get("components"), source, oddities, nested=False)
    programs: dict[str, Program] = {}
    if "platform" in top:
        lists = read_status_lists(top["platform"], source, "platform", oddities)
        programs["platform"] = Program(
            id="platform",
            title="every required component",
            components=lists[CapabilityStatus.REQUIRED],
            aliases=_TARGETS["platform"],
        )
    _add_component_programs(programs, components)
    capabilities = _capabilities(top.get("capabilities"), source, oddities, schema)
    return Guideline(
        id=heading.id,
        format="defcore",
        schema=schema,
        status=heading.status,
        source=source,
        digest=digest,
        title=f"OpenStack interoperability guideline {heading.id}",
        replaces=heading.replaces or None,
        programs=programs,
        components=components,
        capabilities=capabilities,
        scoring=Scoring(
            cutoff=heading.cutoff_score,
            criteria=read_criteria(top.get("criteria", {}), source, "criteria", oddities),
        ),
        default_program=next(iter(programs), None),
        oddities=oddities.all(),
    )


def _read_2(data: Mapping[str, Any], source: str, digest: str, oddities: Oddities) -> Guideline:
    top = canonical_keys(
        data, _KEYS_2, source=source, path="", oddities=oddities, spellings=_SPELLINGS_2
    )
    metadata = top["metadata"]
    if not isinstance(metadata, dict):
        raise BadDocument(source, "metadata", f"expected a mapping, found {kind_of(metadata)}")
    scoring = metadata.get("scoring") or {}
    approval = metadata.get("os_trademark_approval") or {}
    for name, part in (("scoring", scoring), ("os_trademark_approval", approval)):
        if not isinstance(part, dict):
            raise BadDocument(source, f"metadata.{name}", f"expected a mapping, found {part!r}")
    heading = _heading(
        {
            "status": approval.get("status", ""),
            "replaces": approval.get("replaces"),
            "cutoff_score": scoring.get("cutoff_score"),
            "id": metadata.get("id"),
            "schema_version": str(metadata.get("schema", "2.0")),
        },
        source,
        "metadata",
    )
    components = read_components(top.get("components"), source, oddities, nested=True)
    programs: dict[str, Program] = {}
    kinds = (
        ("platforms", ProgramKind.PROGRAM),
        ("verticals", ProgramKind.PROGRAM),
        ("add-ons", ProgramKind.ADD_ON),
    )
    for key, kind in kinds:
        for name, part in read_mapping(top.get(key) or {}, source, key).items():
            programs[name] = _program_2(name, part, kind, source, f"{key}.{name}", components)
    default = next(iter(programs), None)
    _add_component_programs(programs, components)
    return Guideline(
        id=heading.id,
        format="defcore",
        schema=heading.schema_version,
        status=heading.status,
        source=source,
        digest=digest,
        title=f"OpenStack interoperability guideline {heading.id}",
        replaces=heading.replaces or None,
        programs=programs,
        components=components,
        capabilities=_capabilities(
            top.get("capabilities"), source, oddities, heading.schema_version
        ),
        scoring=Scoring(
            cutoff=heading.cutoff_score,
            criteria=read_criteria(
                scoring.get("criteria") or {}, source, "metadata.scoring.criteria", oddities
            ),
        ),
        default_program=default or next(iter(programs), None),
        oddities=oddities.all(),
    )


def _heading(values: Mapping[str, Any], source: str, path: str) -> _Heading:
    return read_part(_Heading, values, source=source, path=path)


def _capabilities(
    value: object, source: str, oddities: Oddities, schema: str
) -> dict[str, Capability]:
    return {
        name: read_capability(name, item, source, oddities, schema=schema)
        for name, item in read_mapping(value, source, "capabilities").items()
    }


def _program_2(
    name: str,
    value: object,
    kind: ProgramKind,
    source: str,
    path: str,
    components: Mapping[str, Component],
) -> Program:
    fields = read_mapping(value, source, path)
    for key in ("components", "required_platform_components", "optional_platform_components"):
        entries = fields.get(key) or []
        if isinstance(entries, list):
            fields[key] = [{"name": item} if isinstance(item, str) else item for item in entries]
    part = read_part(_Program, fields, source=source, path=path)
    references = [*part.components, *part.required_platform_components]
    return Program(
        id=name,
        title=part.description,
        kind=kind,
        components=tuple(item.name for item in part.components),
        host=tuple(item.name for item in part.required_platform_components),
        sources={
            item.name: item.source or "another guideline"
            for item in references
            if item.name not in components
        },
        aliases=_TARGETS.get(name, ()),
    )


def _add_component_programs(
    programs: dict[str, Program], components: Mapping[str, Component]
) -> None:
    """A single component can be judged too; schema 1 knows no other programs."""
    for name, component in components.items():
        if name not in programs:
            programs[name] = Program(
                id=name,
                title=component.title,
                kind=ProgramKind.COMPONENT,
                components=(name,),
                aliases=_TARGETS.get(name, ()),
            )
