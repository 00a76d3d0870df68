"""The metal driver's own rules: settings, claims, disks, deadlines and credentials of BMCs."""

from __future__ import annotations

import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from provisioner.drivers.metal import open_driver
from provisioner.drivers.metal.bmc import Bmc, SerialLog
from provisioner.drivers.metal.registry import Claim, Registry
from provisioner.drivers.metal.settings import BmcModel
from provisioner.errors import BadRequest, Conflict, Lost, Unauthorized
from provisioner.lab.bmc.serve import Endpoints, Rack
from provisioner.lab.memory import MemoryMachine
from provisioner.platform import PlatformConfig

HOST = "127.0.77.210"
USERS = (("admin", "s3cret", 4), ("ro", "readonly", 2))


def config(tmp_path: Path, **more: Any) -> PlatformConfig:
    """A platform of one machine."""
    entry = {"name": "m1", "bmc": {"address": HOST, "user": "a", "password": "b"},
             "macs": ["52:54:00:00:00:01"]}  # fmt: skip
    boot = {"interface": "lo", "address": "127.0.78.1/24", "range": ["127.0.78.10", "127.0.78.30"],
            "kernel": "k", "initrd": "i"}  # fmt: skip
    settings = {"inventory": [entry], "boot": boot, **more}
    return PlatformConfig(name="p", kind="metal", settings=settings, state=tmp_path)


def bmc_of(where: Endpoints, **more: Any) -> Bmc:
    """A client of a controller."""
    facts = {"address": where.host, "port": where.ipmi_port, "user": "admin",
             "password": "s3cret", **more}  # fmt: skip
    return Bmc(BmcModel.model_validate(facts), "m1", "p")


@pytest.fixture
def rack() -> Iterator[Rack]:
    with Rack() as made:
        yield made


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"speed": 1}, "speed: unknown setting"),
        ({"inventory": []}, "inventory: "),
        ({"inventory": "/nowhere/inventory.yaml"}, "/nowhere/inventory.yaml: no such file"),
        ({"inventory": [{"name": "m1", "bmc": {"address": "x", "user": "u"}}]},
         "inventory.0.bmc.password: field required"),
        ({"inventory": [{"name": "m1", "bmc": {"address": "x", "user": "u", "password": "p"}}]},
         "inventory.0: needs macs, serial or uuid"),
        ({"inventory": [{"name": "m1", "serial": "s", "bmc": {"address": "x", "user": "u",
          "password": "p", "protocol": "redfish"}}]}, "protocol redfish needs redfish:"),
    ],
)  # fmt: skip
def test_bad_settings_say_which_key(tmp_path: Path, more: dict[str, Any], words: str) -> None:
    with pytest.raises(BadRequest) as caught:
        open_driver(config(tmp_path, **more))
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_an_inventory_file_names_its_passwords_files(tmp_path: Path) -> None:
    (tmp_path / "pw").write_text("t0p\n")
    (tmp_path / "inv.yaml").write_text(
        "- {name: m1, serial: s, bmc: {address: 127.0.0.1, user: u, password: {file: pw}}}\n"
    )
    driver = open_driver(config(tmp_path, inventory=str(tmp_path / "inv.yaml")))

    assert driver.describe().limits["machines"] == 1
    assert "t0p" not in repr(driver.__dict__)


def test_a_machine_has_one_owner_however_many_ask(tmp_path: Path) -> None:
    def attempt(n: int) -> bool:
        tags = {"interop-run": f"r{n}", "interop-name": "x"}
        return Registry(tmp_path).claim(
            Claim(machine="m1", instance=f"i{n}", token=f"t{n}", at=0.0, image="small",
                  hostname="x", tags=tags)
        )  # fmt: skip

    with ThreadPoolExecutor(8) as pool:
        won = list(pool.map(attempt, range(32)))

    assert won.count(True) == 1
    assert [c.instance for c in Registry(tmp_path).claims()] == [f"i{won.index(True)}"]


def test_releasing_somebody_elses_claim_does_nothing(tmp_path: Path) -> None:
    registry = Registry(tmp_path)
    tags = {"interop-run": "r", "interop-name": "x"}
    mine = Claim(machine="m1", instance="a", token="t", at=0.0, image="small", hostname="x",
                 tags=tags)  # fmt: skip
    registry.claim(mine)
    registry.release(Claim(machine="m1", instance="b", token="t", at=0.0, image="small",
                           hostname="x", tags=tags))  # fmt: skip

    assert registry.claim_of("m1") == mine


@pytest.mark.parametrize("protocol", ["ipmi", "redfish"])
def test_both_protocols_drive_a_machine_alike(rack: Rack, protocol: str) -> None:
    machine = MemoryMachine()
    where = rack.serve(machine, HOST, 0, USERS, redfish_port=0)
    url = f"https://{where.host}:{where.redfish_port}"
    bmc = bmc_of(where, protocol=protocol, redfish=url, fingerprint=where.fingerprint)
    try:
        bmc.call("set_boot", device="network", persistent=False, uefi=False)
        once = bmc.call("get_boot")
        assert bmc.call("set_power", state="on") == "on"
        after = bmc.call("get_boot")
        sensors = {s["name"]: s for s in bmc.call("sensors")}
        bmc.call("set_power", state="cycle")
        end = time.monotonic() + 60
        while len(machine.history) < 3 and time.monotonic() < end:
            time.sleep(0.01)
        bmc.call("set_power", state="off")
        events = bmc.call("events")
        bmc.call("clear_events")

        assert (once["device"], once["persistent"]) == ("network", False)
        assert after["device"] == "default"
        assert machine.history == ["on:network", "off", "on:default", "off"]
        assert (sensors["CPU Temp"]["value"], sensors["CPU Temp"]["unit"]) == (41, "C")
        assert sensors["CPU Temp"]["thresholds"]["upper_critical"] == 95
        assert len(events) == 4
        assert bmc.call("events") == []
        assert bmc.call("inventory")["serial"] == machine.serial
        before = time.time() - 2  # an answer is rounded to seconds
        assert before < bmc.call("clock") < time.time() + 2
    finally:
        bmc.close()


def test_wrong_credentials_are_unauthorized_and_login_tells_them_apart(rack: Rack) -> None:
    where = rack.serve(MemoryMachine(), HOST, 0, USERS)
    wrong, right, reader = (
        bmc_of(where, password="wrong"), bmc_of(where),
        bmc_of(where, user="ro", password="readonly"),
    )  # fmt: skip
    try:
        with pytest.raises(Unauthorized):
            wrong.call("power")
        with pytest.raises(Unauthorized):
            reader.call("set_power", state="on")
        assert right.login("admin", "s3cret") == "ok"
        assert right.login("admin", "nope") == "refused"
        assert right.login("nobody", "nope") == "refused"
        with pytest.raises(Conflict):
            right.call("set_power", state="reset")
    finally:
        for client in (wrong, right, reader):
            client.close()


def test_a_wrong_certificate_is_not_talked_to(rack: Rack) -> None:
    where = rack.serve(MemoryMachine(), HOST, 0, USERS, redfish_port=0)
    url = f"https://{where.host}:{where.redfish_port}"
    bmc = bmc_of(where, protocol="redfish", redfish=url, fingerprint="0" * 64)
    try:
        with pytest.raises(Exception, match=r"(?i)certificate") as caught:
            bmc.call("power")
        assert "s3cret" not in str(caught.value)
    finally:
        bmc.close()


def test_a_silent_bmc_is_lost_within_the_deadline_and_comes_back() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as deaf:
        deaf.bind((HOST, 0))
        port = deaf.getsockname()[1]
        model = BmcModel.model_validate(
            {"address": HOST, "port": port, "user": "admin", "password": "s3cret"}
        )
        bmc = Bmc(model, "m1", "p")
        with pytest.raises(Lost, match="not answered within 1 s"):
            bmc.call("power", 1.0)
    with Rack() as rack:
        rack.serve(MemoryMachine(), HOST, port, USERS)
        try:
            assert bmc.call("power") == "off"
        finally:
            bmc.close()


def test_a_session_that_ended_in_silence_is_not_asked(
    rack: Rack, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Controllers end idle sessions unannounced; pyghmi would ask in vain for 20 s."""
    monkeypatch.setattr("provisioner.lab.bmc.session.IDLE_S", 0.5)
    monkeypatch.setattr("provisioner.drivers.metal.bmc.IDLE_S", 0.4)
    bmc = bmc_of(rack.serve(MemoryMachine(), HOST, 0, USERS))
    try:
        bmc.call("power")
        time.sleep(0.7)  # the silence
        begun = time.monotonic()

        assert bmc.call("power") == "off"
        assert time.monotonic() - begun < 10
    finally:
        bmc.close()


def test_no_password_is_in_an_argument_list(rack: Rack) -> None:
    where = rack.serve(MemoryMachine(), HOST, 0, USERS)
    bmc = bmc_of(where)
    try:
        bmc.call("power")
        listed = subprocess.run(["ps", "axww"], capture_output=True, text=True, check=True).stdout
        assert "drivers.metal.worker" in listed
        assert "s3cret" not in listed
    finally:
        bmc.close()


def test_serial_over_lan_is_gathered_into_a_file(rack: Rack, tmp_path: Path) -> None:
    machine = MemoryMachine()
    where = rack.serve(machine, HOST, 0, USERS)
    log = SerialLog(bmc_of(where).about, tmp_path / "console.log")
    log.start(fresh=True)
    stop = threading.Event()

    def chatter() -> None:
        while not stop.wait(0.1):
            machine.say(b"login: \r\n")

    talking = threading.Thread(target=chatter)
    talking.start()
    try:
        end = time.monotonic() + 60
        while "login: " not in log.read() and time.monotonic() < end:
            time.sleep(0.05)
        assert "login: " in log.read()
    finally:
        stop.set()
        talking.join()
        log.close()
