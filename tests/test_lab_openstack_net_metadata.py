"""169.254.169.254 of the lab's OpenStack: whom it takes the asker for, and what nova is told."""

from __future__ import annotations

import hashlib
import hmac
import http.client
import json
import shutil
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from provisioner.lab import doctor
from provisioner.lab.aws.namespaces import inside
from provisioner.lab.openstack.net import rules, wires
from provisioner.lab.openstack.net.metadata import Metadata
from provisioner.lab.openstack.net.world import DHCP, INTERFACE, Network, Port, Router, World
from provisioner.lab.openstack.place import Place
from provisioner.lab.space import Space

pytestmark = [
    pytest.mark.lab,
    pytest.mark.skipif(bool(doctor.lacking()), reason=doctor.lacking() or "-"),
]

SECRET = "5ec2e7"
ONE, TWO, STRANGER = "10.5.0.10", "10.5.0.11", "10.5.0.99"
WORLD = World(
    networks={"n": Network(id="n")},
    ports={
        port.id: port
        for port in (
            Port(id="1", network="n", mac="", addresses=(("s", ONE),), device="server-one",
                 owner="compute:nova", host="lab", project="theirs"),
            Port(id="2", network="n", mac="", addresses=(("s", TWO),), device="server-two",
                 owner="compute:nova", host="lab", project="theirs"),
            Port(id="3", network="n", mac="", addresses=(("s", "10.5.0.2"),), owner=DHCP),
            Port(id="4", network="n", mac="", addresses=(("s", "10.5.0.1"),), owner=INTERFACE,
                 device="r"),
        )
    },
    routers={"r": Router(id="r")},
)  # fmt: skip


class Nova(BaseHTTPRequestHandler):
    """Answers with what it was asked."""

    def do_GET(self) -> None:
        length = int(self.headers.get("Content-Length", "0"))
        said = {
            "path": self.path,
            "headers": {name.lower(): value for name, value in self.headers.items()},
            "body": self.rfile.read(length).decode(),
        }
        content = json.dumps(said).encode()
        self.send_response(404 if self.path == "/nothing" else 200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    do_POST = do_GET  # noqa: N815

    def log_message(self, format: str, *arguments: object) -> None:
        return


@dataclass
class Desk:
    """A lab with one network's and one router's namespace; addresses of guests are in both."""

    space: Space
    metadata: Metadata
    nova: ThreadingHTTPServer
    lines: list[http.client.HTTPConnection] = field(default_factory=list)

    def ask(
        self, asker: str, path: str = "/latest", *, where: str = "net-n", method: str = "GET",
        body: bytes = b"", **headers: str,
    ) -> tuple[int, str]:  # fmt: skip
        line = http.client.HTTPConnection(rules.METADATA, 80, timeout=10, source_address=(asker, 0))
        self.lines.append(line)
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        inside(f"{self.space.namespace}--{where}", line.connect)
        line.request(method, path, body=body or None, headers=named)
        answer = line.getresponse()
        return answer.status, answer.read().decode()


def furnish(space: Space) -> None:
    for name in ("net-n", "router-r"):
        namespace = f"{space.namespace}--{name}"
        wires.add_namespace(namespace)
        held = (rules.METADATA, ONE, TWO, STRANGER)
        wires.ip(namespace, [f"addr replace {each}/32 dev lo" for each in held])


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Callable[..., Desk]]:
    space = Space(name="test-osmeta")
    space.create()
    nova = ThreadingHTTPServer(("127.0.0.1", 0), Nova)
    threading.Thread(target=nova.serve_forever, args=(0.05,), daemon=True).start()
    (tmp_path / "secrets.json").write_text(json.dumps({"metadata": SECRET}))
    desks: list[Desk] = []

    def desk(*defects: str) -> Desk:
        furnish(space)
        place = Place(
            lab=space.name, folder=tmp_path, disks=tmp_path, venv=tmp_path, root=tmp_path,
            ports={"metadata": nova.server_address[1]}, defects=frozenset(defects),
        )  # fmt: skip
        metadata = Metadata(place)
        metadata.converge(WORLD, set())
        desks.append(Desk(space, metadata, nova))
        return desks[-1]

    yield desk
    for each in desks:
        for line in each.lines:
            line.close()
        each.metadata.close()
    nova.shutdown()
    nova.server_close()
    space.remove()
    shutil.rmtree(space.state_dir, ignore_errors=True)


@pytest.mark.parametrize("where", ["net-n", "router-r"])
def test_nova_is_told_who_asks_and_the_secret_proves_it(
    make: Callable[..., Desk], where: str
) -> None:
    status, content = make().ask(ONE, "/openstack/latest/meta_data.json?a=b", where=where)

    asked = json.loads(content)
    assert status == 200
    assert asked["path"] == "/openstack/latest/meta_data.json?a=b"
    told = asked["headers"]
    assert told["x-instance-id"] == "server-one"
    assert told["x-tenant-id"] == "theirs"
    assert told["x-forwarded-for"] == ONE
    signed = hmac.new(SECRET.encode(), b"server-one", hashlib.sha256).hexdigest()
    assert told["x-instance-id-signature"] == signed


def test_a_guest_cannot_name_another_one(make: Callable[..., Desk]) -> None:
    _, content = make().ask(TWO, X_Instance_ID="server-one", X_Forwarded_For=ONE)

    told = json.loads(content)["headers"]
    assert told["x-instance-id"] == "server-two"
    assert told["x-forwarded-for"] == TWO


def test_a_stranger_learns_nothing(make: Callable[..., Desk]) -> None:
    assert make().ask(STRANGER) == (404, "")


def test_a_password_reaches_nova(make: Callable[..., Desk]) -> None:
    status, content = make().ask(ONE, "/openstack/latest/password", method="POST", body=b"secret")

    assert (status, json.loads(content)["body"]) == (200, "secret")


def test_what_nova_does_not_know_is_not_found(make: Callable[..., Desk]) -> None:
    assert make().ask(ONE, "/nothing")[0] == 404


@pytest.mark.parametrize("length", ["65537", "-1", "x"])
def test_a_question_out_of_measure_is_refused(make: Callable[..., Desk], length: str) -> None:
    assert make().ask(ONE, method="POST", Content_Length=length)[0] == 413


def test_without_nova_the_guest_is_told_to_come_again(make: Callable[..., Desk]) -> None:
    desk = make()
    desk.nova.server_close()

    assert desk.ask(ONE)[0] == 503


def test_a_network_that_goes_is_not_answered_any_more(make: Callable[..., Desk]) -> None:
    desk = make()
    assert desk.ask(ONE)[0] == 200

    desk.metadata.converge(World(), set())

    with pytest.raises(ConnectionRefusedError):
        desk.ask(ONE)


def test_a_namespace_that_was_made_anew_is_answered(make: Callable[..., Desk]) -> None:
    desk = make()
    wires.remove_namespace(wires.network_namespace(desk.space, "n"))
    furnish(desk.space)

    desk.metadata.converge(WORLD, set())

    assert desk.ask(ONE)[0] == 200


def test_defect_metadata_wrong_instance(make: Callable[..., Desk]) -> None:
    _, content = make("metadata-wrong-instance").ask(ONE)

    assert json.loads(content)["headers"]["x-instance-id"] == "server-two"
