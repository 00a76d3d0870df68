"""Pages of what is claimed and kept, by id."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from provisioner.drivers.metal.registry import Registry
from provisioner.errors import BadRequest


@dataclass(frozen=True, slots=True)
class MetalListing:
    """Ids in order; the marker is the last id of a page. Filters are tags that must be equal."""

    registry: Registry

    def page(
        self, kind: str, size: int, marker: str = "", filters: Mapping[str, str] | None = None
    ) -> tuple[Sequence[str], str]:
        if size < 0:
            raise BadRequest(f"page of {size}: expected 0 (all) or more")
        if kind == "machine":
            every = [(f"{c.machine}.{c.instance}", c.tags) for c in self.registry.claims()]
        else:
            every = [(thing.id, thing.tags) for thing in self.registry.things(kind)]
        wanted = dict(filters or {})
        ids = sorted(
            number
            for number, tags in every
            if number > marker and all(tags.get(key) == value for key, value in wanted.items())
        )
        page = ids[:size] if size else ids
        return page, page[-1] if len(ids) > len(page) else ""
