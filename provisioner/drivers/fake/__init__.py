"""The fake platform: a cloud with programmable behaviour, and a real driver for it.

By default the cloud is a file in the platform's state folder, so that it outlives its process like
any cloud; ``memory: true`` keeps it in this process, shared by all drivers of the same name.
"""

from __future__ import annotations

import threading

from provisioner.drivers.fake.cloud import Cloud
from provisioner.drivers.fake.driver import FakeDriver
from provisioner.drivers.fake.faults import Faults, read_rules
from provisioner.drivers.fake.settings import read_settings
from provisioner.drivers.fake.things import Store
from provisioner.platform import PlatformConfig

_MEMORY: dict[str, Store] = {}
_LOCK = threading.Lock()


def open_driver(config: PlatformConfig) -> FakeDriver:
    """The driver of a configured fake platform.

    Raises:
        BadRequest: a setting is wrong; names its key.
    """
    settings = read_settings(config)
    if settings.memory:
        with _LOCK:
            store = _MEMORY.setdefault(config.name, Store())
    else:
        store = Store(config.state / "cloud.json")
    faults = Faults(read_rules(settings.faults, config.name), config.name)
    return FakeDriver(Cloud(config.name, settings, store, faults=faults))
