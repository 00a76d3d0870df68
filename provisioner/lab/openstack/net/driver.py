"""ML2 mechanism driver: binds ports of the lab's host, and tells the worker of every change."""

from __future__ import annotations

from typing import Any

from neutron_lib import constants
from neutron_lib.api.definitions import portbindings
from neutron_lib.callbacks import events, registry, resources
from neutron_lib.plugins.ml2 import api

from provisioner.lab.openstack.net.worker import worker

WATCHED = (
    resources.SECURITY_GROUP, resources.SECURITY_GROUP_RULE, resources.ADDRESS_GROUP,
    resources.ROUTER, resources.ROUTER_INTERFACE, resources.ROUTER_GATEWAY, resources.FLOATING_IP,
    resources.SUBNET, resources.PORT,
)  # fmt: skip
AFTER = (events.AFTER_CREATE, events.AFTER_UPDATE, events.AFTER_DELETE)


class LabDriver(api.MechanismDriver):  # type: ignore[misc]
    """Binds a port to a tap; it is DOWN until its network's rules are in force."""

    connectivity = portbindings.CONNECTIVITY_L2

    def initialize(self) -> None:
        for resource in WATCHED:
            for event in AFTER:
                registry.subscribe(self._changed, resource, event)
        worker().start()

    def bind_port(self, context: Any) -> None:
        for segment in context.segments_to_bind[:1]:
            details = {portbindings.CAP_PORT_FILTER: True}
            down = constants.PORT_STATUS_DOWN
            context.set_binding(segment[api.ID], portbindings.VIF_TYPE_TAP, details, status=down)

    def _changed(self, resource: Any, event: Any, trigger: Any, payload: Any = None) -> None:
        worker().wake()

    def _after(self, context: Any) -> None:
        worker().wake()

    create_network_postcommit = update_network_postcommit = delete_network_postcommit = _after
    create_subnet_postcommit = update_subnet_postcommit = delete_subnet_postcommit = _after
    create_port_postcommit = update_port_postcommit = delete_port_postcommit = _after
