"""Real servers that several tests need."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from provisioner.lab.space import Space

PATH = os.environ.get("PATH", "") + ":/usr/sbin:/sbin"


@dataclass
class Server:
    """An SSH server for root, started in a mount namespace where root's home is *home*."""

    home: Path
    port: int
    key: Path
    host_key: str
    process: subprocess.Popen[bytes] | None = None

    @staticmethod
    def key_pair(path: Path) -> str:
        """Make a key file; returns the public half."""
        command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "", "-f", str(path)]
        subprocess.run(command, check=True)
        return " ".join(path.with_suffix(".pub").read_text().split()[:2])

    @classmethod
    def make(cls, home: Path) -> Server:
        """A server with fresh keys on a free port of loopback; not started."""
        (home / ".ssh").mkdir(mode=0o700)
        public = cls.key_pair(home / "key")
        (home / ".ssh" / "authorized_keys").write_text(public + "\n")
        command = ["dropbearkey", "-t", "ed25519", "-f", str(home / "host")]
        told = subprocess.run(command, check=True, capture_output=True).stdout.decode()
        line = next(line for line in told.splitlines() if line.startswith("ssh-"))
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        return cls(home=home, port=port, key=home / "key", host_key=" ".join(line.split()[:2]))

    def start(self) -> None:
        """Start it and wait until it listens."""
        passwd = self.home / "passwd"
        passwd.write_text(f"root:x:0:0:root:{self.home}:/bin/sh\n")
        script = 'mount --bind "$1" /etc/passwd && shift && exec "$@"'
        command = ["unshare", "--mount", "--propagation", "private", "sh", "-c", script, "sh"]
        command += [str(passwd), "dropbear", "-F", "-E", "-s", "-P", str(self.home / "pid")]
        command += ["-r", str(self.home / "host"), "-p", f"127.0.0.1:{self.port}"]
        with (self.home / "log").open("ab") as log:
            self.process = subprocess.Popen(
                command, stdout=log, stderr=log, env={**os.environ, "PATH": PATH}
            )
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port)):
                return
            time.sleep(0.02)
        raise RuntimeError((self.home / "log").read_text())

    def stop(self) -> None:
        """End it and the processes that serve its connections."""
        if self.process is not None:
            subprocess.run(["pkill", "-P", str(self.process.pid)], check=False)
            self.process.terminate()
            self.process.wait(10)
            self.process = None


@pytest.fixture(scope="module")
def ssh_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[], Server]]:
    """Starts SSH servers on loopback, ended with the module. Skips where there can be none."""
    for program in ("dropbear", "dropbearkey", "unshare", "ssh-keygen"):
        if shutil.which(program, path=PATH) is None:
            pytest.skip(f"{program} is not installed")
    if os.geteuid() != 0:
        pytest.skip("an SSH server of our own needs root")
    started: list[Server] = []

    def start() -> Server:
        server = Server.make(tmp_path_factory.mktemp("sshd"))
        server.start()
        started.append(server)
        return server

    yield start
    for server in started:
        server.stop()


def _openstack_told() -> dict[str, Any] | None:
    """The platform of kind openstack in the file that ``INTEROP_TEST_PLATFORMS`` names."""
    file = os.environ.get("INTEROP_TEST_PLATFORMS", "")
    if not file:
        return None
    told = yaml.safe_load(Path(file).read_text())["platforms"]
    return next(dict(one) for one in told.values() if one["kind"] == "openstack")


@pytest.fixture(scope="session")
def openstack_space() -> Iterator[Space]:
    """A healthy lab with OpenStack, one for all tests of a session; each leaves it as it was.

    With ``INTEROP_TEST_PLATFORMS=platforms.yaml`` it is the lab of that file, which is up already.
    """
    from provisioner.lab import up
    from provisioner.lab.state import DEFECTS

    if told := _openstack_told():
        parts = Path(told["config_file"]).parts  # /run/interop/LAB/openstack/clouds.yaml
        if parts[1:3] != ("run", "interop"):
            pytest.skip("the platform named is no lab's")
        yield Space(name=parts[3])
        return
    os.environ.pop(DEFECTS, None)
    space = Space(name=f"tos-{os.getpid()}")
    try:
        up.up(space, ["openstack"], lambda platform, text: None)
        yield space
    finally:
        left = up.down(space)
    assert left == []


@pytest.fixture(scope="session")
def openstack_entry(request: pytest.FixtureRequest) -> dict[str, Any]:
    """An OpenStack platform's entry: that lab's, or with the variable a cloud of one's own."""
    from provisioner.lab.state import State

    found = _openstack_told() or State(request.getfixturevalue("openstack_space")).entry(
        "openstack"
    )
    assert found is not None
    return dict(found)


@pytest.fixture(scope="session")
def kubernetes() -> Iterator[dict[str, Any]]:
    """The platform of one lab with Kubernetes, for all tests that need a healthy one."""
    import kubernetes_lab

    with kubernetes_lab.opened() as entry:
        yield entry
