"""Platform kind ``aws``: EC2 and S3 through boto3, which is imported only when this is used."""

from __future__ import annotations

from provisioner.drivers.aws.clients import Clients
from provisioner.drivers.aws.driver import AwsDriver
from provisioner.drivers.aws.settings import read_settings
from provisioner.platform import PlatformConfig


def open_driver(config: PlatformConfig) -> AwsDriver:
    """The driver for an AWS account and region; calls nothing yet.

    Raises:
        BadRequest: a key of the platform is wrong, or the profile or region does not exist.
    """
    settings = read_settings(config)
    return AwsDriver(config, settings, Clients(config.name, settings))
