"""The lab's OpenStack with its real services: it stands, heals, and goes without a trace."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
import yaml

from provisioner.errors import PlatformFault
from provisioner.lab import doctor, traces, up
from provisioner.lab.images import Images
from provisioner.lab.openstack import clouds, founding, install, link, seed
from provisioner.lab.openstack.place import HOST, Place, read
from provisioner.lab.openstack.services import PROCESSES
from provisioner.lab.space import Space
from provisioner.lab.state import DEFECTS, Process, State
from provisioner.reach import BrokerDialer

pytestmark = [
    pytest.mark.lab,
    pytest.mark.skipif(bool(doctor.lacking()), reason=doctor.lacking() or "-"),
    # openstacksdk 4 warns of its own use of what its version 5 will not have
    pytest.mark.filterwarnings("ignore::PendingDeprecationWarning"),
]

MEMORY_MIB = 1024  # of all services together, without guests
PATIENCE_S = 300.0


def silent(platform: str, text: str) -> None:
    """Nobody listens."""


def until(condition: Callable[[], bool], patience_s: float = PATIENCE_S) -> None:
    """Ask again and again until it is so."""
    deadline = time.monotonic() + patience_s
    while not condition():
        assert time.monotonic() < deadline, "not in time"
        time.sleep(0.1)


@pytest.fixture(scope="module")
def space(openstack_space: Space) -> Space:
    """The lab that all tests share."""
    return openstack_space


@pytest.fixture
def place(space: Space) -> Place:
    """Where its OpenStack is."""
    return read(space.state_dir / "openstack")


@pytest.fixture
def cloud(place: Place) -> Iterator[Any]:
    """A connection of an ordinary member."""
    with founding.connect(place, "clouds.yaml", clouds.MEMBER_CLOUD) as connection:
        yield connection


def members(space: Space) -> dict[str, Process]:
    """The processes of services."""
    noted = {
        process.name.removeprefix("openstack-"): process for process in State(space).processes()
    }
    return {name: noted[name] for name in PROCESSES if name in noted}


def resident_kib(process: Process) -> int:
    """What a process keeps in memory."""
    words = Path(f"/proc/{process.pid}/status").read_text().split()
    return int(words[words.index("VmRSS:") + 1])


def test_its_entry_names_a_cloud_and_says_what_it_is(space: Space) -> None:
    document = yaml.safe_load((space.state_dir / "platforms.yaml").read_text())

    entry = document["platforms"]["lab-openstack"]
    there = yaml.safe_load(Path(entry["config_file"]).read_text())["clouds"]

    assert entry["kind"] == "openstack"
    assert entry["cloud"] in there
    assert entry["declared"]["notes"]


def test_a_member_is_no_administrator(cloud: Any) -> None:
    import openstack.exceptions

    with pytest.raises(openstack.exceptions.ForbiddenException):
        list(cloud.identity.users())
    with pytest.raises(openstack.exceptions.ForbiddenException):
        cloud.compute.create_flavor(name="huge", vcpus=1, ram=1, disk=1)

    assert {flavor.name for flavor in cloud.compute.flavors()} == {s.name for s in seed.SIZES}


def test_a_catalogue_serves_the_host_and_the_inside_of_the_lab(
    place: Place, space: Space, cloud: Any
) -> None:
    urls = {
        endpoint["url"].split("/")[2]
        for service in cloud.service_catalog
        for endpoint in service["endpoints"]
    }
    assert urls == {f"{HOST}:{port}" for name, port in place.ports.items() if name != "metadata"}

    for name, port in place.ports.items():
        if name == "metadata":
            continue  # it wants to know whom it talks to
        assert requests.get(place.url(name), timeout=60).status_code < 500
        with BrokerDialer(str(space.broker_socket)).connect(HOST, port, 5.0) as line:
            line.settimeout(60)
            line.sendall(b"GET / HTTP/1.0\r\n\r\n")
            assert line.recv(64).split()[1] in {b"200", b"300"}


def test_nothing_listens_but_on_the_loopback(space: Space, place: Place) -> None:
    ours = {f":{port}" for port in place.ports.values()}
    said = subprocess.run(["ss", "-Hltn"], capture_output=True, text=True, check=True).stdout
    addresses = [line.split()[3] for line in said.splitlines()]

    assert {a for a in addresses if a[a.rindex(":") :] in ours} == {
        f"{HOST}{port}" for port in ours
    }


def test_no_password_is_in_an_argument_a_log_or_an_entry(space: Space, place: Place) -> None:
    words = json.loads((place.folder / "secrets.json").read_text()).values()
    pids = [process.pid for process in members(space).values()]
    said = [(space.state_dir / "platforms.yaml").read_bytes()]
    said += [path.read_bytes() for path in (space.state_dir / "log").glob("*.log")]
    said += [Path(f"/proc/{pid}/cmdline").read_bytes() for pid in pids]

    assert len(said) > len(PROCESSES)
    assert [word for word in words for text in said if word.encode() in text] == []


def test_a_volume_is_a_file_for_as_long_as_it_is(cloud: Any, place: Place) -> None:
    before = sorted(place.volumes.iterdir())
    volume = cloud.block_storage.create_volume(size=2, name="test")
    cloud.block_storage.wait_for_status(volume, "available", interval=0.2, wait=PATIENCE_S)
    (file,) = place.volumes.glob(f"*{volume.id}*")
    assert file.stat().st_size == 2 << 30
    assert file.stat().st_blocks < 1000

    snapshot = cloud.block_storage.create_snapshot(volume_id=volume.id)
    cloud.block_storage.wait_for_status(snapshot, "available", interval=0.2, wait=PATIENCE_S)
    copy = cloud.block_storage.create_volume(size=3, snapshot_id=snapshot.id)
    cloud.block_storage.wait_for_status(copy, "available", interval=0.2, wait=PATIENCE_S)
    (other,) = place.volumes.glob(f"*{copy.id}*")
    assert other.stat().st_size == 3 << 30
    cloud.block_storage.delete_snapshot(snapshot)
    cloud.block_storage.wait_for_delete(snapshot, interval=0.2, wait=PATIENCE_S)
    for item in (copy, volume):
        cloud.block_storage.delete_volume(item)
        cloud.block_storage.wait_for_delete(item, interval=0.2, wait=PATIENCE_S)

    assert sorted(place.volumes.iterdir()) == before


@pytest.mark.parametrize("name", list(PROCESSES))
def test_a_killed_service_comes_back_and_keeps_what_it_knew(
    space: Space, place: Place, cloud: Any, name: str
) -> None:
    """What is asked meanwhile waits in the socket's queue; only what was under way is lost."""
    key = cloud.compute.create_keypair(name=f"kept-{name}")
    before = members(space)

    os.kill(before[name].pid, signal.SIGKILL)
    until(lambda: not before[name].alive())
    answers = [requests.get(place.url(api), timeout=PATIENCE_S) for api in PROCESSES[name]]

    assert all(answer.headers for answer in answers)
    after = members(space)
    assert [other for other in before if before[other] != after[other]] == [name]
    said = State(space).doing("openstack")
    assert re.search(rf"\b{name} \([1-9]", said)  # how often it was started again
    assert cloud.compute.find_keypair(key.name) is not None
    cloud.compute.delete_keypair(key)


def inhabit(cloud: Any) -> None:
    """A running server in a network, with a volume."""
    network = cloud.network.create_network(name="test")
    cloud.network.create_subnet(network_id=network.id, ip_version=4, cidr="10.9.0.0/24")
    volume = cloud.block_storage.create_volume(size=1)
    server = cloud.compute.create_server(
        name="test",
        image_id=cloud.image.find_image(seed.IMAGE).id,
        flavor_id=cloud.compute.find_flavor(seed.SIZES[0].name).id,
        networks=[{"uuid": network.id}],
    )
    cloud.compute.wait_for_server(server, interval=0.2, wait=PATIENCE_S)
    cloud.block_storage.wait_for_status(volume, "available", interval=0.2, wait=PATIENCE_S)
    cloud.compute.create_volume_attachment(server, volume_id=volume.id)
    cloud.block_storage.wait_for_status(volume, "in-use", interval=0.2, wait=PATIENCE_S)


def test_a_second_lab_lives_and_dies_beside_it(space: Space, place: Place) -> None:
    """It has its own, starts anew after its daemon was killed, and goes without a trace."""
    os.environ.pop(DEFECTS, None)
    own = Space(name=f"{space.name}-b")
    try:
        up.up(own, ["openstack"], silent)
        there = read(own.state_dir / "openstack")
        assert set(there.ports.values()).isdisjoint(place.ports.values())
        before = members(own)
        assert sum(map(resident_kib, before.values())) < MEMORY_MIB * 1024
        with founding.connect(there, "clouds.yaml", clouds.MEMBER_CLOUD) as cloud:
            made = cloud.compute.create_keypair(name="only-there")
            inhabit(cloud)
        with founding.connect(place, "clouds.yaml", clouds.MEMBER_CLOUD) as cloud:
            assert cloud.compute.find_keypair(made.name) is None

        (daemon,) = (p for p in State(own).processes() if p.name == "serve-openstack")
        os.kill(daemon.pid, signal.SIGKILL)
        until(lambda: not daemon.alive())
        up.up(own, ["openstack"], silent)

        assert [name for name, process in before.items() if process.alive()] == []
        there = read(own.state_dir / "openstack")
        ports, before = there.ports.values(), members(own)
        with founding.connect(there, "clouds.yaml", clouds.MEMBER_CLOUD) as cloud:
            assert list(cloud.compute.servers()) == []
            inhabit(cloud)
        assert traces.loops([there.disks]) != []
    finally:
        left = up.down(own)

    assert left == []
    assert up.leftovers(own) == []
    assert [name for name, process in before.items() if process.alive()] == []
    for port in ports:
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection((HOST, port), timeout=1)


def test_an_unknown_defect_is_refused() -> None:
    own = Space(name=f"tosd-{os.getpid()}")

    try:
        with pytest.raises(PlatformFault, match="'no-such' of lab-openstack: expected one of"):
            up.up(own, ["openstack"], silent, defects=["lab-openstack:no-such"])
        assert up.leftovers(own) == []
    finally:
        up.down(own)  # its logs were kept


# -- sqlite -------------------------------------------------------------------------------------

CLASH = """
import sqlite3
import sys
import sqlalchemy as sa
from oslo_db.sqlalchemy import enginefacade
if sys.argv[2] == "fixed":
    from provisioner.lab.openstack import sqlite
    sqlite.install()
import threading
manager = enginefacade.transaction_context()
manager.configure(connection=f"sqlite:///{sys.argv[1]}?timeout=60", sqlite_synchronous=False)
@enginefacade.transaction_context_provider
class Context: pass
sqlite3.connect(sys.argv[1]).execute("PRAGMA journal_mode=WAL")
with manager.writer.using(Context()) as session:
    session.execute(sa.text("CREATE TABLE t (n INTEGER)"))
    session.execute(sa.text("INSERT INTO t VALUES (0)"))
failed = []
def work():
    try:
        for _ in range(50):
            with manager.writer.using(Context()) as session:
                (n,) = session.execute(sa.text("SELECT n FROM t")).one()
                session.execute(sa.text("UPDATE t SET n = :n"), {"n": n + 1})
    except Exception as error:
        failed.append(str(error))
threads = [threading.Thread(target=work) for _ in range(4)]
[t.start() for t in threads]
[t.join() for t in threads]
with manager.reader.using(Context()) as session:
    print(session.execute(sa.text("SELECT n FROM t")).scalar())
sys.exit(failed[0] if failed else 0)
"""


@pytest.mark.parametrize("mode", ["fixed", "as it is"])
def test_writers_wait_for_each_other_only_with_our_fix(tmp_path: Path, mode: str) -> None:
    venv = install.venv(Images(), lambda text: None)
    code = tmp_path / "clash.py"
    code.write_text(CLASH, encoding="utf-8")

    done = subprocess.run(
        [str(venv / "bin/python"), "-P", str(code), str(tmp_path / "clash.db"), mode],
        env={**os.environ, "PYTHONPATH": str(link.make(tmp_path / "link")),
             "PYTHONWARNINGS": "ignore"},
        capture_output=True, text=True, check=False, timeout=600,
    )  # fmt: skip

    if mode == "fixed":
        assert (done.returncode, done.stdout.strip()) == (0, "200"), done.stderr
    else:
        assert "database is locked" in done.stderr
