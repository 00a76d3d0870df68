"""A configured platform, and the drivers installed for the kinds of platform.

Drivers register under the entry-point group ``interop.platforms``; each is a function that takes a
``PlatformConfig`` and returns a ``Driver``. Nothing is imported before a driver is asked for.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.metadata import EntryPoint, PackageNotFoundError, distribution, entry_points
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from provisioner.driver import Driver
from provisioner.errors import BadRequest, Unsupported

GROUP = "interop.platforms"
OURS = "interop-harness"


@dataclass(frozen=True, slots=True, kw_only=True)
class PlatformConfig:
    """One entry of platforms.yaml, with secret references already resolved in ``settings``.

    Attributes:
        name: what the user calls it.
        kind: which driver.
        settings: the driver's own keys (endpoint, profile, inventory, reach ...).
        declared: what the owner declares of it (features, emulator, site) for the report.
        profile: the platform's layer of workload parameters.
        state: a folder the driver may keep state in between processes.
    """

    name: str
    kind: str
    settings: Mapping[str, Any] = field(default_factory=dict)
    declared: Mapping[str, Any] = field(default_factory=dict)
    profile: Mapping[str, Any] = field(default_factory=dict)
    state: Path = Path("results/state")


def installed_kinds() -> list[str]:
    """Names of the kinds a driver is installed for, sorted."""
    return sorted(entry.name for entry in entry_points(group=GROUP))


def _registered(kind: str) -> EntryPoint | None:
    """The driver's entry point; our own distribution first, as a look at all of them takes long."""
    try:
        ours = distribution(OURS).entry_points.select(group=GROUP, name=kind)
    except PackageNotFoundError:
        ours = None
    found = list(ours or entry_points(group=GROUP, name=kind))
    return found[0] if found else None


def open_driver(config: PlatformConfig) -> Driver:
    """The driver for a configured platform.

    Raises:
        BadRequest: no driver of that kind is installed, or the settings are wrong.
        Unsupported: the driver's SDK is not installed; the message names the extra.
    """
    entry = _registered(config.kind)
    if entry is None:
        known = ", ".join(installed_kinds())
        message = f"no driver of kind {config.kind!r} is installed; known: {known}"
        raise BadRequest(message, config.name)
    try:
        make = entry.load()
    except ModuleNotFoundError as missing:
        message = f"kind {config.kind} needs {missing.name}: install {OURS}[{config.kind}]"
        raise Unsupported(message, config.name) from missing
    driver: Driver = make(config)
    return driver


def wrong_setting(
    error: ValidationError, settings: type[BaseModel], missing: str = "", prefix: str = ""
) -> str:
    """The first wrong key of a driver's settings, and what was expected, as one line.

    *missing* is said of a key that is not there; *prefix* stands before the key.
    """
    first = error.errors()[0]
    where = ".".join(str(part) for part in first["loc"])
    said = str(first["msg"]).removeprefix("Value error, ")
    if first["type"] == "extra_forbidden":
        said = f"unknown key, expected one of {', '.join(sorted(settings.model_fields))}"
    elif first["type"] == "missing" and missing:
        said = missing
    return f"{prefix}{where}: {said[0].lower()}{said[1:]}"
