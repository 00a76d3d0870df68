"""Bare metal: machines of an inventory, driven by their BMCs, installed by the boot service."""

from __future__ import annotations

from provisioner.driver import Driver
from provisioner.drivers.metal.driver import MetalDriver
from provisioner.drivers.metal.settings import read_settings
from provisioner.platform import PlatformConfig


def open_driver(config: PlatformConfig) -> Driver:
    """The driver of a configured platform.

    Raises:
        BadRequest: a setting or the inventory is wrong; names the key.
    """
    return MetalDriver(config, read_settings(config))
