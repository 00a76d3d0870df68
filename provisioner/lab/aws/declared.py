"""What the lab's AWS is not, for platforms.yaml: a reader of a report must know it."""

from __future__ import annotations

from typing import Any

NOTES: tuple[str, ...] = (
    "the API is moto's; states, status checks and console are made true of the guests",
    "instances of type t3.* are containers of the host's kernel: no firmware, no kernel or clock of"
    " their own, processors and memory of the host are visible; an instance type limits nothing",
    "instances of type t3a.* are QEMU machines with a kernel, clock, processors and memory of their"
    " own; they boot a kernel of the host's side directly, not from the root volume; a reboot"
    " presses the power button and switches on again",
    "a container's root volume is the size asked for but is a copy-on-write file system, not a"
    " block device; a container's volume is a loop device: its id is in /dev/disk/by-id, its driver"
    " tells no serial number",
    "a volume detached while mounted stays usable in a container until it is unmounted there",
    "a hard stop cannot lose what the host's cache holds",
    "the router answers ARP for every address of a subnet, and a hop between guests costs one of"
    " the packets' time to live",
    "no IPv6, no way to the internet, one network interface per instance, network ACLs do nothing",
    "names from the tags Name and interop-name resolve as in a private hosted zone",
    "the instance identity document is not signed",
    "S3 is moto's, in memory",
)

DECLARED: dict[str, Any] = {
    "address-source": "dhcp",
    "guest": {"t3": "container", "t3a": "qemu"},
    "public-address-at": "translated",
    "metadata-token": "optional",
    "existing-flow-without-rule": "goes on",
    "notes": list(NOTES),
}
