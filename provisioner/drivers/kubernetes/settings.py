"""What platforms.yaml may say of a Kubernetes platform, checked at the door.

The context must be named: a current context that somebody switched to another cluster is never
used. Credentials are only in the kubeconfig.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from provisioner.errors import BadRequest
from provisioner.platform import PlatformConfig, wrong_setting

LABEL = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")  # RFC 1123, section 2.1


class Settings(BaseModel):
    """The driver's own keys.

    Attributes:
        context: context of the kubeconfig.
        kubeconfig: that file, if not ``~/.kube/config``.
        namespace: where everything is made; it must exist.
        images: what a machine's image is here, by ``OS-VERSION``:
            ``{"debian-12": "registry.example/debian:12"}``.
        command: the first process of a machine; by default one that runs /etc/rc.local and waits.
        volume_path: where a machine's first volume is mounted; others get its name after it.
        storage_class: of volumes; empty means the cluster's default one.
        domain: the cluster's DNS domain.
        node_selector: labels of the nodes that machines may come to.
        tolerate: keys of taints that machines bear.
        privileged: whether machines may do what root of a node may do.
        timeout_s: longest wait for one answer of the API, in seconds.
        limits: numbers for ``Description.limits``, stronger than the built-in ones.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    context: Annotated[str, Field(min_length=1)]
    kubeconfig: Path = Path("~/.kube/config")
    namespace: str = "default"
    images: dict[str, str] = Field(default_factory=dict)
    command: tuple[str, ...] = ()
    volume_path: str = "/srv/interop"
    storage_class: str = ""
    domain: str = "cluster.local"
    node_selector: dict[str, str] = Field(default_factory=dict)
    tolerate: tuple[str, ...] = ()
    privileged: bool = False
    timeout_s: Annotated[float, Field(gt=0, le=600)] = 30.0
    limits: dict[str, Annotated[float, Field(ge=0)]] = Field(default_factory=dict)
    reach: dict[str, Any] | None = None

    @field_validator("kubeconfig")
    @classmethod
    def _there(cls, value: Path) -> Path:
        value = value.expanduser()
        if not value.is_file():
            raise ValueError(f"expected a kubeconfig, {value} is none")
        return value

    @field_validator("namespace")
    @classmethod
    def _label(cls, value: str) -> str:
        if not LABEL.fullmatch(value):
            raise ValueError("expected up to 63 lower-case letters, digits and hyphens")
        return value

    @field_validator("volume_path")
    @classmethod
    def _path(cls, value: str) -> str:
        if not value.startswith("/") or value.rstrip("/") == "" or ":" in value:
            raise ValueError("expected an absolute path other than /, without a colon")
        return value.rstrip("/")

    @field_validator("images")
    @classmethod
    def _images(cls, value: dict[str, str]) -> dict[str, str]:
        for name, reference in value.items():
            if not re.fullmatch(r"[a-z]+-[0-9.]+", name) or not reference.strip():
                raise ValueError(f"{name}: expected OS-VERSION: IMAGE, such as debian-12: ...")
        return value


def read_settings(config: PlatformConfig) -> Settings:
    """The checked settings of a platform.

    Raises:
        BadRequest: the first wrong key, and what was expected.
    """
    try:
        return Settings.model_validate(dict(config.settings))
    except ValidationError as error:
        missing = "missing: name the context of the kubeconfig that may be used"
        raise BadRequest(wrong_setting(error, Settings, missing), config.name) from error
