"""What makes the lab's root file system an OpenStack image, and what nova's driver is told of it.

Runs in the lab's daemon; ``virt`` reads what it leaves.
"""

from __future__ import annotations

from provisioner.lab.guests import boot, layer
from provisioner.lab.images import Images
from provisioner.lab.openstack.place import Place

USER = "debian"  # Source: Debian's own images for OpenStack, their property os_admin_user
FILE = "guests.json"  # below the place's folder
SOURCE = {
    "OpenStack": {"metadata_urls": ["http://169.254.169.254"], "timeout": 10, "max_wait": 120},
}


def prepare(images: Images, place: Place) -> None:
    """Leave what guests are made of in the place's folder.

    Raises:
        PlatformFault: something could not be built.
    """
    config = layer.configuration(USER, ["ConfigDrive", "OpenStack"], SOURCE)
    made = layer.build(place.folder / "layer", config)
    boot.image(images, made, place.folder).write(place.folder / FILE)
