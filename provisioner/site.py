"""What a plan depends on besides the workload: platforms, owner, key, and layers of values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from provisioner.driver import Description, Driver, Owner
from provisioner.params import Layer
from provisioner.workload import Workload


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """One platform to plan for: its driver, what it says it is, and its layer of parameters."""

    driver: Driver
    description: Description
    profile: Mapping[str, Any] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The platform's name."""
        return self.driver.platform


@dataclass(frozen=True, slots=True, kw_only=True)
class Inputs:
    """What a plan depends on besides the workload.

    Attributes:
        owner: whose the resources will be.
        public_key: the run's SSH key, OpenSSH format.
        chosen: the command line's layer.
        site: the site's layer.
    """

    owner: Owner
    public_key: str
    chosen: Layer = field(default_factory=lambda: Layer(name="command line", values={}))
    site: Layer = field(default_factory=lambda: Layer(name="site", values={}))


def layers_of(
    workload: Workload, group: str, member: str, profile: Layer, inputs: Inputs
) -> list[Layer]:
    """The layers that apply to a member, strongest first."""
    model, source = workload.model, workload.source

    def layer(name: str, values: Mapping[str, Any], *path: str) -> Layer:
        return Layer(name=name, values=values, sources={k: source(*path, k) for k in values})

    own = model.members.get(member)
    return [
        inputs.chosen,
        layer("member", own.set if own else {}, "members", member, "set"),
        layer("group", model.groups[group].set, "groups", group, "set"),
        layer("workload", model.set, "set"),
        profile,
        inputs.site,
    ]


def profile_layer(platform: str, profile: Mapping[str, Any], workload: Workload) -> Layer:
    """The platform profile's values of parameters that this workload declares."""
    values: dict[str, Any] = {}
    for name in workload.params:
        place: Any = profile
        if name in place:
            values[name] = place[name]
            continue
        for part in name.split("."):
            place = place.get(part) if isinstance(place, Mapping) else None
        if place is not None:
            values[name] = place
    source = f"platforms.{platform}.profile"
    return Layer(name="platform", values=values, sources=dict.fromkeys(values, source))
