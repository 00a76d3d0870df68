"""IPMI of the lab's controllers, as pyghmi sees it."""

from __future__ import annotations

import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from pyghmi.exceptions import IpmiException
from pyghmi.ipmi.command import Command
from pyghmi.ipmi.console import Console
from pyghmi.ipmi.private.session import Session

from provisioner.clock import ManualClock
from provisioner.lab.bmc.crypto import SHA1, decrypt, encrypt
from provisioner.lab.bmc.serve import Endpoints, Rack
from provisioner.lab.memory import MemoryMachine

HOST = "127.0.77.201"
ADMIN, OPERATOR, READER = ("admin", "s3cret", 4), ("oper", "0per", 3), ("ro", "readonly", 2)
USERS = (ADMIN, OPERATOR, READER)
Serve = Callable[..., tuple[MemoryMachine, Endpoints]]


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Starts a controller for a machine in memory, with what ``Rack.serve`` takes."""
    with Rack() as rack:

        def start(**options: Any) -> tuple[MemoryMachine, Endpoints]:
            machine = MemoryMachine()
            return machine, rack.serve(machine, HOST, 0, USERS, **options)

        yield start


def login(where: Endpoints, user: tuple[str, str, int] = ADMIN) -> Command:
    """A pyghmi session; credentials as bytes, which its table of pending logins needs."""
    return Command(
        bmc=where.host,
        userid=user[0].encode(),
        password=user[1].encode(),
        port=where.ipmi_port,
        keepalive=False,
        privlevel=user[2],
    )


def until(true: Callable[[], bool], seconds: float = 60.0) -> None:
    """Wait for what happens in the controller's own thread."""
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "did not happen in time"
        time.sleep(0.01)


def test_power_follows_the_machine(serve: Serve) -> None:
    machine, where = serve()
    client = login(where)

    assert client.get_power() == {"powerstate": "off"}
    client.set_power("on", wait=10)
    assert machine.power()
    client.set_power("on", wait=10)
    client.set_power("reset")
    until(lambda: machine.history == ["on:default", "reset:default"])
    client.set_power("shutdown", wait=10)
    assert not machine.power()


def test_reset_of_a_machine_that_is_off_is_refused(serve: Serve) -> None:
    machine, where = serve()

    with pytest.raises(IpmiException, match="not supported in present state"):
        login(where).set_power("reset")
    assert machine.history == []


def test_one_shot_boot_is_used_up_and_persistent_is_kept(serve: Serve) -> None:
    machine, where = serve()
    client = login(where)
    client.set_bootdev("network", persist=False)
    assert client.get_bootdev()["bootdev"] == "network"
    client.set_power("on", wait=10)
    assert client.get_bootdev()["bootdev"] == "default"
    client.set_bootdev("network", persist=True, uefiboot=True)
    client.raw_command(netfn=0, command=2, data=[3])
    client.raw_command(netfn=0, command=2, data=[2])
    until(lambda: len(machine.history) == 4)
    seen = client.get_bootdev()

    assert machine.history == ["on:network", "reset:network", "off", "on:network"]
    assert (seen["bootdev"], seen["persistent"], seen["uefimode"]) == ("network", True, True)


def test_one_shot_boot_persists_as_defect(serve: Serve) -> None:
    machine, where = serve(defects=["one-shot-boot-persists"])
    client = login(where)
    client.set_bootdev("network", persist=False)
    client.set_power("on", wait=10)
    client.set_power("reset")
    until(lambda: len(machine.history) == 2)

    assert machine.history == ["on:network", "reset:network"]


def test_boot_device_survives_a_cold_reset_that_ends_sessions() -> None:
    clock = ManualClock()
    with Rack() as rack:
        where = rack.serve(MemoryMachine(), HOST, 0, USERS, clock=clock)
        client = login(where)
        client.set_bootdev("network", persist=True)
        client.raw_command(netfn=6, command=2)
        until(lambda: where.controller.resets == 1)
        clock.advance(2.1)

        assert Lan(where).command(0, 9, bytes([5, 0, 0]))[3:5] == b"\xc0\x04"


def test_sensors_have_names_units_and_no_reading_without_power(serve: Serve) -> None:
    machine, where = serve()
    client = login(where)
    off = {s.name: s for s in client.get_sensor_data()}
    client.set_power("on", wait=10)
    on = {s.name: s for s in client.get_sensor_data()}

    assert {n: (s.value, s.units) for n, s in on.items()} == {
        "Ambient Temp": (24, "°C"),
        "CPU Temp": (41, "°C"),
        "Fan 1": (4400, "RPM"),
        "12V": (pytest.approx(12.06), "V"),
    }
    assert all(s.health == 0 for s in on.values())
    assert off["Fan 1"].unavailable
    assert client.get_health()["badreadings"] == []
    assert machine.power()


def test_event_log_has_power_events_and_clears(serve: Serve) -> None:
    _, where = serve()
    client = login(where)
    client.set_power("on", wait=10)
    client.set_power("off", wait=10)
    until(lambda: len(where.controller.log) == 2)
    events = list(client.get_event_log(clear=True))

    assert [e["component_type"] for e in events] == ["System ACPI Power State"] * 2
    assert len(events) == 2
    assert list(client.get_event_log()) == []


def test_a_guest_that_shuts_down_is_noticed(serve: Serve) -> None:
    machine, where = serve()
    client = login(where)
    client.set_power("on", wait=10)
    machine.shutdown()

    first, second = (str(e["event"]) for e in client.get_event_log())

    assert (first, "off" in second) == ("Online", True)


def test_clock_is_set_and_stamps_events(serve: Serve) -> None:
    _, where = serve()
    link = Lan(where)
    link.command(0x0A, 0x49, struct.pack("<I", 1_900_000_000))
    link.command(0, 2, b"\x01")
    until(lambda: len(where.controller.log) == 1)
    told = struct.unpack("<I", link.command(0x0A, 0x48)[1:])[0]
    record = link.command(0x0A, 0x43, struct.pack("<HHBB", 0, 0, 0, 0xFF))[3:]

    assert 0 <= told - 1_900_000_000 < 10
    assert 0 <= struct.unpack("<I", record[3:7])[0] - 1_900_000_000 < 10


def test_fru_is_the_machines_label(serve: Serve) -> None:
    machine, where = serve()
    fru = login(where).get_inventory_of_component("System")

    assert fru["Serial Number"] == machine.serial
    assert fru["Manufacturer"] == machine.manufacturer
    assert fru["Product name"] == machine.product


def test_users_are_made_used_changed_and_deleted(serve: Serve) -> None:
    _, where = serve()
    client = login(where)
    client.create_user(7, "guest", "pa55", privilege_level="operator")
    names = {u["name"] for u in client.get_users().values()}
    old = Lan(where, ("guest", "pa55", 3))
    client.set_user_password(7, password="n3w")
    new = Lan(where, ("guest", "n3w", 3))
    client.user_delete(7)

    assert names == {"admin", "oper", "ro", "guest"}
    assert (old.refused, new.refused) == (0, 0)
    assert Lan(where, ("guest", "n3w", 3)).refused == 0x0D


def test_privileges_are_kept_apart(serve: Serve) -> None:
    machine, where = serve()

    assert login(where, READER).get_power() == {"powerstate": "off"}
    with pytest.raises(IpmiException, match="Insufficient privilege"):
        login(where, READER).set_power("on")
    with pytest.raises(IpmiException, match="Insufficient privilege"):
        login(where, OPERATOR).create_user(8, "x", "y")
    assert Lan(where, ("ro", "readonly", 4)).refused == 0x09
    assert machine.history == []


@pytest.mark.parametrize(
    ("name", "password", "words"),
    [("admin", "wrong", "Incorrect password"), ("nobody", "x", "Unauthorized name")],
)
def test_wrong_credentials_are_refused_by_an_answer(
    serve: Serve, name: str, password: str, words: str
) -> None:
    _, where = serve()

    with pytest.raises(IpmiException, match=words):  # silence would be called a timeout
        login(where, (name, password, 4))


def test_a_wrong_proof_gets_its_code_and_leaves_an_event(serve: Serve) -> None:
    _, where = serve()

    assert Lan(where, ("admin", "wrong", 4)).refused == 0x0F
    assert len(where.controller.log) == 1


def test_one_session_too_many_is_refused_and_a_closed_one_makes_room(serve: Serve) -> None:
    _, where = serve(sessions=2)
    first, second = Lan(where), Lan(where)

    assert (first.opened, second.opened) == (0, 0)
    assert Lan(where).opened == 1
    first.close()
    assert Lan(where).opened == 0


def test_silent_sessions_end_after_a_minute() -> None:
    clock = ManualClock()
    with Rack() as rack:
        where = rack.serve(MemoryMachine(), HOST, 0, USERS, sessions=1, clock=clock)
        assert Lan(where).opened == 0
        clock.advance(59)
        assert Lan(where).opened == 1
        clock.advance(2)
        assert Lan(where).opened == 0


def test_a_boot_device_that_nobody_uses_is_invalid_after_a_minute() -> None:
    clock = ManualClock()
    with Rack() as rack:
        where = rack.serve(MemoryMachine(), HOST, 0, USERS, clock=clock)
        link = Lan(where)
        link.command(0, 8, bytes([5, 0x80, 0x04, 0, 0, 0]))
        assert link.command(0, 9, bytes([5, 0, 0]))[3] & 0x80
        clock.advance(61)
        assert not Lan(where).command(0, 9, bytes([5, 0, 0]))[3] & 0x80


def test_a_repeated_packet_is_done_once(serve: Serve) -> None:
    machine, where = serve()
    link = Lan(where)
    link.command(0, 2, b"\x01", times=3)
    link.command(0, 2, b"\x02", times=3)
    until(lambda: len(machine.history) == 3)
    time.sleep(0.1)

    assert machine.history == ["on:default", "off", "on:default"]


def test_console_over_lan_carries_both_ways(serve: Serve) -> None:
    machine, where = serve()
    machine.power_on(where.controller.next_boot())
    heard = bytearray()

    def listen(data: Any) -> None:
        heard.extend(data if isinstance(data, bytes | bytearray) else str(data).encode())

    console = Console(
        bmc=where.host, userid=b"oper", password=b"0per", iohandler=listen, port=where.ipmi_port
    )
    until(lambda: Session.wait_for_rsp(0.1) is not None and bool(console.connected))
    text = b"".join(b"line %d\r\n" % n for n in range(200))
    machine.say(text)
    console.send_data(b"root\n")
    end = time.monotonic() + 60
    while (bytes(heard) != text or machine.typed != b"root\n") and time.monotonic() < end:
        Session.wait_for_rsp(0.1)
    console.close()

    assert bytes(heard) == text
    assert bytes(machine.typed) == b"root\n"


def test_identity_lan_and_self_test(serve: Serve) -> None:
    _, where = serve()
    client = login(where)
    answer = client.raw_command(netfn=6, command=1)
    guid = bytes(client.raw_command(netfn=6, command=0x37)["data"])

    assert bytes(answer["data"])[4] == 2  # IPMI 2.0
    assert guid == where.controller.guid
    assert client.get_net_configuration()["ipv4_address"] == f"{HOST}/8"
    assert client.raw_command(netfn=0x30, command=1)["code"] == 0xC1


def test_garbage_is_ignored(serve: Serve) -> None:
    _, where = serve()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as line:
        for size in range(64):
            line.sendto(b"\x06\0\xff\x07\x06" + bytes(size), (where.host, where.ipmi_port))
            line.sendto(bytes([size] * size), (where.host, where.ipmi_port))

    assert login(where).get_power() == {"powerstate": "off"}


def test_fifty_controllers_on_one_port_are_fifty_machines() -> None:
    with Rack() as rack:
        machines = [MemoryMachine(name=f"m{n}", serial=f"S{n}") for n in range(50)]
        first = rack.serve(machines[0], "127.0.77.1", 0, USERS)
        places = [first] + [
            rack.serve(m, f"127.0.77.{n}", first.ipmi_port, USERS)
            for n, m in enumerate(machines[1:], start=2)
        ]
        threads = [
            threading.Thread(target=lambda w: Lan(w).command(0, 2, b"\x01"), args=(w,))
            for w in places[::2]
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(20)
        until(lambda: sum(m.power() for m in machines) == 25)

        assert [m.power() for m in machines] == [n % 2 == 0 for n in range(50)]


class Lan:
    """A client of our own, for what pyghmi hides: SHA-1 sessions, refusals, repeated packets."""

    def __init__(self, where: Endpoints, user: tuple[str, str, int] = ADMIN) -> None:
        self.suite, self.sequence, self.number = SHA1, 0, 0
        line = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        line.settimeout(5)
        line.connect((where.host, where.ipmi_port))
        self._line = line
        kinds = b"".join(bytes([k, 0, 0, 8, 1, 0, 0, 0]) for k in range(3))
        answer = self._ask(0x10, bytes([1, 0, 0, 0]) + struct.pack("<I", 0xA0A1A2A3) + kinds)
        self.opened, self.refused = answer[1], 0
        if self.opened:
            self._line.close()
            return
        self.number = struct.unpack("<I", answer[8:12])[0]
        name, key, own = user[0].encode(), user[1].encode(), bytes(range(16))
        who = bytes([0x10 | user[2], len(name)]) + name
        head = bytes([2, 0, 0, 0]) + struct.pack("<I", self.number)
        two = self._ask(0x12, head + own + who[:1] + b"\0\0" + who[1:])
        if two[1]:
            self.refused = two[1]
            return
        theirs, client = two[8:24], struct.pack("<I", 0xA0A1A2A3)
        proof = self.suite.mac(key, theirs + client + who)
        four = self._ask(0x14, head + proof)
        if four[1]:
            self.refused = four[1]
            return
        secret = self.suite.mac(key, own + theirs + who)
        check = self.suite.tag(secret, own + struct.pack("<I", self.number) + two[24:40])
        assert (four[1], four[8:]) == (0, check)
        self._integrity = self.suite.mac(secret, b"\1" * 20)
        self._cipher = self.suite.mac(secret, b"\2" * 20)[:16]
        self.command(6, 0x3B, bytes([user[2]]))

    def command(self, netfn: int, number: int, data: bytes = b"", times: int = 1) -> bytes:
        """Send one command so many times; the body of the first answer, code first."""
        self.sequence += 1
        head = bytes([0x20, netfn << 2])
        tail = bytes([0x81, (self.sequence & 0x3F) << 2, number]) + data
        body = head + bytes([-sum(head) & 0xFF]) + tail + bytes([-sum(tail) & 0xFF])
        secret = encrypt(self._cipher, body)
        packet = bytes([6, 0xC0]) + struct.pack("<IIH", self.number, self.sequence, len(secret))
        packet += secret
        pad = -(len(packet) + 2) % 4
        packet += b"\xff" * pad + bytes([pad, 7])
        packet += self.suite.tag(self._integrity, packet)
        for _ in range(times):
            self._line.send(b"\x06\0\xff\x07" + packet)
        answer = self._line.recv(2048)
        size = struct.unpack("<H", answer[14:16])[0]
        return decrypt(self._cipher, answer[16 : 16 + size])[6:-1]

    def close(self) -> None:
        """End the session."""
        self.command(6, 0x3C, struct.pack("<I", self.number))
        self._line.close()

    def _ask(self, kind: int, payload: bytes) -> bytes:
        head = b"\x06\0\xff\x07" + bytes([6, kind]) + bytes(8)
        self._line.send(head + struct.pack("<H", len(payload)) + payload)
        return self._line.recv(2048)[16:]

    def __del__(self) -> None:
        self._line.close()
