"""Named ports of services: SRV records say where they are.

Source: Kubernetes documentation, "DNS for Services and Pods", "SRV records"; RFC 1035, RFC 2782.
"""

from __future__ import annotations

import pytest

from suites.claims import same
from suites.kubernetes.pods import Pods
from suites.kubernetes.services import PORT, said_of_two
from suites.kubernetes.wire import Wire

PORTS = [{"name": "web", "port": 80, "targetPort": PORT}]
# asks for the SRV records of the port "web" of some services for ten seconds; says port and
# address of each, or "unknown"
ASK = """
import socket, struct, time
lines = [line.split() for line in open("/etc/resolv.conf")]
server = next(words[1] for words in lines if words[:1] == ["nameserver"])
domain = next(words[1] for words in lines if words[:1] == ["search"])
end = time.monotonic() + 10

def text(data, at):
    parts, after = [], 0
    while data[at]:
        if data[at] >= 0xC0:
            after = after or at + 2
            at = struct.unpack_from(">H", data, at)[0] & 0x3FFF
        else:
            parts.append(data[at + 1 : at + 1 + data[at]].decode())
            at += 1 + data[at]
    return ".".join(parts), after or at + 1

def ask(service):
    labels = f"_web._tcp.{{service}}.{{domain}}".encode().split(b".")
    name = b"".join(bytes([len(label)]) + label for label in labels) + bytes(1)
    asked = struct.pack(">6H", 7, 0x100, 1, 0, 0, 0) + name + struct.pack(">2H", 33, 1)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as line:
        line.settimeout(1)
        line.sendto(asked, (server, 53))
        data = line.recv(4096)
    at, found = len(asked), []
    for turn in range(struct.unpack_from(">H", data, 6)[0]):
        at = text(data, at)[1]
        kind, _, _, length = struct.unpack_from(">2HIH", data, at)
        at += 10
        if kind == 33:
            port = struct.unpack_from(">3H", data, at)[2]
            found.append(f"{{port}} {{socket.gethostbyname(text(data, at + 6)[0])}}")
        at += length
    return sorted(found)

def look(service):
    while time.monotonic() < end:
        try:
            if found := ask(service):
                return ", ".join(found)
        except OSError:
            pass
        time.sleep(0.5)
    return "unknown"

open({say!r}, "w").write(" | ".join(look(service) for service in {names!r}))
"""


@pytest.mark.check(
    "k8s-svc-10",
    needs=(
        "kubernetes.nodes.real",
        "kubernetes.controllers",
        "kubernetes.services.dataplane",
        "kubernetes.dns",
    ),
)
@pytest.mark.cost("shared")
def test_named_ports_are_found(wire: Wire, pods: Pods) -> None:
    """An SRV record tells port and address of a named port, and of each pod if headless."""
    one, addresses, first, second = said_of_two(wire, pods, ASK, ports=PORTS)
    same("port of the service", expected=f"80 {one}", actual=first)
    expected = sorted(f"{PORT} {address}" for address in addresses)
    same("ports of the headless one", expected=expected, actual=second.split(", "))
