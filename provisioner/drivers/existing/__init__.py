"""Platform kind ``existing``: hosts that are there already, borrowed and given back."""

from __future__ import annotations

from provisioner.drivers.existing.driver import ExistingDriver
from provisioner.drivers.existing.inventory import read_inventory
from provisioner.platform import PlatformConfig


def open_driver(config: PlatformConfig) -> ExistingDriver:
    """The driver for hosts listed in platforms.yaml.

    Raises:
        BadRequest: the list of hosts is wrong; the message has the path of the key.
    """
    return ExistingDriver(config, read_inventory(config))
