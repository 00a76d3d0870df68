"""The services' virtual environment: 700 MB that are installed once."""

from __future__ import annotations

from collections.abc import Callable
from importlib.resources import files
from pathlib import Path

from provisioner.lab.environments import environment
from provisioner.lab.images import Images

REQUIREMENTS = (
    "keystone", "glance", "neutron", "nova", "openstack-placement", "cinder", "waitress",
)  # fmt: skip
CHECKED = "import keystone, glance, neutron, nova, placement, cinder, waitress"


def constraints() -> str:
    """The pinned versions, as pip reads them."""
    return (files(__package__) / "data" / "constraints.txt").read_text(encoding="utf-8")


def venv(images: Images, say: Callable[[str], None]) -> Path:
    """The folder of the environment; its programs start as ``bin/python -m``.

    Args:
        images: the cache it is kept in.
        say: told what is being done.

    Raises:
        PlatformFault: pip could not install a package; its last lines say why.
    """
    return environment(images, "openstack", REQUIREMENTS, constraints(), CHECKED, say)
