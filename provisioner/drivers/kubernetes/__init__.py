"""Platform kind ``kubernetes``: any cluster, through its official Python client."""

from __future__ import annotations

from provisioner.drivers.kubernetes.cluster import Cluster
from provisioner.drivers.kubernetes.driver import KubernetesDriver
from provisioner.drivers.kubernetes.settings import read_settings
from provisioner.platform import PlatformConfig


def open_driver(config: PlatformConfig) -> KubernetesDriver:
    """The driver for a namespace of a cluster; calls nothing yet.

    Raises:
        BadRequest: a key of the platform is wrong, or the kubeconfig has no such context.
    """
    settings = read_settings(config)
    return KubernetesDriver(config, settings, Cluster(config.name, settings))
