"""The lab's AWS with real guests: what the API says is true inside, and the defects are real."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import botocore.session
import pytest

from provisioner.lab import doctor, up
from provisioner.lab.aws.catalog import IMAGE
from provisioner.lab.space import Space
from provisioner.lab.state import DEFECTS, State
from provisioner.reach import BrokerDialer

pytestmark = [
    pytest.mark.lab,
    pytest.mark.skipif(bool(doctor.lacking()), reason=doctor.lacking() or "-"),
]

BOOT_S = 600.0  # of a virtual machine whose processor is emulated, on a busy host
ZONE = "us-east-1a"


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """A lab with an EC2 client, a key and a group that lets the harness in by SSH."""

    space: Space
    ec2: Any
    key: Path
    group: str

    def run(self, count: int = 1, **more: Any) -> list[dict[str, Any]]:
        """New instances that answer SSH."""
        made = self.ec2.run_instances(
            **{"ImageId": IMAGE, "InstanceType": "t3.micro", "KeyName": "test", "MinCount": count,
               "MaxCount": count, "SecurityGroupIds": [self.group], **more},
        )  # fmt: skip
        ids = [item["InstanceId"] for item in made["Instances"]]
        self.healthy(ids)
        return [self.read(instance) for instance in ids]

    def read(self, instance: str) -> dict[str, Any]:
        """An instance as the API tells it."""
        said = self.ec2.describe_instances(InstanceIds=[instance])
        found: dict[str, Any] = said["Reservations"][0]["Instances"][0]
        return found

    def healthy(self, ids: list[str]) -> None:
        """Wait until the status checks of all pass."""

        def passed() -> bool:
            said = self.ec2.describe_instance_status(InstanceIds=ids)["InstanceStatuses"]
            return [s["InstanceStatus"]["Status"] for s in said] == ["ok"] * len(ids)

        until(passed)

    def state(self, instance: str, wanted: str) -> None:
        """Wait for a state."""
        until(lambda: self.read(instance)["State"]["Name"] == wanted)

    def ssh(self, address: str, command: str) -> str:
        """What a command prints in a guest, reached from inside the lab."""
        argv = [
            "ssh", "-q", "-i", str(self.key), "-o", "StrictHostKeyChecking=no", "-o",
            "UserKnownHostsFile=/dev/null", "-o", "ConnectTimeout=20",
            "-o", "ServerAliveInterval=15", f"admin@{address}", command,
        ]  # fmt: skip
        done = subprocess.run(
            self.space.inside(argv), capture_output=True, text=True, check=False, timeout=60
        )
        return done.stdout.strip()


def until(condition: Callable[[], bool], patience_s: float = BOOT_S) -> None:
    """Ask again and again until it is so."""
    deadline = time.monotonic() + patience_s
    while not condition():
        assert time.monotonic() < deadline, "not in time"
        time.sleep(0.2)


def open_lab(name: str, folder: Path, defects: tuple[str, ...] = ()) -> Desk:
    """A lab of our own with nothing but AWS."""
    space = Space(name=name)
    up.up(space, ["aws"], lambda platform, text: None, defects=defects)
    entry = State(space).entry("aws")
    assert entry is not None
    inner = botocore.session.Session(profile=entry["aws_profile"])
    inner.set_config_variable("config_file", entry["config_file"])
    inner.set_config_variable("credentials_file", entry["credentials_file"])
    ec2 = boto3.Session(botocore_session=inner).client("ec2")
    key = folder / "key"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)], check=True)
    ec2.import_key_pair(KeyName="test", PublicKeyMaterial=key.with_suffix(".pub").read_bytes())
    vpc = ec2.describe_vpcs(Filters=[{"Name": "is-default", "Values": ["true"]}])["Vpcs"][0]
    group = ec2.create_security_group(GroupName="test", Description="test", VpcId=vpc["VpcId"])
    ec2.authorize_security_group_ingress(
        GroupId=group["GroupId"],
        IpPermissions=[
            {"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22,
             "IpRanges": [{"CidrIp": entry["harness_address"]}]}
        ],
    )  # fmt: skip
    return Desk(space=space, ec2=ec2, key=key, group=group["GroupId"])


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    """A lab without defects."""
    os.environ.pop(DEFECTS, None)
    name = f"taws-{os.getpid()}"
    try:
        yield open_lab(name, tmp_path_factory.mktemp("aws"))
    finally:
        up.down(Space(name=name))


def test_an_instance_lives_as_on_aws(desk: Desk) -> None:
    script = b"#!/bin/sh\necho once >> /var/lib/ran\n"
    made = desk.run(UserData=script.decode(), MetadataOptions={"HttpTokens": "required"})[0]
    instance, address = made["InstanceId"], made["PublicIpAddress"]
    volume = desk.ec2.create_volume(Size=1, AvailabilityZone=ZONE)["VolumeId"]
    desk.ec2.attach_volume(VolumeId=volume, InstanceId=instance, Device="/dev/sdf")
    disk = f"/dev/disk/by-id/nvme-Amazon_Elastic_Block_Store_{volume.replace('-', '')}"

    name = desk.ssh(address, "hostname -f")
    size = desk.ssh(address, f"sudo blockdev --getsize64 {disk}")
    desk.ssh(address, "echo | sudo tee /etc/resolv.conf; sudo touch /run/systemd/netif/state")
    until(lambda: desk.ssh(address, "hostname -f") == name)  # what networkd knows is written again
    desk.ssh(address, f"sudo mkfs.ext4 -q {disk} && sudo mount {disk} /mnt &&"
             " echo kept | sudo tee /mnt/file && sudo sync")  # fmt: skip
    desk.ec2.stop_instances(InstanceIds=[instance], Force=True)
    desk.state(instance, "stopped")
    desk.ec2.start_instances(InstanceIds=[instance])
    desk.healthy([instance])
    again = desk.read(instance)
    address = again["PublicIpAddress"]
    console = desk.ec2.get_console_output(InstanceId=instance)["Output"]

    assert name == made["PrivateDnsName"]
    assert size == str(1 << 30)
    assert again["PrivateIpAddress"] == made["PrivateIpAddress"]
    assert desk.ssh(address, f"sudo mount {disk} /mnt; cat /mnt/file /var/lib/ran") == "kept\nonce"
    assert "BEGIN SSH HOST KEY KEYS" in console
    desk.ssh(address, "sudo poweroff")
    desk.state(instance, "stopped")
    desk.ec2.terminate_instances(InstanceIds=[instance])
    desk.state(instance, "terminated")
    left = desk.ec2.describe_volumes()["Volumes"]
    assert [(v["VolumeId"], v["State"]) for v in left] == [(volume, "available")]


def test_an_instance_can_be_a_virtual_machine(desk: Desk) -> None:
    made = desk.run(
        InstanceType="t3a.nano",
        MetadataOptions={"HttpTokens": "required"},
        UserData="#!/bin/sh\necho once >> /var/lib/ran\n",
    )[0]
    instance, address = made["InstanceId"], made["PublicIpAddress"]
    volume = desk.ec2.create_volume(Size=1, AvailabilityZone=ZONE)["VolumeId"]
    disk = f"/dev/disk/by-id/nvme-Amazon_Elastic_Block_Store_{volume.replace('-', '')}"
    look = "cat /proc/sys/kernel/random/boot_id; hostname -f; nproc; sudo cat {}".format(
        "/sys/class/dmi/id/product_uuid /sys/class/dmi/id/product_name"
    )

    seen = desk.ssh(address, look).split()
    desk.ec2.attach_volume(VolumeId=volume, InstanceId=instance, Device="/dev/sdf")
    until(lambda: desk.ssh(address, f"sudo blockdev --getsize64 {disk}") == str(1 << 30))
    make = f"mountpoint -q /mnt || (sudo mkfs.ext4 -q {disk} && sudo mount {disk} /mnt)"
    write = f"({make}) && echo kept | sudo tee /mnt/file /root/file && sudo sync"
    until(lambda: desk.ssh(address, write) == "kept")
    desk.ec2.stop_instances(InstanceIds=[instance], Force=True)
    desk.state(instance, "stopped")
    desk.ec2.start_instances(InstanceIds=[instance])
    desk.healthy([instance])
    console = desk.ec2.get_console_output(InstanceId=instance)["Output"]
    address = desk.read(instance)["PublicIpAddress"]
    kept = desk.ssh(
        address,
        f"sudo mount {disk} /mnt; sudo cat /mnt/file /root/file /var/lib/ran; sudo umount /mnt;"
        " cat /proc/sys/kernel/random/boot_id",
    ).split()
    desk.ec2.detach_volume(VolumeId=volume, InstanceId=instance)
    until(lambda: desk.ssh(address, f"test -e {disk} || echo gone") == "gone")
    desk.ec2.reboot_instances(InstanceIds=[instance])
    until(lambda: desk.ssh(address, "cat /proc/sys/kernel/random/boot_id") not in ("", kept[-1]))
    desk.ssh(address, "sudo poweroff")
    desk.state(instance, "stopped")

    host = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    assert seen[0] != host
    assert seen[1:3] == [made["PrivateDnsName"], "2"]
    assert (seen[3][:3].lower(), seen[4]) == ("ec2", "t3a.nano")
    assert kept[:3] == ["kept", "kept", "once"]
    assert kept[3] not in (host, seen[0])
    assert "Linux version" in console
    assert "BEGIN SSH HOST KEY KEYS" in console
    desk.ec2.terminate_instances(InstanceIds=[instance])
    desk.state(instance, "terminated")


def test_a_group_filters_between_guests_and_from_outside(desk: Desk) -> None:
    one, two = desk.run(2)
    broker = BrokerDialer(str(desk.space.broker_socket))
    knock = f"timeout 2 bash -c 'echo > /dev/tcp/{two['PrivateIpAddress']}/22' && echo open"

    closed = desk.ssh(one["PublicIpAddress"], knock)
    members = [{"IpProtocol": "-1", "UserIdGroupPairs": [{"GroupId": desk.group}]}]
    desk.ec2.authorize_security_group_ingress(GroupId=desk.group, IpPermissions=members)
    opened = desk.ssh(one["PublicIpAddress"], knock)
    desk.ec2.revoke_security_group_ingress(GroupId=desk.group, IpPermissions=members)
    closed_again = desk.ssh(one["PublicIpAddress"], knock)

    assert (closed, opened, closed_again) == ("", "open", "")
    with broker.connect(two["PublicIpAddress"], 22, 5.0) as line:
        assert line.recv(4) == b"SSH-"
    with pytest.raises(TimeoutError):
        broker.connect(two["PublicIpAddress"], 80, 1.0)
    desk.ec2.terminate_instances(InstanceIds=[one["InstanceId"], two["InstanceId"]])
    desk.state(one["InstanceId"], "terminated")
    desk.state(two["InstanceId"], "terminated")


def test_guests_reach_neither_the_lab_nor_the_world(desk: Desk) -> None:
    made = desk.run()[0]

    said = desk.ssh(
        made["PublicIpAddress"],
        "for a in 10.77.0.1/22 192.0.2.1/80; do"
        ' timeout 2 bash -c "echo > /dev/tcp/$a" 2> /dev/null && echo $a; done; echo done',
    )

    assert said == "done"
    desk.ec2.terminate_instances(InstanceIds=[made["InstanceId"]])
    desk.state(made["InstanceId"], "terminated")


def test_a_killed_lab_leaves_nothing(tmp_path: Path) -> None:
    name = f"tkill-{os.getpid()}"
    own = Space(name=name)
    try:
        desk = open_lab(name, tmp_path)
        made = desk.run()[0]
        volume = desk.ec2.create_volume(Size=1, AvailabilityZone=ZONE)["VolumeId"]
        desk.ec2.attach_volume(VolumeId=volume, InstanceId=made["InstanceId"], Device="/dev/sdf")
        for process in State(own).processes():
            os.kill(process.pid, 9)
    finally:
        left = up.down(own)

    assert left == []
    assert own.namespaces() == []


def test_defects_are_real(tmp_path: Path) -> None:
    name = f"tdef-{os.getpid()}"
    asked = ("metadata-ignores-tokens", "wrong-hostname", "console-empty", "duplicate-machine-id",
             "firewall-filters-nothing", "user-data-altered", "address-moves")  # fmt: skip
    fetch = (
        "python3 -c 'import urllib.request as u;"
        'print(u.urlopen("http://169.254.169.254/latest/meta-data/instance-id").read().decode())\''
    )
    try:
        desk = open_lab(name, tmp_path, tuple(f"lab-aws:{defect}" for defect in asked))
        one, two = desk.run(
            2, UserData="#!/bin/sh\n#end", MetadataOptions={"HttpTokens": "required"}
        )
        address = one["PublicIpAddress"]

        assert desk.ssh(address, fetch) == one["InstanceId"]
        assert desk.ssh(address, "hostname -f") != one["PrivateDnsName"]
        assert desk.ssh(address, "sudo tail -c 3 /var/lib/cloud/instance/user-data.txt") == "#en"
        assert desk.ec2.get_console_output(InstanceId=one["InstanceId"])["Output"] == ""
        ids = {desk.ssh(i["PublicIpAddress"], "cat /etc/machine-id") for i in (one, two)}
        assert len(ids) == 1
        knock = f"timeout 2 bash -c 'echo > /dev/tcp/{two['PrivateIpAddress']}/22' && echo open"
        assert desk.ssh(address, knock) == "open"
        desk.ec2.stop_instances(InstanceIds=[one["InstanceId"]])
        desk.state(one["InstanceId"], "stopped")
        desk.ec2.start_instances(InstanceIds=[one["InstanceId"]])
        desk.healthy([one["InstanceId"]])
        again = desk.read(one["InstanceId"])
        held = desk.ssh(again["PublicIpAddress"], "hostname -I")
        assert again["PrivateIpAddress"] == one["PrivateIpAddress"] != held
    finally:
        os.environ.pop(DEFECTS, None)
        up.down(Space(name=name))
