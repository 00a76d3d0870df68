"""Neutron's own router plugin, whose agents are the worker of this lab."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from neutron.services.l3_router import l3_router_plugin

from provisioner.lab.openstack.net.worker import worker


class _Teller:
    """In place of the remote calls to agents: whatever it is, the worker shall look."""

    def __getattr__(self, name: str) -> Callable[..., None]:
        if name.startswith("_"):
            raise AttributeError(name)
        return self._tell

    def _tell(self, *arguments: Any, **named: Any) -> None:
        worker().wake()


class LabRouters(l3_router_plugin.L3RouterPlugin):  # type: ignore[misc]
    """The service plugin that neutron's configuration names."""

    def __init__(self) -> None:
        super().__init__()
        self._l3_rpc_notifier = _Teller()
