"""The OpenStack driver passes the driver contract, on the lab's OpenStack."""

from __future__ import annotations

import contextlib
import http.server
import json
import os
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("openstack", reason="openstacksdk is not installed (extra openstack)")

import yaml

from provisioner.contract import ContractSubject, DriverContract
from provisioner.driver import Driver
from provisioner.drivers.openstack import open_driver
from provisioner.lab import doctor
from provisioner.platform import PlatformConfig
from provisioner.resources import (
    AddressSpec,
    AttachmentSpec,
    FirewallSpec,
    KeySpec,
    Kind,
    MachineSpec,
    NetworkSpec,
    Ref,
    Rule,
    Spec,
    VolumeSpec,
)

LACKING = "" if os.environ.get("INTEROP_TEST_PLATFORMS") else doctor.lacking()
pytestmark = [
    pytest.mark.lab,
    pytest.mark.skipif(bool(LACKING), reason=LACKING or "-"),
    # openstacksdk 4 warns of its own use of what its version 5 will not have.
    pytest.mark.filterwarnings("ignore::PendingDeprecationWarning"),
]

PUBLIC_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIKJbjmMr2HLvgGr6cHsJZEkN2ovJY5Gq8EvWpSF5Yccz"
# No service of the lab limits rates; this is what clouds answer that do (nova, "overLimit").
TOO_MANY = json.dumps({"overLimit": {"code": 429, "message": "This request was rate-limited."}})


@contextlib.contextmanager
def throttling() -> Iterator[str]:
    """A keystone that refuses every request because there are too many."""

    class Refuse(http.server.BaseHTTPRequestHandler):
        def _refuse(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            self.send_response(429)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(TOO_MANY)))
            self.send_header("Retry-After", "3")
            self.end_headers()
            self.wfile.write(TOO_MANY.encode())

        do_GET = do_POST = _refuse  # noqa: N815 - the names http.server wants

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Refuse)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/v3"
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)


class Opener:
    """Opens drivers for the same cloud, rightly and wrongly configured."""

    def __init__(self, entry: dict[str, Any], folder: Path) -> None:
        outside = ("kind", "declared", "emulator", "profile")
        self._settings = {key: value for key, value in entry.items() if key not in outside}
        self._folder = folder
        self._count = 0

    def right(self) -> Driver:
        return self._open(self._settings)

    def other(self, **auth: str) -> Driver:
        """With other words in clouds.yaml."""
        clouds = yaml.safe_load(Path(self._settings["config_file"]).read_text())
        clouds["clouds"][self._settings["cloud"]]["auth"].update(auth)
        self._count += 1
        file = self._folder / f"clouds-{self._count}.yaml"
        file.write_text(yaml.safe_dump(clouds))
        return self._open({**self._settings, "config_file": str(file)})

    def _open(self, settings: dict[str, Any]) -> Driver:
        config = PlatformConfig(
            name="cloud", kind="openstack", settings=settings, state=self._folder
        )
        return open_driver(config)


NETWORK, MACHINE = Ref(Kind.NETWORK, "net"), Ref(Kind.MACHINE, "m-1")
SPECS: dict[Kind, Spec] = {
    Kind.KEY: KeySpec(public_key=PUBLIC_KEY),
    Kind.FIREWALL: FirewallSpec(
        rules=(
            Rule(source="members", protocol="udp", first_port=1, last_port=99),
            Rule(source="harness", protocol="tcp", first_port=22, last_port=22),
            Rule(source="any", protocol="icmp"),
        ),
        network=NETWORK,
    ),
    Kind.NETWORK: NetworkSpec(cidr="10.91.0.0/24"),
    Kind.ADDRESS: AddressSpec(),
    Kind.VOLUME: VolumeSpec(size_gib=1),
    Kind.MACHINE: MachineSpec(
        key=Ref(Kind.KEY, "key"),
        network=NETWORK,
        firewalls=(Ref(Kind.FIREWALL, "wall"),),
        user_data=b"#!/bin/sh\ntrue\n",
    ),
    Kind.ATTACHMENT: AttachmentSpec(machine=MACHINE, what=Ref(Kind.VOLUME, "data")),
}


@pytest.fixture(scope="module")
def opener(openstack_entry: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> Opener:
    return Opener(openstack_entry, tmp_path_factory.mktemp("openstack"))


@pytest.fixture(scope="module")
def whole(opener: Opener) -> Iterator[ContractSubject]:
    with socket.socket() as closed, throttling() as refusing:
        closed.bind(("127.0.0.1", 0))
        nobody = f"http://127.0.0.1:{closed.getsockname()[1]}/v3"
        driver = opener.right()
        yield ContractSubject(
            driver=driver,
            specs=SPECS,
            wrong=lambda: opener.other(password="not-the-password"),
            unreachable=lambda: opener.other(auth_url=nobody),
            throttled=lambda: opener.other(auth_url=refusing),
            timeout_s=180,
            poll_s=0.1,
        )
        driver.close()


@pytest.fixture(scope="module")
def volumes(opener: Opener) -> Iterator[ContractSubject]:
    """Volumes first: they have metadata that changes, which keys have not."""
    driver = opener.right()
    specs = {Kind.VOLUME: VolumeSpec(size_gib=1)}
    yield ContractSubject(driver=driver, specs=specs, timeout_s=60, poll_s=0.1)
    driver.close()


@pytest.fixture(scope="module")
def networks(opener: Opener) -> Iterator[ContractSubject]:
    """Networks first: they are made of several things."""
    driver = opener.right()
    specs = {kind: SPECS[kind] for kind in (Kind.NETWORK, Kind.ADDRESS)}
    yield ContractSubject(driver=driver, specs=specs, timeout_s=60, poll_s=0.1)
    driver.close()


class TestOpenStack(DriverContract):
    @pytest.fixture
    def contract(self, whole: ContractSubject) -> ContractSubject:
        return whole


class TestVolumes(DriverContract):
    @pytest.fixture
    def contract(self, volumes: ContractSubject) -> ContractSubject:
        return volumes


class TestNetworks(DriverContract):
    @pytest.fixture
    def contract(self, networks: ContractSubject) -> ContractSubject:
        return networks


def test_the_subject_is_complete(whole: ContractSubject) -> None:
    """Every kind that the cloud manages is under contract."""
    managed = {k for k, s in whole.driver.describe().kinds.items() if s == "managed"}

    assert managed == set(whole.specs)
