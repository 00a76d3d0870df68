"""The reference probe, really run: the chain of roles, UDP answers, and what a stop leaves."""

from __future__ import annotations

import ctypes
import http.client
import json
import os
import random
import signal
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

PROBE = Path(__file__).parent.parent / "provisioner/workloads/reference/probe.py"
Start = Callable[..., "Server"]


class Server:
    """One role's server on free ports of loopback."""

    def __init__(self, home: Path, **config: object) -> None:
        self.port, self.udp, shut = free_ports(3)
        self.home = home
        home.mkdir(parents=True, exist_ok=True)
        ports = {"port": self.port, "udp_port": self.udp, "shut_port": shut}
        file = home / "config.json"
        file.write_text(json.dumps({**config, **ports}), encoding="utf-8")
        self.process = subprocess.Popen(
            [sys.executable, str(PROBE), "serve", "--config", str(file)], env=environment(home)
        )
        deadline = time.monotonic() + 60
        while self.process.poll() is None and time.monotonic() < deadline:
            if self.ask("GET", "/health")[0] == 200:
                return
            time.sleep(0.05)
        self.stop(signal.SIGKILL)
        raise RuntimeError("the probe's server did not come up")

    def ask(self, method: str, path: str, body: bytes | None = None) -> tuple[int, Any]:
        """Status and JSON of one request; 0 when nobody answers."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
        try:
            connection.request(method, path, body)
            reply = connection.getresponse()
            return reply.status, json.loads(reply.read())
        except OSError:
            return 0, None
        finally:
            connection.close()

    def stop(self, number: int = signal.SIGTERM) -> None:
        self.process.send_signal(number)
        self.process.wait(10)


def free_ports(number: int) -> list[int]:
    """Ports of loopback that are free, TCP and UDP, and that no outgoing connection takes."""
    found: list[int] = []
    while len(found) < number:
        port = random.randrange(20_000, 32_000)
        with socket.socket() as tcp, socket.socket(type=socket.SOCK_DGRAM) as udp:
            try:
                tcp.bind(("127.0.0.1", port))
                udp.bind(("127.0.0.1", port))
            except OSError:
                continue
        if port not in found:
            found.append(port)
    return found


def environment(home: Path) -> dict[str, str]:
    return {**os.environ, "INTEROP_PROBE_HOME": str(home), "INTEROP_PROBE_NO_SUDO": "1"}


def observe(home: Path, name: str, **args: object) -> Any:
    done = subprocess.run(
        [sys.executable, str(PROBE), "observe", name, json.dumps(args)],
        env=environment(home),
        capture_output=True,
        check=True,
    )
    return json.loads(done.stdout)


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    running: list[Server] = []

    def begin(name: str, **config: object) -> Server:
        running.append(Server(tmp_path / name, name=name, **config))
        return running[-1]

    yield begin
    for server in running:
        if server.process.poll() is None:
            server.stop(signal.SIGKILL)


def test_an_item_goes_through_every_role_and_back(start: Start) -> None:
    store = start("store-1", role="store")
    app = start("app-1", role="app", upstreams=[f"127.0.0.1:{store.port}"])
    front = start("front-1", role="front", upstreams=[f"127.0.0.1:{app.port}"])

    seen = observe(front.home, "chain", port=front.port)

    assert seen["path"] == ["front-1", "app-1", "store-1"]


def test_the_front_goes_on_with_the_other_app(start: Start) -> None:
    store = start("store-1", role="store")
    apps = [start(f"app-{n}", role="app", upstreams=[f"127.0.0.1:{store.port}"]) for n in (1, 2)]
    front = start("front-1", role="front", upstreams=[f"127.0.0.1:{app.port}" for app in apps])
    apps[0].stop()

    answers = [front.ask("PUT", "/items/key", b"value")[0] for _ in range(4)]

    assert answers == [200] * 4


def test_items_outlive_the_server(start: Start, tmp_path: Path) -> None:
    data = str(tmp_path / "volume")
    first = start("store-1", role="store", data=data)
    first.ask("PUT", "/items/key", b"value \0 bytes")
    first.stop(signal.SIGKILL)

    status, said = start("store-2", role="store", data=data).ask("GET", "/items/key")

    assert status == 200
    assert said["value"] == "dmFsdWUgACBieXRlcw=="


@pytest.mark.parametrize("key", ["../../etc/passwd", "%2e%2e%2fx", ".hidden", "a/b", "x" * 65])
def test_a_key_never_leaves_the_folder(start: Start, key: str) -> None:
    store = start("store-1", role="store")

    status, _ = store.ask("PUT", f"/items/{key}", b"x")

    assert status == 400


def test_a_stop_is_written_down(start: Start) -> None:
    server = start("app-1", role="app")

    server.stop()

    stops = observe(server.home, "service", port=server.port)["stops"]
    assert [stop["signal"] for stop in stops] == [signal.SIGTERM]


def test_peers_are_measured_over_udp(start: Start) -> None:
    server = start("app-1", role="app")
    peers = [{"name": "app-1", "address": "127.0.0.1"}]

    mesh = observe(server.home, "mesh", peers=peers, tcp=[server.port], udp=[server.udp])
    skew = observe(server.home, "skew", peers=peers, port=server.udp)

    assert [(r["state"], r["answered"]) for r in mesh["results"]] == [("open", "app-1")] * 2
    assert abs(skew["results"][0]["offset_s"]) < 0.5


def test_a_closed_port_is_refused_and_tells_so(tmp_path: Path) -> None:
    (port,) = free_ports(1)

    seen = observe(tmp_path, "tcp", targets=[["127.0.0.1", port]])

    assert seen["results"][0]["state"] == "refused"


def test_a_pattern_reads_back_and_a_lost_sector_is_noticed(tmp_path: Path) -> None:
    file = tmp_path / "disk"
    observe(tmp_path, "write-pattern", path=str(file), token="t", offset=4096)
    whole = observe(tmp_path, "read-pattern", path=str(file), token="t", offset=4096)
    with file.open("r+b") as disk:
        disk.seek(4096 + 512)
        disk.write(bytes(512))

    torn = observe(tmp_path, "read-pattern", path=str(file), token="t", offset=4096)

    assert whole["whole"]
    assert (torn["whole"], torn["good_sectors"]) == (False, 127)


def test_a_file_that_is_gone_reads_as_gone(tmp_path: Path) -> None:
    seen = observe(tmp_path, "read-pattern", path=str(tmp_path / "none"), token="t")

    assert (seen["there"], seen["whole"]) == (False, False)


def test_a_metadata_service_that_is_not_there_is_asked_once(tmp_path: Path) -> None:
    """Six questions of one second each would be asked of somebody who answers."""
    drop_all = ctypes.create_string_buffer(struct.pack("HBBI", 0x06, 0, 0, 0), 8)
    begun = time.monotonic()
    with socket.create_server(("127.0.0.1", 0)) as mute:
        program = struct.pack("HxxxxxxP", 1, ctypes.addressof(drop_all))
        mute.setsockopt(socket.SOL_SOCKET, 26, program)  # SO_ATTACH_FILTER: no packet gets in
        url = f"http://127.0.0.1:{mute.getsockname()[1]}"

        seen = observe(tmp_path, "metadata", url=url, timeout_s=1.0)

    assert not seen["reachable"]
    assert (seen["without_token"], seen["with_bogus_token"], seen["formats"]) == (0, 0, [])
    assert time.monotonic() - begun < 5
