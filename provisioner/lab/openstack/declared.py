"""What the lab's OpenStack is not, for platforms.yaml: a reader of a report must know it."""

from __future__ import annotations

from typing import Any

NOTES: tuple[str, ...] = (
    "keystone, glance, neutron, nova with placement, and cinder are the upstream services of"
    " 2026.2, each one process on this one host; virt, network and volume drivers are the lab's",
    "sqlite instead of a database server; messages stay within a process instead of a broker",
    "servers are containers of the host's kernel, with as many of its processors as their flavor"
    " says, all of its memory, no firmware and no clock of their own; those"
    " of flavors q1.* are virtual machines (extra spec interop:guest=qemu)",
    "both images stand for the lab's Debian 12 root file system; their data is a notice, and only"
    " this lab can boot them. Snapshots hold a whole disk. Data need not be of the format that an"
    " image is said to have",
    "a container's root is a copy-on-write file system, and its configuration drive is ext4: the"
    " host's kernel need not know ISO 9660; a virtual machine has a disk and a CD, and boots a"
    " kernel of the host's side. A resize does not turn the one into the other",
    "a volume is a sparse file on the host, without encryption, backup, or attachment to two",
    "one host in one availability zone: no live migration, no evacuation; resize stays on it",
    "no suspend, rescue or graphical console; of servers only virtual machines can be paused",
    "networks carry 1450 bytes; no IPv6, no way to the internet, no load balancer, no DNS zones",
    "no object store, no orchestration, no bare metal, no shares: what is not in the catalogue is"
    " not there",
    "requests are not limited in rate; nothing is encrypted on the way",
)

DECLARED: dict[str, Any] = {
    "address-source": "dhcp",
    "public-address-at": "translated",
    "metadata-token": "none",
    "tempest": {"image-feature-enabled": {"image_format_enforcement": False}},
    "notes": list(NOTES),
}
