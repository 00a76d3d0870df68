"""Makes moto's instances in the default VPC take an address of their default subnet, as on AWS.

moto gives an instance that names no subnet a random address of 10.0.0.0/8 ("EC2-Classic mode" in
its source) while its interface is in the default subnet, so that no router could reach it. There
is no public way to change that, hence this one wrapper; it fails at start-up when moto changes.

Source: EC2 user guide, "Private IPv4 addresses": from the IPv4 range of the subnet.
"""

from __future__ import annotations

import inspect
from typing import Any

from provisioner.errors import PlatformFault

WANTED = ("self", "nic_spec", "private_ip")


def default_subnet_addresses() -> None:
    """Wrap moto's choice of an instance's address; calling it again changes nothing.

    Raises:
        PlatformFault: this moto chooses in another way.
    """
    from moto.ec2.models.instances import Instance

    original = Instance.prep_nics
    if getattr(original, "interop", False):
        return
    if tuple(inspect.signature(original).parameters)[:3] != WANTED:
        raise PlatformFault(f"lab: moto's Instance.prep_nics has other arguments than {WANTED}")

    def prep_nics(
        self: Any, nic_spec: list[dict[str, Any]], private_ip: str | None = None, **more: Any
    ) -> None:
        self.nics = {}  # what the original begins with; subnet_id reads it
        named = any(nic.keys() & {"SubnetId", "NetworkInterfaceId"} for nic in nic_spec)
        if self.subnet_id is None and private_ip is None and not named:
            subnet = self.ec2_backend.get_default_subnets().get(self._placement.zone)
            if subnet is not None:
                private_ip = subnet.get_available_subnet_ip(instance=self)
        original(self, nic_spec, private_ip=private_ip, **more)

    prep_nics.interop = True  # type: ignore[attr-defined]
    setattr(Instance, "prep_nics", prep_nics)  # noqa: B010 - mypy knows methods as final
