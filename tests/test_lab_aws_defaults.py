"""An instance that names no subnet has an address of the subnet it is in."""

from __future__ import annotations

from ipaddress import ip_address, ip_network

import boto3
import pytest

from provisioner.lab.aws.defaults import default_subnet_addresses


def test_an_instance_of_the_default_vpc_has_an_address_of_its_subnet(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from moto import mock_aws

    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    default_subnet_addresses()
    with mock_aws():
        ec2 = boto3.client("ec2", region_name="us-east-1")
        image = ec2.register_image(Name="image", ImageLocation="image")["ImageId"]
        made = [
            ec2.run_instances(ImageId=image, MinCount=1, MaxCount=1)["Instances"][0]
            for _ in range(3)
        ]
        subnets = ec2.describe_subnets(SubnetIds=[made[0]["SubnetId"]])["Subnets"]

    network = ip_network(subnets[0]["CidrBlock"])
    addresses = {instance["PrivateIpAddress"] for instance in made}
    assert len(addresses) == 3
    assert all(ip_address(address) in network for address in addresses)
