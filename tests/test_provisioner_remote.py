"""A shell in a machine, against a real SSH server on loopback."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from testinfra.host import Host

from harness.inside import Inside
from provisioner.driver import Access
from provisioner.errors import BadRequest, Lost, PlatformFault, Timeout, Unauthorized
from provisioner.reach import BrokerDialer, DirectDialer, dialer_for
from provisioner.remote import SshRemote
from provisioner.ssh import SshSession

if TYPE_CHECKING:
    from conftest import Server


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@pytest.fixture(scope="module")
def server(ssh_server: Callable[[], Server]) -> Server:
    return ssh_server()


def access(server: Server, *host_keys: str) -> Access:
    return Access(
        how="ssh", host="127.0.0.1", port=server.port, user="root", host_keys=host_keys or ()
    )


def session(server: Server, tmp_path: Path, *host_keys: str) -> SshSession:
    known = tmp_path / "known_hosts"
    return SshSession(
        DirectDialer(), access(server, *host_keys), server.key, known=known, alias="lab:machine/a"
    )


@pytest.fixture
def remote(server: Server, tmp_path: Path) -> Iterator[SshRemote]:
    remote = SshRemote(session(server, tmp_path, server.host_key))
    yield remote
    remote.close()


def test_a_command_answers_with_code_and_both_streams(remote: SshRemote) -> None:
    done = remote.run("echo out; echo err >&2; exit 3")

    assert (done.code, done.stdout, done.stderr) == (3, b"out\n", b"err\n")
    assert done.command == "echo out; echo err >&2; exit 3"


def test_large_output_on_both_streams_does_not_block(remote: SshRemote) -> None:
    line = "head -c 3000000 /dev/zero >&2 & head -c 4000000 /dev/zero; wait"

    done = remote.run(line, timeout_s=60)

    assert (len(done.stdout), len(done.stderr)) == (4_000_000, 3_000_000)


def test_large_input_comes_back_unchanged(remote: SshRemote) -> None:
    data = os.urandom(2_000_000)

    assert remote.run("cat", stdin=data, timeout_s=60).stdout == data


def test_input_nobody_reads_is_no_error(remote: SshRemote) -> None:
    assert remote.run("true", stdin=b"x" * 3_000_000, timeout_s=20).code == 0


def test_a_command_that_does_not_end_is_a_timeout_and_the_next_one_works(
    remote: SshRemote,
) -> None:
    started = time.monotonic()
    with pytest.raises(Timeout, match="sleep 600"):
        remote.run("sleep 600", timeout_s=0.5)

    assert time.monotonic() - started < 300
    assert remote.run("echo again").stdout == b"again\n"


def test_a_daemon_that_keeps_the_streams_open_does_not_hold_us(remote: SshRemote) -> None:
    done = remote.run("sleep 20 & echo started", timeout_s=15)

    assert (done.code, done.stdout) == (0, b"started\n")
    assert done.seconds < 5


def test_a_machine_that_prints_without_end_is_a_fault_not_our_memory(remote: SshRemote) -> None:
    with pytest.raises(PlatformFault, match="printed over"):
        remote.run("cat /dev/zero", timeout_s=60)


def test_root_needs_no_sudo(remote: SshRemote) -> None:
    assert remote.run("id -u", sudo=True).stdout == b"0\n"


def test_quotes_and_newlines_reach_the_shell_unchanged(remote: SshRemote) -> None:
    assert remote.run("printf '%s' \"it's\nfine\"", sudo=True).stdout == b"it's\nfine"


def test_put_writes_content_and_mode(remote: SshRemote, tmp_path: Path) -> None:
    target = tmp_path / "new folder" / "it's"
    data = bytes(range(256)) * 2000

    remote.put(data, str(target), mode=0o640)

    assert target.read_bytes() == data
    assert target.stat().st_mode & 0o777 == 0o640
    assert [p.name for p in target.parent.iterdir()] == ["it's"]


def test_put_where_nothing_can_be_written_says_what_the_machine_said(remote: SshRemote) -> None:
    with pytest.raises(PlatformFault, match="/proc/nothing"):
        remote.put(b"x", "/proc/nothing/here")


def test_a_connection_lost_between_commands_is_made_anew(server: Server, remote: SshRemote) -> None:
    remote.run("true")
    assert server.process is not None
    server.stop()
    server.start()

    assert remote.run("echo back").stdout == b"back\n"


def test_a_connection_lost_during_a_command_is_lost_and_not_repeated(
    remote: SshRemote, tmp_path: Path
) -> None:
    counter = tmp_path / "ran"
    with pytest.raises(Lost):
        remote.run(f"echo x >> {counter}; kill -9 $PPID; sleep 5", timeout_s=10)

    assert counter.read_text() == "x\n"


def test_a_wrong_host_key_is_refused_before_logging_in(server: Server, tmp_path: Path) -> None:
    other = server.key_pair(tmp_path / "other")

    with pytest.raises(Unauthorized, match="not a pinned one"):
        SshRemote(session(server, tmp_path, other)).run("true")


def test_an_unknown_host_key_is_kept_and_pinned_from_then_on(
    server: Server, tmp_path: Path
) -> None:
    first = session(server, tmp_path)
    SshRemote(first).run("true")
    first.close()
    known = tmp_path / "known_hosts"

    assert known.read_text() == f"lab:machine/a {server.host_key}\n"
    assert first.host_key_from == "first use"

    other = server.key_pair(tmp_path / "other")
    known.write_text(f"lab:machine/a {other}\n")
    with pytest.raises(Unauthorized, match="not a pinned one"):
        SshRemote(session(server, tmp_path)).run("true")


def test_a_key_the_server_does_not_know_is_unauthorized(server: Server, tmp_path: Path) -> None:
    server.key_pair(tmp_path / "stranger")
    stranger = replace(server, key=tmp_path / "stranger")

    with pytest.raises(Unauthorized, match="key is refused"):
        SshRemote(session(stranger, tmp_path, server.host_key)).run("true")


def test_a_closed_port_is_lost(server: Server, tmp_path: Path) -> None:
    nobody = replace(server, port=free_port())

    with pytest.raises(Lost, match="refused"):
        SshRemote(session(nobody, tmp_path)).run("true")


def test_a_server_that_never_speaks_is_lost_in_time(server: Server, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as mute:
        quiet = replace(server, port=mute.getsockname()[1])
        started = time.monotonic()
        with pytest.raises(Lost):
            SshRemote(session(quiet, tmp_path)).run("true", timeout_s=1)

    assert time.monotonic() - started < 14  # paramiko alone would wait for 15 s


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The lab's broker, here in the namespace of the test."""
    path = tmp_path_factory.mktemp("broker") / "broker.sock"
    command = [sys.executable, "-P", "-m", "provisioner.lab.broker", str(path)]
    process = subprocess.Popen(command)
    deadline = time.monotonic() + 60
    while not path.exists() and time.monotonic() < deadline and process.poll() is None:
        time.sleep(0.02)
    try:
        yield path
    finally:
        process.terminate()
        process.wait(10)


def test_a_brokers_socket_carries_a_session(server: Server, broker: Path, tmp_path: Path) -> None:
    dialer = dialer_for({"reach": {"broker": str(broker)}})
    known = tmp_path / "known"
    over = SshSession(dialer, access(server, server.host_key), server.key, known=known, alias="a")

    assert SshRemote(over).run("echo through").stdout == b"through\n"
    over.close()


def test_a_refusal_keeps_its_meaning_through_the_broker(broker: Path) -> None:
    with pytest.raises(ConnectionRefusedError):
        BrokerDialer(str(broker)).connect("127.0.0.1", free_port(), 5)


def test_a_server_that_drops_everything_times_out_through_the_broker(broker: Path) -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=0) as full:
        port = full.getsockname()[1]
        waiting = [socket.socket() for _ in range(4)]
        for one in waiting:
            one.setblocking(False)
            one.connect_ex(("127.0.0.1", port))

        with pytest.raises(TimeoutError):
            BrokerDialer(str(broker)).connect("127.0.0.1", port, 0.5)
        for one in waiting:
            one.close()


def test_no_broker_is_lost_and_never_a_direct_connection(server: Server, tmp_path: Path) -> None:
    with pytest.raises(Lost, match="is the lab up"):
        BrokerDialer(str(tmp_path / "none")).connect("127.0.0.1", server.port, 1)


@pytest.mark.parametrize("reach", ["direct", {"proxy": "x"}, {"broker": ""}, {"broker": 3}])
def test_a_reach_nobody_knows_is_refused(reach: object) -> None:
    with pytest.raises(BadRequest, match=r"reach"):
        dialer_for({"reach": reach})


@pytest.fixture
def noted() -> list[tuple[str, str]]:
    return []


@pytest.fixture
def inside(remote: SshRemote, noted: list[tuple[str, str]]) -> Inside:
    def note(title: str, text: str) -> None:
        noted.append((title, text))

    def mask(text: str) -> str:
        return text.replace("hunter2", "***")

    return Inside(remote, "app-1", note=note, mask=mask, timeout_s=20)


def test_testinfra_runs_over_our_backend_and_leaves_evidence(
    inside: Inside, noted: list[tuple[str, str]], tmp_path: Path
) -> None:
    (tmp_path / "it's").write_text("grüße\n", "utf-8")

    assert inside.host.file(str(tmp_path / "it's")).content_string == "grüße\n"
    assert inside.host.file("/nowhere").exists is False
    assert Host._host_cache == {}
    assert any("/nowhere" in title for title, _ in noted)


def test_two_members_do_not_share_what_testinfra_learnt(remote: SshRemote) -> None:
    one, two = Inside(remote, "a"), Inside(remote, "a")

    assert one.host is not two.host
    assert one.host.system_info.type == "linux"
    assert "system_info" not in vars(two.host)


def test_a_failing_command_is_evidence_too(inside: Inside, noted: list[tuple[str, str]]) -> None:
    with pytest.raises(Timeout):
        inside.run("echo hunter2; sleep 30", timeout_s=0.3)
    inside.run("echo hunter2 >&2; false", sudo=True)

    assert "Timeout" in noted[0][1]
    assert noted[1][0] == "app-1 # echo *** >&2; false"
    assert "[code 1" in noted[1][1]
    assert "hunter2" not in str(noted)


def test_a_probe_that_is_not_there_tells_nothing(inside: Inside) -> None:
    if Path("/opt/interop/probe.py").exists():
        pytest.skip("this machine has a probe")

    with pytest.raises(Lost, match="probe names ended with code"):
        inside.observe("names", of="self")
