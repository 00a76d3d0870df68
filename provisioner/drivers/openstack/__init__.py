"""Platform kind ``openstack``: any cloud, through openstacksdk, imported only when this is used."""

from __future__ import annotations

from provisioner.drivers.openstack.cloud import Cloud
from provisioner.drivers.openstack.driver import OpenStackDriver
from provisioner.drivers.openstack.settings import read_settings
from provisioner.platform import PlatformConfig


def open_driver(config: PlatformConfig) -> OpenStackDriver:
    """The driver for a project of a cloud; calls nothing yet.

    Raises:
        BadRequest: a key of the platform is wrong, or clouds.yaml has no such cloud.
    """
    settings = read_settings(config)
    return OpenStackDriver(config, settings, Cloud(config.name, settings))
