"""The AWS driver passes the driver contract, against moto with authentication on."""

from __future__ import annotations

import contextlib
import http.server
import json
import socket
import threading
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("moto", reason="moto is not installed (extra lab)")

import boto3
from moto.server import ThreadedMotoServer

from provisioner.contract import ContractSubject, DriverContract
from provisioner.driver import Driver
from provisioner.drivers.aws import open_driver
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

REGION = "eu-central-1"
PUBLIC_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIKJbjmMr2HLvgGr6cHsJZEkN2ovJY5Gq8EvWpSF5Yccz"
# moto knows no rate limits; this is what AWS answers when there are too many requests.
TOO_MANY = b"""<?xml version="1.0" encoding="UTF-8"?>
<Response><Errors><Error><Code>RequestLimitExceeded</Code><Message>Request limit exceeded.</Message>
</Error></Errors><RequestID>ea966190-f9aa-478e-9ede-example</RequestID></Response>"""


def set_authentication(endpoint: str, after: str) -> None:
    """Check credentials from the *after*-th call on; for all of this process."""
    request = urllib.request.Request(  # noqa: S310 - our own server
        f"{endpoint}/moto-api/reset-auth",
        data=after.encode(),
        headers={"Content-Type": "text/plain"},
    )
    urllib.request.urlopen(request, timeout=10).close()  # noqa: S310


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    try:
        yield f"http://{host}:{port}"
    finally:
        set_authentication(f"http://{host}:{port}", "inf")
        server.stop()


def write_files(folder: Path, endpoint: str, key: str, secret: str) -> dict[str, str]:
    """AWS's own two files, as a user has them; returns the settings that name them."""
    config, credentials = folder / "config", folder / "credentials"
    config.write_text(f"[profile lab]\nregion = {REGION}\nendpoint_url = {endpoint}\n")
    credentials.write_text(f"[lab]\naws_access_key_id = {key}\naws_secret_access_key = {secret}\n")
    return {
        "config_file": str(config),
        "credentials_file": str(credentials),
        "aws_profile": "lab",
    }


@pytest.fixture(scope="module")
def keys(endpoint: str) -> tuple[str, str]:
    """Credentials of a user that may do everything; from now on wrong ones are refused."""
    iam = boto3.client(
        "iam",
        endpoint_url=endpoint,
        region_name=REGION,
        aws_access_key_id="first",
        aws_secret_access_key="first",
    )
    iam.create_user(UserName="interop")
    allow = {"Effect": "Allow", "Action": "*", "Resource": "*"}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [allow]})
    iam.put_user_policy(UserName="interop", PolicyName="all", PolicyDocument=policy)
    made = iam.create_access_key(UserName="interop")["AccessKey"]
    iam.close()
    set_authentication(endpoint, "0")
    return made["AccessKeyId"], made["SecretAccessKey"]


@contextlib.contextmanager
def throttling() -> Iterator[str]:
    """A server that refuses every request as AWS does when there are too many."""

    class Refuse(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:  # find() only reads, and EC2 takes everything by POST
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            self.send_response(503)
            self.send_header("Content-Length", str(len(TOO_MANY)))
            self.end_headers()
            self.wfile.write(TOO_MANY)

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Refuse)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)


@pytest.fixture(scope="module")
def contract(
    endpoint: str, keys: tuple[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[ContractSubject]:
    def opened(name: str, at: str, secret: str = keys[1]) -> Driver:
        folder = tmp_path_factory.mktemp(name)
        settings = {
            **write_files(folder, at, keys[0], secret),
            "sizes": ["t3.nano", "t3.small"],
        }
        return open_driver(PlatformConfig(name=name, kind="aws", settings=settings, state=folder))

    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        nobody = f"http://127.0.0.1:{closed.getsockname()[1]}"
        driver = opened("aws", endpoint)
        network = Ref(Kind.NETWORK, "net")
        with throttling() as refusing:
            yield ContractSubject(
                driver=driver,
                specs={
                    Kind.KEY: KeySpec(public_key=PUBLIC_KEY),
                    Kind.NETWORK: NetworkSpec(cidr="10.91.0.0/24"),
                    Kind.FIREWALL: FirewallSpec(
                        rules=(
                            Rule(source="members", protocol="udp", first_port=1, last_port=99),
                            Rule(source="harness", protocol="tcp", first_port=22, last_port=22),
                            Rule(source="any", protocol="icmp"),
                        ),
                        network=network,
                    ),
                    Kind.ADDRESS: AddressSpec(),
                    Kind.VOLUME: VolumeSpec(size_gib=1),
                    Kind.MACHINE: MachineSpec(
                        key=Ref(Kind.KEY, "key"),
                        network=network,
                        firewalls=(Ref(Kind.FIREWALL, "wall"),),
                        user_data=b"#!/bin/sh\ntrue\n",
                    ),
                    Kind.ATTACHMENT: AttachmentSpec(
                        machine=Ref(Kind.MACHINE, "m-1"), what=Ref(Kind.VOLUME, "data")
                    ),
                    Kind.BUCKET: BucketSpec(),
                },
                wrong=lambda: opened("wrong", endpoint, secret="not-the-secret"),
                unreachable=lambda: opened("unreachable", nobody),
                throttled=lambda: opened("throttled", refusing),
                timeout_s=20,
                poll_s=0.02,
            )
        driver.close()


class TestAws(DriverContract):
    pass
