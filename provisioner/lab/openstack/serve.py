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

import logging
import shutil
import time
from typing import Any

from provisioner.lab.images import Images
from provisioner.lab.limits import raise_limit
from provisioner.lab.openstack import clouds, founding, health, install, link, remains, virt_layer
from provisioner.lab.openstack.declared import DECLARED
from provisioner.lab.openstack.defects import known
from provisioner.lab.openstack.place import OUTSIDE_GATEWAY, Place
from provisioner.lab.openstack.services import Services, doors
from provisioner.lab.space import NETNS, Space
from provisioner.lab.state import State

LOG = logging.getLogger(__name__)
PLATFORM = "openstack"
WATCH_S = 0.5


def run(space: Space, state: State, images: Images) -> None:
    """Serve until the process is told to leave.

    Raises:
        BadRequest: an unknown defect was asked for.
        PlatformFault: a service or a system command failed.
        Timeout: a service did not answer in time.
    """
    defects = known(state.defects(PLATFORM))

    def say(text: str) -> None:
        state.progress(PLATFORM, text)

    folder, disks = state.folder(PLATFORM), state.bulk(PLATFORM)
    remains.clear(state, folder, disks)  # of an earlier daemon that was killed
    for old in (folder, disks):
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
    virt_layer.prepare(images, place)
    raise_limit()
    services = Services(state, place, sockets, link.make(place.folder / "link"))
    try:
        founding.found(place, services, images, say)
        say("health: booting a server")
        took = health.examine(founding.connect(place, "clouds.yaml", clouds.MEMBER_CLOUD))
        LOG.info("a server was ACTIVE after %.1f s", took)
        state.ready(PLATFORM, entry(place))
        _watch(services, f"serving {place.url('keystone')}", say)
    finally:
        services.close()
        remains.clear(state, folder, disks)


def entry(place: Place) -> dict[str, Any]:
    """The platform's entry in platforms.yaml."""
    return {
        "kind": "openstack",
        "emulator": True,
        "cloud": clouds.MEMBER_CLOUD,
        "config_file": str(place.folder / "clouds.yaml"),
        "tenants": [name for name in clouds.ENTRIES if name != clouds.MEMBER_CLOUD],
        "harness_address": f"{OUTSIDE_GATEWAY}/32",
        "limits": {"visibility_s": 0.5},  # the API is consistent at once
        "reach": {
            "broker": str(place.space.broker_socket),
            "namespace": str(NETNS / place.space.namespace),
        },
        "declared": DECLARED,
    }


def _watch(services: Services, serving: str, say: founding.Say) -> None:
    """Start again what dies, and say so, for ever."""
    said = ""
    while True:
        services.mend()
        text = ", ".join([serving, *services.troubles()])
        if text != said:
            say(text)
            said = text
        time.sleep(WATCH_S)
