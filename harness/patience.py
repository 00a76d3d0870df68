"""How long to wait for what, in seconds: defaults, overridden by the platform's profile."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

DEFAULTS: Mapping[str, float] = {
    "boot": 300.0,  # created or started, until one can run a command inside
    "stop": 120.0,
    "reboot": 300.0,
    "delete": 180.0,
    "visible": 30.0,  # a created resource is found
    "rule": 30.0,  # a firewall rule takes effect
    "attach": 60.0,  # a volume shows inside
    "tags": 60.0,
    "console": 120.0,
    "init": 240.0,  # initialisation says it is finished
    "api": 30.0,
    "command": 60.0,
    "clock": 5.0,  # a clock may be off by so much (guideline 2026.11, time-01)
    "power": 10.0,  # a controller's power state follows reality (bmc-01)
    "boot-device": 70.0,  # a boot override expires after 60 s (IPMI 2.0, 28.12)
}


class Patience:
    """``patience("boot")``: seconds. The profile's ``patience`` mapping overrides."""

    def __init__(self, profile: Mapping[str, Any]) -> None:
        self._own = profile.get("patience", {})

    def __call__(self, what: str) -> float:
        """Seconds to wait.

        Raises:
            KeyError: nobody ever said how long that may take.
        """
        return float(self._own.get(what, DEFAULTS[what]))
