"""The broker hands sockets over, refuses in the kernel's words, and nobody waits for others."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from provisioner.errors import Lost
from provisioner.reach import BrokerDialer


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[BrokerDialer]:
    """A broker of the network the tests run in."""
    path = tmp_path / "broker.sock"
    process = subprocess.Popen([sys.executable, "-P", "-m", "provisioner.lab.broker", str(path)])
    try:
        deadline = time.monotonic() + 60
        while True:
            try:
                BrokerDialer(str(path)).bind("127.0.0.1", 0).close()
                break
            except (OSError, Lost):
                assert time.monotonic() < deadline, "the broker did not come up"
                time.sleep(0.02)
        yield BrokerDialer(str(path))
    finally:
        process.kill()
        process.wait()


def test_a_listener_and_a_connection_made_by_the_broker_meet(broker: BrokerDialer) -> None:
    door = broker.bind("127.0.0.1", 0)
    with door, broker.connect("127.0.0.1", door.getsockname()[1], 5) as client:
        served, _ = door.accept()
        with served:
            client.sendall(b"through")
            received = served.recv(64)

    assert received == b"through"


def test_a_refusal_is_the_kernels_own_error(broker: BrokerDialer) -> None:
    with broker.bind("127.0.0.1", 0) as door:
        port = door.getsockname()[1]

    with pytest.raises(ConnectionRefusedError):
        broker.connect("127.0.0.1", port, 5)


def test_a_taken_port_is_refused(broker: BrokerDialer) -> None:
    with broker.bind("127.0.0.1", 0) as door, pytest.raises(OSError, match="in use"):
        broker.bind("127.0.0.1", door.getsockname()[1])


def test_a_datagram_socket_is_bound(broker: BrokerDialer) -> None:
    with broker.bind("127.0.0.1", 0, "dgram") as made:
        kind = made.type

    assert kind == socket.SOCK_DGRAM


@pytest.mark.parametrize(
    "datagram",
    [
        b"not json",
        b"[]",
        b"{}",
        b'{"op": "open", "host": "127.0.0.1", "port": 1}',
        b'{"op": "connect", "host": "127.0.0.1", "port": "x", "timeout": 1}',
        b'{"op": "connect", "host": "127.0.0.1", "port": 99999, "timeout": 1}',
        b'{"op": "bind", "host": "127.0.0.1", "port": 0, "type": "raw"}',
    ],
)
def test_a_malformed_request_is_answered_and_the_broker_lives(
    broker: BrokerDialer, datagram: bytes
) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as line:
        line.settimeout(5)
        line.connect(broker.path)
        line.send(datagram)
        answer = json.loads(line.recv(4096))

    assert answer["errno"]
    broker.bind("127.0.0.1", 0).close()


def test_a_client_that_says_nothing_blocks_nobody(broker: BrokerDialer) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as silent:
        silent.connect(broker.path)
        broker.bind("127.0.0.1", 0).close()


def test_only_its_user_may_open_the_socket(broker: BrokerDialer) -> None:
    assert Path(broker.path).stat().st_mode & 0o777 == 0o600
