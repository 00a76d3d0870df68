"""What the parts of nova's driver share: the lab's servers, and waiting for one of them."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from nova import exception

from provisioner.lab.openstack.place import Place
from provisioner.lab.openstack.virt_servers import CONTAINER, VIRTUAL, Server, Servers

EXTRA_SPEC = "interop:guest"  # of a flavor whose servers are virtual machines


class Shared:
    """One part's view of the driver; ``LabDriver`` fills it."""

    _place: Place
    _servers: Servers

    def _known(self, instance: Any) -> Server:
        """The server of an instance.

        Raises:
            InstanceNotFound: there is none.
        """
        server = self._servers.read(instance.uuid)
        if server is None:
            raise exception.InstanceNotFound(instance_id=instance.uuid)
        return server

    def _start(self, server: Server) -> None:
        self._servers.start(self._servers.change(server.id, on=True))

    def _stop(self, server: Server, patience_s: float) -> None:
        """Ask a guest to switch itself off, and pull the plug if it has not after a while."""
        self._servers.change(server.id, on=False)
        guest = self._servers.guest(server)
        if guest.on and patience_s > 0:
            guest.ask_to_halt()
            until(lambda: not guest.on, patience_s)
        if guest.on:
            guest.pull_plug()
        guest.forget()

    def _remove(self, uuid: str) -> None:
        """Nothing of a server stays."""
        server = self._servers.read(uuid)
        if server is not None:
            guest = self._servers.guest(server)
            if guest.on:
                guest.pull_plug()
            self._servers.unplug_all(server)
        self._servers.remove(uuid)


def kind_of(flavor: Any) -> str:
    """What servers of a flavor are."""
    return VIRTUAL if flavor.extra_specs.get(EXTRA_SPEC) == "qemu" else CONTAINER


def until(condition: Callable[[], bool], patience_s: float) -> bool:
    """Whether it came true in time."""
    deadline = time.monotonic() + patience_s
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True
