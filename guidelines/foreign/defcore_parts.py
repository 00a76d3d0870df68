"""Criteria, components and status lists of OpenStack guidelines, as both schemas write them."""

from __future__ import annotations

from typing import Any

from guidelines.errors import BadDocument
from guidelines.foreign.keys import ForeignPart, Oddities, canonical_keys, kind_of, read_part
from guidelines.model import CapabilityStatus, Component, Criterion

_STATUSES = [status.value for status in CapabilityStatus]


class _Criterion(ForeignPart):
    name: str = ""
    description: str = ""
    weight: float


def read_mapping(value: object, source: str, path: str) -> dict[str, Any]:
    """Return *value* with text keys.

    Raises:
        BadDocument: it is not a mapping.
    """
    if not isinstance(value, dict):
        raise BadDocument(source, path, f"expected a mapping, found {kind_of(value)}")
    return {str(key): item for key, item in value.items()}


def read_criteria(
    value: object, source: str, path: str, oddities: Oddities
) -> dict[str, Criterion]:
    """Return the scoring criteria by key."""
    criteria: dict[str, Criterion] = {}
    for key, item in read_mapping(value, source, path).items():
        fields = canonical_keys(
            item, ("name", "description", "weight"), source=source, path=f"{path}.{key}",
            oddities=oddities, spellings={"Description": "description"},
        )  # fmt: skip
        part = read_part(_Criterion, fields, source=source, path=f"{path}.{key}")
        criteria[key] = Criterion(
            name=part.name or key, weight=part.weight, description=part.description
        )
    return criteria


def read_status_lists(
    value: object, source: str, path: str, oddities: Oddities
) -> dict[CapabilityStatus, tuple[str, ...]]:
    """Return the names listed for each status; a name counts once.

    Raises:
        BadDocument: a list is no list, or an entry no name.
    """
    fields = canonical_keys(value, _STATUSES, source=source, path=path, oddities=oddities)
    lists: dict[CapabilityStatus, tuple[str, ...]] = {}
    for status in CapabilityStatus:
        names = fields.get(status.value) or []
        if not isinstance(names, list):
            raise BadDocument(
                source, f"{path}.{status}", f"expected a list of names, found {kind_of(names)}"
            )
        kept: dict[str, None] = {}
        for index, name in enumerate(names):
            found = name.get("name") if isinstance(name, dict) else name
            if not isinstance(found, str) or not found:
                raise BadDocument(source, f"{path}.{status}.{index}", "expected a name")
            if found in kept:
                oddities.warning(
                    "duplicate-entry", f"{path}.{status}.{index}", f"{found!r} is listed twice"
                )
            kept[found] = None
        lists[status] = tuple(kept)
    return lists


def read_components(
    value: object, source: str, oddities: Oddities, *, nested: bool
) -> dict[str, Component]:
    """Return the components; schema 2 nests their capabilities one level deeper."""
    components: dict[str, Component] = {}
    for name, item in read_mapping(value, source, "components").items():
        path = f"components.{name}"
        title = ""
        if nested or (isinstance(item, dict) and isinstance(item.get("capabilities"), dict)):
            fields = canonical_keys(
                item, ("capabilities", "designated_sections", "description"), source=source,
                path=path, oddities=oddities,
                spellings={"designated-sections": "designated_sections"},
            )  # fmt: skip
            title = str(fields.get("description") or "")
            item, path = fields.get("capabilities") or {}, f"{path}.capabilities"
        components[name] = Component(
            id=name, title=title, capabilities=read_status_lists(item, source, path, oddities)
        )
    return components
