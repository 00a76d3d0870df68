"""The boot service: scripts, tokens, identity and seed, over a real socket."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from provisioner.clock import ManualClock
from provisioner.drivers.metal.boot.identity import Fingerprint, identify, score
from provisioner.drivers.metal.boot.service import BootService
from provisioner.drivers.metal.boot.tokens import Refusal, Tickets
from provisioner.drivers.metal.registry import Claim, Registry
from provisioner.drivers.metal.settings import MachineModel, MetalSettings
from provisioner.lab.memory import MemoryMachine
from provisioner.lab.memory_guest import MemoryGuest

HOST, PORT = "127.0.78.1", 8178
SECRET = b"#!/bin/sh\necho s3cret-in-user-data\n"


def settings(folder: Path, **more: Any) -> MetalSettings:
    """Two machines; the second one's MAC is not known."""
    for name in ("kernel", "initrd", "deb.img"):
        (folder / name).write_bytes(name.encode() * 1000)
    bmc = {"address": "127.0.0.1", "user": "a", "password": "b"}
    disks = [{"serial": "d1", "size_gib": 4}, {"serial": "d2", "size_gib": 4}]
    return MetalSettings.model_validate(
        {
            "inventory": [
                {"name": "m1", "bmc": bmc, "macs": ["52:54:00:00:00:01"], "serial": "SN-1",
                 "disks": disks},
                {"name": "m2", "bmc": bmc, "serial": "SN-2", "uuid": "u-2"},
            ],
            "boot": {
                "interface": "lo", "address": f"{HOST}/24", "range": ["127.0.78.10", "127.0.78.30"],
                "dhcp": False, "http_port": PORT, "kernel": folder / "kernel",
                "initrd": folder / "initrd", "images": {"debian-12": folder / "deb.img"},
                "token_ttl_s": 60,
            },
            **more,
        }
    )  # fmt: skip


def claim(machine: str = "m1", **more: Any) -> Claim:
    """A reservation of a machine."""
    return Claim(
        **{
            "machine": machine, "instance": f"i{machine}", "token": "t", "at": 0.0,
            "image": "small", "hostname": f"web-{machine}", "keys": ("ssh-ed25519 AAAA",),
            "tags": {"interop-run": "r1", "interop-name": f"web-{machine}"}, "user_data": True,
            **more,
        }
    )  # fmt: skip


class Site:
    """A boot service with a guest of machine m1."""

    def __init__(self, folder: Path, **more: Any) -> None:
        self.folder = folder / "state"
        self.settings = settings(folder, **more)
        self.registry = Registry(self.folder)
        self.clock = ManualClock()
        self.service = self.another()
        self.machine = MemoryMachine(serial="SN-1", macs=("52:54:00:00:00:01",))
        self.guest = MemoryGuest(
            machine=self.machine, url=f"http://{HOST}:{PORT}", address="127.0.78.10"
        )

    def another(self) -> BootService:
        """A service of another process with the same state."""
        return BootService(
            self.settings, self.registry, self.folder, broker="", platform="p", clock=self.clock
        )

    def expect(self, wanted: Claim) -> None:
        assert self.registry.claim(wanted)
        self.service.expect(wanted, SECRET)

    def token(self) -> str:
        found = re.search(r"interop\.token=(\S+)", self.guest.script())
        assert found
        return found[1]


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    made = Site(tmp_path)
    made.service.ensure()
    yield made
    made.service.close()


def test_the_script_of_a_claimed_machine_installs_it_and_wipes_its_disks(site: Site) -> None:
    site.expect(claim(image="debian-12"))
    text = site.guest.script()

    assert text.startswith("#!ipxe\n")
    line = next(x for x in text.splitlines() if x.startswith("kernel "))
    assert f" interop.url=http://{HOST}:{PORT} " in line
    assert " console=ttyS0 " in line
    assert line.endswith(
        f" interop.image=http://{HOST}:{PORT}/files/debian-12 interop.wipe=d1,d2 loglevel=4"
    )
    assert site.guest.ask("GET", "/files/kernel") == (200, b"kernel" * 1000)
    assert site.guest.ask("GET", "/files/../state/lock")[0] == 404


def test_registration_gives_seed_once_and_the_seed_needs_the_token(site: Site) -> None:
    site.expect(claim())
    token = site.token()
    status, answer = site.guest.register(token)
    mine = json.loads(answer)["member_token"]
    meta = json.loads(site.guest.ask("GET", "/meta-data", token=mine)[1])

    assert status == 201
    assert meta["instance-id"] == "im1"
    assert meta["local-hostname"] == "web-m1.metal.internal"
    assert meta["public-keys"] == ["ssh-ed25519 AAAA"]
    assert site.guest.ask("GET", "/user-data", token=mine) == (200, SECRET)
    assert site.guest.ask("GET", "/user-data")[0] == 403
    assert site.guest.ask("GET", "/meta-data", token=token)[0] == 403
    assert site.guest.ask("POST", "/progress", b'{"phase": "done", "text": "x"}', mine)[0] == 204
    life = site.registry.life(claim())
    assert life.hardware["address"] == "127.0.78.10"
    assert [event["phase"] for event in life.events] == ["done"]
    assert "sanboot" in site.guest.script()


def test_a_repeated_registration_gets_its_answer_and_another_does_not(site: Site) -> None:
    site.expect(claim())
    token = site.token()
    first = site.guest.register(token)

    assert site.guest.register(token) == first
    site.guest.told = {"cpus": 64}
    assert site.guest.register(token)[0] == 403


def test_a_token_expires_and_an_invented_one_is_refused(site: Site) -> None:
    site.expect(claim())
    token = site.token()
    site.clock.advance(61)

    assert site.guest.register(token)[0] == 403
    assert site.guest.register("invented")[0] == 403


def test_a_machine_that_is_another_one_does_not_get_the_seed(site: Site) -> None:
    site.expect(claim())
    site.expect(claim("m2"))
    site.guest.told = {"serial": "SN-2", "uuid": "u-2", "macs": []}

    status, answer = site.guest.register(site.token())

    assert (status, answer) == (403, b"token of m1, but this is m2\n")


def test_an_unknown_mac_is_discovered_by_its_fingerprint(site: Site) -> None:
    site.expect(claim("m2"))
    site.guest.machine.macs = ("52:54:00:99:99:99",)
    site.guest.told = {"serial": "SN-2", "uuid": "U-2"}

    status, answer = site.guest.register(site.token())

    assert (status, json.loads(answer)["hostname"]) == (201, "web-m2")


@pytest.mark.parametrize(
    "told", [{"serial": "SN-9", "macs": []}, {"serial": "", "macs": ["aa:bb:cc:dd:ee:ff"]}]
)
def test_a_stranger_is_refused(site: Site, told: dict[str, Any]) -> None:
    site.guest.machine.macs = ("52:54:00:99:99:99",)
    site.guest.told = told

    assert site.guest.register(site.token())[0] == 403


def test_hostile_registrations_are_bad_requests(site: Site) -> None:
    for body in (b"", b"[]", b"{", b'{"token": 1}', b'{"token": "x", "macs": "no"}', b"\xff"):
        assert site.guest.ask("POST", "/register", body)[0] == 400
    huge = json.dumps({"token": "x", "serial": "y" * 100_000}).encode()
    assert site.guest.ask("POST", "/register", huge)[0] == 413
    assert site.guest.ask("GET", "/ipxe/nonsense")[0] == 400


def test_nothing_secret_is_on_disk(site: Site) -> None:
    site.expect(claim())
    token = site.token()
    mine = json.loads(site.guest.register(token)[1])["member_token"]
    kept = b"".join(p.read_bytes() for p in site.folder.rglob("*") if p.is_file())

    assert b"im1" in kept
    for secret in (token.encode(), mine.encode(), b"s3cret-in-user-data"):
        assert secret not in kept


def test_a_second_process_hands_its_wishes_over_and_takes_over(site: Site) -> None:
    wanted = claim()
    assert site.registry.claim(wanted)
    second = site.another()
    assert second.expect(wanted, SECRET) == site.service.ensure()
    mine = json.loads(site.guest.register(site.token())[1])["member_token"]
    assert site.guest.ask("GET", "/user-data", token=mine)[1] == SECRET
    site.service.close()
    try:
        assert second.ensure()
        assert site.guest.ask("GET", "/meta-data", token=mine)[0] == 200
        assert site.guest.ask("GET", "/user-data", token=mine)[0] == 503
    finally:
        second.close()


def test_a_wrong_hostname_is_a_defect(tmp_path: Path) -> None:
    site = Site(tmp_path, defects=["wrong-hostname"])
    site.expect(claim())
    try:
        assert json.loads(site.guest.register(site.token())[1])["hostname"] == "not-web-m1"
    finally:
        site.service.close()


def machine(**facts: Any) -> MachineModel:
    """A machine of an inventory."""
    bmc = {"address": "127.0.0.1", "user": "a", "password": "b"}
    return MachineModel.model_validate({"name": "m", "bmc": bmc, **facts})


def test_identity_is_the_share_of_what_is_known() -> None:
    known = machine(serial="A", uuid="U", macs=["52:54:00:00:00:01"])

    assert score(Fingerprint(serial="A", uuid="u", macs=("52:54:00:00:00:01",)), known) == 1.0
    assert score(Fingerprint(serial="A", uuid="U"), known) == pytest.approx(6 / 8)
    assert score(Fingerprint(macs=("52:54:00:00:00:01",)), known) == pytest.approx(2 / 8)
    assert identify(Fingerprint(macs=("52:54:00:00:00:01",)), [known]).machine == ""


def test_placeholders_identify_nobody_and_ties_are_nobody() -> None:
    filler = machine(serial="To Be Filled By O.E.M.", macs=["52:54:00:00:00:01"])
    twin = filler.model_copy(update={"name": "n"})

    assert score(Fingerprint(serial="To be filled by O.E.M."), filler) == 0.0
    assert identify(Fingerprint(macs=("52:54:00:00:00:01",)), [filler]).machine == "m"
    assert identify(Fingerprint(macs=("52:54:00:00:00:01",)), [filler, twin]).machine == ""


def test_tickets_are_for_one_request() -> None:
    tickets = Tickets(ManualClock(), 10)
    token = tickets.issue("m1")

    assert tickets.spend(token, b"a") == ("m1", b"")
    with pytest.raises(Refusal):
        tickets.spend(token, b"b")
    with pytest.raises(Refusal):
        tickets.spend(token, b"a")  # its answer is not known yet
    tickets.answered(token, b"answer")
    assert tickets.spend(token, b"a") == ("m1", b"answer")
