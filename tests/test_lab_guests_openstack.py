"""Servers of the lab's OpenStack: what the API says is true inside the guest, of both kinds."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from provisioner.lab import doctor
from provisioner.lab.openstack import clouds, founding
from provisioner.lab.openstack.place import read
from provisioner.lab.space import Space
from provisioner.lab.state import State

pytestmark = [
    pytest.mark.lab,
    pytest.mark.filterwarnings("ignore::PendingDeprecationWarning"),  # openstacksdk's own
    pytest.mark.skipif(bool(doctor.lacking()), reason=doctor.lacking() or "-"),
]

PATIENCE_S = 600.0  # a virtual machine whose processor is emulated boots slowly on a busy host
SCRIPT = base64.b64encode(b"#!/bin/sh\necho once >> /var/lib/ran\n").decode()
BOOT = "cat /proc/sys/kernel/random/boot_id"


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """A lab with a member's connection, a key, a network with a way out, and a group for SSH."""

    space: Space
    cloud: Any
    key: Path
    network: str
    outside: str

    def boot(self, name: str, flavor: str, image: str = "debian-12", **more: Any) -> Any:
        """A new server that is ACTIVE."""
        compute = self.cloud.compute
        made = compute.create_server(
            name=name,
            flavor_id=compute.find_flavor(flavor).id,
            image_id=self.cloud.image.find_image(image).id,
            networks=[{"uuid": self.network}],
            key_name="test",
            security_groups=[{"name": "test"}],
            **more,
        )
        return self.state(made, "ACTIVE")

    def state(self, server: Any, wanted: str) -> Any:
        """The server once it is in a state and nothing is being done to it."""
        compute = self.cloud.compute

        def there() -> bool:
            now = compute.get_server(server.id)
            assert now.status == wanted or now.status != "ERROR", now.fault
            return bool(now.status == wanted and now.task_state is None)

        until(there)
        return compute.get_server(server.id)

    def address(self, server: Any) -> str:
        """A floating address for a server."""
        (port,) = self.cloud.network.ports(device_id=server.id)
        made = self.cloud.network.create_ip(floating_network_id=self.outside, port_id=port.id)
        return str(made.floating_ip_address)

    def ssh(self, address: str, command: str) -> str:
        """What a command prints in a guest; nothing when it does not answer."""
        argv = [
            "ssh", "-q", "-i", str(self.key), "-o", "StrictHostKeyChecking=no", "-o",
            "UserKnownHostsFile=/dev/null", "-o", "ConnectTimeout=20",
            "-o", "ServerAliveInterval=15", f"debian@{address}", command,
        ]  # fmt: skip
        done = subprocess.run(
            self.space.inside(argv), capture_output=True, text=True, check=False, timeout=120
        )
        return done.stdout.strip()

    def answer(self, address: str, command: str) -> str:
        """What a command prints, once the guest answers."""
        said: list[str] = []

        def asked() -> bool:
            said.append(self.ssh(address, command))
            return bool(said[-1])

        until(asked)
        return said[-1]

    def attach(self, server: Any, volume: Any) -> Any:
        """Attach a volume; what the API says of it."""
        made = self.cloud.compute.create_volume_attachment(server, volume_id=volume.id)
        self.volume(volume, "in-use")
        return made

    def grow(self, volume: Any, size_gib: int) -> None:
        """Extend it where it is attached."""
        more = {"json": {"os-extend": {"new_size": size_gib}}, "microversion": "3.42"}
        asked = self.cloud.block_storage.post(f"/volumes/{volume.id}/action", **more)
        assert asked.status_code == 202

    def detach(self, server: Any, volume: Any) -> None:
        """Detach it."""
        self.cloud.compute.delete_volume_attachment(server, volume.id)
        self.volume(volume, "available")

    def volume(self, volume: Any, wanted: str) -> None:
        """Wait for a volume's state."""
        storage = self.cloud.block_storage
        until(lambda: storage.get_volume(volume.id).status == wanted)

    def delete(self, *servers: Any) -> None:
        """Delete servers and wait until they are gone."""
        for server in servers:
            self.cloud.compute.delete_server(server)
        gone = {server.id for server in servers}
        until(lambda: not gone & {server.id for server in self.cloud.compute.servers()})


def until(condition: Callable[[], bool]) -> None:
    """Ask again and again until it is so."""
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline, "not in time"
        time.sleep(0.3)


@pytest.fixture(scope="module")
def desk(openstack_space: Space, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    """A key, a network with a router and a group that lets ssh in; gone at the end."""
    key = tmp_path_factory.mktemp("os") / "key"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)], check=True)
    place = read(openstack_space.state_dir / "openstack")
    with founding.connect(place, "clouds.yaml", clouds.MEMBER_CLOUD) as cloud, ExitStack() as stack:
        public = key.with_suffix(".pub").read_text()
        stack.callback(
            cloud.compute.delete_keypair,
            cloud.compute.create_keypair(name="test", public_key=public),
        )
        yield Desk(space=openstack_space, cloud=cloud, key=key, **_network(cloud, stack))


@pytest.fixture(autouse=True)
def tidy(desk: Desk) -> Iterator[None]:
    """What a test made goes with it: others use the lab, too."""
    yield
    compute, net, storage = desk.cloud.compute, desk.cloud.network, desk.cloud.block_storage
    desk.delete(*compute.servers())
    for address in list(net.ips()):
        net.delete_ip(address)
    for network in net.networks(name="second"):
        net.delete_network(network)
    for volume in list(storage.volumes()):
        storage.delete_volume(volume)
    for image in list(desk.cloud.image.images(visibility="private")):
        desk.cloud.image.delete_image(image)


def _network(cloud: Any, stack: ExitStack) -> dict[str, str]:
    net = cloud.network
    network, outside = net.create_network(name="test"), net.find_network("public")
    stack.callback(net.delete_network, network)
    subnet = net.create_subnet(network_id=network.id, ip_version=4, cidr="10.9.0.0/24")
    router = net.create_router(name="test", external_gateway_info={"network_id": outside.id})
    stack.callback(net.delete_router, router)
    net.add_interface_to_router(router, subnet_id=subnet.id)
    stack.callback(net.remove_interface_from_router, router, subnet_id=subnet.id)
    group = net.create_security_group(name="test")
    stack.callback(net.delete_security_group, group)
    net.create_security_group_rule(
        security_group_id=group.id, direction="ingress", protocol="tcp", port_range_min=22,
        port_range_max=22, ethertype="IPv4",
    )  # fmt: skip
    return {"network": network.id, "outside": outside.id}


def test_a_server_lives_as_elsewhere(desk: Desk) -> None:
    compute, storage = desk.cloud.compute, desk.cloud.block_storage
    server = desk.boot("one", "m1.small", config_drive=True, user_data=SCRIPT)
    address = desk.address(server)
    volume = storage.create_volume(name="data", size=1)
    desk.volume(volume, "available")
    disk = f"/dev/disk/by-id/virtio-{volume.id[:20]}"

    first = desk.answer(address, f"hostname -f; cat /var/lib/ran; {BOOT}").split()
    disks = [desk.ssh(address, "lsblk -no NAME --nodeps").split()]
    attached = desk.attach(server, volume)
    disks.append(desk.ssh(address, "lsblk -no NAME --nodeps").split())
    size = desk.ssh(address, f"sudo blockdev --getsize64 {disk}; readlink -f {disk}").split()
    desk.grow(volume, 2)
    until(lambda: desk.ssh(address, f"sudo blockdev --getsize64 {disk}") == str(2 << 30))
    desk.ssh(address, f"sudo mkfs.ext4 -q {disk} && sudo mount {disk} /mnt &&"
             " echo kept | sudo tee /mnt/file /root/file && sudo sync")  # fmt: skip
    compute.reboot_server(server, "SOFT")
    desk.state(server, "ACTIVE")
    soft = desk.answer(address, f"sudo mount {disk} /mnt; cat /mnt/file; sudo umount /mnt; {BOOT}")
    compute.reboot_server(server, "HARD")
    desk.state(server, "ACTIVE")
    hard = desk.answer(address, f"sudo cat /root/file; {BOOT}")
    seen = desk.ssh(address, "cut -d. -f1 /proc/uptime; nproc; grep -c ^processor /proc/cpuinfo")
    desk.ssh(address, "sudo poweroff")
    desk.state(server, "SHUTOFF")
    compute.start_server(server)
    desk.state(server, "ACTIVE")
    again = desk.answer(address, "cat /var/lib/ran")
    desk.detach(server, volume)
    console = compute.get_server_console_output(server)["output"]

    assert first[:2] == ["one.novalocal", "once"]
    assert size == [str(1 << 30), attached.device]
    assert soft.split()[0] == hard.split()[0] == "kept"
    assert len({first[2], soft.split()[1], hard.split()[1]}) == 3
    up, *processors = map(int, seen.split())
    assert up < time.clock_gettime(time.CLOCK_BOOTTIME)
    assert processors == [1, 1]
    assert ["vdb" in seen_then for seen_then in disks] == [False, True]
    assert again == "once"
    assert "BEGIN SSH HOST KEY KEYS" in console
    assert desk.ssh(address, f"ls {disk} 2> /dev/null; echo none") == "none"
    folder = State(desk.space).bulk("openstack") / "instances"
    assert (folder / server.id).exists()
    desk.delete(server)
    assert [path.name for path in folder.iterdir() if path.name.startswith(server.id)] == []
    assert [name for name in desk.space.namespaces() if server.id in name] == []


def test_ports_come_and_go(desk: Desk) -> None:
    server = desk.boot("ports", "m1.small")
    address = desk.address(server)
    net = desk.cloud.network
    second = net.create_network(name="second")
    net.create_subnet(network_id=second.id, ip_version=4, cidr="10.10.0.0/24", gateway_ip=None)
    desk.answer(address, "echo there")

    port = desk.cloud.compute.create_server_interface(server, net_id=second.id)
    until(lambda: "10.10.0." in desk.ssh(address, "ip -br a show ens4"))
    desk.cloud.compute.delete_server_interface(port, server=server)
    until(lambda: desk.ssh(address, "ip -br l show ens4 > /dev/null 2>&1 || echo gone") == "gone")
    desk.delete(server)


def test_a_snapshot_boots_and_a_size_changes(desk: Desk) -> None:
    compute = desk.cloud.compute
    server = desk.boot("small", "m1.small")
    address = desk.address(server)
    desk.answer(address, "echo kept | sudo tee /root/file; sync")

    taken = compute.create_server_image(server, "taken", wait=True, timeout=300)
    desk.state(server, "ACTIVE")
    copy = desk.boot("copy", "m1.small", image=taken.id)
    of_copy = desk.address(copy)
    there = desk.answer(of_copy, "hostname; sudo cat /root/file").split()
    compute.rebuild_server(copy, image=desk.cloud.image.find_image("debian-12").id)
    desk.state(copy, "ACTIVE")
    compute.resize_server(server, compute.find_flavor("m1.medium").id)
    desk.state(server, "VERIFY_RESIZE")
    larger = desk.answer(address, "sudo touch /root/later; df --output=size -BG / | tail -1")
    compute.revert_server_resize(server)
    reverted = desk.state(server, "ACTIVE")
    back = desk.answer(address, "sudo ls /root; df --output=size -BG / | tail -1").split()
    rebuilt = desk.answer(of_copy, "sudo ls /root; echo end")

    assert there == ["copy", "kept"]
    assert larger == "8G"
    assert (reverted.flavor.name, back) == ("m1.small", ["file", "4G"])
    assert rebuilt == "end"
    desk.delete(*compute.servers())


def test_guests_outlive_nova(desk: Desk) -> None:
    server = desk.boot("survivor", "m1.small")
    address = desk.address(server)
    before = desk.answer(address, BOOT)
    noted = json.loads((desk.space.state_dir / "processes/openstack-nova.json").read_text())

    os.kill(noted["pid"], 9)
    time.sleep(1)
    desk.state(server, "ACTIVE")
    volume = desk.cloud.block_storage.create_volume(name="later", size=1)
    desk.volume(volume, "available")
    desk.attach(server, volume)

    assert desk.ssh(address, BOOT) == before
    assert desk.ssh(address, "lsblk -bdno SIZE /dev/vdb || sudo blockdev --getsize64 /dev/vdb")
    desk.cloud.compute.stop_server(server)
    desk.state(server, "SHUTOFF")
    desk.delete(server)


def test_a_flavor_asks_for_a_virtual_machine(desk: Desk) -> None:
    compute = desk.cloud.compute
    server = desk.boot("machine", "q1.tiny", config_drive=True)
    address = desk.address(server)
    volume = desk.cloud.block_storage.create_volume(name="more", size=1)
    desk.volume(volume, "available")
    disk = f"/dev/disk/by-id/virtio-{volume.id[:20]}"
    look = "cat /proc/sys/kernel/random/boot_id /sys/class/dmi/id/product_name; hostname -f;"

    seen = desk.answer(
        address,
        "until [ -e /run/cloud-init/result.json ]; do sleep 1; done;"
        f"{look} grep -o ConfigDrive /run/cloud-init/result.json; ls /dev/disk/by-label",
    ).splitlines()
    attached = desk.attach(server, volume)
    until(lambda: desk.ssh(address, f"readlink -f {disk}") == attached.device)
    desk.grow(volume, 2)
    until(lambda: desk.ssh(address, f"sudo blockdev --getsize64 {disk}") == str(2 << 30))
    until(lambda: desk.ssh(address, "echo kept | sudo tee /root/file; sync") == "kept")
    desk.detach(server, volume)
    until(lambda: desk.ssh(address, f"test -e {disk} || echo gone") == "gone")
    compute.pause_server(server)
    desk.state(server, "PAUSED")
    compute.unpause_server(server)
    desk.state(server, "ACTIVE")
    taken = compute.create_server_image(server, "of-a-machine", wait=True, timeout=600)
    desk.state(server, "ACTIVE")
    compute.stop_server(server)
    desk.state(server, "SHUTOFF")
    copy = desk.boot("container", "m1.small", image=taken.id)
    there = desk.answer(desk.address(copy), "hostname; sudo cat /root/file").split()

    host = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    assert seen[0] != host
    assert seen[1:4] == ["OpenStack Nova", "machine.novalocal", "ConfigDrive"]
    assert "config-2" in seen[4:]
    assert there == ["container", "kept"]
    assert "Linux version" in compute.get_server_console_output(server)["output"]
    desk.delete(server, copy)
