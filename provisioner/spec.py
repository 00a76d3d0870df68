"""The format of a workload: what shall stand, without a word about the site it stands on.

A folder with ``workload.yaml`` and, beside it, the steps and files of its roles::

    workload: NAME
    version: 2026.11
    needs:    {machines: {count: ">=3", arch: [amd64]}, features: [power, "console?"]}
    params:   {app.port: {type: integer, default: 8080, minimum: 1024, doc: "where apps listen"}}
    set:      {app.port: 8081}     # the workload's own layer; also below groups and members
    networks: {cluster: {"cidr?": 10.77.0.0/24}}
    firewall: [{from: members, ports: ["8080/tcp", "9000-9010/udp", icmp]}]
    volumes:  {data: {size: 1GiB, group: store, per: machine, optional: false}}
    groups:   {app: {count: 2, size: {cpu: ">=1", memory: ">=512MiB", disk: ">=2GiB"},
                     image: {os: debian, version: "12"}, roles: [app]}}
    members:  {app-1: {set: {app.port: 8082}}}
    roles:
      app:
        requires: [engine]                  # roles that run before it, on the same member as well
        wants: [app.port, members.store, store.url]
        files: [{from: probe.py, to: /opt/interop/probe.py, mode: "0755"}]
        steps: [app.sh.j2]                  # Jinja2, run as root by sh; exit 0, 64, 128 or 192
        provides: {app.url: {type: string, value: "http://{{ member.address.private }}"}}
        cardinality: {leader: 1}
    place:    {app: [site-a, site-b]}       # the only site-aware part
    checks:   [net-09]
    budget:   {money: "2.00 USD", wall: 45m, machines: 10, keep_on_failure: 2h}  # see budget.py

Members of group ``app`` are called ``app-1``, ``app-2`` ...; that is also their hostname. Templates
see ``member`` (name, group, index, platform, leader, address, volumes, facts), ``run``,
``workload``, and of everything else exactly what the role wants: parameters, ``members`` (group to
list of members), ``members.GROUP``, and what other roles provide.
"""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from provisioner.budget import Budget
from provisioner.params import MISSING

NAME = re.compile(r"[a-z][a-z0-9-]{0,40}")
PARAM = re.compile(r"[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)*")
UNITS = {"MiB": 1, "GiB": 1024, "TiB": 1024 * 1024}


def _mebibytes(value: object) -> int:
    """``>=512MiB`` as 512. Sizes are lower bounds: a platform may give more."""
    match = re.fullmatch(r"\s*(?:>=)?\s*(\d+)\s*(MiB|GiB|TiB)\s*", str(value))
    if not match:
        raise ValueError(f"{value!r} is no size, expected such as 10GiB or >=512MiB")
    return int(match[1]) * UNITS[match[2]]


def _at_least(value: object) -> int:
    """``>=2`` or 2 as 2."""
    match = re.fullmatch(r"\s*(?:>=)?\s*(\d+)\s*", str(value))
    if isinstance(value, bool) or not match:
        raise ValueError(f"{value!r} is no number, expected such as 2 or '>=2'")
    return int(match[1])


Mebibytes = Annotated[int, BeforeValidator(_mebibytes)]
AtLeast = Annotated[int, BeforeValidator(_at_least)]


class Strict(BaseModel):
    """Refuses keys it does not know; frozen once read."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


class MachineNeeds(Strict):
    """What the machines together must be."""

    count: AtLeast = 1
    arch: list[str] = Field(default_factory=list)


class Needs(Strict):
    """What a platform must have; a feature with ``?`` is welcome but not needed."""

    machines: MachineNeeds = MachineNeeds()
    features: list[str] = Field(default_factory=list)


class ParamModel(Strict):
    """The schema of one parameter."""

    type: Literal["string", "integer", "number", "boolean", "list", "object"] = "string"
    default: Any = MISSING
    minimum: float | None = None
    maximum: float | None = None
    pattern: str = ""
    enum: list[Any] = Field(default_factory=list)
    doc: str = ""
    secret: bool = False
    compose: bool = False
    role: str = Field(default="", alias="from", pattern=r"^(role:[a-z][a-z0-9-]*)?$")


class NetworkModel(Strict):
    """A network; its range is a wish."""

    cidr: str = Field(default="", alias="cidr?")
    ipv6: Literal["optional", "required", "no"] = "no"
    reach: list[Literal["members", "harness"]] = Field(default_factory=list)


class FirewallModel(Strict):
    """Who may come in, and where."""

    source: Literal["members", "harness", "any"] = Field(alias="from")
    ports: list[str] = Field(min_length=1)


class VolumeModel(Strict):
    """A data volume for each machine of a group."""

    size: Mebibytes
    group: str
    per: Literal["machine"] = "machine"
    optional: bool = False


class SizeModel(Strict):
    """Lower bounds."""

    cpu: AtLeast = 1
    memory: Mebibytes = 512
    disk: Mebibytes = 0


class ImageModel(Strict):
    """A selector; a site's own image name is none."""

    os: str = ""
    version: str = ""
    arch: str = ""


class GroupModel(Strict):
    """Machines that are alike."""

    count: int = Field(default=1, ge=0, le=10_000)
    size: SizeModel = SizeModel()
    image: ImageModel = ImageModel()
    roles: list[str] = Field(default_factory=list)
    spread: str = ""
    set: dict[str, Any] = Field(default_factory=dict)


class MemberModel(Strict):
    """What is special about one member."""

    set: dict[str, Any] = Field(default_factory=dict)


class FileModel(Strict):
    """A file beside the workload, copied as it is to an absolute path of the member."""

    source: str = Field(alias="from")
    to: str = Field(pattern=r"^/[ -~]+$")
    mode: str = Field(default="0644", pattern=r"^0?[0-7]{3}$")


class ProvideModel(Strict):
    """A value a role gives to the others: by a template, or printed by a step."""

    type: Literal["string", "integer", "number", "boolean", "list", "object"] = "string"
    secret: bool = False
    value: str = ""


class Cardinality(Strict):
    """How many members lead; they are the first ones, and alone provide."""

    leader: int = Field(default=0, ge=0)


class RoleModel(Strict):
    """Software on a member."""

    requires: list[str] = Field(default_factory=list)
    wants: list[str] = Field(default_factory=list)
    provides: dict[str, ProvideModel] = Field(default_factory=dict)
    files: list[FileModel] = Field(default_factory=list)
    steps: list[str] = Field(default_factory=list)
    cardinality: Cardinality = Cardinality()
    timeout: float = Field(default=300.0, gt=0)  # seconds for one call of one step


class WorkloadModel(Strict):
    """The whole document."""

    workload: str
    version: str
    needs: Needs = Needs()
    params: dict[str, ParamModel] = Field(default_factory=dict)
    set: dict[str, Any] = Field(default_factory=dict)
    networks: dict[str, NetworkModel] = Field(default_factory=dict)
    firewall: list[FirewallModel] = Field(default_factory=list)
    volumes: dict[str, VolumeModel] = Field(default_factory=dict)
    groups: dict[str, GroupModel]
    members: dict[str, MemberModel] = Field(default_factory=dict)
    roles: dict[str, RoleModel] = Field(default_factory=dict)
    place: dict[str, list[str]] = Field(default_factory=dict)
    checks: list[str] = Field(default_factory=list)
    budget: Budget = Budget()
