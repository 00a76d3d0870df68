"""The fake driver passes the driver contract: in memory, on disk, and on an unpleasant cloud."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from provisioner.contract import ContractSubject, DriverContract
from provisioner.driver import Driver
from provisioner.drivers.fake import open_driver
from provisioner.platform import PlatformConfig
from provisioner.resources import (
    AddressSpec,
    AttachmentSpec,
    BucketSpec,
    FirewallSpec,
    KeySpec,
    Kind,
    MachineSpec,
    NetworkSpec,
    Ref,
    Rule,
    VolumeSpec,
)

CLOUDS: dict[str, dict[str, Any]] = {
    "in-memory": {"memory": True},
    "on-disk": {},
    "unpleasant": {
        "latency": {"default": [0.0, 0.05]},
        "delete_s": {"default": [0.0, 0.05]},
        "visible_s": 0.03,
        "list_s": 0.06,
        "tokens": False,
        "root_volumes": True,
        "boot_s": 0.05,
    },
}


@pytest.fixture(params=sorted(CLOUDS))
def contract(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[ContractSubject]:
    def opened(**more: Any) -> Driver:
        settings = {**CLOUDS[request.param], **more}
        name = tmp_path.name
        return open_driver(
            PlatformConfig(name=name, kind="fake", settings=settings, state=tmp_path)
        )

    driver = opened()
    yield ContractSubject(
        driver=driver,
        specs={
            Kind.KEY: KeySpec(public_key="ssh-ed25519 AAAAC3Nz"),
            Kind.NETWORK: NetworkSpec(cidr="10.9.0.0/24"),
            Kind.FIREWALL: FirewallSpec(rules=(Rule(source="members", protocol="icmp"),)),
            Kind.ADDRESS: AddressSpec(),
            Kind.VOLUME: VolumeSpec(size_gib=1),
            Kind.MACHINE: MachineSpec(key=Ref(Kind.KEY, "key"), network=Ref(Kind.NETWORK, "net")),
            Kind.ATTACHMENT: AttachmentSpec(
                machine=Ref(Kind.MACHINE, "m-1"), what=Ref(Kind.VOLUME, "data")
            ),
            Kind.BUCKET: BucketSpec(),
        },
        wrong=lambda: opened(credential="wrong"),
        unreachable=lambda: opened(reachable=False),
        throttled=lambda: opened(faults=[{"at": "list.*.before", "do": "Throttled"}]),
        timeout_s=20,
        poll_s=0.02,
    )
    driver.close()


class TestFake(DriverContract):
    pass
