"""What platforms.yaml may say of an OpenStack platform, checked at the door.

Credentials are never among it: they come as for every OpenStack tool, from ``clouds.yaml`` (and
``secure.yaml``) or from ``OS_*`` in the environment. The workload parameters' layer of a platform
is called ``profile`` for every kind of platform; a vendor's profile belongs into clouds.yaml.
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
        cloud: name in clouds.yaml; empty means ``OS_CLOUD``, or ``OS_*`` alone.
        config_file: that clouds.yaml, if not one of the usual places.
        tenants: more names in that clouds.yaml, users of other projects, whom tests may act as.
        region: region, where the cloud has several.
        zone: availability zone of machines; empty leaves it to the cloud.
        volume_zone: availability zone of volumes; empty leaves it to the cloud.
        external_network: name or id of the network that floating addresses come from; by default
            the external one, the default one of several.
        network: name or id of the network of machines that name none; by default it is left to the
            cloud, which finds one by itself only where the project has a single one.
        addresses: ``floating`` gives each machine a floating address, ``fixed`` none: the harness
            then reaches the fixed ones; by default floating where there is an external network.
        sizes: names of flavors to choose from; empty means all.
        users: log-in user by image name (``{"debian-*": "debian"}``), before what the image says.
        config_drive: ask for a config drive, or for none; by default it is left to the cloud.
        harness_address: CIDR the platform sees us from, for firewall rules; empty means unknown,
            and rules for the harness then let anybody in.
        timeout_s: longest wait for one answer of the API, in seconds.
        limits: numbers for ``Description.limits``, stronger than the built-in ones.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    cloud: str = ""
    config_file: Path | None = None
    tenants: tuple[str, ...] = ()
    region: str = ""
    zone: str = ""
    volume_zone: str = ""
    external_network: str = ""
    network: str = ""
    addresses: Literal["", "floating", "fixed"] = ""
    sizes: tuple[str, ...] = ()
    users: dict[str, str] = Field(default_factory=dict)
    config_drive: bool | None = None
    harness_address: str = ""
    timeout_s: Annotated[float, Field(gt=0, le=600)] = 60.0
    limits: dict[str, Annotated[float, Field(ge=0)]] = Field(default_factory=dict)
    reach: dict[str, Any] | None = None

    @field_validator("config_file")
    @classmethod
    def _there(cls, value: Path | None) -> Path | None:
        if value is None:
            return None
        value = value.expanduser()
        if not value.is_file():
            raise ValueError(f"expected a clouds.yaml, {value} is none")
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
