"""From nothing to services that answer: the state from the cache, or made anew and put there."""

from __future__ import annotations

import json
import secrets
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from provisioner.errors import PlatformFault
from provisioner.lab.images import Images
from provisioner.lab.openstack import clouds, config, golden, schemas, seed
from provisioner.lab.openstack.place import Place
from provisioner.lab.openstack.services import PROCESSES, Services

ANSWER_S = 180.0
REQUEST_S = 120.0  # a service that takes a request and never answers is a fault, not a wait
Say = Callable[[str], None]


def found(place: Place, services: Services, images: Images, say: Say) -> None:
    """Have all services of *place* answer.

    Raises:
        PlatformFault: a service or the making of its database failed.
        Timeout: a service does not answer.
    """
    with images.made(golden.name(place.venv)) as (kept, fresh):
        if fresh is not None:
            _make(place, services, say)
            golden.keep(place, fresh)
            return
    say("services: unpacking their state")
    golden.unpack(kept, place)
    _configure(place, json.loads((kept / "secrets.json").read_text(encoding="utf-8")))
    (place.folder / "seeded").touch()
    say("services: starting")
    services.start(*PROCESSES)
    services.answer(ANSWER_S, *place.ports)


def administrator(place: Place) -> Any:
    """A connection of openstacksdk with all rights."""
    return connect(place, "admin-clouds.yaml", clouds.ADMIN_CLOUD)


def connect(place: Place, file: str, cloud: str) -> Any:
    """A connection of openstacksdk by one of the lab's own files."""
    from openstack.config import OpenStackConfig
    from openstack.connection import Connection

    known = OpenStackConfig(config_files=[str(place.folder / file)], load_envvars=False)
    return Connection(config=known.get_one(cloud=cloud, api_timeout=REQUEST_S))


def _configure(place: Place, words: dict[str, str]) -> None:
    config.private(place.folder / "secrets.json", json.dumps(words))
    config.write(place, words)


def _make(place: Place, services: Services, say: Say) -> None:
    """Make databases, users, endpoints and contents."""
    words = {name: secrets.token_hex(16) for name in config.SECRETS}
    _configure(place, words)
    say("services: making databases")
    _make_schemas(place.databases, services)
    say("services: starting")
    services.start(*PROCESSES)
    services.answer(ANSWER_S, "keystone")
    say("services: users and endpoints")
    seed.identity(administrator(place), place, words)
    (place.folder / "seeded").touch()
    services.answer(ANSWER_S, *place.ports)
    say("services: flavors, image and external network")
    seed.contents(administrator(place))  # a new token: the catalogue comes with it


def _make_schemas(folder: Path, services: Services) -> None:
    """Run all steps, the branches side by side.

    Raises:
        PlatformFault: a step failed.
    """
    waiting = [list(branch) for branch in schemas.BRANCHES]
    running: dict[str, tuple[subprocess.Popen[bytes], list[str]]] = {}
    try:
        while waiting or running:
            for step, *rest in waiting:
                running[step] = (services.begin_schema(step), rest)
            waiting.clear()
            time.sleep(0.05)
            for step, (process, rest) in list(running.items()):
                code = process.poll()
                if code:
                    why = services.complaint(f"schema-{step}")
                    raise PlatformFault(f"database of {step}: {why}")
                if code == 0:
                    del running[step]
                    services.forget(f"schema-{step}")
                    waiting += [rest] if rest else []
    finally:
        for process, _ in running.values():
            process.kill()
            process.wait()
    schemas.write_ahead(folder)
