"""The small guest is installed by any boot service that keeps its contract, and lives on disk."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from provisioner.errors import Lost
from provisioner.features import BootChoice
from provisioner.lab import doctor, up
from provisioner.lab.images import Images
from provisioner.lab.metal import hardware
from provisioner.lab.qemu import TCG, QemuMachine
from provisioner.lab.small import ARGUMENTS
from provisioner.lab.space import Space
from provisioner.lab.state import State
from provisioner.reach import BrokerDialer

pytestmark = [
    pytest.mark.lab,
    pytest.mark.skipif(bool(doctor.lacking()), reason=doctor.lacking() or "-"),
]

HOST, PORT, GUEST = "10.77.0.1", 8080, "10.77.0.60"
USER_DATA = "#!/bin/sh\necho interop-spoke\necho once >> /var/lib/spoken\n"
PATIENCE_S = 240.0  # others may be at work here; alone it takes 20
DNSMASQ = """port=0
no-hosts
no-resolv
no-ping
user=root
interface=br-metal
bind-interfaces
dhcp-authoritative
dhcp-range={guest},{guest},255.255.254.0,1h
dhcp-leasefile={work}/leases
dhcp-match=set:ipxe,175
dhcp-boot=tag:ipxe,http://{host}:{port}/ipxe
dhcp-option=tag:ipxe,encap:175,176,1b
enable-ra
dhcp-range=fd77::,ra-only,64
"""


@dataclass
class Site:
    """A boot service, a machine, and a way in."""

    space: Space
    machine: QemuMachine
    key: Path
    registered: dict[str, object] = field(default_factory=dict)
    phases: list[str] = field(default_factory=list)

    def ssh(self, command: str, timeout_s: float = 60) -> str:
        """What a command in the guest printed."""
        argv = ["ssh", "-i", str(self.key), "-o", "StrictHostKeyChecking=no", "-o",
                "UserKnownHostsFile=/dev/null", "-o", "LogLevel=ERROR", "-o", "BatchMode=yes",
                f"debian@{GUEST}", command]  # fmt: skip
        inside = self.space.inside(argv)
        done = subprocess.run(inside, capture_output=True, text=True, timeout=timeout_s)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def wait(self, what: str, happened: Callable[[], bool]) -> None:
        """Go on when it happened."""
        deadline = time.monotonic() + PATIENCE_S
        while not happened():
            told = self.machine.console()[-1500:].decode(errors="replace")
            assert time.monotonic() < deadline, f"{what}: not in {PATIENCE_S} s:\n{told}"
            time.sleep(0.2)

    def answers(self) -> bool:
        """Whether an SSH server greets."""
        try:
            with BrokerDialer(str(self.space.broker_socket)).connect(GUEST, 22, 1) as line:
                line.settimeout(2)
                return line.recv(64).startswith(b"SSH-")
        except (OSError, Lost):
            return False

    def boot(self, device: str) -> None:
        """Switch on and wait until one can log in and initialisation is over."""
        self.machine.power_on(BootChoice(device=device))
        self.wait("ssh", self.answers)
        self.wait("init", lambda: self.ssh("interop-init status") != "status: running")
        # The boot service is told after the guest's own status says so.
        self.wait("report", lambda: bool({"done", "error"} & set(self.phases)))


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A machine whose spare disk forgets flushed data, installed from the network."""
    work = tmp_path_factory.mktemp("site")
    space = Space(name=f"guest-{os.getpid()}")
    kernel, initrd = Images().small()
    key = work / "key"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)], check=True)
    state = State(space)
    space.create()
    server: ThreadingHTTPServer | None = None
    machine: QemuMachine | None = None
    try:
        state.create()
        python = [sys.executable, "-P", "-m", "provisioner.lab.broker", str(space.broker_socket)]
        state.spawn("broker", python, inside=True)
        while not up._answers(str(space.broker_socket)):
            time.sleep(0.05)
        config = DNSMASQ.format(guest=GUEST, work=work, host=HOST, port=PORT)
        (work / "dnsmasq.conf").write_text(config)
        dnsmasq = ["dnsmasq", "-C", str(work / "dnsmasq.conf"), "--keep-in-foreground"]
        state.spawn("dnsmasq", dnsmasq, inside=True)
        defects = frozenset({"volume-loses-fsync"})
        machine = QemuMachine(hardware(space.name, 1), state, TCG, defects)
        made = Site(space=space, machine=machine, key=key)
        server = serve(made, kernel, initrd)
        made.boot("network")
        yield made
    finally:
        if machine is not None:
            machine.close()
        if server is not None:
            server.shutdown()
            server.server_close()
        up.down(space)


def serve(site: Site, kernel: Path, initrd: Path) -> ThreadingHTTPServer:
    """The smallest boot service that keeps the contract."""
    url = f"http://{HOST}:{PORT}"
    script = (
        f"#!ipxe\nkernel {url}/kernel initrd=initrd {ARGUMENTS} interop.url={url}"
        f" interop.token=register-only\ninitrd {url}/initrd\nboot\n"
    )
    public = site.key.with_suffix(".pub").read_text().strip()
    meta = {"instance-id": "i-1", "local-hostname": "m1.metal.internal", "public-keys": [public]}
    member = {"member_token": "member", "name": "m1", "hostname": "m1", "meta": f"{url}/meta",
              "user_data": f"{url}/user-data"}  # fmt: skip
    open_to_all = {"/ipxe": script.encode(), "/kernel": kernel.read_bytes(),
                   "/initrd": initrd.read_bytes()}  # fmt: skip
    to_members = {"/meta": json.dumps(meta).encode(), "/user-data": USER_DATA.encode()}

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, format: str, *args: object) -> None:
            return

        def answer(self, code: int, body: bytes = b"") -> None:
            self.send_response(code)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def do_GET(self) -> None:
            member_token = self.headers.get("Authorization") == "Bearer member"
            shown = {**open_to_all, **(to_members if member_token else {})}
            found = shown.get(self.path)
            self.answer(200 if found else 403, found or b"")

        def do_POST(self) -> None:
            said = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            if self.path == "/register" and said.get("token") == "register-only":
                site.registered.update(said)
                self.answer(201, json.dumps(member).encode())
            elif self.headers.get("Authorization") == "Bearer member":
                site.phases.append(said["phase"])
                self.answer(204)
            else:
                self.answer(403)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler, bind_and_activate=False)
    server.socket.close()
    server.socket = BrokerDialer(str(site.space.broker_socket)).bind(HOST, PORT)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server


def test_it_registers_what_it_is(site: Site) -> None:
    label = site.machine.hardware

    assert site.registered["serial"] == label.serial
    assert site.registered["uuid"] == label.uuid
    assert site.registered["macs"] == list(label.macs)
    assert site.registered["cpus"] == label.cpu
    assert [disk["serial"] for disk in site.registered["disks"]] == [  # type: ignore[attr-defined]
        disk.serial for disk in label.disks
    ]
    assert site.phases == ["installed", "done"]


def test_its_host_key_is_the_registered_one(site: Site) -> None:
    assert [site.ssh("cat /etc/ssh/ssh_host_*_key.pub")] == site.registered["ssh_host_keys"]


def test_it_is_named_and_its_user_may_become_root(site: Site) -> None:
    assert site.ssh("hostname; id -un; sudo id -u") == "m1\ndebian\n0"


def test_it_has_the_whole_standard_library_that_programs_use(site: Site) -> None:
    modules = "ssl, sqlite3, ctypes, lzma, bz2, asyncio, http.server, unittest, decimal, uuid"

    assert site.ssh(f"python3 -W error -c 'import {modules}; print(1)'") == "1"


def test_its_disk_is_grown_and_its_disks_have_names(site: Site) -> None:
    gib = int(site.ssh("df -k / | tail -1 | awk '{print $2}'")) / 2**20

    assert gib > site.machine.hardware.disks[0].size_gib * 0.9
    for disk in site.machine.hardware.disks:
        assert site.ssh(f"readlink -f /dev/disk/by-id/virtio-{disk.serial}").startswith("/dev/vd")


def test_a_plug_that_is_pulled_loses_only_what_the_defect_loses(site: Site) -> None:
    write = "dd of={0} bs=512 count=1 conv=fsync,notrunc 2>/dev/null"
    site.ssh("echo kept | sudo " + write.format("/root/flushed"))
    site.ssh("echo lost | sudo " + write.format("/dev/vdb"))
    said = site.machine.console()
    boot = site.ssh("cat /proc/sys/kernel/random/boot_id")

    site.machine.power_off()
    site.boot("disk")

    assert site.ssh("cat /proc/sys/kernel/random/boot_id") != boot
    assert site.ssh("sudo cat /root/flushed") == "kept"
    assert site.ssh("sudo head -c 4 /dev/vdb | tr -d '\\0'") == ""
    assert site.ssh("cat /var/lib/spoken") == "once"
    assert b"interop-spoke" in said


def test_rc_local_runs_at_each_boot_and_the_power_button_is_obeyed(site: Site) -> None:
    site.ssh("printf '#!/bin/sh\\necho ran >> /var/lib/ran\\n' | sudo tee /etc/rc.local")
    site.ssh("sudo chmod +x /etc/rc.local; echo kept | sudo dd of=/dev/vdb 2>/dev/null")

    site.machine.shutdown()
    site.wait("off", lambda: not site.machine.power())
    site.boot("default")

    assert site.ssh("cat /var/lib/ran") == "ran"
    assert site.ssh("sudo head -c 4 /dev/vdb") == "kept"


def test_a_reset_boots_from_where_it_is_told(site: Site) -> None:
    site.registered.clear()

    site.machine.reset(BootChoice(device="network"))

    site.wait("registration after a network boot", lambda: bool(site.registered))
