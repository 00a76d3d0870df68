"""What platforms.yaml may say of an AWS platform, checked at the door.

Credentials are never among it: they come the AWS way, by profile, environment or instance role.
The workload parameters' layer of a platform is called ``profile`` for every kind of platform, so
the profile in AWS's own files is called ``aws_profile`` here.
"""

from __future__ import annotations

import ipaddress
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from provisioner.errors import BadRequest
from provisioner.platform import PlatformConfig, wrong_setting


class Settings(BaseModel):
    """The driver's own keys.

    Attributes:
        aws_profile: profile in AWS's config and credentials files.
        config_file, credentials_file: those files, if not the usual ones.
        endpoint: URL of all services, if not AWS's own; better written in the config file.
        zone: availability zone of everything; by default the first one available.
        sizes: instance types to choose from; empty means all of the region.
        image_owners: whose images to choose from; empty means the distributions' own accounts.
        users: log-in user by image name (``{"debian-*": "admin"}``), before the built-in table.
        harness_address: CIDR the platform sees us from, for firewall rules; empty means unknown,
            and rules for the harness then let anybody in.
        public_addresses: whether machines get a public address of their own.
        metadata_tokens: ask for token use in the metadata service; empty leaves the default.
        limits: numbers for ``Description.limits``, stronger than the built-in ones.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    region: str = ""
    aws_profile: str = ""
    config_file: Path | None = None
    credentials_file: Path | None = None
    endpoint: str = ""
    zone: str = ""
    sizes: tuple[str, ...] = ()
    image_owners: tuple[str, ...] = ()
    users: dict[str, str] = Field(default_factory=dict)
    harness_address: str = ""
    public_addresses: bool = True
    metadata_tokens: Literal["", "optional", "required"] = ""
    limits: dict[str, Annotated[float, Field(ge=0)]] = Field(default_factory=dict)
    reach: dict[str, Any] | None = None

    @field_validator("config_file", "credentials_file")
    @classmethod
    def _there(cls, value: Path | None) -> Path | None:
        if value is None:
            return None
        value = value.expanduser()
        if not value.is_file():
            raise ValueError(f"expected an AWS file, {value} is none")
        return value

    @field_validator("harness_address")
    @classmethod
    def _cidr(cls, value: str) -> str:
        return str(ipaddress.ip_network(value, strict=False)) if value else ""


def read_settings(config: PlatformConfig) -> Settings:
    """The checked settings of a platform.

    Raises:
        BadRequest: the first wrong key, and what was expected.
    """
    try:
        return Settings.model_validate(dict(config.settings))
    except ValidationError as error:
        raise BadRequest(wrong_setting(error, Settings), config.name) from error
