"""What platforms.yaml says of bare metal: the inventory of machines and the boot service."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import yaml
from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    field_validator,
    model_validator,
)

from provisioner.errors import BadRequest
from provisioner.platform import PlatformConfig

MAC = re.compile(r"[0-9a-f]{2}(:[0-9a-f]{2}){5}")
COMMON = {"reach", "inventory", "boot", "defects", "jobs"}


def _mac(text: str) -> str:
    plain = text.lower().replace("-", ":")
    if not MAC.fullmatch(plain):
        raise ValueError("expected a MAC address such as 52:54:00:12:34:56")
    return plain


def _address(text: str) -> str:
    ipaddress.IPv4Address(text)
    return text


def _interface(text: str) -> str:
    ipaddress.IPv4Interface(text)
    return text


Mac = Annotated[str, AfterValidator(_mac)]
Address = Annotated[str, AfterValidator(_address)]
Name = Annotated[str, Field(pattern=r"^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$")]


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class BmcModel(_Model):
    """How to reach a machine's controller."""

    address: str
    port: int = Field(default=623, ge=1, le=65535)
    user: str
    password: SecretStr
    protocol: Literal["ipmi", "redfish"] = "ipmi"
    redfish: str = Field(default="", pattern=r"^(https://[^/]+/?)?$")
    fingerprint: str = Field(default="", pattern=r"^([0-9a-f]{64})?$")

    @field_validator("password", mode="before")
    @classmethod
    def _stripped(cls, value: object) -> object:
        """A secret from a file ends with a line feed as often as not."""
        return value.rstrip("\n") if isinstance(value, str) else value

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if self.protocol == "redfish" and not self.redfish:
            raise ValueError("protocol redfish needs redfish: https://ADDRESS")
        return self


class DiskModel(_Model):
    """A disk of a machine; the first one is installed on, the others serve as volumes."""

    serial: str = Field(min_length=1)
    size_gib: float = Field(gt=0)


class MachineModel(_Model):
    """One machine of the inventory."""

    name: Name
    bmc: BmcModel
    macs: tuple[Mac, ...] = ()
    cpu: int = Field(default=1, ge=1)
    memory_mib: int = Field(default=1024, ge=1)
    disks: tuple[DiskModel, ...] = ()
    serial: str = ""
    uuid: str = ""
    product: str = ""
    firmware: Literal["bios", "uefi"] = "bios"

    @model_validator(mode="after")
    def _findable(self) -> Self:
        if not (self.macs or self.serial or self.uuid):
            raise ValueError("needs macs, serial or uuid to be known when it boots")
        return self

    @property
    def spares(self) -> tuple[DiskModel, ...]:
        """Disks that can be volumes."""
        return self.disks[1:]


class BootModel(_Model):
    """Where and what the boot service serves."""

    interface: str = Field(pattern=r"^[A-Za-z0-9_.-]{1,15}$")
    address: Annotated[str, AfterValidator(_interface)]
    range: tuple[Address, Address]
    namespace: str | None = Field(default=None, pattern=r"^[A-Za-z0-9_.-]{1,64}$")
    http_port: int = Field(default=8080, ge=1, le=65535)
    work: Path | None = None
    kernel: Path
    initrd: Path
    arguments: str = Field(default="", pattern=r"^[^\r\n]*$")
    images: dict[Name, Path] = {}
    domain: str = Field(default="metal.internal", pattern=r"^[a-z0-9.-]+$")
    user: str = Field(default="debian", pattern=r"^[a-z_][a-z0-9_-]{0,31}$")
    dhcp: bool = True
    token_ttl_s: float = Field(default=900.0, gt=0)

    @property
    def host(self) -> str:
        """Our own address."""
        return str(ipaddress.IPv4Interface(self.address).ip)

    @property
    def url(self) -> str:
        """Where guests reach us."""
        return f"http://{self.host}:{self.http_port}"


class MetalSettings(_Model):
    """All of it."""

    inventory: tuple[MachineModel, ...] = Field(min_length=1)
    boot: BootModel
    defects: tuple[str, ...] = ()
    jobs: int = Field(default=0, ge=0)

    @model_validator(mode="after")
    def _sound(self) -> Self:
        for what, values in (
            ("name", [m.name for m in self.inventory]),
            ("mac", [mac for m in self.inventory for mac in m.macs]),
            ("disk serial", [d.serial for m in self.inventory for d in m.disks]),
        ):
            twice = sorted({value for value in values if values.count(value) > 1})
            if twice:
                raise ValueError(f"{what} {twice[0]} is there twice")
        first, last = map(ipaddress.IPv4Address, self.boot.range)
        inside = ipaddress.IPv4Interface(self.boot.address).network
        if first not in inside or last not in inside or first > last:
            raise ValueError(f"boot.range is not inside {inside}")
        if int(last) - int(first) + 1 <= len(self.inventory):
            raise ValueError("boot.range has no address left for machines that are not known")
        return self

    def machine(self, name: str) -> MachineModel | None:
        """The machine of that name."""
        return next((m for m in self.inventory if m.name == name), None)

    def address_of(self, name: str) -> str:
        """The address a machine always gets."""
        place = [m.name for m in self.inventory].index(name)
        return str(ipaddress.IPv4Address(self.boot.range[0]) + place)


def read_settings(config: PlatformConfig) -> MetalSettings:
    """The checked settings of a platform.

    Raises:
        BadRequest: says which key is wrong, and what was expected.
    """
    settings = {key: value for key, value in config.settings.items() if key in COMMON}
    if unknown := sorted(set(config.settings) - COMMON):
        known = ", ".join(sorted(COMMON))
        raise BadRequest(f"{unknown[0]}: unknown setting, known: {known}", config.name)
    settings.pop("reach", None)
    listed = settings.get("inventory")
    if isinstance(listed, str):
        settings["inventory"] = _from_file(Path(listed), config.name)
    try:
        return MetalSettings.model_validate(settings)
    except ValidationError as wrong:
        first = wrong.errors(include_input=False, include_url=False)[0]
        where = ".".join(map(str, first["loc"])) or "settings"
        told = str(first["msg"]).removeprefix("Value error, ")
        raise BadRequest(f"{where}: {told[:1].lower()}{told[1:]}", config.name) from None


def _from_file(path: Path, platform: str) -> list[Any]:
    try:
        found = yaml.safe_load(path.read_text("utf-8"))
    except OSError as error:
        raise BadRequest(f"inventory: {path}: {(error.strerror or '').lower()}", platform) from None
    except (yaml.YAMLError, UnicodeDecodeError):
        raise BadRequest(f"inventory: {path}: not YAML", platform) from None
    if isinstance(found, Mapping) and set(found) == {"inventory"}:
        found = found["inventory"]
    if not isinstance(found, list):
        raise BadRequest(f"inventory: {path}: expected a list of machines", platform)
    return [_resolved(entry, path.parent, platform) for entry in found]


def _resolved(entry: object, folder: Path, platform: str) -> object:
    """A machine of an inventory file with its password read from the file it names."""
    if not isinstance(entry, Mapping) or not isinstance(entry.get("bmc"), Mapping):
        return entry
    password = entry["bmc"].get("password")
    if not isinstance(password, Mapping) or set(password) != {"file"}:
        return entry
    path = folder / str(password["file"])
    try:
        return {**entry, "bmc": {**entry["bmc"], "password": path.read_text("utf-8")}}
    except (OSError, UnicodeDecodeError):
        raise BadRequest(f"inventory: {path}: cannot be read", platform) from None
