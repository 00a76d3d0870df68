"""The Kubernetes driver passes the driver contract, on the lab's real cluster."""

from __future__ import annotations

import http.server
import json
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

pytest.importorskip("kubernetes", reason="kubernetes is not installed (extra kubernetes)")

import kubernetes_lab

from provisioner.contract import ContractSubject, DriverContract
from provisioner.resources import (
    AttachmentSpec,
    ConfigSpec,
    FirewallSpec,
    ImageSpec,
    Kind,
    MachineSpec,
    NetworkSpec,
    Ref,
    Rule,
    ServiceSpec,
    VolumeSpec,
)

pytestmark = [
    pytest.mark.lab,
    pytest.mark.skipif(bool(kubernetes_lab.lacking()), reason=kubernetes_lab.lacking() or "-"),
]


class Refusing(http.server.BaseHTTPRequestHandler):
    """Answers as an API server that has too much to do."""

    def do_GET(self) -> None:
        body = json.dumps(
            {"kind": "Status", "status": "Failure", "reason": "TooManyRequests", "code": 429}
        ).encode()
        self.send_response(429)
        self.send_header("Retry-After", "3")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *arguments: object) -> None:
        return


@pytest.fixture(scope="module")
def refusing() -> Iterator[str]:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Refusing) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def write_config(path: Path, server: str, **user: str) -> str:
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "c", "cluster": {"server": server}}],
        "users": [{"name": "u", "user": user}],
        "contexts": [{"name": "interop-lab", "context": {"cluster": "c", "user": "u"}}],
    }
    path.write_text(yaml.safe_dump(document), encoding="utf-8")
    return str(path)


@pytest.fixture(scope="module")
def contract(
    tmp_path_factory: pytest.TempPathFactory, refusing: str, kubernetes: dict[str, Any]
) -> Iterator[ContractSubject]:
    folder = tmp_path_factory.mktemp("kubernetes")
    entry = kubernetes
    lab = yaml.safe_load(Path(entry["kubeconfig"]).read_text(encoding="utf-8"))
    lab["users"] = [
        {"name": item["name"], "user": {"token": "not-the-token"}} for item in lab["users"]
    ]
    wrong = folder / "wrong"
    wrong.write_text(yaml.safe_dump(lab), encoding="utf-8")
    with socket.create_server(("127.0.0.1", 0)) as door:
        nobody = f"http://127.0.0.1:{door.getsockname()[1]}"  # closed before it is asked
    machine = Ref(Kind.MACHINE, "machine")
    opened = kubernetes_lab.driver(entry, folder)
    yield ContractSubject(
        driver=opened,
        specs={
            Kind.NETWORK: NetworkSpec(),
            Kind.SERVICE: ServiceSpec(network=Ref(Kind.NETWORK, "network"), port=80),
            Kind.CONFIG: ConfigSpec(data={"name": "value"}),
            Kind.FIREWALL: FirewallSpec(
                rules=(Rule(source="members", protocol="tcp", first_port=80, last_port=80),)
            ),
            Kind.VOLUME: VolumeSpec(size_gib=1),
            Kind.MACHINE: MachineSpec(
                image=ImageSpec(os="debian"), network=Ref(Kind.NETWORK, "network")
            ),
            Kind.ATTACHMENT: AttachmentSpec(machine=machine, what=Ref(Kind.VOLUME, "volume")),
        },
        wrong=lambda: kubernetes_lab.driver(entry, folder, kubeconfig=str(wrong)),
        unreachable=lambda: kubernetes_lab.driver(
            entry, folder, kubeconfig=write_config(folder / "nobody", nobody)
        ),
        throttled=lambda: kubernetes_lab.driver(
            entry, folder, kubeconfig=write_config(folder / "refusing", refusing)
        ),
    )
    opened.close()


class TestKubernetesDriver(DriverContract):
    pass
