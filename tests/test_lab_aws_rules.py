"""Security groups and names of the lab's AWS, as text; nft itself says whether a ruleset is one."""

from __future__ import annotations

import dataclasses
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from provisioner.lab.aws import names, rules
from provisioner.lab.aws.reading import leads_out
from provisioner.lab.aws.world import Group, Instance, Permission, Subnet, Vpc, private_name

ONE = Instance(
    id="i-1", state="running", image="ami-1", size="t3.micro", vpc="vpc-1", subnet="subnet-1",
    mac="02:00:00:00:00:01", private="172.31.0.4", public="54.214.0.1", groups=("sg-a",),
    tags={"Name": "Front-0", "interop-name": "not a label"},
)  # fmt: skip
TWO = dataclasses.replace(
    ONE, id="i-2", mac="02:00:00:00:00:02", private="172.31.0.5", public="", groups=("sg-b",)
)
ALL_OUT = (Permission(protocol="-1", cidrs=("0.0.0.0/0",)),)
GROUPS = {
    "sg-a": Group(
        id="sg-a",
        vpc="vpc-1",
        ingress=(
            Permission(protocol="tcp", first=22, last=22, cidrs=("198.18.0.1/32",)),
            Permission(protocol="udp", first=1000, last=2000, groups=("sg-a",)),
            Permission(protocol="icmp", first=8, last=-1, cidrs=("0.0.0.0/0",)),
            Permission(protocol="47", cidrs=("10.0.0.0/8",)),
            Permission(protocol="icmpv6", cidrs=("0.0.0.0/0",)),
        ),
        egress=ALL_OUT,
    ),
    "sg-b": Group(id="sg-b", vpc="vpc-1"),
}
VPC = Vpc(id="vpc-1", cidr="172.31.0.0/16", subnets=(Subnet(id="subnet-1", cidr="172.31.16.0/20"),))


def chain(text: str, name: str) -> list[str]:
    """The rules of one chain."""
    return text.partition(f"chain {name} {{\n")[2].partition("\n}")[0].splitlines()


def test_a_group_lets_in_what_its_rules_say_and_drops_the_rest() -> None:
    text = rules.render([ONE, TWO], GROUPS)

    assert chain(text, "in_0") == [
        "ip saddr 198.18.0.1/32 tcp dport 22 accept",
        "ip saddr @members_sg_a udp dport 1000-2000 accept",
        "icmp type 8 accept",
        "ip saddr 10.0.0.0/8 meta l4proto 47 accept",
        "drop",
    ]


def test_a_group_without_rules_lets_nothing_in_or_out() -> None:
    text = rules.render([ONE, TWO], GROUPS)

    assert chain(text, "in_1") == ["drop"]
    assert chain(text, "out_1") == ["drop"]


def test_only_an_instance_with_a_public_address_is_translated() -> None:
    text = rules.render([ONE, TWO], GROUPS)

    assert "dnat ip to ip daddr map { 54.214.0.1 : 172.31.0.4 }" in text
    assert "elements = { 172.31.0.4 }" in text
    assert "54.214.0.1 : 172.31.0.5" not in text


def test_without_filtering_no_group_is_asked() -> None:
    text = rules.render([ONE, TWO], GROUPS, filtering=False)

    assert "vmap" not in text


@pytest.mark.skipif(
    os.geteuid() != 0 or shutil.which("nft") is None, reason="nft needs root to check a ruleset"
)
@pytest.mark.parametrize("instances", [[], [ONE], [ONE, TWO]])
def test_nft_takes_the_ruleset(instances: list[Instance]) -> None:
    text = rules.render(instances, GROUPS)

    done = subprocess.run(
        ["unshare", "--net", "nft", "--check", "-f", "-"], input=text, text=True,
        capture_output=True, check=False,
    )  # fmt: skip

    assert done.stderr == ""


def test_the_resolver_is_at_two_and_the_router_at_one(tmp_path: Path) -> None:
    text = names.configuration(VPC, "us-east-1", tmp_path)

    assert "dhcp-option=option:dns-server,172.31.0.2" in text
    assert "dhcp-option=tag:subnet1,option:router,172.31.16.1" in text
    assert "dhcp-range=set:subnet1,172.31.16.0,static,255.255.240.0,3600" in text


def test_the_private_name_comes_before_names_from_tags() -> None:
    told = names.names([ONE], "us-east-1")

    assert told == {
        "i-1": "172.31.0.4 ip-172-31-0-4.ec2.internal ip-172-31-0-4 front-0 front-0.ec2.internal\n"
    }


def test_other_regions_have_other_zones() -> None:
    assert private_name("10.0.0.1", "eu-west-1") == "ip-10-0-0-1.eu-west-1.compute.internal"


@pytest.mark.parametrize(
    ("tables", "expected"),
    [
        ([], False),
        ([("main", None, "igw-1")], True),
        ([("main", None, "local")], False),
        ([("main", None, "igw-1"), ("own", "subnet-1", "local")], False),
        ([("own", "subnet-1", "igw-1")], True),
    ],
)
def test_a_subnet_is_public_by_its_own_table_or_the_main_one(
    tables: list[tuple[str, str | None, str]], expected: bool
) -> None:
    said = [
        {
            "VpcId": "vpc-1",
            "Associations": [{"Main": True} if subnet is None else {"SubnetId": subnet}],
            "Routes": [{"DestinationCidrBlock": "0.0.0.0/0", "GatewayId": gateway}],
        }
        for _, subnet, gateway in tables
    ]

    assert leads_out("subnet-1", "vpc-1", said) is expected
