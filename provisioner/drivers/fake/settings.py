"""How a fake cloud behaves: the driver's own keys of a platform entry, checked at the door."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from provisioner.errors import BadRequest
from provisioner.platform import PlatformConfig, wrong_setting

Range = tuple[float, float]
PASSWORD = "correct"  # noqa: S105 - the only credential the fake cloud takes; it guards nothing

# what it can do wrong, by the check that notices it; the last one is noticed by none
DEFECTS = tuple(
    """
    P1 P2 P3 P4 P5 P9 P10 P11 alloc-01 alloc-02 alloc-03 alloc-04 alloc-05 alloc-06 alloc-07
    bmc-01 bmc-02 bmc-03 bmc-04 bmc-06 bmc-07 bmc-09 disk-01 disk-02 disk-03 disk-05 ent-01
    fw-01 fw-02 fw-03 kern-01 kern-03 life-01 life-02 life-03 life-04 life-05 meta-01 meta-02
    meta-04 meta-05 meta-07 meta-08 net-01 net-02 net-04 net-05 net-06 net-09 net-10 path-01
    path-02 path-04 time-01 time-05 volume-outlives-machine
    """.split()  # noqa: SIM905 - a table reads better
)


class Settings(BaseModel):
    """All times are seconds. A range is [least, most]; each resource draws one value of it.

    Attributes:
        memory: keep the cloud in this process only (default: a file in the platform's state).
        credential: what the driver logs in with; anything but ``correct`` is refused.
        reachable: whether the API answers at all.
        latency: kind to range: from create to ready. ``default`` for kinds not named.
        call_s: how long every API call takes.
        boot_s: from power on or reboot to ready.
        delete_s: kind to range: how long deletion takes; ``default`` as above.
        visible_s, list_s: from create until reads, and lists, see a resource.
        flaps: share of reads and lists in which something that is there is missing.
        tokens: whether the cloud honours at-most-once tokens (EC2 does, nova does not).
        quotas, capacity: kind to the number at which Quota, and Capacity, is raised.
        rate: calls a second before Throttled; 0 is no limit.
        currency: what prices are in; empty is a platform that tells none.
        skew_s: how far the machines' clocks, and the API's, are off the truth.
        fails: kinds whose resources end up failed.
        jobs: kind to how many may be made at the same time; 0 is any.
        images, sizes: what it offers; images as ``{id: {os, version, arch, user}}``.
        features: switched on or off by name; what is off is told as absent.
        absent_kinds, implicit_kinds: kinds it has not, or gives by itself.
        root_volumes: every machine brings a root volume along.
        defects: check ids or names of what it does wrong.
        faults: see ``provisioner.drivers.fake.faults``.
        seed: of everything drawn.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    memory: bool = False
    credential: str = PASSWORD
    reachable: bool = True
    latency: dict[str, Range] = Field(default_factory=dict)
    call_s: float = 0.0
    boot_s: float = 0.0
    delete_s: dict[str, Range] = Field(default_factory=dict)
    visible_s: float = 0.0
    list_s: float = 0.0
    flaps: float = Field(default=0.0, ge=0.0, lt=1.0)
    tokens: bool = True
    quotas: dict[str, int] = Field(default_factory=dict)
    capacity: dict[str, int] = Field(default_factory=dict)
    rate: float = 0.0
    currency: str = "USD"
    skew_s: float = 0.0
    fails: list[str] = Field(default_factory=list)
    jobs: dict[str, int] = Field(default_factory=dict)
    images: dict[str, dict[str, str]] = Field(
        default_factory=lambda: {
            "image-1": {"os": "debian", "version": "12", "arch": "amd64", "user": "debian"},
            "image-2": {"os": "debian", "version": "13", "arch": "amd64", "user": "debian"},
        }
    )
    sizes: dict[str, dict[str, float]] = Field(
        default_factory=lambda: {
            "small": {"cpu": 1, "memory_mib": 1024, "price": 0.01},
            "medium": {"cpu": 2, "memory_mib": 4096, "price": 0.04},
            "large": {"cpu": 8, "memory_mib": 16384, "price": 0.16},
        }
    )
    features: dict[str, bool] = Field(default_factory=dict)
    absent_kinds: list[str] = Field(default_factory=lambda: ["image", "service", "config"])
    implicit_kinds: list[str] = Field(default_factory=list)
    root_volumes: bool = False
    defects: list[str] = Field(default_factory=list)
    faults: list[dict[str, Any]] = Field(default_factory=list)
    seed: int = 1
    reach: dict[str, Any] = Field(default_factory=dict)  # common to all platforms; not used here

    @field_validator("defects")
    @classmethod
    def _known(cls, value: list[str]) -> list[str]:
        for name in value:
            if name not in DEFECTS:
                raise ValueError(f"unknown {name!r}, expected some of {', '.join(DEFECTS)}")
        return value

    @field_validator("latency", "delete_s", mode="before")
    @classmethod
    def _single_numbers(cls, value: object) -> object:
        """A plain number stands for a range of one value."""
        if not isinstance(value, dict):
            return value
        return {k: (v, v) if isinstance(v, (int, float)) else v for k, v in value.items()}


def read_settings(config: PlatformConfig) -> Settings:
    """The checked settings of a platform.

    Raises:
        BadRequest: one line with the path of the offending key.
    """
    try:
        return Settings.model_validate(dict(config.settings))
    except ValidationError as error:
        said = wrong_setting(error, Settings, prefix=f"platforms.{config.name}.")
        raise BadRequest(said, config.name) from error
