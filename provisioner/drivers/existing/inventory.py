"""The hosts an owner lends: ``hosts`` in platforms.yaml, checked at the door."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from provisioner.drivers.existing.survey import ARCHITECTURES
from provisioner.errors import BadRequest
from provisioner.platform import PlatformConfig
from provisioner.resources import MachineSpec

HOST_KEY = re.compile(r"(ssh-|ecdsa-)[a-z0-9@.-]+ [A-Za-z0-9+/=]+( .*)?")

Name = Annotated[str, Field(min_length=1, max_length=255)]


class Host(BaseModel):
    """One host. What is not declared of it is not known, and matches any wish.

    Attributes:
        key: private key file that gets in now; the run's own key is added for the run's time.
        host_key: OpenSSH public keys of the host; without one the first seen is kept.
        groups: groups of the workload it may serve; empty means any.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Name
    address: Name
    port: Annotated[int, Field(ge=1, le=65535)] = 22
    user: Name
    key: Path
    host_key: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    cpu: Annotated[int, Field(ge=1)] | None = None
    memory_mib: Annotated[int, Field(ge=1)] | None = None
    disk_gib: Annotated[int, Field(ge=1)] | None = None
    arch: str = ""
    os: str = ""
    version: str = ""

    @field_validator("host_key", mode="before")
    @classmethod
    def _one_or_many(cls, value: object) -> object:
        return [value] if isinstance(value, str) else value

    @field_validator("arch")
    @classmethod
    def _our_word(cls, value: str) -> str:
        return ARCHITECTURES.get(value, value)

    @field_validator("key")
    @classmethod
    def _at_home(cls, value: Path) -> Path:
        return value.expanduser()

    @field_validator("host_key")
    @classmethod
    def _openssh(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for key in value:
            if not HOST_KEY.fullmatch(key):
                raise ValueError("expected an OpenSSH public key: ssh-ed25519 AAAA...")
        return value

    def lacks(self, spec: MachineSpec) -> str:
        """Why it cannot be the machine wished for; empty when it can, or nobody knows."""
        for what in ("cpu", "memory_mib", "disk_gib"):
            declared, wished = getattr(self, what), getattr(spec, what)
            if declared is not None and declared < wished:
                return f"has {what} {declared}, wished {wished}"
        for what in ("os", "version", "arch"):
            declared, wished = getattr(self, what), getattr(spec.image, what)
            if what == "arch":
                wished = ARCHITECTURES.get(wished, wished)
            if declared and wished and declared != wished:
                return f"has {what} {declared}, wished {wished}"
        return ""

    def unknown(self, spec: MachineSpec) -> list[str]:
        """What was wished for and is not declared of it."""
        sizes = [w for w in ("cpu", "memory_mib") if getattr(self, w) is None]
        if self.disk_gib is None and spec.disk_gib:
            sizes.append("disk_gib")
        image = ("os", "version", "arch")
        return sizes + [w for w in image if getattr(spec.image, w) and not getattr(self, w)]


class Inventory(BaseModel):
    """All hosts, in the owner's order of preference. ``key`` is for hosts without their own."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    hosts: Annotated[tuple[Host, ...], Field(min_length=1)]

    @model_validator(mode="before")
    @classmethod
    def _shared_key(cls, value: object) -> object:
        if isinstance(value, dict) and "key" in value and isinstance(value.get("hosts"), list):
            hosts = [
                {"key": value["key"], **h} if isinstance(h, dict) else h for h in value["hosts"]
            ]
            return {**value, "hosts": hosts}
        return value

    @model_validator(mode="after")
    def _each_once(self) -> Self:
        names = [h.name for h in self.hosts]
        places = [f"{h.user}@{h.address} port {h.port}" for h in self.hosts]
        for found in (names, places):
            twice = sorted({x for x in found if found.count(x) > 1})
            if twice:
                raise ValueError(f"{twice[0]} is listed twice")
        return self

    def candidates(self, name: str, spec: MachineSpec) -> Iterator[tuple[Host, str]]:
        """Each host with the reason why it cannot serve the wish ('' if it can), best first.

        A host called like the member comes first, then hosts lent to the member's group (its
        name without the number), then those lent to anybody.
        """
        group = re.sub(r"-\d+$", "", name)

        def rank(host: Host) -> int:
            if host.name == name:
                return 0
            return 1 if group in host.groups else 2

        for host in sorted(self.hosts, key=rank):
            if rank(host) == 2 and host.groups:
                yield host, f"is lent to {', '.join(host.groups)} only"
            else:
                yield host, host.lacks(spec)


def read_inventory(config: PlatformConfig) -> Inventory:
    """The inventory in a platform's settings.

    Raises:
        BadRequest: it is wrong; the first wrong key is named with what was expected.
    """
    known = {"hosts", "key", "reach"}
    unknown = sorted(set(config.settings) - known)
    if unknown:
        raise BadRequest(f"{unknown[0]}: unknown key, expected hosts, key or reach", config.name)
    try:
        return Inventory.model_validate(dict(config.settings))
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "hosts"
        said = first["msg"].removeprefix("Value error, ")
        raise BadRequest(f"{where}: {said[0].lower()}{said[1:]}", config.name) from error
