"""Binds every port at once; until the lab's network does."""

from __future__ import annotations

from typing import Any

from neutron_lib import constants
from neutron_lib.api.definitions import portbindings
from neutron_lib.plugins.ml2 import api


class LabDriver(api.MechanismDriver):  # type: ignore[misc]
    """A mechanism driver without a network."""

    connectivity = portbindings.CONNECTIVITY_L2

    def initialize(self) -> None:
        return

    def bind_port(self, context: Any) -> None:
        for segment in context.segments_to_bind[:1]:
            details = {portbindings.CAP_PORT_FILTER: True}
            status = constants.PORT_STATUS_ACTIVE
            context.set_binding(segment[api.ID], "tap", details, status=status)
