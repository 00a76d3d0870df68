"""Bare metal end to end: QEMU machines with firmware, real DHCP, network boot, ssh, power, SOL.

The contract of ``test_contract_metal.py`` runs on machines in memory; this is the same driver on
machines that boot. One lab of an own name serves the whole file and is taken down at its end.
"""

from __future__ import annotations

import os
import secrets
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from harness.config import load_platforms
from provisioner.clock import SystemClock
from provisioner.driver import Driver, Handle, Owner, State
from provisioner.drivers.metal import open_driver
from provisioner.features import BootChoice, BootDevice, Console, EventLog, Inventory, Power
from provisioner.platform import PlatformConfig
from provisioner.remote import open_remote
from provisioner.resources import (
    AttachmentSpec,
    KeySpec,
    Kind,
    MachineSpec,
    Ref,
    Resource,
    Spec,
    VolumeSpec,
)
from provisioner.waiting import wait

TOOLS = ("qemu-system-x86_64", "dnsmasq", "ip", "nsenter", "mmdebstrap", "ssh-keygen")
MISSING = [tool for tool in TOOLS if shutil.which(tool) is None]
pytestmark = [
    pytest.mark.lab,
    pytest.mark.skipif(os.geteuid() != 0, reason="a lab needs root"),
    pytest.mark.skipif(bool(MISSING), reason=f"not installed: {', '.join(MISSING)}"),
]
MEMBER, KEY = Ref(Kind.MACHINE, "web-1"), Ref(Kind.KEY, "run")
DATA, JOINED = Ref(Kind.VOLUME, "data"), Ref(Kind.ATTACHMENT, "data")
BOOT_S = 180.0


@dataclass
class Site:
    """The lab's metal with one machine and its volume."""

    config: PlatformConfig
    driver: Driver
    key: Path
    owner: Owner
    handles: dict[Ref, Handle] = field(default_factory=dict)

    def make(self, ref: Ref, spec: Spec) -> Handle:
        """Create one resource."""
        want = Resource(kind=ref.kind, name=ref.name, spec=spec, tags=self.owner.tags(ref.name))
        step = self.driver.plan(want).bind(self.handles)
        self.handles[ref] = self.driver.create(step, secrets.token_hex(8))
        return self.handles[ref]

    @property
    def machine(self) -> Handle:
        return self.handles[MEMBER]

    def until(self, status: str) -> State:
        """Wait for a state of the machine."""
        state, _ = wait(
            lambda: self.driver.read(self.machine),
            target=[status],
            timeout_s=BOOT_S,
            clock=SystemClock(),
            why=f"{self.machine} to be {status}",
            interval=(0.3, 1.0),
        )
        assert state is not None
        return state

    def run(self, command: str) -> str:
        """A command as root inside."""
        access = self.until("ready").access
        assert access is not None
        remote = open_remote(self.config, self.driver, self.machine, access, self.key)
        try:
            done = remote.run(command, sudo=True, timeout_s=60)
            assert done.code == 0, done.stderr.decode()
            return done.stdout.decode().strip()
        finally:
            remote.close()


def interop(*words: str) -> None:
    """The command line of the project."""
    call = "import sys; from harness.cli.main import main; sys.exit(main())"
    command = [sys.executable, "-P", "-c", call, *words]
    done = subprocess.run(command, capture_output=True, text=True, timeout=1200, check=False)
    assert done.returncode == 0, done.stdout[-1000:] + done.stderr[-2000:]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("lab")
    name = f"t{os.getpid()}"
    try:
        file = folder / "platforms.yaml"
        interop("lab", "up", "--only", "metal", "--name", name, "--write", str(file))
        config = load_platforms([file])["lab-metal"]
        key = folder / "key"
        make = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "", "-f", str(key)]
        subprocess.run(make, check=True)
        driver = open_driver(config)
        made = Site(config=config, driver=driver, key=key, owner=Owner(run=name))
        try:
            made.make(KEY, KeySpec(public_key=key.with_suffix(".pub").read_text().strip()))
            made.make(MEMBER, MachineSpec(key=KEY, user_data=b"#!/bin/sh\necho ran > /root/ud\n"))
            made.make(DATA, VolumeSpec(size_gib=1, machine=MEMBER))
            made.make(JOINED, AttachmentSpec(machine=MEMBER, what=DATA))
            yield made
            for ref in reversed(list(made.handles)):
                driver.delete(made.handles[ref])
            assert list(driver.find(Owner())) == []
        finally:
            driver.close()
    finally:
        interop("lab", "down", "--name", name)


def test_a_machine_is_installed_over_the_network_and_let_in(site: Site) -> None:
    state = site.until("ready")

    assert state.facts["installed_by"] == "network"
    assert state.facts["network_boots"] == 1
    assert state.facts["identity_score"] == 1.0
    assert state.access is not None
    assert state.access.host_keys_from == "registration"
    assert site.run("hostname -f") == "web-1.metal.internal"
    assert "interop.token" in site.run("cat /proc/cmdline")


def test_its_seed_ran(site: Site) -> None:
    end = time.monotonic() + 60
    while "running" in site.run("interop-init status") and time.monotonic() < end:
        time.sleep(1)

    assert site.run("interop-init status") == "status: done"
    assert site.run("cat /root/ud") == "ran"


def test_names_of_other_machines_resolve(site: Site) -> None:
    ask = "python3 -c 'import socket; print(socket.gethostbyname(\"m2.metal.internal\"))'"

    assert site.run(ask).startswith("10.77.")


def test_the_inventory_is_the_machines_label(site: Site) -> None:
    told = site.driver.feature(Inventory, site.machine).read()  # type: ignore[type-abstract]

    assert told["serial"] == site.run("cat /sys/class/dmi/id/product_serial")


def test_the_volume_is_the_disk_that_was_told(site: Site) -> None:
    state = site.driver.read(site.handles[JOINED])
    assert state is not None

    block = f"$(basename $(readlink -f {state.facts['device']}))"

    assert site.run(f"cat /sys/class/block/{block}/serial") == state.facts["serial"]


def test_serial_over_lan_shows_what_the_guest_prints(site: Site) -> None:
    console = site.driver.feature(Console, site.machine)  # type: ignore[type-abstract]
    line = f"interop-{secrets.token_hex(6)}"
    console.read()
    site.run(f"echo {line} > /dev/console")
    end = time.monotonic() + 60
    while line not in console.read() and time.monotonic() < end:
        time.sleep(0.2)

    assert line in console.read()
    assert "interop.token=" not in console.read()


def test_off_and_on_boots_from_disk_with_what_was_on_it(site: Site) -> None:
    power = site.driver.feature(Power, site.machine)  # type: ignore[type-abstract]
    before = site.run("echo kept > /root/kept; sync; cat /proc/sys/kernel/random/boot_id")
    power.soft_off()
    site.until("stopped")
    power.on()
    state = site.until("ready")

    assert state.facts["network_boots"] == 1
    assert site.run("cat /root/kept") == "kept"
    assert site.run("cat /proc/sys/kernel/random/boot_id") != before
    log = site.driver.feature(EventLog, site.machine).read()  # type: ignore[type-abstract]
    assert len(log) == 3


def test_a_network_boot_of_an_installed_machine_goes_on_to_its_disk(site: Site) -> None:
    device = site.driver.feature(BootDevice, site.machine)  # type: ignore[type-abstract]
    device.set(BootChoice(device="network"))
    assert device.get().device == "network"
    site.driver.feature(Power, site.machine).reboot()  # type: ignore[type-abstract]
    end = time.monotonic() + BOOT_S
    while site.until("ready").facts["network_boots"] < 2 and time.monotonic() < end:
        time.sleep(1)

    assert site.until("ready").facts["network_boots"] == 2
    assert device.get().device == "default"
    assert site.run("cat /root/kept") == "kept"
