"""The lab's OpenStack put together: ``run`` is what its daemon calls.

``interop lab up --lab NAME --only openstack --write platforms.yaml`` brings it up. Its folder
``/run/interop/NAME/openstack`` then has ``clouds.yaml`` (cloud ``interop-lab``, a plain member of a
project) and ``admin-clouds.yaml`` (cloud ``interop-lab-admin``, for the lab's own use); both say
where keystone is, on the host's loopback, and so does the catalogue. Logs are in
``/run/interop/NAME/log/openstack-*.log``; databases, images and volumes in
``/var/lib/interop/NAME/openstack``. To work on one service, change its code and kill its process:
the daemon starts it again.
"""

from __future__ import annotations

import json
import logging
import secrets
import shutil
import subprocess
import time
from typing import Any

from provisioner.errors import PlatformFault
from provisioner.lab.images import Images
from provisioner.lab.limits import raise_limit
from provisioner.lab.openstack import config, install, link, schemas, seed
from provisioner.lab.openstack.declared import DECLARED
from provisioner.lab.openstack.defects import known
from provisioner.lab.openstack.place import Place
from provisioner.lab.openstack.services import PROCESSES, Services, doors
from provisioner.lab.space import Space
from provisioner.lab.state import State

LOG = logging.getLogger(__name__)
PLATFORM = "openstack"
ANSWER_S = 180.0
WATCH_S = 0.5


def run(space: Space, state: State, images: Images) -> None:
    """Serve until the process is told to leave.

    Raises:
        BadRequest: an unknown defect was asked for.
        PlatformFault: a service or a system command failed.
    """
    defects = known(state.defects(PLATFORM))

    def say(text: str) -> None:
        state.progress(PLATFORM, text)

    for old in (state.folder(PLATFORM), state.bulk(PLATFORM)):
        shutil.rmtree(old)
    say("root file system")
    root = images.rootfs()
    venv = install.venv(images, say)
    sockets = doors(str(space.broker_socket))
    place = Place(
        lab=space.name,
        folder=state.folder(PLATFORM),
        disks=state.bulk(PLATFORM),
        venv=venv,
        root=root,
        ports={name: pair[0].getsockname()[1] for name, pair in sockets.items()},
        defects=defects,
    )
    place.write()
    raise_limit()
    services = Services(state, place, sockets, link.make(place.folder / "link"))
    try:
        _found(place, services, say)
        state.ready(PLATFORM, _entry(place))
        say(f"serving {place.url('keystone')}")
        while True:
            services.mend()
            time.sleep(WATCH_S)
    finally:
        services.close()


def _found(place: Place, services: Services, say: Any) -> None:
    """Make everything from nothing."""
    words = {name: secrets.token_hex(16) for name in config.SECRETS}
    config.private(place.folder / "secrets.json", json.dumps(words))
    config.write(place, words)
    say("services: making databases")
    _make_schemas(place, services)
    say("services: starting")
    services.start(*PROCESSES)
    services.answer(ANSWER_S, "keystone")
    say("services: users and endpoints")
    seed.identity(_administrator(place), place, words)
    (place.folder / "seeded").touch()
    services.answer(ANSWER_S, *place.ports)
    say("services: flavors, image and external network")
    seed.contents(_administrator(place))  # a new token: the catalogue comes with it


def _administrator(place: Place) -> Any:
    return _connect(place, "admin-clouds.yaml", config.ADMIN_CLOUD)


def _connect(place: Place, file: str, cloud: str) -> Any:
    """A connection of openstacksdk with one of the lab's own files."""
    from openstack.config import OpenStackConfig
    from openstack.connection import Connection

    known = OpenStackConfig(config_files=[str(place.folder / file)], load_envvars=False)
    return Connection(config=known.get_one(cloud=cloud))


def _make_schemas(place: Place, services: Services) -> None:
    """Run all steps, the branches side by side.

    Raises:
        PlatformFault: a step failed.
    """
    branches = [list(branch) for branch in schemas.BRANCHES]
    running: list[tuple[str, subprocess.Popen[bytes], list[str]]] = []

    def begin(branch: list[str]) -> None:
        step, *rest = branch
        process = services.once(f"schema-{step}", "provisioner.lab.openstack.schemas", step)
        running.append((step, process, rest))

    for branch in branches:
        begin(branch)
    try:
        while running:
            step, process, rest = running.pop(0)
            if process.poll() is None:
                running.append((step, process, rest))
                time.sleep(0.05)
            elif process.returncode:
                why = services.complaint(f"schema-{step}")
                raise PlatformFault(f"database of {step}: {why}")
            elif rest:
                begin(rest)
    finally:
        for _, process, _ in running:
            process.kill()
            process.wait()
    schemas.write_ahead(place.databases)


def _entry(place: Place) -> dict[str, Any]:
    return {
        "kind": "openstack",
        "emulator": True,
        "cloud": config.GUEST_CLOUD,
        "config_file": str(place.folder / "clouds.yaml"),
        "limits": {"visibility_s": 0.5},
        "reach": {"broker": str(place.space.broker_socket)},
        "declared": DECLARED,
    }
