"""What makes the lab's root file system an AWS image."""

from __future__ import annotations

from pathlib import Path

from provisioner.lab.guests import layer

USER = "admin"  # Source: Debian wiki, "Cloud/AmazonEC2Image/Bookworm"

SOURCE = {
    "Ec2": {"metadata_urls": ["http://169.254.169.254"], "timeout": 10, "max_wait": 120},
}
# A current instance type's volumes are NVMe disks of this model, whose serial number is their id.
# Source: EC2 user guide, "Identify the EBS device".
DISKS = (
    'SUBSYSTEM=="block", ENV{DEVTYPE}=="disk", KERNEL=="nvme*n*", ATTRS{serial}=="vol?*",'
    ' SYMLINK+="disk/by-id/nvme-Amazon_Elastic_Block_Store_$attr{serial}"',
)


def build(folder: Path) -> Path:
    """Write the layer to *folder*, replacing what is there; returns *folder*."""
    return layer.build(folder, layer.configuration(USER, ["Ec2"], SOURCE), DISKS)
