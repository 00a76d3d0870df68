"""A machine's ports and floating addresses: how it is reached, and what must go with it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from provisioner.clock import Clock
from provisioner.driver import TAG_NAME, TAG_TOKEN
from provisioner.drivers.openstack.address import OF_MACHINE, Addresses
from provisioner.drivers.openstack.cloud import Cloud, at
from provisioner.drivers.openstack.network import Networks
from provisioner.drivers.openstack.owning import described
from provisioner.errors import NotFound, Unsupported

PORT_S = 120.0  # nova makes the port when a host has been chosen
NO_WAY_OUT = "ExternalGatewayForFloatingIPNotFound"
NAME_CHARS = 80  # of a machine's name in the description of its address


class WayIn:
    """Floating addresses that come with machines."""

    def __init__(
        self, cloud: Cloud, networks: Networks, addresses: Addresses, clock: Clock
    ) -> None:
        self._cloud = cloud
        self._networks = networks
        self._addresses = addresses
        self._clock = clock

    def external(self) -> str:
        """The network floating addresses come from; empty where machines get none."""
        if self._cloud.settings.addresses == "fixed":
            return ""
        external = self._networks.external()
        if external is None:
            if self._cloud.settings.addresses == "floating":
                message = "addresses: floating, but there is no external network"
                raise Unsupported(message, self._cloud.platform)
            return ""
        return str(external["id"])

    def give(
        self, port: Mapping[str, Any], tags: Mapping[str, str], what: str, *, again: bool
    ) -> None:
        """See to it that the machine has a floating address at its port.

        *again* means that an earlier create may have given it one already. A machine whose network
        leads nowhere has none.
        """
        external = self.external()
        if not external:
            return
        token = f"{OF_MACHINE}{tags[TAG_TOKEN]}"
        if again and self._addresses.made(token) is not None:
            return
        own = {**tags, TAG_NAME: tags.get(TAG_NAME, "")[:NAME_CHARS], TAG_TOKEN: token}
        try:
            self._addresses.make(what, external, own, str(port["id"]))
        except NotFound as error:
            if NO_WAY_OUT not in error.message:
                raise

    def first_port(self, machine: str) -> dict[str, Any] | None:
        """The first port with an address; None when the machine failed before it had one."""
        deadline = self._clock.monotonic() + PORT_S
        pause = 0.2
        while True:
            for port in self.ports(machine):
                if port.get("fixed_ips"):
                    return port
            if pause > 0.5:  # it takes longer than usual: perhaps it never comes
                server = self._cloud.one(
                    f"read {machine}", "compute", f"/servers{at(machine)}", "server"
                )
                if server is None or server["status"] in ("ERROR", "DELETED"):
                    return None
            if self._clock.monotonic() >= deadline:
                return None
            self._clock.sleep(pause)
            pause = min(1.0, pause * 1.3)

    def ports(self, machine: str) -> list[dict[str, Any]]:
        """The machine's ports, in an order that stays."""
        found = self._cloud.each(
            f"look for the ports of {machine}",
            "network",
            "/ports",
            "ports",
            query={"device_id": machine},
        )
        return sorted(found, key=lambda port: (port.get("created_at", ""), port["id"]))

    def floating(self, ports: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """The floating addresses that lead to ports."""
        if not ports or not self.external():
            return []
        return list(
            self._cloud.each(
                "look for addresses",
                "network",
                "/floatingips",
                "floatingips",
                query={"port_id": [port["id"] for port in ports]},
            )
        )

    def take(self, machine: str, what: str) -> None:
        """Give back what came with the machine; addresses asked for by themselves stay."""
        for item in self.floating(self.ports(machine)):
            if described(item).get(TAG_TOKEN, "").startswith(OF_MACHINE):
                self._addresses.release(item["id"], what)
