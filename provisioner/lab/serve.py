"""The daemon of one lab platform: ``python -P -m provisioner.lab.serve PLATFORM --lab NAME``.

The platform's module has ``run(space, state, images)``. It returns, or raises ``SystemExit`` from
wherever SIGTERM meets it, after having ended its guests; it calls ``state.ready`` once it serves.
"""

from __future__ import annotations

import argparse
import importlib
import importlib.util
import logging
import os
import signal
import sys
from collections.abc import Mapping
from types import FrameType

from provisioner.lab.images import Images
from provisioner.lab.space import Space
from provisioner.lab.state import State

# platform -> its module; `lab up` starts those that are there
PLATFORMS: Mapping[str, str] = {
    "metal": "provisioner.lab.metal",
    "aws": "provisioner.lab.aws.serve",
    "openstack": "provisioner.lab.openstack.serve",
    "kubernetes": "provisioner.lab.kubernetes.serve",
}
# platform -> the module whose ``lacking()`` says, in one line, why it cannot be here
WANTING: Mapping[str, str] = {
    "kubernetes": "provisioner.lab.kubernetes.providers",
    "openstack": "provisioner.lab.openstack.wanting",
}


def available() -> list[str]:
    """The platforms whose module is installed and that lack nothing."""
    return [name for name, module in PLATFORMS.items() if _found(module) and not lacking(name)]


def lacking(platform: str) -> str:
    """Why an installed *platform* cannot be here, in one line; empty when it can."""
    module = WANTING.get(platform)
    return str(importlib.import_module(module).lacking()) if module else ""


def _found(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except ModuleNotFoundError:
        return False


def _leave(number: int, frame: FrameType | None) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    sys.exit(0)


def main() -> None:
    """Serve one platform until SIGTERM."""
    parser = argparse.ArgumentParser(prog="provisioner.lab.serve")
    parser.add_argument("platform", choices=sorted(PLATFORMS))
    parser.add_argument("--lab", required=True)
    arguments = parser.parse_args()
    logging.basicConfig(
        level=os.environ.get("INTEROP_LAB_LOG", "INFO"),
        format="%(asctime)s %(levelname)s %(name)s: %(message)s",
    )
    signal.signal(signal.SIGTERM, _leave)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the command, not for its daemons
    space = Space(name=arguments.lab)
    state = State(space)
    state.record(f"serve-{arguments.platform}", os.getpid())
    images = Images(progress=lambda text: state.progress(arguments.platform, text))
    importlib.import_module(PLATFORMS[arguments.platform]).run(space, state, images)


if __name__ == "__main__":
    main()
